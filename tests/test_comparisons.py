"""Paired differences, Holm's correction, macro means and the bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from raml_eval.errors import MetricError
from raml_eval.intervals import (
    GAFFKE,
    T_INTERVAL,
    bootstrap_interval,
    holm,
    macro_mean,
    mean_interval,
    paired_difference,
)
from raml_eval.intervals.clusters import carriers
from raml_eval.intervals.means import SKEWED_T
from raml_eval.types import Interval


def own(n: int) -> list[str]:
    return [f"q{index}" for index in range(n)]


def test_many_differences_get_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    base, new = rng.binomial(8, 0.5, 60) / 8, rng.binomial(8, 0.6, 60) / 8
    difference = paired_difference(base, new, own(60))
    wanted = stats.ttest_rel(new, base)
    low, high = wanted.confidence_interval()
    assert difference.method == T_INTERVAL
    assert (difference.n_questions, difference.n_clusters) == (60, 60)
    assert (difference.value, difference.low, difference.high, difference.p_value) == pytest.approx(
        (np.mean(new - base), low, high, wanted.pvalue), rel=1e-9
    )


@pytest.mark.parametrize(("gains", "losses"), [(0, 1), (1, 0), (0, 5), (3, 1), (1, 4), (2, 2), (3, 2)])
@pytest.mark.parametrize("n", [30, 134, 1319])
def test_few_binary_differences_get_the_exact_mcnemar_test(gains: int, losses: int, n: int) -> None:
    base = [0.0] * gains + [1.0] * losses + [1.0] * (n - gains - losses)
    new = [1.0] * gains + [0.0] * losses + [1.0] * (n - gains - losses)
    difference = paired_difference(base, new, own(n))
    assert difference.method == GAFFKE
    assert difference.value == pytest.approx((gains - losses) / n)
    assert difference.p_value == pytest.approx(stats.binomtest(gains, gains + losses).pvalue, abs=1e-7)
    assert (difference.low > 0 or difference.high < 0) == (difference.p_value < 0.05)


def test_differences_that_few_large_ones_carry_do_not_get_the_t_test() -> None:
    """All 30 differ, but 29 by next to nothing, like pass@8 near 1 with 32 samples."""
    base = np.full(30, 0.999) - np.arange(30) * 1e-6
    new = base + np.where(np.arange(30) == 3, -0.4, 1e-5)
    assert paired_difference(base, new, own(30)).method == GAFFKE
    assert paired_difference(base - 0.2, new - 0.4, own(30)).method == SKEWED_T


@pytest.mark.parametrize(("level", "method"), [(0.5, T_INTERVAL), (0.0, GAFFKE), (1.0, GAFFKE)])
def test_more_than_five_carriers_are_enough_away_from_the_bounds(level: float, method: str) -> None:
    step = np.array([0.2, 0.2, -0.2, 0.2, -0.2, 0.1, 0.1] + [0.0] * 23)
    assert 5 < carriers(step) < 6
    base = np.full(30, level)
    new = level + (np.abs(step) if level == 0 else -np.abs(step) if level == 1 else step)
    assert paired_difference(base, new, own(30)).method == method


@pytest.mark.parametrize(("base", "new"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.0, 1.0), (1.0, 0.5)])
@pytest.mark.parametrize("n", [2, 30])
def test_equal_differences_get_what_could_have_stayed_unseen(base: float, new: float, n: int) -> None:
    difference = paired_difference([base] * n, [new] * n, own(n))
    unseen = 1 - 0.025 ** (1 / n)
    change = new - base
    assert difference.value == pytest.approx(change)
    assert difference.low == pytest.approx(change - (change + 1) * unseen, abs=1e-8)
    assert difference.high == pytest.approx(change + (1 - change) * unseen, abs=1e-8)
    if change == 0:
        assert difference.p_value == 1
    elif abs(change) == 1:
        assert difference.p_value == pytest.approx(2 * 0.5**n, abs=1e-7)


counts = st.integers(0, 8)


@given(st.lists(st.tuples(counts, counts, st.integers(0, 25)), min_size=2, max_size=40))
def test_difference_has_width_turns_with_its_sign_and_agrees_with_its_test(rows: list[tuple[int, int, int]]) -> None:
    base, new, clusters = [b / 8 for b, _, _ in rows], [n / 8 for _, n, _ in rows], [str(c) for _, _, c in rows]
    there, back = paired_difference(base, new, clusters), paired_difference(new, base, clusters)
    if there.n_clusters == 1:
        assert all(math.isnan(end) for end in (there.low, there.high, there.p_value))
        assert there.method == "no interval: one cluster"
        return
    assert -1 <= there.low < there.high <= 1
    assert there.low <= there.value <= there.high
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-7)
    assert there.p_value == pytest.approx(back.p_value, abs=1e-7)
    if abs(there.p_value - 0.05) > 1e-4:
        assert (there.low > 0 or there.high < 0) == (there.p_value < 0.05)


def test_unbounded_differences_that_are_equal_have_no_interval() -> None:
    difference = paired_difference([5.0, 7.0], [6.0, 8.0], own(2), bounds=None)
    assert difference.value == 1
    assert all(math.isnan(number) for number in (difference.low, difference.high, difference.p_value))
    assert difference.method.startswith("no interval: ")


def test_no_shared_question_is_refused() -> None:
    with pytest.raises(MetricError, match="questions that both runs have; met none"):
        paired_difference([], [], [])


def test_error_of_the_first_kind_is_kept_where_differences_are_few() -> None:
    """Two draws of one model near the ceiling: at most 5 % false alarms, and some, or the test would be blind."""
    rng, runs = np.random.default_rng(5), 400
    p_values = []
    for _ in range(runs):
        success = rng.beta(8, 0.5, 134)
        base, new = (rng.binomial(8, success) == 8).astype(float), (rng.binomial(8, success) == 8).astype(float)
        p_values.append(paired_difference(base, new, own(134)).p_value)
    assert 0.005 < np.mean(np.array(p_values) < 0.05) < 0.08


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.04, 0.01, 0.03, 0.005], [0.06, 0.03, 0.06, 0.02]),  # 0.04 keeps the 0.06 of the one before it
        ([0.5, 0.9, 0.6], [1.0, 1.0, 1.0]),
        ([0.0, 1.0], [0.0, 1.0]),
    ],
)
def test_holm_by_hand(p_values: list[float], adjusted: list[float]) -> None:
    assert holm(p_values) == pytest.approx(adjusted)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_lies_between_none_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for p_value, after in zip(p_values, adjusted, strict=True):
        assert p_value <= after <= min(1, len(p_values) * p_value)
    assert sorted(adjusted) == [after for _, after in sorted(zip(p_values, adjusted, strict=True))]


@pytest.mark.parametrize("p_value", [-0.1, 1.1, math.nan])
def test_holm_refuses_what_is_no_p_value(p_value: float) -> None:
    with pytest.raises(MetricError, match="p-values from 0 to 1"):
        holm([0.5, p_value])


def test_macro_mean_of_large_tasks_adds_their_variances() -> None:
    rng = np.random.default_rng(3)
    tasks = [rng.uniform(0.3, 0.7, n) for n in (900, 1200, 1500)]
    macro = macro_mean([mean_interval(values, own(len(values))) for values in tasks])
    error = math.sqrt(sum(stats.sem(values) ** 2 for values in tasks)) / 3
    assert macro.value == pytest.approx(np.mean([values.mean() for values in tasks]))
    assert (macro.low, macro.high) == pytest.approx((macro.value - 1.962 * error, macro.value + 1.962 * error), abs=1e-5)


def test_macro_mean_of_one_task_is_that_task() -> None:
    task = mean_interval([1.0] * 29 + [0.25], own(30))
    macro = macro_mean([task])
    assert (macro.value, macro.low, macro.high) == pytest.approx((task.value, task.low, task.high))


ends = st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(sorted)


@given(st.lists(ends, min_size=1, max_size=6))
def test_macro_mean_keeps_within_the_means_of_the_ends(tasks: list[list[float]]) -> None:
    macro = macro_mean([Interval(value, low, high) for low, value, high in tasks])
    low, _, high = np.mean(tasks, axis=0)
    assert low - 1e-12 <= macro.low <= macro.value <= macro.high <= high + 1e-12
    assert (macro.low < macro.value) == any(low < value for low, value, _ in tasks) or macro.value - low < 1e-12


def test_macro_mean_of_score_limits_adds_the_estimated_variances() -> None:
    """For Poisson counts x with score limits (x - low)(high - x) = z^2 x, so the nearer end is the root of z^2 (9 + 16)."""
    z, counts = 1.96, (9, 16)
    ends = [np.roots([1, -(2 * x + z**2), x**2]) for x in counts]
    macro = macro_mean([Interval(x, float(min(end)), float(max(end)), GAFFKE) for x, end in zip(counts, ends, strict=True)])
    assert macro.value - macro.low == pytest.approx(z * 5 / 2)
    assert macro.high - macro.value == pytest.approx(
        math.hypot(*(max(end) - x for x, end in zip(counts, ends, strict=True))) / 2
    )


def test_macro_mean_without_variance_has_width() -> None:
    macro = macro_mean([mean_interval([1.0] * 30, own(30)), mean_interval([0.0] * 30, own(30))])
    assert macro.low < 0.5 < macro.high


def test_macro_mean_without_an_end_or_a_task() -> None:
    macro = macro_mean([Interval(0.5, 0.4, 0.6), Interval(0.7, math.nan, math.nan)])
    assert macro.value == pytest.approx(0.6)
    assert math.isnan(macro.low)
    assert math.isnan(macro.high)
    with pytest.raises(MetricError, match="at least one task"):
        macro_mean([])


def test_bootstrap_of_a_mean_agrees_with_the_t_interval() -> None:
    rng = np.random.default_rng(4)
    clusters = [str(cluster) for cluster in np.repeat(np.arange(100), 3)]
    values = np.repeat(rng.uniform(0, 1, 100), 3)
    drawn = bootstrap_interval(lambda rows: float(rows.mean()), values, clusters, seed=1)
    wanted = mean_interval(values, clusters)
    assert (drawn.value, drawn.low, drawn.high) == pytest.approx((wanted.value, wanted.low, wanted.high), abs=0.01)


def test_bootstrap_keeps_clusters_whole_and_repeats_itself() -> None:
    """Each cluster sums to 0, so any resample of whole clusters sums to 0 too."""
    rows = np.array([[1.0, 2.0], [-1.0, 2.0], [3.0, 5.0], [-3.0, 5.0]])
    clusters = ["a", "a", "b", "b"]
    sums = bootstrap_interval(lambda drawn: float(drawn[:, 0].sum()), rows, clusters, n_resamples=50, seed=2)
    assert math.isnan(sums.low)
    assert sums.method == "no interval: every resample gives the same"
    seconds = [
        bootstrap_interval(lambda drawn: float(np.median(drawn[:, 1])), rows, clusters, n_resamples=50, seed=2)
        for _ in range(2)
    ]
    assert seconds[0] == seconds[1]
    assert (seconds[0].low, seconds[0].high) == (2.0, 5.0)
    assert "seed 2" in seconds[0].method


def test_bootstrap_of_one_cluster_has_no_ends() -> None:
    assert math.isnan(bootstrap_interval(lambda rows: float(rows.mean()), [0.1, 0.2], ["a", "a"], seed=0).low)
