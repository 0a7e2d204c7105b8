"""Where a text may state its answer: boxes and their like, and phrases such as 'the answer is', in many languages.

A place says where an answer would begin; whether one stands there is for the reader of each kind to say. There are three
sorts of place: delimiters (formal_places), a noun with what leads from it to the answer ('the best answer, then, is'), and
phrases of Chinese, Japanese and Korean, which put no spaces between words (phrase_places). All words are in the phrase
tables. A new language needs one file with an answer_noun and a word for is; an option_noun, a label_noun and words for right
add to it (tests/test_grading_places.py does so for Esperanto).

All patterns are bounded, so the time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge

from raml_eval.grading.statements.boxes import find_boxes
from raml_eval.grading.statements.table import PHRASES

MOST_WORDED = 100  # nouns that are looked at, counted from the end
MOST = 300  # places of one sort, counted from the end; a text has a few, unless it was written to cost time

# All delimiters but the box: their rule, which is also the name of their pattern; what a text must hold, one of these, for it
# to match; and whether the place is closed.
_DELIMITERS = (
    ("answer tag", ("</",), True),
    ("JSON", ('"', "'"), True),
    ("after ####", ("####",), False),
    ("in brackets", ("[[", "【", "［"), True),
)
# Sorts of phrases, and their patterns in languages without spaces: nouns for the answer; nouns and verbs for an option, which
# need a word such as right beside them; labels before a colon; and a noun with a formula right behind it.
_CJK_PATTERNS = {
    "answer": ("cjk answer",),
    "option": ("cjk option", "cjk choice"),
    "label": ("cjk result",),
    "formula": ("cjk formula",),
}
TO_CHOOSE, TO_COMPUTE, TO_WRITE = ("answer", "option", "label"), ("answer", "formula"), tuple(_CJK_PATTERNS)
_CJK_CHARACTER = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
# The characters with which a word must begin, those of a lookahead behind them included: "one is" of 'one(?= is)'.
_BEGINNING = re.compile(r"((?:[^\\.^$*+?{}()|\[\]](?![?*{]))+)(?:\(\?=([^\\.^$*+?{}()|\[\]]+)\))?")
_COLON = re.compile("[:：]")


@dataclass(frozen=True, slots=True)
class Place:
    """start: where the statement begins; at: where its answer begins; end: where that ends, None if it is open.

    closed: the text itself says where the answer ends (see Extraction.closed).
    """

    start: int
    at: int
    end: int | None
    rule: str
    closed: bool = False


def place_order(place: Place) -> tuple[int, int]:
    """Sorts places by where their statements end; a box comes after the phrase that leads to it."""
    return place.end or place.at, place.start


def formal_places(text: str) -> list[Place]:
    r"""Delimited answers: \boxed{...}, <answer>...</answer>, "answer": "...", #### ..., [[...]]."""
    places: list[Place] = []
    if "oxed" in text or "fbox" in text:
        places += [Place(start, at, end, "boxed", closed=True) for start, at, end in find_boxes(text)[-MOST:]]
        if len(places) < text.count("oxed"):
            places += _delimited(text, "box without its mark", closed=False)
    for rule, signs, closed in _DELIMITERS:
        if any(sign in text for sign in signs):
            places += _delimited(text, rule, closed)
    return places


def _delimited(text: str, rule: str, closed: bool) -> list[Place]:
    """The places of the pattern of that name; the answer is the last of its groups that took part."""
    places = []
    for match in PHRASES[rule].finditer(text):
        group = match.lastindex or 0
        places.append(Place(match.start(), match.start(group), match.end(group), rule, closed))
    return places[-MOST:]


def phrase_places(low: str, sorts: Sequence[str] = TO_CHOOSE) -> Iterator[Place]:
    """What stands after 'the answer is', 'Answer:', 'correct option:' and their like, the last first; low is lower case.

    sorts are those of the phrases that count: TO_CHOOSE if the answer is an option, TO_COMPUTE if it is a formula, which
    many words such as 'solution:' precede without giving it, and TO_WRITE for all.
    """
    if _CJK_CHARACTER.search(low) is None:
        return _worded_places(low, sorts)
    return merge(_cjk_places(low, sorts), _worded_places(low, sorts), key=place_order, reverse=True)


