"""The bootstrap over clusters, for what has no closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from raml_eval.intervals.clusters import FloatArray, check_lengths, check_level
from raml_eval.types import Interval


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

    For what has no closed form, such as a median; too short where clusters are few (about 30) or values stand at a bound.
    values is (questions,) or (questions, columns), and statistic receives resampled rows of it. Whole clusters are drawn
    with replacement, never samples within a question. The same seed gives the same ends. Ends are NaN for one cluster
    and where no resample differs. Raises MetricError for lengths that differ.
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
    resampled = [float(statistic(rows[np.concatenate([groups[g] for g in draw])])) for draw in drawn]
    low, high = (float(end) for end in np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2]))
    if low == high:
        return Interval(value, math.nan, math.nan, "no interval: every resample gives the same")
    return Interval(value, low, high, f"percentile bootstrap over clusters, {n_resamples} resamples, seed {seed}")
