"""Where a text may state its answer: boxes and their like, and phrases such as 'the answer is', in many languages.

A place says where an answer would begin; whether one stands there is for the reader of each kind to say. There are three
sorts of place: delimiters (formal_places), a noun with what leads from it to the answer ('the best answer, then, is'), and
phrases of Chinese, Japanese and Korean, which put no spaces between words (phrase_places). All words are in the phrase
tables. A language needs an answer_noun and a word for is; an option_noun, a label_noun and words for right add to that.

All patterns are bounded, so the time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge

from raml_eval.grading.statements.boxes import find_boxes
from raml_eval.grading.statements.table import PHRASES

LONGEST = 2000  # characters of one place that are read
MOST_WORDED = 100
MOST = 300  # places of one sort, counted from the end; a text has a few, unless it was written to cost time

# Delimiters but the box: the pattern, which is also the rule, one of what a text must hold to match, and Place.closed.
_DELIMITERS = (
    ("answer tag", ("</",), True),
    ("JSON", ('"', "'"), True),
    ("after ####", ("####",), False),
    ("in brackets", ("[[", "【", "［"), True),
)
_CJK_PATTERNS = ("cjk statement", "cjk choice")
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
    found = [match for match in PHRASES[rule].finditer(text) if match.lastindex is not None]
    return [Place(m.start(), m.start(m.lastindex), m.end(m.lastindex), rule, closed) for m in found[-MOST:] if m.lastindex]


def phrase_places(text: str, low: str) -> Iterator[Place]:
    """What stands after 'the answer is', 'Answer:', 'correct option:' and their like, the last first; low is the lower case."""
    if _CJK_CHARACTER.search(low) is None:
        return _worded_places(low)
    return merge(_cjk_places(low), _worded_places(low), key=place_order, reverse=True)


def _cjk_places(low: str) -> list[Place]:
    found = [match for name in _CJK_PATTERNS for match in PHRASES[name].finditer(low)]
    places = [Place(match.start(), match.end(), None, "answer phrase") for match in found]
    return sorted(places, key=place_order, reverse=True)[:MOST]


def _worded_places(low: str) -> Iterator[Place]:
    for start in reversed(_find_nouns(low)):
        noun = PHRASES["noun"].match(low, start)
        end = _end_of_phrase(low, noun) if noun else None
        if end is not None:
            yield Place(start, end, None, "answer phrase")


def _end_of_phrase(low: str, noun: re.Match[str]) -> int | None:
    """Where the answer would begin that a noun announces; None if the noun announces none."""
    on_its_line = PHRASES["line start"].search(low, max(0, noun.start() - 60), noun.start()) is not None
    if noun.lastgroup == "answer":
        link = None if _word_before(low, noun) in _words("not_one") else _link(low, noun, on_its_line) or _bare(low, noun)
    elif noun.lastgroup == "option":
        link = _link(low, noun, on_its_line) if on_its_line or _is_right(low, noun) else None
    else:
        link = PHRASES["lead"].match(low, noun.end()) if on_its_line else None
        link = link if link and _COLON.search(link[0]) else None
    if link is None or (":" not in link[0] and _is_of_another(low, noun.start(), link.end())):
        return None
    return link.end()


def _link(low: str, noun: re.Match[str], on_its_line: bool) -> re.Match[str] | None:
    """What leads from a noun to the answer; of a noun that is a heading, the end of the line."""
    lead = PHRASES["lead"].match(low, noun.end())
    return PHRASES["heading end"].match(low, noun.end()) if lead is None and on_its_line else lead


def _bare(low: str, noun: re.Match[str]) -> re.Match[str] | None:
    """The space before a letter that follows a noun without a verb: 'Answer B'."""
    return PHRASES["bare"].match(low, noun.end())


def _is_right(low: str, noun: re.Match[str]) -> bool:
    """Whether a word beside the noun says that it is the right one: 'the best option', 'the option that fits'."""
    word = _word_before(low, noun)
    return word in _words("right") or word in _words("fitting") or PHRASES["right one"].match(low, noun.end()) is not None


def _word_before(low: str, noun: re.Match[str]) -> str:
    return low[max(0, noun.start() - 24) : noun.start()].rstrip(" \t*_").rpartition(" ")[2].strip("*_(\"'\n")


def _is_of_another(low: str, start: int, end: int) -> bool:
    """Whether 'answer is' at start..end tells what somebody else answered, and does not agree."""
    return PHRASES["of another"].search(low, max(0, start - 60), start) is not None and PHRASES["agreed"].match(low, end) is None


@PHRASES.cached
def _words(name: str) -> frozenset[str]:
    return frozenset(PHRASES.words(name))


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
