"""maj@k: the expected worth of a majority vote among k of the n samples of a question."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from numbers import Integral
from typing import Any

from raml_eval.errors import MetricError


def maj_at_k(classes: Sequence[tuple[int, int]], n: int, k: int) -> float:
    """The expected worth of the majority answer among k of the n samples of one question; NaN where n < k.

    classes holds (count, correct among them) of each answer class; a class is worth correct / count, tied classes are
    averaged. Samples in no class never vote, and k samples without a vote are worth 0. The expectation is over all
    C(n, k) subsets, exact. Raises MetricError for a non-integer, a negative number, correct > count, more votes than
    samples, or k < 1. Source: Wang et al. 2022, arXiv:2203.11171 (self-consistency), here without the sampling of
    subsets.
    """
    for count, correct in classes:
        _check_count("a class's count", count)
        _check_count("a class's correct", correct)
        if correct > count:
            raise MetricError(
                f"maj@k needs correct <= count; met correct = {correct}, count = {count}. Count the samples again."
            )
    _check_count("n", n)
    _check_count("k", k)
    votes = sum(count for count, _ in classes)
    if votes > n:
        raise MetricError(f"maj@k needs votes <= n; met votes = {votes}, n = {n}. Count the samples again.")
    if k < 1:
        raise MetricError(f"maj@k needs k >= 1; met k = {k}. Ask for at least one sample.")
    if n < k:
        return math.nan
    return _majority_worth(tuple(sorted((count, correct) for count, correct in classes if count)), n, k)


def _check_count(name: str, number: Any) -> None:
    if not isinstance(number, Integral) or number < 0:
        raise MetricError(f"maj@k needs an integer from 0 on for {name}; met {number!r}. Count the samples again.")


@lru_cache(maxsize=2**16)
def _majority_worth(classes: tuple[tuple[int, int], ...], n: int, k: int) -> float:
    tallest = max((count for count, _ in classes), default=0)
    worth = sum((_worth_at_height(classes, n, k, m) for m in range(1, min(tallest, k) + 1)), Fraction(0))
    return float(worth / math.comb(n, k))


def _worth_at_height(classes: tuple[tuple[int, int], ...], n: int, k: int, m: int) -> Fraction:
    """The summed worth of the winners over those k-subsets in which the winners have exactly m votes each."""
    contenders = [(count, correct) for count, correct in classes if count >= m]
    rest = n - sum(count for count, _ in contenders)  # too small to reach m, or without a vote: drawn freely
    # (winners so far, samples drawn so far) -> subsets, and subsets weighted by m times the worth of their winners
    states: dict[tuple[int, int], tuple[int, int]] = {(0, 0): (1, 0)}
    left = rest + sum(count for count, _ in contenders)
    for count, correct in contenders:
        left -= count
        grown: defaultdict[tuple[int, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
        win, win_worth = math.comb(count, m), correct * math.comb(count - 1, m - 1)
        for (winners, drawn), (ways, worth) in states.items():
            for votes in range(max(0, k - drawn - left), min(m - 1, k - drawn) + 1):
                choices = math.comb(count, votes)
                old = grown[winners, drawn + votes]
                grown[winners, drawn + votes] = (old[0] + ways * choices, old[1] + worth * choices)
            if drawn + m <= k <= drawn + m + left:
                old = grown[winners + 1, drawn + m]
                grown[winners + 1, drawn + m] = (old[0] + ways * win, old[1] + worth * win + ways * win_worth)
        states = grown
    return sum(
        (
            Fraction(worth * math.comb(rest, k - drawn), m * winners)
            for (winners, drawn), (_, worth) in states.items()
            if winners
        ),
        Fraction(0),
    )
