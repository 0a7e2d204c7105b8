"""The mean of several tasks' paired differences: every task counts alike, and tasks may share questions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from raml_eval.errors import MetricError
from raml_eval.intervals.clusters import SAME, Bounds, FloatArray, carriers
from raml_eval.intervals.means import ENOUGH, MOVER, T_INTERVAL, PairedDifference, macro_mean, paired_difference

POOLED_T = "clustered t-interval, pooled over fixed tasks"
_SOME = 3  # clusters that carry a part's difference, at least, for the pooled t-interval
_SMALLEST_P = 1e-5  # Gaffke's ends are computed to about 1e-7, so a smaller p is not told apart


@dataclass(frozen=True, slots=True)
class Part:
    """One task of a pooled difference: the values of the same questions, (Q,) each, and the names of their clusters, (Q,).

    Questions of different tasks that share a cluster's name are not independent. Names that belong to one task alone must
    not occur in another.
    """

    base: FloatArray
    new: FloatArray
    clusters: Sequence[str]


def pooled_difference(
    parts: Sequence[Part], level: float = 0.95, bounds: Bounds = (0.0, 1.0), *, tested: bool = True
) -> PairedDifference:
    """The mean over the parts of their mean differences new - base, with interval and p-value. The tasks are fixed.

    If each part alone would get a t-interval, or if at least three clusters carry each part's difference and six the pooled
    one, the variance is the sum over all clusters of the square of what the cluster adds to the pooled mean, with the factor
    G / (G - 1) of each part; a cluster adds what its questions in all parts add, so shared questions are not counted as
    independent. The degrees of freedom are Welch and Satterthwaite's over groups of parts that share no cluster, each group
    with G - 1 of its smallest part. So two parts without a shared cluster get Welch's t. Otherwise the distances of the
    parts' ends are combined by MOVER with the parts' correlations (Zou 2007, Psychological Methods 12), where a negative
    correlation counts as 0. One part gets paired_difference. The ends and p are NaN if a part has none. A p by MOVER is at
    least 1e-5; it costs many intervals, and is NaN if tested is False. Raises MetricError without a part, and as
    paired_difference does.

    Example: pooled_difference([Part(np.zeros(2), np.ones(2), ["a", "b"])]).value == 1.0
    """
    if not parts:
        raise MetricError("a pooled difference needs at least one task; met none. Compare runs that share a task.")
    alone = [paired_difference(part.base, part.new, part.clusters, level, bounds) for part in parts]
    if len(alone) == 1:
        return alone[0]
    n_clusters = len({name for part in parts for name in part.clusters})
    pooled = PairedDifference(
        value=math.fsum(one.value for one in alone) / len(alone),
        low=math.nan,
        high=math.nan,
        p_value=math.nan,
        n_questions=sum(one.n_questions for one in alone),
        n_clusters=n_clusters,
        method=next((one.method for one in alone if math.isnan(one.low)), MOVER),
    )
    if any(math.isnan(one.low) for one in alone):
        return pooled
    covariances, groups = covariances_of(parts), groups_of(parts)
    if all(one.method == T_INTERVAL for one in alone) or (bounds and _carried(parts, covariances)):
        return _pooled_t(pooled, covariances, groups, [one.n_clusters for one in alone], level, bounds)
    return _pooled_mover(pooled, parts, alone, _correlations(covariances, parts), bounds, tested)


def covariances_of(parts: Sequence[Part]) -> FloatArray:
    """The covariances of the parts' means, (T, T), from the clusters that they share."""
    pulls = pulls_of(parts)
    return pulls @ pulls.T


def pulls_of(parts: Sequence[Part]) -> FloatArray:
    """What each cluster adds to each part's mean beyond an average one, (T, G), with the factor of few clusters.

    The clusters stand in the order in which the parts name them.
    """
    pulls = _pulls(parts, centred=True)
    for row, part in enumerate(parts):
        n_clusters = len(set(part.clusters))
        pulls[row] *= math.sqrt(n_clusters / max(1, n_clusters - 1))
    return pulls


