"""Intervals of means against textbook values, and their guarantees: never of width 0, never out of bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from raml_eval.errors import MetricError
from raml_eval.intervals import GAFFKE, T_INTERVAL, mean_interval, paired_difference
from raml_eval.intervals.clusters import carriers, skewness_of, sum_by_cluster
from raml_eval.intervals.gaffke import gaffke_ends
from raml_eval.intervals.means import SKEWED_T, t_ends


def own(n: int) -> list[str]:
    return [f"q{index}" for index in range(n)]


def binary(n: int, correct: int) -> list[float]:
    return [1.0] * correct + [0.0] * (n - correct)


def test_middle_is_the_t_interval_of_a_sample_mean() -> None:
    values = np.random.default_rng(1).uniform(0.2, 0.8, 40)
    interval = mean_interval(values, own(40))
    wanted = stats.t.interval(0.95, 39, values.mean(), stats.sem(values))
    assert interval.method == T_INTERVAL
    assert (interval.value, interval.low, interval.high) == pytest.approx((values.mean(), *wanted), rel=1e-12)


@pytest.mark.parametrize("equal", [True, False])
def test_clusters_widen_the_interval_by_the_robust_formula(equal: bool) -> None:
    """CR2 for a mean; for clusters of equal size that of Miller 2024, G / (G - 1) over pairs of questions in a cluster."""
    rng = np.random.default_rng(2)
    sizes = np.full(40, 3) if equal else rng.integers(1, 5, 40)
    clusters = np.repeat(np.arange(40), sizes)
    values = rng.beta(2, 2, 40)[clusters] * 0.9 + 0.1 * rng.random(len(clusters))
    residual = values - values.mean()
    own_sums = np.array([residual[clusters == cluster].sum() for cluster in range(40)])
    error = math.sqrt(float(np.sum(own_sums**2 / (1 - sizes / sizes.sum())))) / sizes.sum()
    freedom = (sizes**2).sum() ** 2 / (sizes**4).sum() - 1
    if equal:
        same = clusters[:, None] == clusters[None, :]
        pairs = math.sqrt(40 / 39 * float((np.outer(residual, residual) * same).sum())) / len(values)
        assert (error, freedom) == pytest.approx((pairs, 39))
    sample = sum_by_cluster(values, [str(cluster) for cluster in clusters], (0, 1))
    assert (sample.standard_error, sample.freedom) == pytest.approx((error, freedom), rel=1e-9)
    low, high = t_ends(sample.mean, sample.pulls, sample.freedom, 0.95, None)
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, freedom) * error, rel=0.01)  # skewness moves both ends
    assert error > 1.2 * stats.sem(values)


def test_skewness_moves_the_ends_as_halls_transformation_says() -> None:
    """The statistic W + s W^2 / 3 + s^2 W^3 / 27 + s / 6 of each end is the t quantile."""
    values = np.r_[np.zeros(80), np.ones(20)]
    sample = sum_by_cluster(values, own(100), (0, 1))
    skewness, error = stats.skew(values) / 10 / (100 / 99) ** 1.5, stats.sem(values)
    interval = mean_interval(values, own(100))
    assert interval.method == SKEWED_T
    assert skewness_of(sample.pulls) == pytest.approx(skewness * (100 / 99) ** 1.5, rel=0.02)
    s = skewness_of(sample.pulls)
    for end, quantile in ((interval.low, stats.t.ppf(0.975, 99)), (interval.high, stats.t.ppf(0.025, 99))):
        w = (0.2 - end) / error
        assert w + s * w**2 / 3 + s**2 * w**3 / 27 + s / 6 == pytest.approx(quantile)
    assert interval.high - 0.2 > 0.2 - interval.low


@pytest.mark.parametrize(("questions", "drop"), [(300, 0.05), (200, 0.1), (100, 0.15), (536, 0.05), (1000, 0.02)])
@pytest.mark.parametrize("level", [0.95, 0.99, 0.9995])
def test_a_drop_of_the_margin_passes_for_less_as_seldom_as_the_level_says(questions: int, drop: float, level: float) -> None:
    """Questions turn from right to wrong, none the other way: the exact chance that the interval lies above the drop."""
    chances = stats.binom.pmf(np.arange(questions + 1), questions, drop)
    wrong = 0.0
    for lost in np.flatnonzero(chances > 1e-9):
        new = np.r_[np.zeros(lost), np.ones(questions - lost)]
        wrong += chances[lost] * (paired_difference(np.ones(questions), new, own(questions), level).low > -drop)
    assert wrong <= (1 - level) / 2


@pytest.mark.parametrize("sizes", [[20] * 3 + [1] * 40, [30] * 5 + [1] * 50, [20] * 8 + [1] * 20, [10] * 10 + [1] * 30])
def test_clusters_of_unequal_size_are_covered(sizes: list[int]) -> None:
    """Stories that stand or fall together: a large one that was not drawn must be reckoned with."""
    rng, runs = np.random.default_rng(11), 200
    clusters = [str(place) for place, size in enumerate(sizes) for _ in range(size)]
    held = 0
    for _ in range(runs):
        interval = mean_interval(np.repeat(rng.random(len(sizes)) < 0.5, sizes).astype(float), clusters)
        held += interval.low <= 0.5 <= interval.high
    assert held / runs >= 0.93


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(
    ("n", "correct"), [(30, 30), (30, 29), (30, 0), (30, 25), (134, 130), (2, 1), (3, 3), (1319, 1315), (12032, 2)]
)
def test_binary_values_near_a_bound_get_clopper_and_pearson(n: int, correct: int, level: float) -> None:
    interval = mean_interval(binary(n, correct), own(n), level)
    low = stats.beta.ppf((1 - level) / 2, correct, n - correct + 1) if correct else 0.0
    high = stats.beta.ppf((1 + level) / 2, correct + 1, n - correct) if correct < n else 1.0
    assert interval.method == GAFFKE
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=2e-8)


def test_unequal_clusters_near_a_bound_match_drawn_weights() -> None:
    """The ends by their definition: quantiles of the mean under random exponential weights of clusters and atom."""
    rng = np.random.default_rng(3)
    clusters = [str(cluster) for cluster in np.repeat(np.arange(6), [1, 5, 3, 2, 7, 1])]
    values = 1 - rng.random(len(clusters)) ** 3
    sample = sum_by_cluster(values, clusters, (0, 1))
    weights = rng.exponential(size=(400_000, 7))
    sizes = np.append(sample.sizes, sample.sizes.max())
    drawn = [weights @ np.append(sample.sums, atom * sizes[-1]) / (weights @ sizes) for atom in (0, 1)]
    wanted = np.quantile(drawn[0], 0.025), np.quantile(drawn[1], 0.975)
    assert gaffke_ends(sample, 0.95, (0, 1)) == pytest.approx(wanted, abs=2e-3)
    interval = mean_interval(values, clusters)
    assert (interval.low, interval.high) == gaffke_ends(sample, 0.95, (0, 1))


@pytest.mark.parametrize(("whole", "method"), [(5, GAFFKE), (6, SKEWED_T), (15, T_INTERVAL), (24, SKEWED_T), (25, GAFFKE)])
def test_six_whole_questions_on_each_side_choose_the_t_interval(whole: int, method: str) -> None:
    assert mean_interval(binary(30, whole), own(30)).method == method


def test_values_that_few_questions_carry_away_from_the_bound_get_gaffkes_interval() -> None:
    near, far = [0.99] * 28 + [0.2] * 2, [0.7] * 28 + [0.2] * 2
    assert [mean_interval(values, own(30)).method for values in (near, far)] == [GAFFKE, SKEWED_T]


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.floats(1e-200, 1e200))
def test_carriers_are_the_clusters_by_kurtosis(amounts: list[float], unit: float) -> None:
    array = np.array(amounts)
    greatest = np.abs(array).max()
    if greatest < 1e-100:
        return
    found = carriers(array * unit)
    assert 1 <= found <= np.count_nonzero(array)
    assert found == pytest.approx(len(array) / np.mean((array / greatest) ** 4) * np.mean((array / greatest) ** 2) ** 2)


def test_carriers_of_equal_amounts_are_their_number() -> None:
    assert carriers(np.array([0.3, -0.3] * 3 + [0.0] * 24)) == 6
    assert carriers(np.zeros(5)) == 0


@pytest.mark.parametrize("value", [0.0, 0.1, 0.5, 1 / 3, 0.999, 1.0])
@pytest.mark.parametrize("n", [2, 30, 134])
def test_equal_values_get_the_width_of_what_stayed_unseen(value: float, n: int) -> None:
    interval = mean_interval([value] * n, own(n))
    unseen = 1 - 0.025 ** (1 / n)
    assert interval.value == pytest.approx(value)
    assert interval.low == pytest.approx(value * (1 - unseen), abs=1e-8)
    assert interval.high == pytest.approx(value + (1 - value) * unseen, abs=1e-8)


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9)), min_size=2, max_size=40),
    st.sampled_from([0.5, 0.9, 0.95, 0.999]),
)
def test_interval_holds_its_value_within_bounds_and_has_width(rows: list[tuple[int, int]], level: float) -> None:
    clusters = [str(cluster) for _, cluster in rows]
    interval = mean_interval([count / 8 for count, _ in rows], clusters, level)
    if len(set(clusters)) == 1:
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)
    else:
        assert 0 <= interval.low <= interval.value <= interval.high <= 1
        assert interval.low < interval.high


@given(st.lists(st.integers(0, 8), min_size=2, max_size=40))
def test_interval_of_the_mirrored_values_is_the_mirrored_interval(counts: list[int]) -> None:
    interval = mean_interval([count / 8 for count in counts], own(len(counts)))
    mirrored = mean_interval([1 - count / 8 for count in counts], own(len(counts)))
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - interval.high, 1 - interval.low), abs=1e-8)


def test_bounds_scale_the_interval() -> None:
    unit, tokens = (
        mean_interval(binary(30, 28), own(30)),
        mean_interval([0.0] * 2 + [256.0] * 28, own(30), bounds=(0, 256)),
    )
    assert (tokens.low, tokens.high) == pytest.approx((256 * unit.low, 256 * unit.high), abs=1e-6)


def test_without_bounds_the_t_interval_always_stands() -> None:
    values = [10.0, 12.0, 9.0, 11.0]
    interval = mean_interval(values, own(4), bounds=None)
    assert (interval.low, interval.high) == pytest.approx(stats.t.interval(0.95, 3, np.mean(values), stats.sem(values)))


@pytest.mark.parametrize(
    ("values", "clusters", "bounds", "value"),
    [
        ([0.2, 0.4], ["a", "a"], (0.0, 1.0), 0.3),
        ([0.2], ["a"], None, 0.2),
        ([7.0, 7.0], ["a", "b"], None, 7.0),
        ([], [], (0.0, 1.0), math.nan),
    ],
)
def test_where_no_interval_can_be_given_the_ends_are_nan_and_method_says_so(
    values: list[float], clusters: list[str], bounds: tuple[float, float] | None, value: float
) -> None:
    interval = mean_interval(values, clusters, bounds=bounds)
    assert interval.value == pytest.approx(value, nan_ok=True)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert interval.method.startswith("no interval: ")


@pytest.mark.parametrize(
    ("values", "clusters", "level", "words"),
    [
        ([0.5, math.nan], ["a", "b"], 0.95, "1 of 2 questions have none"),
        ([0.5, 1.5], ["a", "b"], 0.95, "from 0.0 to 1.0; met 0.5 to 1.5"),
        ([0.5, 0.6], ["a"], 0.95, "2 values and 1 clusters"),
        ([0.5, 0.6], ["a", "b"], 95, "level must lie between 0 and 1; met 95"),
    ],
)
def test_bad_values_are_refused(values: list[float], clusters: list[str], level: float, words: str) -> None:
    with pytest.raises(MetricError, match=words):
        mean_interval(values, clusters, level)


@pytest.mark.parametrize(
    ("a", "b", "questions", "t_too_short"),
    [(2, 2, 30, False), (2, 2, 134, False), (8, 0.5, 30, False), (30, 0.5, 30, True)],
)
def test_coverage_of_avg_at_8(a: float, b: float, questions: int, t_too_short: bool) -> None:
    """At least 92 % of the 95 % intervals contain the truth, whether the plain t-interval fails there or not."""
    rng, truth, runs = np.random.default_rng(7), a / (a + b), 300
    held = t_held = 0
    for _ in range(runs):
        values = rng.binomial(8, rng.beta(a, b, questions)) / 8
        interval = mean_interval(values, own(questions))
        held += interval.low <= truth <= interval.high
        half = stats.t.ppf(0.975, questions - 1) * stats.sem(values)
        t_held += abs(values.mean() - truth) <= half
    assert held / runs >= 0.92
    assert (t_held / runs < 0.9) == t_too_short
