"""The mean of several tasks' paired differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from raml_eval.errors import MetricError
from raml_eval.intervals import Part, macro_mean, paired_difference, pooled_difference
from raml_eval.intervals.means import MOVER, SKEWED_T, T_INTERVAL
from raml_eval.intervals.pooled import POOLED

POOLED_T = f"{T_INTERVAL}{POOLED}"


def draw(seed: int, n: int, prefix: str, per_cluster: int = 1, drop: float = 0.0) -> Part:
    rng = np.random.default_rng(seed)
    p = np.repeat(rng.beta(2, 2, n // per_cluster), per_cluster)
    values = [rng.binomial(8, np.clip(p - shift, 0, 1)) / 8 for shift in (0.0, drop)]
    return Part(*values, [f"{prefix}{row // per_cluster}" for row in range(n)])


def test_one_task_gets_the_paired_difference() -> None:
    part = draw(1, 60, "a")
    assert pooled_difference([part]) == paired_difference(part.base, part.new, part.clusters)


def test_two_tasks_of_their_own_get_welchs_t() -> None:
    one, two = draw(1, 30, "a"), draw(2, 134, "b", drop=0.1)
    found = pooled_difference([one, two])
    wanted = stats.ttest_ind(one.new - one.base, -(two.new - two.base), equal_var=False)
    low, high = wanted.confidence_interval(0.95)
    assert found.method == POOLED_T
    assert (found.low, found.high, found.p_value) == pytest.approx((low / 2, high / 2, wanted.pvalue), rel=1e-9)


@pytest.mark.parametrize("per_cluster", [1, 4])
def test_a_task_that_is_counted_twice_is_as_sure_as_once(per_cluster: int) -> None:
    part = draw(3, 80, "a", per_cluster)
    twice, once = pooled_difference([part, part]), paired_difference(part.base, part.new, part.clusters)
    assert (twice.value, twice.low, twice.high, twice.p_value) == pytest.approx(
        (once.value, once.low, once.high, once.p_value), rel=1e-9
    )
    assert twice.n_clusters == once.n_clusters


def test_shared_questions_widen_the_interval() -> None:
    whole = draw(4, 120, "a")
    half = Part(whole.base[:40], whole.new[:40], whole.clusters[:40])
    as_if_apart = Part(half.base, half.new, [f"x{name}" for name in half.clusters])
    shared, apart = pooled_difference([whole, half]), pooled_difference([whole, as_if_apart])
    assert shared.value == apart.value
    assert shared.high - shared.low > 1.1 * (apart.high - apart.low)


def test_the_variance_is_that_of_all_clusters_of_all_tasks() -> None:
    """The pooled mean of tasks with shared clusters, drawn many times, varies as much as its interval says."""
    rng = np.random.default_rng(5)
    means, widths = [], []
    for _ in range(300):
        p = rng.beta(2, 2, 100)
        base, new = rng.binomial(8, p) / 8, rng.binomial(8, p) / 8
        names = [str(row) for row in range(100)]
        found = pooled_difference([Part(base, new, names), Part(base[:50], new[:50], names[:50])])
        means.append(found.value)
        widths.append((found.high - found.low) / 2)
    assert np.mean(widths) / 1.98 == pytest.approx(np.std(means), rel=0.12)


def test_a_task_near_its_bound_is_combined_by_mover() -> None:
    rare = Part(np.ones(40), np.r_[np.zeros(2), np.ones(38)], [f"r{row}" for row in range(40)])
    many = draw(6, 100, "a", drop=0.2)
    found = pooled_difference([rare, many])
    parts = [paired_difference(part.base, part.new, part.clusters) for part in (rare, many)]
    wanted = macro_mean(parts)
    assert found.method == MOVER
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=1e-9)
    at = pooled_difference([rare, many], level=1 - found.p_value)
    assert at.high == pytest.approx(0.0, abs=1e-6)


def test_equal_runs_have_an_interval_and_no_evidence() -> None:
    same = Part(np.ones(30), np.ones(30), [str(row) for row in range(30)])
    found = pooled_difference([same, same])
    alone = paired_difference(same.base, same.new, same.clusters)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), rel=1e-9)  # the same questions, not twice as many
    assert found.p_value == 1.0


def test_a_task_of_one_cluster_leaves_the_mean_without_an_interval() -> None:
    found = pooled_difference([draw(7, 20, "a"), Part(np.zeros(3), np.ones(3), ["b"] * 3)])
    assert np.isnan([found.low, found.high, found.p_value]).all()
    assert found.method == "no interval: one cluster"


def test_no_task_is_refused() -> None:
    with pytest.raises(MetricError, match="needs at least one task"):
        pooled_difference([])


@given(st.integers(0, 10_000), st.integers(2, 4), st.floats(0.8, 0.99))
def test_the_p_value_is_the_inversion_of_the_interval(seed: int, n_tasks: int, level: float) -> None:
    parts = [draw(seed + row, 24, f"t{row}-", per_cluster=2, drop=0.1) for row in range(n_tasks)]
    found = pooled_difference(parts, level)
    assert found.low <= found.value <= found.high
    assert (found.p_value < 1 - level) == (found.low > 0 or found.high < 0)


def changed(prefix: str, n: int, moved: int, right: float = 0.5) -> Part:
    """A task of n questions: of the first `moved`, every second one turns wrong and the others right; the rest stay."""
    base = np.r_[np.zeros(moved), np.arange(n - moved) < right * (n - moved)].astype(float)
    new = base.copy()
    base[:moved:2] = 1
    new[1:moved:2] = 1
    return Part(base, new, [f"{prefix}{row}" for row in range(n)])


@pytest.mark.parametrize(
    ("moved", "method"), [((3, 3), f"{SKEWED_T}{POOLED}"), ((3, 2), MOVER), ((9, 2), MOVER), ((6, 6), POOLED_T)]
)
def test_tasks_help_each_other_if_some_clusters_carry_each(moved: tuple[int, int], method: str) -> None:
    parts = [changed(str(index), 60, count) for index, count in enumerate(moved)]
    assert pooled_difference(parts, tested=False).method == method


def test_tasks_without_the_worth_of_two_do_not_help_each_other() -> None:
    assert POOLED in pooled_difference([changed(str(index), 60, 3) for index in range(2)], tested=False).method
    hopeless = [changed(str(index), 60, 3, right=0.0) for index in range(2)]
    assert pooled_difference(hopeless, tested=False).method == MOVER


def test_a_task_that_changes_by_the_same_everywhere_keeps_its_width() -> None:
    varied, same = changed("a", 60, 20), Part(np.zeros(30), np.full(30, 0.5), [f"b{row}" for row in range(30)])
    assert pooled_difference([varied, same], tested=False).method == MOVER
