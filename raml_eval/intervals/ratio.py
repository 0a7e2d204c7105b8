"""The ratio of two means over fixed tasks, which may share questions, with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from raml_eval.intervals.clusters import carriers, check_level
from raml_eval.intervals.means import ENOUGH
from raml_eval.intervals.pooled import Part, pooled_difference, pooled_freedom, pulls_of
from raml_eval.types import Interval

FIELLER = "Fieller interval"
OUTWEIGHED = "a few clusters outweigh the rest, so that all count as fewer than six"
INVERTED = "inverted interval of the difference"


def ratio_of_means(over: Sequence[Part], under: Sequence[Part], level: float = 0.95) -> Interval:
    """The pooled mean difference of the parts in over, divided by that of the parts in under.

    The interval holds every ratio R for which a t-test does not reject that over - R * under is 0 (Fieller 1954, Journal of
    the Royal Statistical Society B 16), with the clustered variances and the covariance of both means. The ratio is NaN where
    the denominator is not told from 0 at the level, since Fieller's set is then no interval. The ends are NaN where fewer
    than six clusters carry over - R * under, or one of its parts (carriers in raml_eval.intervals.clusters): be it that there
    are no more, or that a few outweigh all others.

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
    carried = min(map(carriers, (left, *pulls)))
    if carried < ENOUGH:
        n_clusters = min(len({*part.clusters}) for part in (*over, *under))
        return Interval(ratio, math.nan, math.nan, f"no interval: {_why_few(n_clusters, carried)}")
    both = float(top @ bottom)
    centre = (ratio - share * both / spread) / (1 - share)
    inner = float(left @ left) - share * (float(top @ top) - both**2 / spread)
    width = critical / abs(b) * math.sqrt(max(inner, 0.0)) / (1 - share)
    return Interval(ratio, centre - width, centre + width, FIELLER)


def share_of_means(over: Sequence[Part], under: Sequence[Part], level: float = 0.95) -> Interval:
    """The mean of the parts' new values in over, divided by that in under, where each value is at most the one under it.

    A share R is in the interval if the pooled difference of new - R * under could be 0: its interval, which is that of
    pooled_difference and so holds near 0 and 1 too, contains 0. It is Fieller's idea with an interval that also holds where
    few clusters carry the difference. NaN where the parts have no interval, and where every value under is 0.

    Example: share_of_means([Part([0], [0.5], "a")], [Part([0], [1.0], "a")]).value == 0.5
    """
    from scipy.optimize import brentq

    check_level(level)
    whole = _mean_of(under)
    if whole <= 0:
        return _blank("nothing to keep")
    ratio = _mean_of(over) / whole

    def ends(share: float) -> tuple[float, float]:
        parts = [Part(share * np.asarray(b.new), a.new, a.clusters) for a, b in zip(over, under, strict=True)]
        found = pooled_difference(parts, level, tested=False)
        return found.low, found.high

    if any(math.isnan(end) for share in (0.0, ratio, 1.0) for end in ends(share)):
        return Interval(ratio, math.nan, math.nan, "no interval: too few clusters")
    low = 0.0 if ends(0.0)[0] <= 0 else brentq(lambda share: ends(share)[0], 0.0, ratio, xtol=1e-4)
    high = 1.0 if ends(1.0)[1] >= 0 else brentq(lambda share: ends(share)[1], ratio, 1.0, xtol=1e-4)
    return Interval(ratio, float(low), float(high), INVERTED)


def _why_few(n_clusters: int, carried: float) -> str:
    """Why so few of so many clusters carry a ratio.

    Example: _why_few(25, 4.9) == "a few clusters outweigh the rest, so that all count as fewer than six"
    """
    if n_clusters < ENOUGH:
        return "fewer than six clusters"
    return OUTWEIGHED if carried else "no variance from cluster to cluster"


def _mean_of(parts: Sequence[Part]) -> float:
    return float(np.mean([np.mean(np.asarray(part.new) - np.asarray(part.base)) for part in parts]))


def _blank(reason: str) -> Interval:
    return Interval(math.nan, math.nan, math.nan, f"not given: {reason}")
