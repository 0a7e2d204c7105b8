"""Ratios of means: Fieller's interval against its definition, its coverage, and where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from raml_eval.intervals import Part, pooled_difference
from raml_eval.intervals.ratio import FIELLER, INVERTED, ratio_of_means, share_of_means


def part(values: np.ndarray, names: str) -> Part:
    return Part(np.zeros(len(values)), values, [f"{names}{place}" for place in range(len(values))])


def drawn(seed: int, over: float, under: float, size: int = 60) -> tuple[Part, Part]:
    rng = np.random.default_rng(seed)
    return part(rng.normal(over, 0.4, size), "o"), part(rng.normal(under, 0.4, size), "u")


def test_the_ends_are_where_the_test_turns() -> None:
    over, under = drawn(1, 0.2, 0.4)
    found = ratio_of_means([over], [under])
    a, b = over.new.mean(), under.new.mean()  # type: ignore[union-attr]
    assert found.value == pytest.approx(a / b)
    assert found.method == FIELLER
    variances = [np.var(one.new, ddof=1) / 60 for one in (over, under)]
    for end in (found.low, found.high):
        statistic = (a - end * b) / math.sqrt(variances[0] + end**2 * variances[1])
        assert abs(statistic) == pytest.approx(t.ppf(0.975, 59), rel=1e-6)
    assert found.low < found.value < found.high


def test_the_same_questions_on_both_sides_covary() -> None:
    rng = np.random.default_rng(3)
    under = rng.normal(0.5, 0.2, 50)
    over = part(0.5 * under + rng.normal(0, 0.01, 50), "q")
    joined = ratio_of_means([over], [part(under, "q")])
    apart = ratio_of_means([over], [part(under, "r")])
    assert joined.value == pytest.approx(apart.value)
    assert joined.high - joined.low < 0.2 * (apart.high - apart.low)


def test_coverage() -> None:
    held = sum(
        found.low <= 0.5 <= found.high
        for found in (ratio_of_means(*([one] for one in drawn(seed, 0.25, 0.5))) for seed in range(400))
    )
    assert 0.92 <= held / 400 <= 0.98


def test_tasks_count_alike() -> None:
    rng = np.random.default_rng(4)
    small, large = part(rng.normal(0.2, 0.1, 20), "a"), part(rng.normal(0.6, 0.1, 80), "b")
    under = part(rng.normal(1.0, 0.1, 30), "c")
    expected = (small.new.mean() + large.new.mean()) / 2 / under.new.mean()  # type: ignore[union-attr]
    assert ratio_of_means([small, large], [under]).value == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_a_denominator_that_may_be_0_gives_nothing(seed: int) -> None:
    found = ratio_of_means(*([one] for one in drawn(seed, 0.3, 0.0)))
    assert math.isnan(found.value)
    assert found.method == "not given: the denominator's interval includes 0"


def test_without_variance_there_is_a_ratio_and_no_interval() -> None:
    ones = part(np.ones(30), "q")
    found = ratio_of_means([ones], [ones])
    assert (found.value, math.isnan(found.low)) == (1.0, True)
    assert found.method == "no interval: no variance from cluster to cluster"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([0.1, 0.9, 0.3, 0.4, 0.2], "fewer than six clusters"),
        ([4.0] + [0.5, 0.6] * 12, "a few clusters outweigh the rest, so that all count as fewer than six"),
    ],
)
def test_why_there_is_no_interval(values: list[float], why: str) -> None:
    over, under = part(np.array(values), "q"), part(np.resize([1.0, 1.1], len(values)), "q")
    found = ratio_of_means([over], [under])
    assert (math.isnan(found.low), found.method) == (True, f"no interval: {why}")


def shares(
    seed: int, sizes: tuple[int, ...], n: int, keep: float, hard: tuple[float, float] = (0.2, 0.8)
) -> tuple[list[Part], list[Part]]:
    """What two runs of n samples have right, and what the first of them has: hard questions, most of which are kept."""
    rng = np.random.default_rng(seed)
    both, base = [], []
    for task, size in enumerate(sizes):
        p = rng.beta(*hard, size)
        q = np.where(rng.random(size) < keep, p, 0.2 * p)
        x, y = rng.binomial(n, p) / n, rng.binomial(n, q) / n
        both.append(part(x * y, f"{task}-"))
        base.append(part(x, f"{task}-"))
    return both, base


def true_share(keep: float) -> float:
    """E[p q] / E[p] for p from Beta(0.2, 0.8), whose second moment is 0.2 * 1.2 / 2, and q = p or 0.2 p."""
    return (keep + 0.2 * (1 - keep)) * (0.2 * 1.2 / 2) / 0.2


@pytest.mark.parametrize(("sizes", "n", "keep"), [((60,), 4, 0.9), ((30, 200), 1, 0.98), ((15, 15, 60), 8, 0.97)])
def test_a_share_is_covered_and_always_has_ends(sizes: tuple[int, ...], n: int, keep: float) -> None:
    """Where few clusters carry the ratio, Fieller's interval is not given, or fails."""
    found = [share_of_means(*shares(seed, sizes, n, keep)) for seed in range(80)]
    assert not any(math.isnan(one.low) for one in found)
    assert sum(one.low <= true_share(keep) <= one.high for one in found) >= 0.92 * len(found)


def test_a_share_has_the_ends_at_which_the_difference_could_be_0() -> None:
    both, base = shares(3, (60, 50), 8, 0.8, hard=(2.0, 2.0))
    found = share_of_means(both, base)
    assert found.method == INVERTED
    assert 0 < found.low < found.value < found.high < 1
    for end, side in ((found.low, "low"), (found.high, "high")):
        difference = pooled_difference([Part(end * b.new, a.new, a.clusters) for a, b in zip(both, base, strict=True)])  # type: ignore[operator]
        assert getattr(difference, side) == pytest.approx(0, abs=1e-3)


def test_all_kept_and_nothing_to_keep() -> None:
    ones, none = part(np.ones(30), "q"), part(np.zeros(30), "q")
    kept = share_of_means([ones], [ones])
    assert (kept.value, kept.high) == (1.0, 1.0)
    assert 0.8 < kept.low < 1
    assert share_of_means([none], [none]).method == "not given: nothing to keep"
    assert math.isnan(share_of_means([part(np.ones(1), "q")], [part(np.ones(1), "q")]).low)
