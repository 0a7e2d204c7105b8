"""The bootstrap over clusters, for statistics without a closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from raml_eval.intervals.clusters import FloatArray, check_lengths, check_level
from raml_eval.types import Interval

ENOUGH_KNOWN = 0.9  # the least share of resamples that must give a number


def bootstrap_interval(
    statistic: Callable[[FloatArray], float],
    values: Sequence[float] | FloatArray,
    clusters: Sequence[str],
    level: float = 0.95,
    n_resamples: int = 2000,
    *,
    seed: int,
) -> Interval:
    """A statistic of the questions' values, with the percentile interval of a bootstrap over clusters.

    Use it for a statistic without a closed form, such as a median. It is too short if there are few clusters (about 30) or
    if values are at a bound. values is (questions,) or (questions, columns), and statistic receives resampled rows of it.
    Whole clusters are drawn with replacement, never samples within a question. The same seed gives the same ends. Resamples
    for which the statistic is NaN are dropped. The ends are NaN for one cluster, if no resample differs, and if fewer than 90 %
    of the resamples give a number. Raises MetricError if the lengths differ.

    Example: bootstrap_interval(np.median, [0.2, 0.5, 0.9], ["a", "b", "c"], seed=0).value == 0.5
    """
    check_level(level)
    rows = np.asarray(values, dtype=np.float64)
    check_lengths(len(rows), len(clusters))
    value = float(statistic(rows))
    members: dict[str, list[int]] = {}
    for index, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(index)
    groups = [np.array(indices) for indices in members.values()]
    if len(groups) < 2:
        return Interval(value, math.nan, math.nan, "no interval: one cluster")
    drawn = np.random.default_rng(seed).integers(len(groups), size=(n_resamples, len(groups)))
    resampled = np.array([float(statistic(rows[np.concatenate([groups[g] for g in draw])])) for draw in drawn])
    known = resampled[~np.isnan(resampled)]
    if len(known) < ENOUGH_KNOWN * n_resamples:
        return Interval(value, math.nan, math.nan, f"no interval: fewer than {ENOUGH_KNOWN:.0%} of the resamples give a number")
    low, high = (float(end) for end in np.quantile(known, [(1 - level) / 2, (1 + level) / 2]))
    if low == high:
        return Interval(value, math.nan, math.nan, "no interval: every resample gives the same")
    return Interval(value, low, high, f"percentile bootstrap over clusters, {n_resamples} resamples, seed {seed}")
