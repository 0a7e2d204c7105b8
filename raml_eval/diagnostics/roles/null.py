"""The matched null of an occurrence: spans of as many tokens elsewhere, at like places and with first tokens as frequent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from raml_eval.diagnostics.roles.occurrences import Occurrence
from raml_eval.intervals.clusters import FloatArray

N_SPANS = 5  # of the null of one occurrence
_BINS = 64  # more than the binary logarithm of any count
_TRIES = 16  # random candidates a wanted span before all are looked at in turn
IntArray = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens start to stop - 1 of the member-th thinking of a pool."""

    member: int
    start: int
    stop: int


def seed_of(*parts: object) -> int:
    """A seed that depends on the parts alone, as text."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "replace")).digest()[:8], "big")


class Pool:
    """The thinkings of one task and verdict, among which spans are drawn.

    ids holds the tokens of each thinking, and occurrences the spans that have a role in it. Two places are alike if they lie in
    the same tenth of their thinking, and if their tokens are as frequent in the pool: their counts have the same binary
    logarithm, rounded down.
    """

    def __init__(self, ids: Sequence[IntArray], occurrences: Sequence[Iterable[Occurrence]]) -> None:
        lengths = np.array([len(one) for one in ids], dtype=np.int64)
        self._begin = np.concatenate([[0], np.cumsum(lengths)])
        self._member = np.repeat(np.arange(len(ids)), lengths)
        place = np.arange(self._begin[-1]) - self._begin[self._member]
        _, which, counts = np.unique(np.concatenate([*ids, []]).astype(np.int64), return_inverse=True, return_counts=True)
        frequency = np.frexp(counts.astype(np.float64))[1][which] - 1
        self._kind = (10 * place // np.maximum(lengths, 1)[self._member]) * _BINS + frequency
        self._order = np.argsort(self._kind, kind="stable")
        self._sorted = self._kind[self._order]
        self._occupied = {words: self._marked(occurrences, words) for words in (True, False)}

    def _marked(self, occurrences: Sequence[Iterable[Occurrence]], words: bool) -> FloatArray:
        """How many of the first 0, 1, ... tokens of the pool belong to a word, or to a break."""
        marked = np.zeros(int(self._begin[-1]), dtype=np.int64)
        for begin, own in zip(self._begin, occurrences, strict=False):
            for one in own:
                if one.is_word == words:
                    marked[begin + one.start : begin + one.stop] = 1
        return np.concatenate([[0], np.cumsum(marked)])

    def draw(self, member: int, one: Occurrence, seed: int, n: int = N_SPANS) -> list[Span]:
        """n different spans that are like the occurrence, in ascending order; fewer, and then all, if there are not as many.

        A span lies within one thinking and shares no token with a word, for the null of a word, or with a break, for that of a
        break. The seed alone decides which are drawn.
        """
        size = one.stop - one.start
        at = int(self._begin[member]) + one.start
        if size < 1 or at >= len(self._kind):
            return []
        low, high = np.searchsorted(self._sorted, [self._kind[at], self._kind[at] + 1])
        found: set[int] = set()
        generator = np.random.default_rng(seed)
        for tried in generator.integers(low, high, size=_TRIES * n):
            if len(found) == n:
                break
            if self._fits(int(self._order[tried]), size, one.is_word):
                found.add(int(self._order[tried]))
        if len(found) < n:
            everywhere = [int(place) for place in self._order[low:high] if self._fits(int(place), size, one.is_word)]
            chosen = generator.permutation(len(everywhere))[:n]
            found = {everywhere[i] for i in chosen}
        return [self._span(place, size) for place in sorted(found)]

    def _fits(self, place: int, size: int, is_word: bool) -> bool:
        if place + size > self._begin[self._member[place] + 1]:
            return False
        occupied = self._occupied[is_word]
        return bool(occupied[place] == occupied[place + size])

    def _span(self, place: int, size: int) -> Span:
        member = int(self._member[place])
        start = place - int(self._begin[member])
        return Span(member, start, start + size)
