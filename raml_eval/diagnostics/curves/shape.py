"""The shape of one curve in numbers: smoothing, slope, area, and when the answer is decided. Pure functions of arrays.

A curve is (P,) positions in thinking tokens, strictly ascending from 0, and (P,) values: the mean negative log-likelihood
of the gold's tokens in nats after each of these prefixes. Between measured positions it is the straight line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raml_eval.intervals.clusters import FloatArray

ALPHA = 0.01  # the paper's smoothing (RaML, arXiv:2505.19815), for one position a token
DECIDED = 0.5  # geometric mean probability of the gold's tokens from which the answer counts as decided
ENTER, LEAVE = 0.6, 0.4  # the hysteresis around it, for commitments and reversals


@dataclass(frozen=True, slots=True)
class Shape:
    """A curve in numbers. slope is per whole thinking; area is the mean level; drop is start - final, positive for a fall.
    half is the value after half of the thinking.

    decided_at is the position from which the answer is decided for the rest, None if it is not at the end. commitments and
    reversals count the crossings of count_crossings. A single position has no change: drop and slope are NaN.
    """

    start: float
    half: float
    final: float
    drop: float
    slope: float
    area: float
    decided_at: int | None
    commitments: int
    reversals: int


def shape_of(positions: Sequence[int], values: Sequence[float] | FloatArray) -> Shape:
    """All numbers of one curve. Raises ValueError for no position, or positions that do not ascend."""
    y = np.asarray(values, dtype=np.float64)
    commitments, reversals = count_crossings(y)
    share = normalised(positions)
    return Shape(
        start=float(y[0]),
        half=float(np.interp(0.5, share, y)),
        final=float(y[-1]),
        drop=float(y[0] - y[-1]) if len(y) > 1 else math.nan,
        slope=slope_of(share, y),
        area=area_of(share, y),
        decided_at=decided_at(positions, y),
        commitments=commitments,
        reversals=reversals,
    )


def normalised(positions: Sequence[int]) -> FloatArray:
    """The positions as shares of the thinking, (P,) from 0 to 1; a single position is at 0.

    Raises ValueError for no position, or positions that do not ascend strictly.

    Example: normalised([0, 8, 32]).tolist() == [0.0, 0.25, 1.0]
    """
    at = np.asarray(positions, dtype=np.float64)
    if not at.size or np.any(np.diff(at) <= 0):
        raise ValueError(f"a curve needs positions that ascend strictly; met {list(positions)[:8]}")
    return np.asarray((at - at[0]) / max(at[-1] - at[0], 1.0))


def smoothed(positions: Sequence[int], values: Sequence[float] | FloatArray, alpha: float = ALPHA) -> FloatArray:
    """The exponential moving average of the paper, (P,): s_0 = v_0, s_i = a_i v_i + (1 - a_i) s_(i-1).

    a_i = 1 - (1 - alpha)^(tokens since the last position), so with a position at every token a_i is alpha, and a wider
    stride forgets as much a token. Its memory is 1 / alpha tokens: at 0.01, a thinking of fewer than some hundred tokens is
    nearly flat.

    Example: smoothed([0, 1], [2.0, 0.0], 0.5).tolist() == [2.0, 1.0]
    """
    y = np.array(values, dtype=np.float64)
    weights = 1 - (1 - alpha) ** np.diff(np.asarray(positions, dtype=np.float64))
    for i, weight in enumerate(weights, 1):
        y[i] = weight * y[i] + (1 - weight) * y[i - 1]
    return y


def resampled(positions: Sequence[int], values: Sequence[float] | FloatArray, grid: FloatArray) -> FloatArray:
    """The values at the shares of grid, by straight lines between the measured positions; a single position is everywhere.

    Example: resampled([0, 10], [4.0, 2.0], np.array([0.5])).tolist() == [3.0]
    """
    return np.asarray(np.interp(grid, normalised(positions), np.asarray(values, dtype=np.float64)))


def slope_of(share: FloatArray, values: FloatArray) -> float:
    """The slope of the least-squares line through the whole curve on the normalised index, in nats per whole thinking.

    It is 12 times the integral of (x - 1/2) f(x), with straight lines between the positions, so more positions where the
    curve was refined do not weigh more. NaN for a single position.

    Example: slope_of(np.array([0.0, 0.25, 1.0]), np.array([3.0, 2.5, 1.0])) == -2.0
    """
    if len(share) < 2:
        return math.nan
    a, b, u, v = share[:-1], share[1:], values[:-1], values[1:]
    # The exact integral of (x - 1/2) times a line from (a, u) to (b, v).
    parts = (b - a) * ((2 * a + b) * u + (a + 2 * b) * v) / 6 - (b - a) * (u + v) / 4
    return float(12 * parts.sum())


def area_of(share: FloatArray, values: FloatArray) -> float:
    """The area under the curve on the normalised index, which is its mean level in nats. A single position is its value.

    Example: area_of(np.array([0.0, 1.0]), np.array([4.0, 2.0])) == 3.0
    """
    return float(np.trapezoid(values, share)) if len(share) > 1 else float(values[0])


def decided_at(positions: Sequence[int], values: Sequence[float] | FloatArray, probability: float = DECIDED) -> int | None:
    """The first position from which each measured value is below -log(probability); None if the last one is not.

    Example: decided_at([0, 8, 16, 24], [0.1, 2.0, 0.2, 0.1]) == 16
    """
    below = np.asarray(values, dtype=np.float64) < -math.log(probability)
    above = np.flatnonzero(~below)
    first = int(above[-1]) + 1 if above.size else 0
    return int(positions[first]) if first < len(below) else None


def count_crossings(values: Sequence[float] | FloatArray, enter: float = ENTER, leave: float = LEAVE) -> tuple[int, int]:
    """How often a curve commits to the gold, and how often it reverses that.

    p = exp(-value) is the geometric mean probability of the gold's tokens. A curve starts undecided. An undecided one commits
    where p > enter, a decided one reverses where p < leave; between the two nothing changes. So a curve that starts above
    enter has committed once, at its first position, and commitments - reversals is 1 if it ends decided, else 0.

    Example: count_crossings([2.0, 0.1, 0.6, 2.0, 0.1]) == (2, 1)
    """
    decided, commitments, reversals = False, 0, 0
    for p in np.exp(-np.asarray(values, dtype=np.float64)):
        if not decided and p > enter:
            decided, commitments = True, commitments + 1
        elif decided and p < leave:
            decided, reversals = False, reversals + 1
    return commitments, reversals