def _pulls(parts: Sequence[Part], centred: bool) -> FloatArray:
    """What each cluster adds to each part's mean, (T, G); if centred, beyond an average one."""
    place: dict[str, int] = {}
    for part in parts:
        for name in part.clusters:
            place.setdefault(name, len(place))
    pulls = np.zeros((len(parts), len(place)))
    for row, part in enumerate(parts):
        columns = np.array([place[name] for name in part.clusters], dtype=np.int64)
        differences = np.asarray(part.new, dtype=np.float64) - np.asarray(part.base, dtype=np.float64)
        np.add.at(pulls[row], columns, (differences - (differences.mean() if centred else 0.0)) / len(columns))
    return pulls


def _carried(parts: Sequence[Part], covariances: FloatArray) -> bool:
    """Whether enough clusters carry the pooled difference, and some the difference of each part, which varies too.

    The parts help each other, so fewer are needed in each. Three keep out a part where all that could change was not drawn.
    """
    pulls = _pulls(parts, centred=False)
    varies = bool(np.all(np.sqrt(np.diag(covariances)) > SAME))
    return varies and min(map(carriers, pulls)) >= _SOME and carriers(pulls.sum(axis=0)) >= ENOUGH


def groups_of(parts: Sequence[Part]) -> list[list[int]]:
    """The parts in groups that share no cluster with one another."""
    groups: list[tuple[list[int], set[str]]] = []
    for row, part in enumerate(parts):
        members, names = [row], set(part.clusters)
        apart = []
        for group in groups:
            if names.isdisjoint(group[1]):
                apart.append(group)
            else:
                members, names = group[0] + members, names | group[1]
        groups = [*apart, (members, names)]
    return [members for members, _ in groups]


def _pooled_t(
    pooled: PairedDifference,
    covariances: FloatArray,
    groups: Sequence[Sequence[int]],
    n_clusters: Sequence[int],
    level: float,
    bounds: Bounds,
) -> PairedDifference:
    from scipy.stats import t

    variances = [float(covariances[np.ix_(group, group)].sum()) / len(n_clusters) ** 2 for group in groups]
    freedoms = [min(n_clusters[row] for row in group) - 1 for group in groups]
    variance = math.fsum(variances)
    freedom = variance**2 / math.fsum(v**2 / df for v, df in zip(variances, freedoms, strict=True))
    error = math.sqrt(variance)
    half = float(t.ppf((1 + level) / 2, freedom)) * error
    low, high = (bounds[0] - bounds[1], bounds[1] - bounds[0]) if bounds else (-math.inf, math.inf)
    return replace(
        pooled,
        low=max(pooled.value - half, low),
        high=min(pooled.value + half, high),
        p_value=float(2 * t.sf(abs(pooled.value) / error, freedom)),
        method=POOLED_T,
    )


def _correlations(covariances: FloatArray, parts: Sequence[Part]) -> FloatArray:
    """The correlations of the parts' means, at least 0. Without variance, the share of clusters that two parts share."""
    errors = np.sqrt(np.diag(covariances))
    names = [set(part.clusters) for part in parts]
    found = np.eye(len(parts))
    for a in range(len(parts)):
        for b in range(a):
            if errors[a] * errors[b] > 0:
                value = covariances[a, b] / (errors[a] * errors[b])
            else:
                value = len(names[a] & names[b]) / math.sqrt(len(names[a]) * len(names[b]))
            found[a, b] = found[b, a] = min(max(value, 0.0), 1.0)
    return found


def _pooled_mover(
    pooled: PairedDifference,
    parts: Sequence[Part],
    alone: Sequence[PairedDifference],
    correlations: FloatArray,
    bounds: Bounds,
    tested: bool,
) -> PairedDifference:
    def margin(log_p: float) -> float:
        """How far the end that faces 0 is beyond 0, at the level 1 - p."""
        at = 1 - math.exp(log_p)
        own = [paired_difference(part.base, part.new, part.clusters, at, bounds) for part in parts]
        mean = macro_mean(own, correlations)
        return mean.low if pooled.value > 0 else -mean.high

    mean = macro_mean(alone, correlations)
    p_value = math.nan if not tested else 1.0 if pooled.value == 0 else _invert(margin)
    return replace(pooled, low=mean.low, high=mean.high, p_value=p_value)


def _invert(margin: Callable[[float], float]) -> float:
    """The p-value: 1 minus the greatest level whose interval does not contain 0."""
    from scipy.optimize import brentq

    least, most = math.log(_SMALLEST_P), math.log(0.999)
    if margin(least) > 0:
        return _SMALLEST_P
    if margin(most) <= 0:
        return 1.0
    return float(math.exp(brentq(margin, least, most, xtol=1e-9)))
