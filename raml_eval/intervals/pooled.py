"""The mean of several tasks' paired differences: every task counts alike, and tasks may share questions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from raml_eval.errors import MetricError
from raml_eval.intervals.clusters import SAME, Bounds, FloatArray, carriers, skewness_of, sum_by_cluster
from raml_eval.intervals.means import (
    ENOUGH,
    MOVER,
    SKEWED,
    SKEWED_T,
    T_INTERVAL,
    T_INTERVALS,
    WORTH,
    PairedDifference,
    macro_mean,
    paired_difference,
    t_ends,
    t_p_value,
    worth_of,
)

POOLED = ", pooled over fixed tasks"
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


def side_means(parts: Sequence[Part]) -> tuple[float, float]:
    """The mean over the parts of base, and of new."""
    return float(np.mean([np.mean(part.base) for part in parts])), float(np.mean([np.mean(part.new) for part in parts]))


def pooled_difference(
    parts: Sequence[Part], level: float = 0.95, bounds: Bounds = (0.0, 1.0), *, tested: bool = True
) -> PairedDifference:
    """The mean over the parts of their mean differences new - base, with interval and p-value. The tasks are fixed.

    If each part alone would get a t-interval, or if at least three clusters carry each part's difference and six the pooled
    one, with the worth of two parts in all of them, the variance is the sum over all clusters of the square of what the cluster
    adds to the pooled mean; a cluster adds what its questions in all parts add, so shared questions are not counted as
    independent. The degrees of freedom are Welch and Satterthwaite's over groups of parts that share no cluster, each group
    with the fewest of its parts. So two parts without a shared cluster get Welch's t, which is corrected for skewness if there
    is much (means.t_ends). Otherwise the parts are combined as in macro_mean, with the correlations that their shared clusters
    cause (Zou 2007, Psychological Methods 12), where a negative one counts as 0. One part gets paired_difference. The ends and
    p are NaN if a part has none. A p by MOVER is at least 1e-5; it costs many intervals, and is NaN if tested is False. Raises
    MetricError without a part, and as paired_difference does.

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
    pulls = pulls_of(parts)
    covariances = pulls @ pulls.T
    if all(one.method in T_INTERVALS for one in alone) or (bounds and _carried(parts, covariances, bounds)):
        return _pooled_t(pooled, parts, pulls, level, bounds)
    return _pooled_mover(pooled, parts, alone, _correlations(covariances, parts), bounds, tested)


def covariances_of(parts: Sequence[Part]) -> FloatArray:
    """The covariances of the parts' means, (T, T), from the clusters that they share."""
    pulls = pulls_of(parts)
    return pulls @ pulls.T


def pulls_of(parts: Sequence[Part]) -> FloatArray:
    """What each cluster adds to each part's mean beyond an average one, (T, G), with CR2's correction (Clustered.pulls).

    The clusters stand in the order in which the parts name them.
    """
    sums, sizes = _by_cluster(parts)
    totals = sizes.sum(axis=1, keepdims=True)
    residuals = sums - sizes * (sums.sum(axis=1, keepdims=True) / totals)
    return np.asarray(residuals / totals / np.sqrt(np.maximum(1 - sizes / totals, 1 / totals)))


def freedoms_of(parts: Sequence[Part]) -> list[float]:
    """The degrees of freedom of each part alone (Clustered.freedom)."""
    return [carriers(sizes) - 1 for sizes in _by_cluster(parts)[1]]


def welch_freedom(variances: Sequence[float], freedoms: Sequence[float]) -> float:
    """Welch and Satterthwaite's degrees of freedom of a sum of independent variances; the sum of them all without variance.

    A variance without degrees of freedom adds nothing to what the sum is divided by.
    """
    spread = math.fsum(v**2 / df for v, df in zip(variances, freedoms, strict=True) if df)
    return math.fsum(variances) ** 2 / spread if spread > 0 else float(sum(freedoms))


def pooled_freedom(parts: Sequence[Part], pulls: FloatArray) -> float:
    """Welch and Satterthwaite's degrees of freedom of the parts' mean, over groups of parts that share no cluster.

    pulls are those of the parts, (T, G). Each group has the degrees of freedom of the part with the fewest.
    """
    groups, freedoms = groups_of(parts), freedoms_of(parts)
    variances = [float(np.sum(pulls[group].sum(axis=0) ** 2)) for group in groups]
    return welch_freedom(variances, [min(freedoms[row] for row in group) for group in groups])


def _by_cluster(parts: Sequence[Part]) -> tuple[FloatArray, FloatArray]:
    """The sums of the differences and the numbers of questions of each cluster in each part, (T, G) each."""
    place: dict[str, int] = {}
    for part in parts:
        for name in part.clusters:
            place.setdefault(name, len(place))
    sums, sizes = np.zeros((len(parts), len(place))), np.zeros((len(parts), len(place)))
    for row, part in enumerate(parts):
        columns = np.array([place[name] for name in part.clusters], dtype=np.int64)
        np.add.at(sums[row], columns, np.asarray(part.new, dtype=np.float64) - np.asarray(part.base, dtype=np.float64))
        np.add.at(sizes[row], columns, 1.0)
    return sums, sizes


def _carried(parts: Sequence[Part], covariances: FloatArray, bounds: tuple[float, float]) -> bool:
    """Whether enough clusters carry the pooled difference, and some the difference of each part, which varies too.

    The parts help each other, so fewer are needed in each. Three keep out a part where all that could change was not drawn.
    All parts together must have the worth that two have at least.
    """
    worth = math.fsum(
        min(worth_of(sum_by_cluster(values, part.clusters, bounds), bounds) for values in (part.base, part.new))
        for part in parts
    )
    if worth < 2 * WORTH:
        return False
    sums, sizes = _by_cluster(parts)
    pulls = sums / sizes.sum(axis=1, keepdims=True)
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
    pooled: PairedDifference, parts: Sequence[Part], pulls: FloatArray, level: float, bounds: Bounds
) -> PairedDifference:
    freedom = pooled_freedom(parts, pulls)
    together = pulls.sum(axis=0) / len(parts)
    span = (bounds[0] - bounds[1], bounds[1] - bounds[0]) if bounds else None
    low, high = t_ends(pooled.value, together, freedom, level, span)
    skewed = abs(skewness_of(together)) > SKEWED
    return replace(
        pooled,
        low=low,
        high=high,
        p_value=t_p_value(pooled.value, together, freedom),
        method=f"{SKEWED_T if skewed else T_INTERVAL}{POOLED}",
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
    return float(math.exp(brentq(margin, least, most, xtol=1e-6)))
