"""The ratio of two means over fixed tasks, which may share questions, with Fieller's interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from raml_eval.intervals.clusters import Bounds, carriers, check_level
from raml_eval.intervals.means import ENOUGH
from raml_eval.intervals.pooled import Part, pooled_freedom, pulls_of
from raml_eval.types import Interval

FIELLER = "Fieller interval"


def ratio_of_means(over: Sequence[Part], under: Sequence[Part], level: float = 0.95, bounds: Bounds = None) -> Interval:
    """The pooled mean difference of the parts in over, divided by that of the parts in under.

    The interval holds every ratio R for which a t-test does not reject that over - R * under is 0 (Fieller 1954, Journal of
    the Royal Statistical Society B 16), with the clustered variances and the covariance of both means, and is cut at the
    bounds. The ratio is NaN where the denominator is not told from 0 at the level, since Fieller's set is then no interval.
    The ends are NaN where fewer than six clusters carry over - R * under, or one of its parts.

    Example: ratio_of_means([Part([0, 0], [0.2, 0.3], "ab")], [Part([0, 0], [0.5, 0.5], "ab")]).value == 0.5
    """
    from scipy.stats import t

    check_level(level)
    pulls = pulls_of([*over, *under])
    top, bottom = pulls[: len(over)].mean(axis=0), pulls[len(over) :].mean(axis=0)
    a, b = _mean_of(over), _mean_of(under)
    freedom = min(pooled_freedom(over, pulls[: len(over)]), pooled_freedom(under, pulls[len(over) :]))
    if freedom <= 0:
        return _blank("too few clusters")
    critical = float(t.ppf((1 + level) / 2, freedom))
    spread = float(bottom @ bottom)
    share = critical**2 * spread / b**2 if b else math.inf
    if share >= 1:
        return _blank("the denominator's interval includes 0")
    ratio = a / b
    left = top - ratio * bottom  # what each cluster adds to the ratio's error, times b
    sides = (*pulls, *(_apart(over, under, pulls, ratio)))
    if carriers(left) < ENOUGH or min(map(carriers, sides)) < ENOUGH:
        return Interval(ratio, math.nan, math.nan, "no interval: fewer than six clusters carry it")
    both = float(top @ bottom)
    centre = (ratio - share * both / spread) / (1 - share)
    inner = float(left @ left) - share * (float(top @ top) - both**2 / spread)
    width = critical / abs(b) * math.sqrt(max(inner, 0.0)) / (1 - share)
    low, high = centre - width, centre + width
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Interval(ratio, low, high, FIELLER)


def _apart(over: Sequence[Part], under: Sequence[Part], pulls: np.ndarray, ratio: float) -> list[np.ndarray]:
    """What each cluster adds to the error of the ratio in each task alone, where both sides are of the same tasks."""
    if len(over) != len(under) or any(set(a.clusters) != set(b.clusters) for a, b in zip(over, under, strict=True)):
        return []
    return [pulls[row] - ratio * pulls[len(over) + row] for row in range(len(over))]


def _mean_of(parts: Sequence[Part]) -> float:
    return float(np.mean([np.mean(np.asarray(part.new) - np.asarray(part.base)) for part in parts]))


def _blank(reason: str) -> Interval:
    return Interval(math.nan, math.nan, math.nan, f"not given: {reason}")
