"""Means over questions and over tasks, paired differences, and Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raml_eval.errors import MetricError
from raml_eval.intervals.clusters import (
    SAME,
    Bounds,
    Clustered,
    FloatArray,
    carriers,
    check_level,
    skewness_of,
    sum_by_cluster,
)
from raml_eval.intervals.gaffke import gaffke_ends, gaffke_p_value
from raml_eval.types import Interval

T_INTERVAL = "clustered t-interval"
SKEWED_T = "skewness-corrected clustered t-interval"
T_INTERVALS = (T_INTERVAL, SKEWED_T)
GAFFKE = "Gaffke interval"
MOVER = "MOVER over fixed tasks"

# The t-interval needs as many clusters that carry the mean's distance from either bound, or the difference. For values of 0
# and 1 they are the correct, the wrong, and the changed ones. At 5, the coverage for such values falls to 0.91. To count all
# that differ is not enough: pass@k near 1 differs in most questions by next to nothing and in few by much, and with ten that
# differ the t-interval covers 60 to 80 %. benchmarks/interval_coverage.py measures the rule.
ENOUGH = 6
# And this many whole clusters' worth of value must lie on either side of a mean, or of both runs' means. Clusters that were
# not drawn cannot be counted: where all but a few questions are hopeless, or where a few in a hundred change altogether, a
# sample may hold none of the few, and the t-interval of the others covers 90 to 93 %.
WORTH = 5
# The skewness of a mean's error above which the t-interval is corrected for it. At this value, a one-sided error of 2.5 % is
# off by 0.4 points, and one of 0.025 % by 0.02.
SKEWED = 0.05


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The mean difference new - base over the same questions, with its interval and two-sided p-value.

    The ends and p_value are NaN if they cannot be given, and p_value also if it was not asked for. method names the
    interval; the test is its inversion.
    """

    value: float
    low: float
    high: float
    p_value: float
    n_questions: int
    n_clusters: int
    method: str = ""


def mean_interval(
    values: Sequence[float] | FloatArray, clusters: Sequence[str], level: float = 0.95, bounds: Bounds = (0.0, 1.0)
) -> Interval:
    """The mean over questions, with an interval for the mean over all questions like these.

    values holds one number per question, and clusters names what a question shares with others. bounds are the least and the
    greatest value that is possible, None if there are none. The t-interval has G - 1 degrees of freedom for G clusters of equal
    size, is corrected for skewness if there is much (t_ends), and is cut at the bounds. Gaffke's interval replaces it if fewer
    than five whole clusters' worth of value lie on one side of the mean, or if fewer than six clusters carry it (carriers in
    raml_eval.intervals.clusters). The ends are NaN for fewer than two clusters, and for equal values without bounds; everything
    is NaN without values. Raises MetricError for NaN among the values, values out of bounds, or lengths that differ.


    Example: mean_interval([0.0, 0.5, 1.0], ["q1", "q2", "q3"]).value == 0.5
    """
    return clustered_mean(sum_by_cluster(values, clusters, bounds), level, bounds)


def clustered_mean(sample: Clustered, level: float = 0.95, bounds: Bounds = (0.0, 1.0)) -> Interval:
    """As mean_interval, for values that were summed by cluster before; the sizes count whatever the mean is over."""
    if not sample.n_clusters:
        return Interval(math.nan, math.nan, math.nan, "no interval: no values")
    method = _method(sample, bounds, _away(sample, bounds) and worth_of(sample, bounds) >= WORTH)
    return Interval(sample.mean, *_ends(sample, method, level, bounds), method)


