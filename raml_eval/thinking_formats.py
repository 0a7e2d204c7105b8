"""The thinking formats of the model families: how each marks its thinking and turns it on and off, as a table of texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from raml_eval.errors import ModelError, near_names


@dataclass(frozen=True, slots=True)
class ThinkingFormat:
    """The texts around thinking in one model family.

    opener starts the thinking and closer ends it; both are empty in the format without thinking. A template that writes the
    opener itself belongs to the same format as one that does not: rendering adds only the part that is missing.

    Thinking is switched by at most one of these: variable, a template variable set to true or false; on_sentence and
    off_sentence, which are put first in the system message; off_suffix, an empty thinking written after the prompt. A family
    with none of them has no mode without thinking.

    closing_text is what a forced end writes before the closer by default. If it is empty, only the delimiter is written.
    """

    name: str
    opener: str
    closer: str
    variable: str = ""
    on_sentence: str = ""
    off_sentence: str = ""
    off_suffix: str = ""
    closing_text: str = ""

    @property
    def thinks(self) -> bool:
        return bool(self.closer)

    @property
    def mark(self) -> str:
        """The opener without the blanks that follow it."""
        return self.opener.rstrip()

    @property
    def switched_in_template(self) -> bool:
        return bool(self.variable or self.off_sentence)

    @property
    def supports_off(self) -> bool:
        return not self.thinks or self.switched_in_template or bool(self.off_suffix)


_ALL = (
    ThinkingFormat("qwen3", "<think>\n", "</think>", variable="enable_thinking"),
    ThinkingFormat("deepseek-r1", "<think>\n", "</think>", off_suffix="<think>\n\n</think>\n\n"),
    ThinkingFormat("deepseek-v3", "<think>", "</think>", variable="thinking"),
    ThinkingFormat("qwq", "<think>\n", "</think>"),
    # s1 was trained with this newline. Without it here, the newline would count as the first thinking token.
    ThinkingFormat("s1", "<|im_start|>think\n", "<|im_start|>answer"),
    ThinkingFormat(
        "nemotron",
        "<think>\n",
        "</think>",
        on_sentence="detailed thinking on",
        off_sentence="detailed thinking off",
    ),
    ThinkingFormat("nemotron-v2", "<think>\n", "</think>", on_sentence="/think", off_sentence="/no_think"),
    # RaML's delimiters are ordinary text, each on a line of its own. Right after a sentence's last mark, the delimiter would
    # be tokenised otherwise than in training. <conclusion> and its \boxed{} belong to the answer.
    ThinkingFormat("raml", "<think>\n", "</think>", closing_text="\n"),
    ThinkingFormat("none", "", ""),
)

FORMATS: Mapping[str, ThinkingFormat] = MappingProxyType({fmt.name: fmt for fmt in _ALL})


def format_by_name(name: str) -> ThinkingFormat:
    """The thinking format of that name. Raises ModelError, which suggests similar names, for any other name.

    Example: format_by_name("qwen3").closer == "</think>"
    """
    if name not in FORMATS:
        raise ModelError(
            f"thinking format {name!r} is not known.{near_names(name, FORMATS)} Known formats: {', '.join(FORMATS)}."
        )
    return FORMATS[name]
