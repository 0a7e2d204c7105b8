"""Repetition loops: a block that stands several times in direct succession, found in n log n time for n elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

REPEATS = 4  # a loop's block stands at least so many times
TOKENS = 200  # and all of them cover at least so many tokens
CHARACTERS = 800  # or so many characters, where a thinking has no token ids
LONGEST = 1024  # the longest block in tokens
LONGEST_CHARACTERS = 4096
_BASE = 0x9E3779B97F4A7C15  # odd, so it has an inverse modulo 2**64


@dataclass(frozen=True, slots=True)
class Loop:
    """A stretch that repeats its first period elements to its end, whose last repetition may be cut.

    It can be extended to neither side, and its block is no repetition of a shorter one.
    """

    start: int
    length: int
    period: int

    @property
    def repeats(self) -> float:
        """How many times the block stands; a cut last one counts in part."""
        return self.length / self.period


def find_loops(
    sequence: Sequence[int] | Integers, *, repeats: int = REPEATS, cover: int = TOKENS, longest: int = LONGEST
) -> list[Loop]:
    """Every loop: a block of at most longest elements that stands at least repeats times and covers at least cover, by start.

    repeats is at least 3. Runs of a period p are runs of positions whose run of q elements (p <= q < 2 p) stood p places
    before, and nowhere nearer; q doubles, and the runs of q elements are numbered from those of q / 2 (Karp, Miller and
    Rosenberg 1972, STOC). A thinking without two equal runs of cover / 2 elements, which hashes tell, has no loop.

    Example: find_loops([7, 1, 2, 1, 2, 1, 2, 1, 2], repeats=4, cover=8) == [Loop(1, 8, 2)]
    """
    array = np.asarray(sequence, dtype=np.int64)
    if len(array) < max(cover, repeats) or not _may_repeat(array, cover // 2):
        return []
    found: list[Loop] = []
    names: Integers = np.unique(array, return_inverse=True)[1]
    q = 1
    while True:
        distances = _to_last(names)
        if not distances.any():
            break  # no run of q elements stands twice, so no longer block repeats
        found += _runs(distances, q, min(q, longest))
        if q >= longest or 2 * repeats * q > 2 * len(array):
            break
        names = np.unique(names[:-q] * (int(names.max()) + 1) + names[q:], return_inverse=True)[1]
        q *= 2
    kept = (one for one in found if one.length >= max(cover, repeats * one.period))
    return sorted(kept, key=lambda one: (one.start, one.period))


def _may_repeat(array: Integers, size: int) -> bool:
    """False only if no two runs of size elements are equal. Equal hashes of different ones cost time, and change nothing."""
    if size < 1 or len(array) <= size:
        return True
    n = len(array)
    powers = np.cumprod(np.concatenate(([np.uint64(1)], np.full(n, _BASE, dtype=np.uint64))))
    inverse = np.cumprod(np.concatenate(([np.uint64(1)], np.full(n, pow(_BASE, -1, 2**64), dtype=np.uint64))))
    sums = np.concatenate(([np.uint64(0)], np.cumsum((array.astype(np.uint64) + np.uint64(1)) * powers[:n])))
    hashes = (sums[size:] - sums[:-size]) * inverse[: n - size + 1]
    hashes.sort()
    return bool((hashes[1:] == hashes[:-1]).any())


def _to_last(names: Integers) -> Integers:
    """How many places before each position its name stood last; 0 if it did not."""
    order = np.argsort(names, kind="stable")
    same = names[order[1:]] == names[order[:-1]]
    distances = np.zeros(len(names), dtype=np.int64)
    distances[order[1:][same]] = (order[1:] - order[:-1])[same]
    return distances


def _runs(distances: Integers, q: int, most: int) -> list[Loop]:
    """The stretches whose period is above q / 2 and at most most."""
    edges = np.flatnonzero(np.diff(distances)) + 1
    starts = np.concatenate(([0], edges))
    stops = np.concatenate((edges, [len(distances)]))
    periods = distances[starts]
    chosen = (2 * periods > q) & (periods <= most)
    return [
        Loop(int(start - period), int(stop - start - 1 + q + period), int(period))
        for start, stop, period in zip(starts[chosen], stops[chosen], periods[chosen], strict=True)
    ]
