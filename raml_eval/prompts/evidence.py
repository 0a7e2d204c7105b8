"""What a tokenizer and its chat template show about thinking: what is rendered, read, written and stripped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from raml_eval.errors import ModelError
from raml_eval.prompts.rendering import after_messages, with_system
from raml_eval.prompts.template import (
    NO_VARIABLES,
    compared_values,
    render_template,
    template_source,
    template_texts,
    template_variables,
)
from raml_eval.protocols import ChatTokenizer
from raml_eval.thinking_formats import Mode, is_mark, known_formats

PROBE = ({"role": "user", "content": "What is 1+1?"},)
_THOUGHT, _ANSWER = "Let me add: one and one.", "The sum is two."
# Delimiters and switches of families that no thinking format covers. If they were ignored, thinking would be an answer.
_FOREIGN_MARK = re.compile(r"[<\[◁][|/]*[\w ]*(?:think|thought|reason|channel)[\w ]*[|/]*[>\]▷]", re.IGNORECASE)
_FOREIGN_SWITCH = re.compile(r"think|reason|effort", re.IGNORECASE)
_FOREIGN_START = re.compile(r"think|thought|reason", re.IGNORECASE)
_TRIED: tuple[Any, ...] = (True, False, 0, "low", "high", "none", "on", "off")


@dataclass(slots=True)
class Evidence:
    """Everything that detection looks at. Renderings are kept, because every format asks for some of the same ones."""

    tokenizer: ChatTokenizer
    variables: frozenset[str]
    texts: str
    vocabulary: frozenset[str]
    _rendered: dict[str, str | None] = field(default_factory=dict)

    def render(self, mode: Mode, extra: Mapping[str, Any] = NO_VARIABLES) -> str | None:
        """The probe's prompt in a mode, as the template writes it; None if the template fails with it."""
        key = repr((sorted(mode.variables.items()), mode.system, sorted(extra.items())))
        if key not in self._rendered:
            conversation = with_system(mode, PROBE, None)
            try:
                self._rendered[key] = render_template(self.tokenizer, conversation, {**extra, **mode.variables})
            except ModelError:
                self._rendered[key] = None
        return self._rendered[key]

    def tail(self, mode: Mode) -> str:
        """What the prompt of a mode holds after the question."""
        return after_messages(self.render(mode) or "", PROBE)

    def start(self, mode: Mode) -> str:
        """The generation prompt of a mode: what the template writes to let the model's turn begin."""
        whole = self.render(mode) or ""
        try:
            before = render_template(self.tokenizer, with_system(mode, PROBE, None), mode.variables, generation_prompt=False)
        except ModelError:
            return self.tail(mode)
        # Some templates write the start of the model's turn whether or not it is asked for.
        return whole.removeprefix(before) if before != whole and whole.startswith(before) else self.tail(mode)

    def around_thought(self, mode: Mode) -> tuple[str, str] | None:
        """What the template writes between its generation prompt and a thought, and between the thought and its answer.

        None if it does not write the thoughts of a last turn, or writes them elsewhere.
        """
        turn = {"role": "assistant", "content": _ANSWER, "reasoning_content": _THOUGHT}
        prompt = self.render(mode)
        try:
            text = render_template(
                self.tokenizer, [*with_system(mode, PROBE, None), turn], mode.variables, generation_prompt=False
            )
        except ModelError:
            return None
        opener, found, rest = text.removeprefix(prompt or "\0").partition(_THOUGHT)
        closer, answered, _ = rest.partition(_ANSWER)
        return (opener, closer) if found and answered and opener != text else None

    def asked_for(self, mode: Mode) -> str:
        """The part of the prompt before the question, in which some templates ask the model to think, and how."""
        return (self.render(mode) or "").partition(PROBE[0]["content"])[0]

    def mentions(self, text: str) -> bool:
        """True if the text is one of the vocabulary's own tokens, or stands in the template."""
        return text in self.vocabulary or text in self.texts

    def signs(self) -> list[str]:
        """Signs of thinking, whether or not a format knows them: marks, switches, and words in the generation prompt."""
        marks = {mark for mark in _known_marks() if mark in self.vocabulary} | set(self.marks_written())
        marks |= {found for token in self.vocabulary for found in _FOREIGN_MARK.findall(token)}
        start = self.start(Mode())
        begun = [f"a generation prompt that ends in {start[-40:]!r}"] if _FOREIGN_START.search(start) else []
        return [*sorted(marks), *(f"the variable {name}" for name in self.switches()), *begun]

    def marks_written(self) -> list[str]:
        """The delimiters of thinking that stand in the template, known ones and such as look like one."""
        known = {mark for mark in _known_marks() if mark in self.texts}
        return sorted(known | set(_FOREIGN_MARK.findall(self.texts)))

    def switches(self) -> list[str]:
        """The variables that have to do with thinking, by their names, and change the prompt."""
        return [name for name in sorted(self.variables) if self._alters(name)]

    def _alters(self, name: str) -> bool:
        """True if the template's variable of that name has to do with thinking and changes the prompt."""
        if not _FOREIGN_SWITCH.search(name):
            return False
        plain = self.render(Mode())
        tried = (*_TRIED, *compared_values(template_source(self.tokenizer), name))
        rendered = (self.render(Mode(), {name: value}) for value in tried)
        return any(text is not None and text != plain for text in rendered)


def _known_marks() -> Iterator[str]:
    for fmt in known_formats().values():
        yield from (mark for mark in (fmt.opener, fmt.closer) if is_mark(mark))


def gather_evidence(tokenizer: ChatTokenizer) -> Evidence:
    """What the tokenizer and its chat template show. Raises ModelError, with the template's error, if it renders no question.

    A tokenizer without a chat template shows its vocabulary only.
    """
    source = template_source(tokenizer)
    if source:
        render_template(tokenizer, PROBE)
    return Evidence(tokenizer, template_variables(source), template_texts(source), frozenset(tokenizer.get_added_vocab()))
