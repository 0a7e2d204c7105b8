"""A band for a curve of pooled differences that contains the whole true curve at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from raml_eval.intervals.clusters import Bounds
from raml_eval.intervals.means import PairedDifference
from raml_eval.intervals.pooled import Part, pooled_difference, pulls_of

_DRAWS = 20_000


def simultaneous_band(
    curve: Sequence[Sequence[Part]], level: float = 0.95, bounds: Bounds = (0.0, 1.0), *, seed: int = 0
) -> list[PairedDifference]:
    """The pooled difference at each point of a curve, with intervals that all hold together at the level.

    curve holds the parts of each point; the questions are the same at every point, in the same order. Each interval is the
    point's own, taken at a higher level: that at which a studentised Gaussian curve with the estimated correlations between
    the points stays inside everywhere with the wanted chance (the sup-t band: Montiel Olea and Plagborg-Moller 2019, Journal
    of Applied Econometrics 34). So near the bounds, where a point's interval is Gaffke's, the band is Gaffke's too. The
    quantile is drawn with the seed, from as many curves as keep it within about 0.5 %. Points without an interval get NaN
    ends. No point is tested alone: p is NaN, or that of a point with one part.
    """
    from scipy.stats import norm

    pulls = np.array([pulls_of(parts).sum(axis=0) for parts in curve])  # (points, clusters)
    errors = np.sqrt((pulls**2).sum(axis=1))
    varying = pulls[errors > 1e-12] / errors[errors > 1e-12, None]
    at = level
    if len(varying) > 1:
        rng = np.random.default_rng(seed)
        # The correlation has the rank of at most its points, so its root draws curves without the clusters.
        values, vectors = np.linalg.eigh(varying @ varying.T)
        root = vectors * np.sqrt(np.clip(values, 0, None))
        greatest = np.abs(rng.standard_normal((_DRAWS, len(varying))) @ root.T).max(axis=1)
        at = float(2 * norm.cdf(np.quantile(greatest, level)) - 1)
    return [pooled_difference(parts, max(at, level), bounds, tested=False) for parts in curve]
