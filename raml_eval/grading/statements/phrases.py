"""What follows 'the answer is' and its like, for kinds whose answers are formulas or texts rather than options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from raml_eval.grading.statements.places import phrase_places
from raml_eval.grading.statements.settle import is_denied
from raml_eval.grading.text import lower

MOST = 20  # phrases that are read, from the last on
LONGEST = 2000  # characters that may follow one

_MARKS = "*_\"'`”’)] \t"
# Marks that close around the phrase, and what stands before the answer: '**Answer:** 5' and 'answer is:'.
_BEFORE = re.compile(r"(?:[*_\"'`”’]{1,4}(?=[\s:：]))?[\s:：]{0,8}")
_KEY = re.compile(r"[^\n\"']{0,40}[\"']\s*[:：]")


def texts_behind(text: str, sorts: Sequence[str]) -> Iterator[str]:
    """What follows each phrase of these sorts (see places.phrase_places) that is not denied, the last first.

    Example: next(texts_behind("So the answer is **12**.", TO_COMPUTE)) is "**12**.".
    """
    low = lower(text)
    for place in islice(phrase_places(low, sorts), MOST):
        if not _is_key(low, place.start) and not is_denied(low, place.start):
            at = place.start + len(text[place.start : place.at].rstrip(_MARKS))  # marks may open around the answer
            begin = _BEFORE.match(text, at)
            at = begin.end() if begin else at
            yield text[at : at + LONGEST]


def _is_key(low: str, start: int) -> bool:
    """Whether a word is a key of a JSON object, which has rules of its own."""
    return low[start - 1 : start] in ("'", '"') and _KEY.match(low, start) is not None
