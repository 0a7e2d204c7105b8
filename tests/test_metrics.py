"""Pass@k, G-Pass@k and mG-Pass@k against enumeration in rational arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import MetricError
from raml_eval.metrics import (
    avg_at_n,
    g_pass_at_k,
    mean_avg_at_n,
    mg_pass_at_k,
    mg_pass_at_k_normalized,
    pass_at_k,
    required_correct,
)

TAUS: list[float | Fraction] = [
    0,
    0.0,
    0.25,
    0.28,
    0.3,
    0.5,
    0.55,
    0.7,
    0.75,
    1.0,
    1,
    0.1 + 0.2,
    1e-9,
    Fraction(1, 3),
    2 / 3,
    5 / 7,
]
SMALL = [(n, c, k) for n in range(1, 9) for c in range(n + 1) for k in range(1, n + 1)]


def correct_drawn(n: int, c: int, k: int) -> list[int]:
    """The number of correct samples in every k-subset of n samples, if the first c samples are correct."""
    return [sum(index < c for index in subset) for subset in combinations(range(n), k)]


def share(hits: list[bool]) -> Fraction:
    return Fraction(sum(hits), len(hits))


def decimal_ceiling(k: int, tau: float | Fraction) -> int:
    """m for the intended fraction, not for the rounded one: 5/7 prints as 0.7142857142857143, which is above 5/7."""
    exact = Fraction(tau).limit_denominator(10_000) if tau in (2 / 3, 5 / 7) else Fraction(str(tau))
    return max(math.ceil(exact * k), 1)


@pytest.mark.parametrize(("n", "c", "k"), SMALL)
def test_enumeration_of_subsets_gives_the_same(n: int, c: int, k: int) -> None:
    drawn = correct_drawn(n, c, k)
    assert pass_at_k(n, c, k) == float(share([x >= 1 for x in drawn]))
    for tau in TAUS:
        assert g_pass_at_k(n, c, k, tau) == float(share([x >= decimal_ceiling(k, tau) for x in drawn])), tau
    published = Fraction(2, k) * sum(share([x >= i for x in drawn]) for i in range((k + 1) // 2 + 1, k + 1))
    assert mg_pass_at_k(n, c, k) == float(published)
    perfect = Fraction(2, k) * (k - (k + 1) // 2)
    normalized = mg_pass_at_k_normalized(n, c, k)
    assert math.isnan(normalized) if k == 1 else normalized == float(published / perfect)


@pytest.mark.parametrize(("n", "c", "k"), [(5000, 2600, 2500), (3000, 3, 1000), (4096, 4000, 64), (2000, 1999, 1999)])
def test_thousands_of_samples_stay_exact(n: int, c: int, k: int) -> None:
    total, half = math.comb(n, k), (k + 1) // 2
    ways = {x: math.comb(c, x) * math.comb(n - c, k - x) for x in range(min(c, k) + 1)}
    middle = max(1, round(k * c / n))
    tail = Fraction(sum(count for x, count in ways.items() if x >= middle), total)
    assert pass_at_k(n, c, k) == pytest.approx(float(1 - Fraction(ways[0], total)), rel=1e-15)
    assert g_pass_at_k(n, c, k, Fraction(middle, k)) == pytest.approx(float(tail), rel=1e-15)
    excess = Fraction(sum((x - half) * count for x, count in ways.items() if x > half), total)
    assert mg_pass_at_k(n, c, k) == pytest.approx(float(2 * excess / k), rel=1e-15)


@pytest.mark.parametrize(
    ("k", "tau", "m"),
    [
        (25, 0.28, 7),
        (25, 0.56, 14),
        (29, 15 / 29, 15),
        (35, 29 / 35, 29),
        (100, 0.55, 55),
        (7, 5 / 7, 5),
        (3, Fraction(1, 3), 1),
        (8, 0, 1),
        (8, 0.0, 1),
        (8, 1, 8),
        (8, 0.5, 4),
        (8, 0.51, 5),
        (10, np.float64(0.3), 3),
        (3, 1 / 3, 1),
        (8, 1e-12, 1),
    ],
)
def test_required_correct_has_no_rounding_error(k: int, tau: float, m: int) -> None:
    assert required_correct(k, tau) == m


def test_required_correct_at_every_fraction_of_k() -> None:
    wrong = [(i, k) for k in range(1, 257) for i in range(1, k + 1) if required_correct(k, i / k) != i]
    assert wrong == []


@pytest.mark.parametrize(("k", "value"), [(4, 0.1615384615), (8, 0.0951825952)])
def test_documented_value_of_the_published_metric(k: int, value: float) -> None:
    """The example of the metric's page on the evaluate hub, whose 16 samples have 8 correct."""
    assert mg_pass_at_k(16, 8, k) == pytest.approx(value, abs=1e-10)


