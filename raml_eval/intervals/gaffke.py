"""Gaffke's interval for the mean of bounded values, clustered. It is valid at the bounds, and never of width 0.

An end is a quantile of the mean under random weights, Dirichlet(1, ..., 1) over the clusters and one extra cluster at the
bound, as large as the largest. For one-question clusters and values of 0 and 1, the ends are those of Clopper and Pearson,
and the p-value for a difference is that of the exact McNemar test. For other values, the coverage is a conjecture that no
simulation has refuted. Source: Gaffke 2005, Mathematical Methods of Statistics 14; Learned-Miller and Thomas 2019,
arXiv:1905.06208.
"""

from __future__ import annotations

import numpy as np

from raml_eval.intervals.clusters import SAME, Clustered, FloatArray

# The inversion integral over t > 0 uses the trapezoid rule in v, with t = exp(v - exp(-v)). t falls off doubly
# exponentially on the left, so a few nodes are enough. The error is below 1e-7 if the mean lies within _FAR standard
# deviations of 0. Further out, a tail of a log-concave density such as this one is below exp(1 - _FAR), and coarse nodes
# would give noise.
_STEP = 0.02
_V = np.arange(-3.2, 12.0, _STEP)
_T = np.exp(_V - np.exp(-_V))
_WEIGHTS = _STEP * (1 + np.exp(-_V))
_FAR = 20.0


def gaffke_ends(sample: Clustered, level: float, bounds: tuple[float, float]) -> tuple[float, float]:
    """The ends of the two-sided interval for the mean, within the bounds."""
    return _end(sample, bounds[0], (1 - level) / 2), _end(sample, bounds[1], (1 + level) / 2)


def gaffke_p_value(sample: Clustered, bounds: tuple[float, float]) -> float:
    """The two-sided p-value of a mean of 0: 1 minus the greatest level at which the interval does not contain 0."""
    below = _chance_below(0.0, *_with_atom(sample, bounds[0]))
    above = 1 - _chance_below(0.0, *_with_atom(sample, bounds[1]))
    return min(1.0, 2 * min(below, above))


def _end(sample: Clustered, atom: float, chance: float) -> float:
    """The quantile of the weighted mean at chance, with the extra cluster at atom."""
    from scipy.optimize import brentq

    sums, sizes, counts = _with_atom(sample, atom)
    means = sums / sizes
    if means.max() - means.min() <= SAME:
        return atom
    return float(brentq(lambda x: _chance_below(x, sums, sizes, counts) - chance, means.min(), means.max(), xtol=1e-10))


def _with_atom(sample: Clustered, atom: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The distinct (sum, size) pairs and their counts, including an extra cluster of the greatest size at the bound.

    The cluster that was not drawn may be as large as any. An extra one of average size is outweighed by a few large ones: with
    3 clusters of 20 questions and 40 of one, the interval then covers 79 %.
    """
    size = sample.sizes.max()
    # As complex numbers, pairs are sorted by their first and then their second part, and far faster than as rows.
    pairs = np.append(sample.sums, atom * size) + 1j * np.append(sample.sizes, size)
    distinct, counts = np.unique(pairs, return_counts=True)
    return distinct.real.copy(), distinct.imag.copy(), counts.astype(np.float64)


def _chance_below(x: float, sums: FloatArray, sizes: FloatArray, counts: FloatArray) -> float:
    """P(sum_g E_g (sums_g - x sizes_g) <= 0) for independent standard exponential E_g, which are the weights before scaling.

    Computed by inversion of the characteristic function: Gil-Pelaez 1951, Biometrika 38.
    """
    offsets = sums - x * sizes
    spread = np.sqrt(counts @ offsets**2)
    distance = counts @ offsets / spread
    if abs(distance) > _FAR:
        return 0.0 if distance > 0 else 1.0
    scaled = np.outer(_T, offsets / spread)
    integrand = np.exp(-0.5 * np.log1p(scaled**2) @ counts) * np.sin(np.arctan(scaled) @ counts)
    return float(0.5 - _WEIGHTS @ integrand / np.pi)
