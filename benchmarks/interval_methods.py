"""The methods of raml_eval.intervals for many runs at once, so that benchmarks/interval_coverage.py takes minutes, not hours.

A run is a row: sums (R, G) holds the sums of the values by cluster, and sizes (G,) the clusters' numbers of questions, which
all runs share. The benchmark compares these functions with the public ones on a sample of the runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import t as student

Array = NDArray[np.float64]
Bounds = tuple[float, float]

UNIT: Bounds = (0.0, 1.0)
BOTH: Bounds = (-1.0, 1.0)
LEVEL = 0.95
ENOUGH = 6  # clusters that carry what the t-interval is given for
SOME = 3  # and those of a part of a pooled difference
WORTH = 5  # clusters' worth of value on either side of a mean
SKEWED = 0.05  # above it, the t-interval is corrected for skewness
SAME = 1e-12

# The nodes of Gaffke's integral as in raml_eval.intervals.gaffke, but coarser: an end moves by less than 1e-4.
_STEP = 0.125
_V = np.arange(-2.75, 12.0, _STEP)
_T = np.exp(_V - np.exp(-_V))
_WEIGHTS = _STEP * (1 + np.exp(-_V))
_FAR = 20.0
_ROWS = 128  # at a time, so that they fit the cache


@dataclass(frozen=True)
class Many:
    """The intervals of many runs: value, low, high (R,), and whether each is a t-interval (R,)."""

    value: Array
    low: Array
    high: Array
    by_t: NDArray[np.bool_]

    def share_that_holds(self, truth: float) -> float:
        return float(np.mean((self.low <= truth + 1e-9) & (truth - 1e-9 <= self.high)))

    @property
    def width(self) -> float:
        return float(np.mean(self.high - self.low))


def carriers(amounts: Array) -> Array:
    squares = (amounts / np.maximum(np.abs(amounts).max(axis=1, keepdims=True), 1e-300)) ** 2
    return np.round(squares.sum(axis=1) ** 2 / np.maximum((squares**2).sum(axis=1), 1e-300), 9)


def away(sums: Array, sizes: Array) -> NDArray[np.bool_]:
    """Whether enough clusters carry the distance of each run's mean from 0 and from 1."""
    return np.minimum(carriers(sums), carriers(sizes - sums)) >= ENOUGH


def worth_of(sums: Array, sizes: Array) -> Array:
    """How many clusters' worth of value lie on the side of each run's mean that has less."""
    mean = sums.sum(axis=1) / sizes.sum()
    return len(sizes) * np.minimum(mean, 1 - mean)


def has_worth(sums: Array, sizes: Array) -> NDArray[np.bool_]:
    return worth_of(sums, sizes) >= WORTH


def means(sums: Array, sizes: Array) -> Many:
    """mean_interval of each run."""
    return intervals(sums, sizes, UNIT, away(sums, sizes) & has_worth(sums, sizes))


def differences(base: Array, new: Array, sizes: Array) -> Many:
    """paired_difference of each run."""
    carried = carriers(new - base)
    enough = (carried >= ENOUGH) | ((carried > ENOUGH - 1) & away(base, sizes) & away(new, sizes))
    return intervals(new - base, sizes, BOTH, enough & has_worth(base, sizes) & has_worth(new, sizes))


def macro(tasks: Sequence[Many]) -> Many:
    """macro_mean of each run."""
    value = np.mean([task.value for task in tasks], axis=0)
    below = np.stack([task.value - task.low for task in tasks])
    above = np.stack([task.high - task.value for task in tasks])
    by_t = np.stack([task.by_t for task in tasks])
    low, high = (
        np.minimum(np.sqrt(np.maximum(np.sum(own * np.where(by_t, own, np.maximum(own, other)), axis=0), 0)), own.sum(axis=0))
        / len(tasks)
        for own, other in ((below, above), (above, below))
    )
    return Many(value, value - low, value + high, by_t.all(axis=0))


def pooled(parts: Sequence[tuple[Array, Array, Array]], alone: Sequence[Many]) -> Many:
    """pooled_difference of each run. A part is base, new and sizes, without shared clusters; alone is their own."""
    found = macro(alone)
    pulled = [pulls(new - base, sizes) / len(parts) for base, new, sizes in parts]
    variances = np.stack([(one**2).sum(axis=1) for one in pulled])
    freedoms = np.array([[freedom_of(sizes)] for _, _, sizes in parts])
    by_t = np.all([one.by_t for one in alone], axis=0) | _carried(parts, variances)
    freedom = variances.sum(axis=0) ** 2 / np.maximum((variances**2 / freedoms).sum(axis=0), 1e-300)
    low, high = t_ends(found.value, np.concatenate(pulled, axis=1), np.maximum(freedom, 1), BOTH)
    return Many(found.value, np.where(by_t, low, found.low), np.where(by_t, high, found.high), by_t)


def _carried(parts: Sequence[tuple[Array, Array, Array]], variances: Array) -> NDArray[np.bool_]:
    differences = [(new - base) / sizes.sum() for base, new, sizes in parts]
    some = np.min([carriers(one) for one in differences], axis=0) >= SOME
    worth = np.sum([np.minimum(worth_of(base, sizes), worth_of(new, sizes)) for base, new, sizes in parts], axis=0)
    carried = carriers(np.concatenate(differences, axis=1)) >= ENOUGH
    return some & np.all(np.sqrt(variances) > SAME, axis=0) & carried & (worth >= 2 * WORTH)