def _cjk_places(low: str, sorts: Sequence[str]) -> list[Place]:
    names = [name for sort in sorts for name in _CJK_PATTERNS[sort]]
    found = [match for name in names for match in PHRASES[name].finditer(low)]
    places = [Place(match.start(), match.end(), None, "answer phrase") for match in found]
    return sorted(places, key=place_order, reverse=True)[:MOST]


def _worded_places(low: str, sorts: Sequence[str]) -> Iterator[Place]:
    for start in reversed(_find_nouns(low)):
        noun = PHRASES["noun"].match(low, start)
        link = _find_link(low, noun) if noun and noun.lastgroup in sorts else None
        if link is not None and (":" in link[0] or not _is_of_another(low, start, link.end())):
            yield Place(start, link.end(), None, "answer phrase")


def _find_link(low: str, noun: re.Match[str]) -> re.Match[str] | None:
    """What leads from a noun to the answer; None where the noun announces none."""
    heads_line = PHRASES["line start"].search(low, max(0, noun.start() - 60), noun.start()) is not None
    if not _announces(low, noun, heads_line):
        return None
    lead = PHRASES["lead"].match(low, noun.end())
    if noun.lastgroup == "label":
        return lead if lead and _COLON.search(lead[0]) else None
    if lead is None and heads_line:
        lead = PHRASES["heading end"].match(low, noun.end())
    if lead is None and noun.lastgroup == "answer":
        lead = PHRASES["bare"].match(low, noun.end())
    return lead


def _announces(low: str, noun: re.Match[str], heads_line: bool) -> bool:
    """Whether a noun announces the answer, by the words beside it: 'best option', 'option that fits', not 'other answers'."""
    if noun.lastgroup == "label":
        return heads_line
    before = low[max(0, noun.start() - 24) : noun.start()].rstrip(" \t*_").rpartition(" ")[2].strip("*_(\"'\n")
    if noun.lastgroup == "answer":
        return before not in PHRASES.word_set("not_one")
    is_right = before in PHRASES.word_set("right") or before in PHRASES.word_set("fitting")
    return heads_line or is_right or PHRASES["right one"].match(low, noun.end()) is not None


def _is_of_another(low: str, start: int, end: int) -> bool:
    """Whether 'answer is' at start..end tells what somebody else answered, and does not agree."""
    of_another = PHRASES["of another"].search(low, max(0, start - 60), start)
    return of_another is not None and PHRASES["agreed"].match(low, end) is None


def _find_nouns(low: str) -> list[int]:
    """Where a noun may begin, ascending; at most MOST_WORDED, the last.

    Finding the plain beginnings of the nouns is many times faster than a pattern of so many words.
    """
    found: set[int] = set()
    for beginning in _beginnings(low.isascii()):
        end, left = len(low), MOST_WORDED
        while left and (end := low.rfind(beginning, 0, end + len(beginning) - 1)) >= 0:
            if not (end and low[end - 1].isalnum()):
                found.add(end)
                left -= 1
    return sorted(found)[-MOST_WORDED:]


@PHRASES.cached
def _beginnings(ascii_only: bool) -> tuple[str, ...]:
    """How the nouns begin, as far as that is plain text; none that begins with another."""
    nouns = [*PHRASES.words("answer_noun"), *PHRASES.words("option_noun"), *PHRASES.words("label_noun")]
    plain = {"".join(filter(None, begun.groups())) for noun in nouns if (begun := _BEGINNING.match(noun))}
    shortest = [word for word in plain if not any(other != word and word.startswith(other) for other in plain)]
    return tuple(sorted(word for word in shortest if word.isascii() or not ascii_only))
