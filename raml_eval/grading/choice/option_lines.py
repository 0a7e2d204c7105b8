"""Lines that are an option and nothing else, and lists of options."""

from __future__ import annotations

import re
from collections.abc import Sequence

from raml_eval.grading.choice.letters import (
    ALONE,
    SMALL,
    is_own,
    names_second,
    names_several,
    starts_with_own,
    unparenthesised,
)
from raml_eval.grading.choice.option_text import OptionTexts
from raml_eval.grading.statements.settle import HEDGE
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import flat, soft_key

_BARE_LINE = re.compile(r"[\s>#*_`$(\[]{0,8}[A-Za-z][)\].:*_`$\s]{0,8}")
_LIST_MARKS = re.compile(r"(?:[\s>#*•✅]|-(?!\d))+")
_HEADING_MARKS = re.compile(r"(?:[\s#*•✅]|[>-](?![\s*]*[\d.$\\√]))+")  # before a number, - and > belong to it
_ITEM = re.compile(r"[\s>*_\-•(]{0,8}([A-Z])[).:\]]")


def read_line(line: str, texts: OptionTexts, behind_colon: bool = False) -> str | None:
    """The letter of a line, or of what stands behind its colon, that is an option alone: its letter, its text, or both."""
    if len(line) > texts.longest + 60 and not _ITEM.match(line):
        return None
    marks = (_HEADING_MARKS if behind_colon else _LIST_MARKS).match(line)
    short = flat(line[marks.end() :] if marks else line)
    alone = ALONE.fullmatch(short) or SMALL.fullmatch(short)
    if alone is not None and alone[1].upper() in texts.known:
        beyond = alone[1] not in texts.letters and (alone[1] == "I" or alone[1].islower())  # the pronoun; a variable
        return None if beyond and alone[1].upper() not in texts.letters else alone[1].upper()
    if (found := texts.match(short)) is not None:
        return found
    match = PHRASES["letter_with_text"].fullmatch(short)
    if match is None or match[1].upper() not in texts.letters:
        return HEDGE if names_several(short, short, texts) else _before_letter(short, texts) or _before_another(short, texts)
    letter, rest = match[1].upper(), unparenthesised(match["rest"])
    own = not rest or is_own(letter, rest, texts)
    if not rest and names_several(short, short, texts):
        return HEDGE  # A, B: the first of them is no article
    return (
        letter
        if own
        or (match["separator"].strip() and starts_with_own(letter, rest, texts) and not names_second(letter, rest, texts))
        else None
    )


def stands_alone(text: str, line: tuple[int, int], beside: Sequence[tuple[int, int]], texts: OptionTexts) -> str | None:
    """What a line names that is an option and nothing else, unless the lines beside it are options too."""
    if line[1] - line[0] > 500 or (found := read_line(text[line[0] : line[1]], texts)) is None:
        return None
    bare = _BARE_LINE.fullmatch(text, *line) is not None
    for start, end in beside:
        other = text[start:end][:500]
        if (_BARE_LINE.fullmatch(other) if bare else read_line(other, texts)) is not None:
            return None
    return found


def _before_letter(short: str, texts: OptionTexts) -> str | None:
    match = PHRASES["text_before_letter"].fullmatch(short)
    return match[2].upper() if match is not None and texts.is_text_of(match[2].upper(), match["text"]) else None


def _before_another(short: str, texts: OptionTexts) -> str | None:
    """The option of a line that names one and then another that it is not: Rome, not Paris."""
    start = texts.match_start(short)
    denied = PHRASES["not_another"].match(soft_key(short)[start[1] :]) if start else None
    if start is None or denied is None or not texts.match(soft_key(short)[start[1] + denied.end() :]):
        return None
    return start[0]


def read_item(line: str) -> str | None:
    """The letter that a line of a list of options begins with."""
    match = _ITEM.match(line)
    return match[1] if match else None


def begins_list(text: str, start: int) -> bool:
    """Whether the letter at a position only begins a list of the options, one a line."""
    line_start = text.rfind("\n", 0, start) + 1
    if line_start == 0 or text[line_start:start].strip(" \t>*_-•("):
        return False
    lines = [line for line in text[line_start : start + 3000].split("\n")[:6] if line.strip()]
    first, items = read_item(lines[0]), [read_item(line) for line in lines[1:3]]
    return first is not None and bool(items) and all(item is not None and item != first for item in items)