def paired_difference(
    base: Sequence[float] | FloatArray,
    new: Sequence[float] | FloatArray,
    clusters: Sequence[str],
    level: float = 0.95,
    bounds: Bounds = (0.0, 1.0),
) -> PairedDifference:
    """The mean of new - base over the same questions in the same order, with interval and p-value.

    bounds are those of the values, so a difference lies within their span. Gaffke's interval replaces the t-interval if all
    clusters differ by the same amount, if fewer than six carry the difference (carriers in raml_eval.intervals.clusters;
    more than five are enough if at least six carry both runs' means), or if fewer than five clusters' worth of value lie on one
    side of a run's mean. Equal runs on G questions get
    +-(1 - (a/2)^(1/G)) of the span, a = 1 - level, which is what G questions could have failed to show, and p = 1. Without
    bounds, equal differences have no interval: NaN. The ends and p are NaN for one cluster. Raises MetricError for NaN,
    values out of bounds, lengths that differ, or no question.

    Example: paired_difference([0.0, 0.5], [0.5, 1.0], ["q1", "q2"]).value == 0.5
    """
    base_sample, new_sample = sum_by_cluster(base, clusters, bounds), sum_by_cluster(new, clusters, bounds)
    if not base_sample.n_clusters:
        raise MetricError("a paired difference needs questions that both runs have; met none. Compare runs that share a task.")
    sample = Clustered(new_sample.sums - base_sample.sums, base_sample.sizes)
    span = (bounds[0] - bounds[1], bounds[1] - bounds[0]) if bounds else None
    carried = carriers(sample.sums)
    enough = carried >= ENOUGH or (carried > ENOUGH - 1 and _away(base_sample, bounds) and _away(new_sample, bounds))
    worth = min(worth_of(base_sample, bounds), worth_of(new_sample, bounds))
    method = _method(sample, span, enough and worth >= WORTH)
    low, high = _ends(sample, method, level, span)
    p_value = _p_value(sample, method, span)
    return PairedDifference(sample.mean, low, high, p_value, int(sample.sizes.sum()), sample.n_clusters, method)


def macro_mean(intervals: Sequence[Interval | PairedDifference], correlations: FloatArray | None = None) -> Interval:
    """The mean of task means, with the tasks fixed, at the level of the given intervals.

    An end's distance from the mean is the root of the summed products of the tasks' own distances and their correlations,
    (T, T), divided by the number of tasks (MOVER: Zou and Donner 2008, Statistics in Medicine 27; for proportions Zou, Huang
    and Zhang 2009, Computational Statistics and Data Analysis 53). Without correlations the tasks are independent. Where a
    task has Gaffke's interval and an end is the nearer of its two, as towards a bound, the product of both distances replaces
    its square: it is z^2 times the estimated variance for the score limits of a Poisson count, and the square alone is too
    short for several tasks near a bound. An end is never beyond the mean of the tasks' ends. So tasks with different methods
    can be combined, the ends stay within the bounds, and no width is 0. If a task lacks its value or an end, the mean's ends
    are NaN too. Raises MetricError without a task.

    Example: macro_mean([Interval(0.2, 0.1, 0.3), Interval(0.4, 0.2, 0.6)]).method == "MOVER over fixed tasks"
    """
    if not intervals:
        raise MetricError("a macro mean needs at least one task; met none. Leave it out of the table.")
    value = math.fsum(interval.value for interval in intervals) / len(intervals)
    below = np.array([interval.value - interval.low for interval in intervals])
    above = np.array([interval.high - interval.value for interval in intervals])
    related = np.eye(len(intervals)) if correlations is None else correlations
    near = np.array([interval.method == GAFFKE for interval in intervals])
    low, high = value - _combined(below, above, near, related), value + _combined(above, below, near, related)
    return Interval(value, low, high, MOVER)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given. Each may be compared with the level of the whole family.

    Raises MetricError for a p-value that is NaN or outside [0, 1]. Source: Holm 1979, Scandinavian Journal of Statistics 6.

    Example: holm([0.01, 0.04]) == [0.02, 0.04]
    """
    for p_value in p_values:
        if not 0 <= p_value <= 1:
            raise MetricError(f"Holm's correction needs p-values from 0 to 1; met {p_value}. Leave out what was not tested.")
    adjusted = [0.0] * len(p_values)
    greatest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        greatest = max(greatest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = greatest
    return adjusted


def _combined(distances: FloatArray, others: FloatArray, near: NDArray[np.bool_], related: FloatArray) -> float:
    """How far a macro mean's end is from it, from the tasks' distances on this side, those on the other, and correlations.

    near marks the tasks near a bound.
    """
    reach = np.sqrt(np.maximum(distances * np.where(near, np.maximum(distances, others), distances), 0.0))
    return min(math.sqrt(reach @ related @ reach), float(distances.sum())) / len(distances)


def _away(sample: Clustered, bounds: Bounds) -> bool:
    """Whether enough clusters carry the mean's distance from either bound."""
    if not bounds:
        return True
    low, high = bounds
    return min(carriers(sample.sums - low * sample.sizes), carriers(high * sample.sizes - sample.sums)) >= ENOUGH


