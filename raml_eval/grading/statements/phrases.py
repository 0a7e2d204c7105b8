"""What follows 'the answer is' and its like, for kinds whose answers are formulas or texts rather than options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from raml_eval.grading.statements.places import Place, phrase_places
from raml_eval.grading.statements.settle import is_denied, is_supposed
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import lower

MOST = 20  # phrases that are read, from the last on
LONGEST = 2000  # characters that may follow one

_MARKS = "*_\"'`”’)] \t"
# Marks that close around the phrase, and what stands before the answer: '**Answer:** 5' and 'answer is:'.
_BEFORE = re.compile(r"(?:[*_\"'`”’]{1,4}(?=[\s:：]))?[\s:：]{0,8}")
_KEY = re.compile(r"[^\n\"']{0,40}[\"']\s*[:：]")


def texts_behind(text: str, sorts: Sequence[str]) -> Iterator[str]:
    """What follows each phrase of these sorts (see places.phrase_places) that is not denied, the last first.

    Those that are only supposed, or said by others, come after all that the text says in earnest.

    Example: next(texts_behind("So the answer is **12**.", TO_COMPUTE)) is "**12**.".
    """
    for start in starts_behind(text, sorts):
        yield text[start : start + LONGEST]


def starts_behind(text: str, sorts: Sequence[str]) -> Iterator[int]:
    """As texts_behind, but where each of them begins."""
    low = lower(text)
    supposed: list[int] = []
    for place in islice(phrase_places(low, sorts), MOST):
        if not _is_key(low, place.start) and not is_denied(low, place.start):
            at = place.start + len(text[place.start : place.at].rstrip(_MARKS))  # marks may open around the answer
            begin = _BEFORE.match(text, at)
            at = begin.end() if begin else at
            if is_supposed(low, place.start) or _is_of_naive(low, place):
                supposed.append(at)
            else:
                yield at
    yield from supposed


def _is_of_naive(low: str, place: Place) -> bool:
    """Whether a phrase names what a hasty reader answers, or what the answer would be in another case."""
    named = PHRASES["naive"].search(low, max(0, place.start - 40), place.start) is not None
    return named or PHRASES["would be"].match(low, place.start) is not None


def _is_key(low: str, start: int) -> bool:
    """Whether a word is a key of a JSON object, which has rules of its own."""
    return low[start - 1 : start] in ("'", '"') and _KEY.match(low, start) is not None