def pulls(sums: Array, sizes: Array) -> Array:
    """What each cluster adds to the mean of each run, (R, G), with CR2's correction."""
    total = sizes.sum()
    residuals = sums - sums.sum(axis=1, keepdims=True) / total * sizes
    return np.asarray(residuals / total / np.sqrt(1 - sizes / total))


def freedom_of(sizes: Array) -> float:
    return float(np.round((sizes**2).sum() ** 2 / (sizes**4).sum(), 9)) - 1


def t_ends(mean: Array, pulled: Array, freedom: Array | float, bounds: Bounds) -> tuple[Array, Array]:
    """The ends of the t-interval of each run, corrected for skewness where there is much."""
    errors = np.sqrt((pulled**2).sum(axis=1))
    skewness = ((pulled / np.maximum(errors, 1e-300)[:, None]) ** 3).sum(axis=1)
    quantile = student.ppf((1 + LEVEL) / 2, freedom) * np.ones(len(mean))
    some = np.where(np.abs(skewness) > SKEWED, skewness, 1.0)
    below, above = (
        np.where(np.abs(skewness) > SKEWED, 3 / some * (np.cbrt(1 + some * (q - some / 6)) - 1), q)
        for q in (quantile, -quantile)
    )
    return np.maximum(mean - below * errors, bounds[0]), np.minimum(mean - above * errors, bounds[1])


def intervals(sums: Array, sizes: Array, bounds: Bounds, enough: NDArray[np.bool_]) -> Many:
    value, pulled = sums.sum(axis=1) / sizes.sum(), pulls(sums, sizes)
    by_t = enough & (np.sqrt((pulled**2).sum(axis=1)) > SAME * (bounds[1] - bounds[0]))
    low, high = t_ends(value, pulled, freedom_of(sizes), bounds)
    if not by_t.all():
        rows, back = _distinct(sums[~by_t], sizes)
        low[~by_t] = _gaffke_end(rows, sizes, bounds[0], (1 - LEVEL) / 2)[back]
        high[~by_t] = _gaffke_end(rows, sizes, bounds[1], (1 + LEVEL) / 2)[back]
    return Many(value, low, high, by_t)


def _distinct(sums: Array, sizes: Array) -> tuple[Array, NDArray[np.intp]]:
    """The rows that differ by more than the order of their equally large clusters, and the place of each row among them."""
    ordered = sums.copy()
    full = sizes == sizes[0]
    ordered[:, full] = np.sort(sums[:, full], axis=1)
    rows, back = np.unique(ordered, axis=0, return_inverse=True)
    return rows, back.ravel()


def _gaffke_end(sums: Array, sizes: Array, atom: float, chance: float) -> Array:
    """The quantile of each run's weighted mean at chance, by regula falsi (Illinois) on the normal scale."""
    sums = np.column_stack([sums, np.full(len(sums), atom * sizes.max())])
    sizes = np.append(sizes, sizes.max())
    low, high = (sums / sizes).min(axis=1), (sums / sizes).max(axis=1)
    middle = sums.sum(axis=1) / sizes.sum()
    spread = np.sqrt(((sums - middle[:, None] * sizes) ** 2).sum(axis=1)) / sizes.sum()
    flat = high - low <= SAME
    wanted = float(ndtri(chance))
    x = np.clip(middle + wanted * spread, low + 0.01 * (middle - low), high - 0.01 * (high - middle))
    at_low, at_high = np.full(len(x), -8.0), np.full(len(x), 8.0)
    last, open_rows = np.zeros(len(x)), np.flatnonzero(~flat)
    while open_rows.size:
        share = _chance_below(x[open_rows], sums[open_rows], sizes)
        found = ndtri(np.clip(share, 1e-9, 1 - 1e-9)) - wanted
        done = (np.abs(found) < 2e-4) | (high - low < 1e-9)[open_rows]
        open_rows, found = open_rows[~done], found[~done]
        up, down = open_rows[found > 0], open_rows[found <= 0]
        at_low[up] *= np.where(last[up] > 0, 0.5, 1)
        at_high[down] *= np.where(last[down] < 0, 0.5, 1)
        high[up], at_high[up], last[up] = x[up], found[found > 0], 1
        low[down], at_low[down], last[down] = x[down], found[found <= 0], -1
        x[open_rows] = ((low * at_high - high * at_low) / (at_high - at_low))[open_rows]
    return np.where(flat, atom, x)


def _chance_below(x: Array, sums: Array, sizes: Array) -> Array:
    """P(sum_g E_g (sums_g - x sizes_g) <= 0) for each run: Gil-Pelaez, as in raml_eval.intervals.gaffke."""
    chances = np.empty(len(x))
    for start in range(0, len(x), _ROWS):
        rows = slice(start, start + _ROWS)
        offsets = sums[rows] - x[rows, None] * sizes
        offsets /= np.sqrt((offsets**2).sum(axis=1, keepdims=True))
        real, imaginary = np.ones((len(offsets), len(_T))), np.zeros((len(offsets), len(_T)))
        for column in offsets.T:
            scaled = _T * column[:, None]
            shrink = 1 / (1 + scaled * scaled)  # times (1 + i t o) it is 1 / (1 - i t o), and cannot overflow
            real, imaginary = shrink * (real - scaled * imaginary), shrink * (imaginary + scaled * real)
        distance = offsets.sum(axis=1)
        chances[rows] = np.where(np.abs(distance) > _FAR, distance < 0, 0.5 - imaginary @ _WEIGHTS / np.pi)
    return chances
