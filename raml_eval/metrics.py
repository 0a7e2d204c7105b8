"""Metrics of one question from its counts. They are exact, and NaN if the samples cannot give the number.

A question has n samples, c of them correct, and k are drawn from the n without replacement. X, the number of correct ones
among the k drawn, is hypergeometric. Every metric here is an expectation over X, summed in integers and rounded once. maj@k
needs the answer classes of the n samples instead of c.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from numbers import Integral
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from raml_eval.errors import MetricError

__all__ = [
    "avg_at_n",
    "g_pass_at_k",
    "maj_at_k",
    "mean_avg_at_n",
    "mg_pass_at_k",
    "mg_pass_at_k_normalized",
    "pass_at_k",
    "required_correct",
]

FloatArray = NDArray[np.float64]
IntegerArray = Sequence[int] | NDArray[np.integer[Any]]
Integers = int | IntegerArray

_CACHED = 2**16  # distinct questions repeat: a run with n samples has at most n + 1 values of c


@overload
def avg_at_n(n: int, c: int) -> float: ...
@overload
def avg_at_n(n: Integers, c: IntegerArray) -> FloatArray: ...
def avg_at_n(n: Integers, c: Integers) -> float | FloatArray:
    """The share c / n of correct samples; NaN if n is 0.

    n and c broadcast. Raises MetricError for a non-integer, a negative number or c > n.

    Example: avg_at_n(n=8, c=6) == 0.75
    """
    return _elementwise(lambda n, c, _: c / n if n else math.nan, "avg@n", n, c, 1)


def mean_avg_at_n(n: Mapping[str, int], c: Mapping[str, int]) -> float:
    """avg@n of a task: the mean of c / n over its questions, with n > 0 each. A question that c lacks has no correct sample.

    Example: mean_avg_at_n({"a": 4, "b": 4}, {"a": 2}) == 0.25
    """
    return math.fsum(avg_at_n(drawn, c.get(question, 0)) for question, drawn in n.items()) / len(n)


@overload
def pass_at_k(n: int, c: int, k: int) -> float: ...
@overload
def pass_at_k(n: Integers, c: IntegerArray, k: Integers) -> FloatArray: ...
def pass_at_k(n: Integers, c: Integers, k: Integers) -> float | FloatArray:
    """The chance 1 - C(n-c, k) / C(n, k) that at least one of k samples is correct; NaN if n < k.

    n, c and k broadcast. Raises MetricError for a non-integer, a negative number, c > n or k < 1. Source: Chen et al.
    2021, arXiv:2107.03374, eq. 1; RaML, arXiv:2505.19815, eq. 22.

    Example: pass_at_k(n=4, c=1, k=2) == 0.5
    """
    return _elementwise(lambda n, c, k: _tail(n, c, k, 1), "pass@k", n, c, k)


@overload
def g_pass_at_k(n: int, c: int, k: int, tau: float | Fraction) -> float: ...
@overload
def g_pass_at_k(n: Integers, c: IntegerArray, k: Integers, tau: float | Fraction) -> FloatArray: ...
def g_pass_at_k(n: Integers, c: Integers, k: Integers, tau: float | Fraction) -> float | FloatArray:
    """The chance that at least m = max(ceil(tau k), 1) of k samples are correct; NaN if n < k.

    tau lies in [0, 1]; tau = 0 gives pass@k, tau = 1 asks for all k. The ceiling is exact: see required_correct.
    n, c and k broadcast. Raises MetricError for a non-integer, a negative number, c > n, k < 1 or tau outside [0, 1].
    Source: Liu et al. 2024, arXiv:2412.13147.

    Example: g_pass_at_k(n=4, c=3, k=2, tau=1.0) == 0.5
    """
    return _elementwise(lambda n, c, k: _tail(n, c, k, required_correct(k, tau)), "G-Pass@k", n, c, k)


@overload
def mg_pass_at_k(n: int, c: int, k: int) -> float: ...
@overload
def mg_pass_at_k(n: Integers, c: IntegerArray, k: Integers) -> FloatArray: ...
def mg_pass_at_k(n: Integers, c: Integers, k: Integers) -> float | FloatArray:
    """mG-Pass@k as published: (2/k) times the sum of G-Pass@k at m = i over i from ceil(k/2)+1 to k; NaN if n < k.

    Equal to (2/k) E[max(X - ceil(k/2), 0)]. For odd k a perfect model gets (k-1)/k, for k = 1 it gets 0: see
    mg_pass_at_k_normalized. n, c and k broadcast. Raises MetricError for a non-integer, a negative number, c > n or
    k < 1. Source: RaML, arXiv:2505.19815, eq. 23; Liu et al. 2024, arXiv:2412.13147.

    Example: mg_pass_at_k(n=4, c=4, k=4) == 1.0
    """
    return _elementwise(_stable_share, "mG-Pass@k", n, c, k)


@overload
def mg_pass_at_k_normalized(n: int, c: int, k: int) -> float: ...
@overload
def mg_pass_at_k_normalized(n: Integers, c: IntegerArray, k: Integers) -> FloatArray: ...
def mg_pass_at_k_normalized(n: Integers, c: Integers, k: Integers) -> float | FloatArray:
    """mg_pass_at_k divided by its value for a perfect model, so that 1 can be reached; NaN if n < k and for k = 1.

    The two differ for odd k only. For k = 1 the published sum is empty, a perfect model has 0, and no scale exists.
    n, c and k broadcast. Raises MetricError as mg_pass_at_k does.

    Example: mg_pass_at_k_normalized(n=3, c=3, k=3) == 1.0
    """
    return _elementwise(lambda n, c, k: _stable_share(n, c, k, normalized=True), "normalized mG-Pass@k", n, c, k)


def required_correct(k: int, tau: float | Fraction) -> int:
    """m = max(ceil(tau k), 1), the number of correct samples that G-Pass@k requires, without a rounding error.

    A float stands for i/k if it is the float nearest to i/k (0.28 at k = 25 is 7/25; 5/7 at k = 7 is 5/7). Otherwise it
    stands for the shortest decimal that prints it. A Fraction or an int stands for itself. Raises MetricError outside [0,
    1].

    Example: required_correct(25, 0.28) == 7
    """
    try:
        exact = Fraction(str(tau))
    except ValueError:
        raise MetricError(f"tau must be a number from 0 to 1; met {tau!r}. Give a float, an int or a Fraction.") from None
    if not 0 <= exact <= 1:
        raise MetricError(f"tau must lie from 0 to 1; met {tau}. It is the share of the k samples that must be correct.")
    nearest = round(exact * k)
    if isinstance(tau, float) and nearest / k == tau:
        return max(nearest, 1)
    return max(math.ceil(exact * k), 1)


@lru_cache(maxsize=256)
def _ways(n: int, c: int, k: int) -> tuple[int, tuple[int, ...]]:
    """The least possible number of correct among k drawn, and the number of k-subsets with that many, one more, and so on."""
    low, high = max(0, k - (n - c)), min(c, k)
    ways = [math.comb(c, low) * math.comb(n - c, k - low)]
    for j in range(low, high):
        ways.append(ways[-1] * (c - j) * (k - j) // ((j + 1) * (n - c - k + j + 1)))
    return low, tuple(ways)


@lru_cache(maxsize=_CACHED)
def _tail(n: int, c: int, k: int, m: int) -> float:
    """P(X >= m); NaN for n < k."""
    if n < k:
        return math.nan
    low, ways = _ways(n, c, k)
    return sum(ways[max(0, m - low) :]) / math.comb(n, k)


@lru_cache(maxsize=_CACHED)
def _stable_share(n: int, c: int, k: int, normalized: bool = False) -> float:
    """E[max(X - h, 0)] with h = ceil(k/2), divided by k/2 as published, or by its greatest value k - h; NaN for n < k."""
    half = (k + 1) // 2
    if n < k or (normalized and k == half):
        return math.nan
    low, ways = _ways(n, c, k)
    excess = sum((j - half) * count for j, count in enumerate(ways, start=low) if j > half)
    if normalized:
        return excess / ((k - half) * math.comb(n, k))
    return 2 * excess / (k * math.comb(n, k))


def _elementwise(
    metric: Callable[[int, int, int], float], name: str, n: Integers, c: Integers, k: Integers
) -> float | FloatArray:
    """The metric at every element of the broadcast n, c and k: a float for three ints, otherwise an array of their shape."""
    arrays = np.broadcast_arrays(_integers(name, "n", n), _integers(name, "c", c), _integers(name, "k", k))
    rows = list(zip(*(array.ravel().tolist() for array in arrays), strict=True))
    once = {row: metric(*row) for row in _checked(name, set(rows))}  # the questions of a task share few (n, c)
    values = [once[row] for row in rows]
    return np.array(values, dtype=np.float64).reshape(arrays[0].shape) if arrays[0].shape else values[0]


def _checked(name: str, rows: set[tuple[int, int, int]]) -> set[tuple[int, int, int]]:
    """The rows of n, c and k, if a metric can be given for each of them."""
    for n, c, k in rows:
        if not 0 <= c <= n:
            raise MetricError(f"{name} needs 0 <= c <= n; met c = {c} with n = {n}. Count the samples again.")
        if k < 1:
            raise MetricError(f"{name} needs k >= 1; met k = {k}. Ask for at least one sample.")
    return rows


def _integers(name: str, letter: str, numbers: Integers) -> NDArray[Any]:
    array = np.asarray(numbers)
    if array.size and array.dtype.kind not in "iu":
        raise MetricError(
            f"{name} needs integers for {letter}; met {numbers!r} ({array.dtype}). Partial credit has no such metric: "
            "count a sample as correct or not."
        )
    return array


def maj_at_k(classes: Sequence[tuple[int, int]], n: int, k: int) -> float:
    """The expected worth of the majority answer among k of the n samples of one question; NaN if n < k.

    classes holds (count, how many of them are correct) for each answer class. A class is worth correct / count, and tied
    classes are averaged. Samples without a class never vote, and k samples without any vote are worth 0. The expectation
    over all C(n, k) subsets is exact. Raises MetricError for a non-integer, a negative number, correct > count, more votes
    than samples, or k < 1. Source: Wang et al. 2022, arXiv:2203.11171 (self-consistency), here without the sampling of
    subsets.

    Example: maj_at_k([(3, 3), (1, 0)], n=4, k=3) == 1.0
    """
    for count, correct in classes:
        _check_votes("a class's count", count)
        _check_votes("a class's correct", correct)
        if correct > count:
            raise MetricError(
                f"maj@k needs correct <= count; met correct = {correct}, count = {count}. Count the samples again."
            )
    _check_votes("n", n)
    _check_votes("k", k)
    votes = sum(count for count, _ in classes)
    if votes > n:
        raise MetricError(f"maj@k needs votes <= n; met votes = {votes}, n = {n}. Count the samples again.")
    if k < 1:
        raise MetricError(f"maj@k needs k >= 1; met k = {k}. Ask for at least one sample.")
    if n < k:
        return math.nan
    return _vote_worth(tuple(sorted((count, correct) for count, correct in classes if count)), n, k)


def _check_votes(name: str, number: Any) -> None:
    if type(number) is int and number >= 0:  # the test by Integral takes far longer
        return
    if not isinstance(number, Integral) or number < 0:
        raise MetricError(f"maj@k needs an integer from 0 on for {name}; met {number!r}. Count the samples again.")


@lru_cache(maxsize=2**16)
def _vote_worth(classes: tuple[tuple[int, int], ...], n: int, k: int) -> float:
    tallest = max((count for count, _ in classes), default=0)
    worth = sum((_worth_at_height(classes, n, k, m) for m in range(1, min(tallest, k) + 1)), Fraction(0))
    return float(worth / math.comb(n, k))


def _worth_at_height(classes: tuple[tuple[int, int], ...], n: int, k: int, m: int) -> Fraction:
    """The summed worth of the winners over those k-subsets in which the winners have exactly m votes each."""
    contenders = [(count, correct) for count, correct in classes if count >= m]
    rest = n - sum(count for count, _ in contenders)  # these cannot reach m, or have no vote: any of them may be drawn
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