def worth_of(sample: Clustered, bounds: Bounds) -> float:
    """How many whole clusters' worth of value lie on the side of the mean that has less; infinite without bounds."""
    if not bounds:
        return math.inf
    low, high = bounds
    return sample.n_clusters * min(sample.mean - low, high - sample.mean) / (high - low)


def _method(sample: Clustered, bounds: Bounds, enough: bool) -> str:
    if sample.n_clusters < 2:
        return "no interval: one cluster"
    spread = bounds[1] - bounds[0] if bounds else max(1.0, abs(sample.mean))
    varies = sample.standard_error > SAME * spread
    if varies and (enough or not bounds):
        return SKEWED_T if abs(sample.skewness) > SKEWED else T_INTERVAL
    return GAFFKE if bounds else "no interval: no variance and no bounds"


def _ends(sample: Clustered, method: str, level: float, bounds: Bounds) -> tuple[float, float]:
    check_level(level)
    if method == GAFFKE and bounds:
        return gaffke_ends(sample, level, bounds)
    if method not in T_INTERVALS:
        return math.nan, math.nan
    return t_ends(sample.mean, sample.pulls, sample.freedom, level, bounds, sample.skewness)


def _p_value(sample: Clustered, method: str, bounds: Bounds) -> float:
    """The two-sided p-value of a mean of 0: 1 minus the greatest level whose interval does not contain 0."""
    if method == GAFFKE and bounds:
        return gaffke_p_value(sample, bounds)
    return t_p_value(sample.mean, sample.pulls, sample.freedom, sample.skewness) if method in T_INTERVALS else math.nan


def t_ends(
    mean: float, pulls: FloatArray, freedom: float, level: float, bounds: Bounds, skewness: float | None = None
) -> tuple[float, float]:
    """The ends of the t-interval of a mean whose clusters pull it by pulls (G,), within the bounds.

    If the pulls are skewed by more than SKEWED, Hall's transformation of the t-statistic takes out what the skewness does:
    W + s W^2 / 3 + s^2 W^3 / 27 + s / 6 for the statistic W and the skewness s of its error (Hall 1992, Journal of the Royal
    Statistical Society B 54). Without it, a one-sided error is off by s (2 z^2 + 1) phi(z) / 6, which is as much as the error
    itself where few questions change and nearly all in one direction. skewness is that of the pulls, if it is known already.
    """
    from scipy.special import stdtrit  # what scipy.stats.t.ppf calls, whose import takes longer than many a report

    skewness, error = skewness_of(pulls) if skewness is None else skewness, math.sqrt(float(np.sum(pulls**2)))
    quantile = float(stdtrit(freedom, (1 + level) / 2))
    below, above = quantile, -quantile
    if abs(skewness) > SKEWED:
        below, above = (3 / skewness * (math.cbrt(1 + skewness * (q - skewness / 6)) - 1) for q in (quantile, -quantile))
    low, high = bounds or (-math.inf, math.inf)
    return max(mean - below * error, low), min(mean - above * error, high)


def t_p_value(mean: float, pulls: FloatArray, freedom: float, skewness: float | None = None) -> float:
    """The two-sided p-value of a mean of 0, which inverts t_ends."""
    from scipy.special import stdtr

    skewness, statistic = skewness_of(pulls) if skewness is None else skewness, mean / math.sqrt(float(np.sum(pulls**2)))
    if abs(skewness) > SKEWED:
        statistic += skewness * statistic**2 / 3 + skewness**2 * statistic**3 / 27 + skewness / 6
    return float(2 * stdtr(freedom, -abs(statistic)))
