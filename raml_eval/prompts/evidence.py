"""What a tokenizer and its chat template show about thinking: what is rendered, read, written and stripped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
_FOREIGN_TAG = re.compile(r"<([a-z]\w*)>\s*$", re.IGNORECASE)
_ROLES = frozenset({"system", "user", "assistant", "tool", "developer", "model", "bot", "ai", "gpt", "function", "answer"})
# Variables that every template gets, or that have nothing to do with how a turn begins.
_STANDARD = frozenset({"messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token", "strftime_now"})
_TRIED: tuple[Any, ...] = (True, False, 0, "true", "false", "low", "high", "none", "on", "off", "enabled", "disabled")


@dataclass(slots=True)
class Evidence:
    """Everything that detection looks at. Renderings are kept, because every format asks for some of the same ones."""

    tokenizer: ChatTokenizer
    variables: frozenset[str]
    texts: str
    vocabulary: frozenset[str]
    _rendered: dict[str, str | None] = field(default_factory=dict)
    _switches: list[str] | None = None

    def render(self, mode: Mode, extra: Mapping[str, Any] = NO_VARIABLES) -> str | None:
        """The probe's prompt in a mode, as the template writes it; None if the template fails with it."""
        return self._render(with_system(mode, PROBE, None), {**extra, **mode.variables})

    def _render(
        self, conversation: Sequence[Mapping[str, str]], variables: Mapping[str, Any], generation_prompt: bool = True
    ) -> str | None:
        key = repr((conversation, sorted(variables.items()), generation_prompt))
        if key not in self._rendered:
            try:
                text = render_template(self.tokenizer, conversation, variables, generation_prompt=generation_prompt)
            except ModelError:
                text = None
            self._rendered[key] = text
        return self._rendered[key]

    def tail(self, mode: Mode) -> str:
        """What the prompt of a mode holds after the question."""
        return after_messages(self.render(mode) or "", PROBE)

    def start(self, mode: Mode) -> str:
        """The generation prompt of a mode: what the template writes to let the model's turn begin."""
        whole = self.render(mode) or ""
        before = self._render(with_system(mode, PROBE, None), mode.variables, generation_prompt=False)
        # Some templates write the start of the model's turn whether or not it is asked for.
        if before is None or before == whole or not whole.startswith(before):
            return self.tail(mode)
        return whole.removeprefix(before)

    def around_thought(self, mode: Mode) -> tuple[str, str] | None:
        """What the template writes between its generation prompt and a thought, and between the thought and its answer.

        None if it does not write the thoughts of a last turn, or writes them elsewhere.
        """
        turn = {"role": "assistant", "content": _ANSWER, "reasoning_content": _THOUGHT}
        prompt = self.render(mode)
        text = self._render([*with_system(mode, PROBE, None), turn], mode.variables, generation_prompt=False)
        if text is None:
            return None
        opener, found, rest = text.removeprefix(prompt or "\0").partition(_THOUGHT)
        closer, answered, _ = rest.partition(_ANSWER)
        return (opener, closer) if found and answered and opener != text else None

    def writes_thoughts(self) -> bool:
        """True if the template writes a last turn's thought with a delimiter of thinking before it."""
        around = self.around_thought(Mode())
        return around is not None and any(mark in around[0] for mark in _known_marks())

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
        begun = [f"a generation prompt that ends in {start[-40:]!r}"] if self.opened_otherwise() else []
        return [*sorted(marks), *self.switches(), *begun]

    def opened_otherwise(self) -> bool:
        """True if the generation prompt speaks of thinking, or leaves a tag open that is no role of a turn."""
        start = self.start(Mode())
        opened = _FOREIGN_TAG.search(start)
        return bool(_FOREIGN_START.search(start) or (opened and opened[1].lower() not in _ROLES))

    def marks_written(self) -> list[str]:
        """The delimiters of thinking that stand in the template, known ones and such as look like one."""
        known = {mark for mark in _known_marks() if mark in self.texts}
        return sorted(known | set(_FOREIGN_MARK.findall(self.texts)))

    def switches(self) -> list[str]:
        """What turns thinking on or off, whether or not a format knows it: variables, and words in a message."""
        if self._switches is None:
            self._switches = [f"the variable {name}" for name in sorted(self.variables - _STANDARD) if self._alters(name)]
            together = dict.fromkeys(self.variables - _STANDARD, True)
            if not self._switches and self._turns_thinking(self.render(Mode(), together)):
                self._switches.append("a combination of variables")
            self._switches += [f"the word {word!r} in a message" for word in self._words() if self._obeys(word)]
        return self._switches

    def _alters(self, name: str) -> bool:
        """True if the variable has to do with thinking by its name and changes the prompt, or turns thinking on or off."""
        plain = self.render(Mode())
        tried = (*_TRIED, *compared_values(template_source(self.tokenizer), name))
        rendered = [self.render(Mode(), {name: value}) for value in tried]
        if _FOREIGN_SWITCH.search(name):
            return any(text is not None and text != plain for text in rendered)
        return any(map(self._turns_thinking, rendered))

    def _turns_thinking(self, text: str | None, question: str = PROBE[0]["content"]) -> bool:
        """True if a prompt lets the model's turn begin otherwise than the plain one, and either has a mark of thinking."""
        if text is None or question not in text:
            return False
        tail, plain = text.rpartition(question)[2], self.tail(Mode())
        marked = (_FOREIGN_MARK.search(one) or any(mark in one for mark in _known_marks()) for one in (tail, plain))
        return tail != plain and any(marked)

    def _words(self) -> list[str]:
        """The texts that the template looks for, in messages or elsewhere."""
        values = compared_values(template_source(self.tokenizer))
        return [value for value in values if isinstance(value, str) and 2 < len(value) <= 60 and value not in _ROLES]

    def _obeys(self, word: str) -> bool:
        """True if the word in a system message, or after the question, turns thinking on or off."""
        if self._turns_thinking(self.render(Mode(system=word))):
            return True
        asked = f"{PROBE[0]['content']} {word}"
        text = self._render([{"role": "user", "content": asked}], NO_VARIABLES)
        if text is None:
            return False
        question = asked if asked in text else PROBE[0]["content"]
        return self._turns_thinking(text, question)


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