@pytest.mark.parametrize(("k", "perfect"), [(1, 0.0), (2, 1.0), (3, 2 / 3), (5, 0.8), (7, 6 / 7), (8, 1.0)])
def test_perfect_model_under_the_published_metric(k: int, perfect: float) -> None:
    assert mg_pass_at_k(8, 8, k) == perfect
    if k > 1:
        assert mg_pass_at_k_normalized(8, 8, k) == 1.0


METRICS: list[Callable[..., object]] = [
    pass_at_k,
    lambda n, c, k: g_pass_at_k(n, c, k, 0.5),
    mg_pass_at_k,
    mg_pass_at_k_normalized,
]


@pytest.mark.parametrize("metric", METRICS)
def test_too_few_samples_give_nan(metric: Callable[..., float]) -> None:
    assert math.isnan(metric(4, 4, 5))
    assert math.isnan(metric(0, 0, 1))
    np.testing.assert_array_equal(np.isnan(metric([8, 4], [4, 4], 5)), [False, True])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("n", "c", "k", "words"),
    [
        (8, 9, 1, "c = 9 with n = 8"),
        (8, -1, 1, "c = -1"),
        (-1, 0, 1, "n = -1"),
        (8, 4, 0, "k = 0"),
        (8, 4.0, 1, "integers for c"),
        (8.0, 4, 1, "integers for n"),
        (8, 4, 2.5, "integers for k"),
        (8, [1, 9], 1, "c = 9"),
        (8, True, 1, "integers for c"),
    ],
)
def test_bad_counts_are_refused(metric: Callable[..., object], n: object, c: object, k: object, words: str) -> None:
    with pytest.raises(MetricError, match=words):
        metric(n, c, k)


@pytest.mark.parametrize("tau", [-0.1, 1.0000001, math.nan, math.inf, "half"])
def test_bad_tau_is_refused(tau: float) -> None:
    with pytest.raises(MetricError, match="tau must"):
        g_pass_at_k(8, 4, 4, tau)


def test_numbers_in_numbers_out_and_arrays_broadcast() -> None:
    assert type(pass_at_k(8, 4, 2)) is float
    assert type(mg_pass_at_k(np.int64(8), np.int64(4), 2)) is float  # type: ignore[call-overload]
    counts = np.arange(9)
    grid = g_pass_at_k(8, counts[:, None], np.array([1, 4, 8]), 0.5)
    assert grid.shape == (9, 3)
    assert grid.tolist() == [[g_pass_at_k(8, int(c), k, 0.5) for k in (1, 4, 8)] for c in counts]
    assert pass_at_k([], [], 1).shape == (0,)


def test_avg_at_n() -> None:
    np.testing.assert_array_equal(avg_at_n([8, 8, 4, 0], [0, 3, 4, 0]), [0, 0.375, 1, np.nan])


def test_mean_avg_at_n_weighs_questions_alike() -> None:
    assert mean_avg_at_n({"a": 4, "b": 1}, {"a": 1, "b": 1}) == 0.625
    assert mean_avg_at_n({"a": 4, "b": 2}, {"b": 1}) == 0.25
    with pytest.raises(MetricError):
        mean_avg_at_n({"a": 1}, {"a": 2})


@st.composite
def counts_and_k(draw: st.DrawFn) -> tuple[int, int, int]:
    n = draw(st.integers(1, 64))
    return n, draw(st.integers(0, n)), draw(st.integers(1, n))


@given(counts_and_k(), st.floats(0, 1), st.floats(0, 1))
def test_more_correct_never_lowers_and_more_tau_never_raises(counts: tuple[int, int, int], a: float, b: float) -> None:
    n, c, k = counts
    low, high = sorted((a, b))
    assert 0 <= g_pass_at_k(n, c, k, high) <= g_pass_at_k(n, c, k, low) <= pass_at_k(n, c, k) <= 1
    assert 0 <= mg_pass_at_k(n, c, k) <= g_pass_at_k(n, c, k, 0.5)
    if c < n:
        assert g_pass_at_k(n, c, k, a) <= g_pass_at_k(n, c + 1, k, a)
        assert mg_pass_at_k(n, c, k) <= mg_pass_at_k(n, c + 1, k)


@given(counts_and_k())
def test_ends_of_tau_are_pass_at_k_and_all_correct(counts: tuple[int, int, int]) -> None:
    n, c, k = counts
    assert g_pass_at_k(n, c, k, 0) == g_pass_at_k(n, c, k, 1e-9) == pass_at_k(n, c, k)
    assert g_pass_at_k(n, c, k, 1) == math.comb(c, k) / math.comb(n, k)
    assert pass_at_k(n, c, 1) == avg_at_n(n, c)
