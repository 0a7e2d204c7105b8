"""Where the words and breaks whose role is asked for stand in a thinking."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from raml_eval.diagnostics.roles.places import token_span
from raml_eval.errors import ConfigError
from raml_eval.reflection import REFLECTIONS, find_phrases, is_spaced

WORDS = ("Wait", "Hold on", "Alternatively", "However", "Therefore", "Since")  # those of the paper's figure 6
PARAGRAPH, LINE, DELIMITER = "paragraph end", "line end", "end delimiter"
BREAKS = (PARAGRAPH, LINE)
_BREAK = re.compile(r"\n(?:[ \t\r]*\n)*")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """The tokens start to stop - 1 of a thinking have the role."""

    role: str
    start: int
    stop: int

    @property
    def is_word(self) -> bool:
        return self.role not in BREAKS


@dataclass(frozen=True, slots=True)
class Words:
    """The phrases that are looked for, in lower case: the role of each, and whether it has to stand as whole words."""

    roles: Mapping[str, str]
    whole: Mapping[str, bool]

    @property
    def names(self) -> tuple[str, ...]:
        """Every role of words, in the order of tables."""
        return tuple(dict.fromkeys(self.roles.values()))


def choose_words(wanted: Sequence[str] = ()) -> Words:
    """The words that were asked for, each with a role of its own. Without any, WORDS and the phrases of all languages.

    The phrases of REFLECTIONS that are none of WORDS share a role for each language, such as "other (en)". Raises ConfigError
    for a word that is blank.

    Example: choose_words(["So"]).roles == {"so": "So"}
    """
    if blank := [word for word in wanted if not word.strip()]:
        raise ConfigError(
            f"--word {blank[0]!r} is blank, wanted a word or phrase. Line and paragraph ends are always measured."
        )
    roles: dict[str, str] = {}
    for word in wanted or WORDS:
        roles.setdefault(word.strip().lower(), word.strip())
    if not wanted:
        for code, phrases in REFLECTIONS.items():
            for phrase in phrases:
                roles.setdefault(phrase, f"other ({code})")
    return Words(roles, {phrase: is_spaced(phrase) for phrase in roles})


def find_occurrences(text: str, ends: Sequence[int], words: Words) -> Iterator[Occurrence]:
    """The words, then the breaks of the text. ends is that of text_and_ends.

    A paragraph ends at one or more blank lines, which are one occurrence; every other line break ends a line.
    """
    for start, stop, phrase in find_phrases(text, words.whole):
        yield Occurrence(words.roles[phrase], *token_span(ends, start, stop))
    for found in _BREAK.finditer(text):
        role = LINE if found.group() == "\n" else PARAGRAPH
        yield Occurrence(role, *token_span(ends, found.start(), found.end()))
