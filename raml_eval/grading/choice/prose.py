"""Choices in prose: 'option C is correct', 'I'd go with C', 'so C'."""

from __future__ import annotations

import re
from collections.abc import Iterator

from raml_eval.grading.choice.after_phrase import read_after
from raml_eval.grading.choice.option_lines import read_item
from raml_eval.grading.choice.option_text import LONE_LETTERS, OptionTexts
from raml_eval.grading.statements.places import MOST, Place, place_order
from raml_eval.grading.statements.settle import HEDGE
from raml_eval.grading.statements.table import PHRASES

CHOSEN = "choice in words"  # the rule of 'I choose C'

# What may stand between a letter and its verb: C (Rome) is, C, the oldest, is.
_APPOSITION = re.compile(r"[*_)\]]{0,4}(?:\s*\([^()]{1,120}\)|,\s[^,]{1,120},)[*_]{0,3}\s")


def weak_places(text: str, low: str, start: int) -> list[Place]:
    """Statements in prose from a position on; those with an end are of the form 'C is correct', whose letter stands first."""
    places = [Place(m.start(), m.end(), None, CHOSEN) for m in PHRASES["chosen"].finditer(low, start)][-MOST:]
    for name in ("pointed", "only_one", "turned"):
        places += [Place(m.start(), m.end(), None, "conclusion in words") for m in PHRASES[name].finditer(low, start)][-MOST:]
    places += [place for m in list(PHRASES["is_right"].finditer(low, start))[-MOST:] for place in _subjects_of(text, m)]
    if not text.isascii():
        said = PHRASES["right_in_cjk"].finditer(text, start)
        places += [Place(m.start(), m.start(1), m.end(), "option is correct") for m in said][-MOST:]
    return sorted(places, key=place_order, reverse=True)


def _subjects_of(text: str, verb: re.Match[str]) -> Iterator[Place]:
    """The letters that 'is correct' may be said of: the one before the verb, the sentence's first, the line's first."""
    before = text[max(0, verb.start() - 600) : verb.start()]
    line, sentence = before.rpartition("\n")[2], PHRASES["clause_break"].split(before)[-1]
    if (direct := PHRASES["direct_subject"].search(before)) is not None:
        at = verb.start() - len(before) + direct.start(1)
        yield Place(at, at, verb.end(), "option is correct")
        return
    for stretch in (sentence,) if line == sentence or read_item(line) is None else (sentence, line):
        match = PHRASES["subject"].fullmatch(stretch)
        if match is not None and match["letter"].isupper():
            start = verb.start() - len(stretch)
            yield Place(start, start + match.start("letter"), verb.end(), "option is correct")


def read_weak(text: str, place: Place, texts: OptionTexts) -> tuple[str, int] | None:
    """The letter of a statement in prose, and where it ends."""
    if place.end is None:
        before = text[max(0, place.start - 80) : place.start].lower()
        if place.rule == CHOSEN and PHRASES["anybody_might"].search(before):
            return None
        return read_after(text, place.at, texts, strict=True)
    letter = text[place.at]
    if letter not in texts.letters or PHRASES["seen_first"].match(text, place.end):
        return None
    rest = text[place.at + 1 : place.end]
    verb = PHRASES["is_right"].search(rest.lower())
    rest = rest[: verb.start()] if verb else ""
    bare = rest.strip(" ()[]*_.,:;–—-")
    if not bare or texts.is_text_of(letter, bare):
        return letter, place.end
    others = {name for name in LONE_LETTERS.findall(rest) if name in texts.letters and name != letter}
    if others:
        return (HEDGE, place.end) if PHRASES["and_others"].fullmatch(rest) else None
    if not (len(rest) <= 120 and _APPOSITION.match(text, place.at + 1)):
        return None
    return letter, place.end
