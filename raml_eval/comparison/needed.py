"""What a margin would take: questions, or samples of each question. Computed at the margin, never at what was observed."""

from __future__ import annotations

import math

from raml_eval.comparison.verdicts import POWER, detectable
from raml_eval.intervals import NoiseSplit, PairedDifference
from raml_eval.intervals.means import T_INTERVAL


def needed_questions(
    found: PairedDifference, noise: NoiseSplit | None, margin: float, level: float, power: float = POWER
) -> int | None:
    """The questions with which a true difference of the margin would be found with this power; None without an interval.

    A t-interval shortens with the root of the number of questions. Gaffke's, where few clusters carry the difference,
    shortens in proportion to the number at first, and never beyond what the standard error allows.
    """
    half = half_width(found)
    if math.isnan(half):
        return None
    times = detectable(half, level, power) / margin
    if T_INTERVAL in found.method:
        return math.ceil(found.n_questions * times**2)
    error = noise.standard_error if noise else 0.0
    by_error = (detectable(error * _quantile(level), level, power) / margin) ** 2 if error > 0 else 0.0
    return math.ceil(found.n_questions * max(times, by_error))


def needed_samples(noise: NoiseSplit, n: int, less: float) -> float | None:
    """The samples per question at which this share of the variance remains, the questions staying as they are.

    Infinite if the questions' own part is more than that; None if the parts are not known, or there is no variance.
    """
    total = noise.from_questions + noise.from_redraw
    if not total > 0:
        return None
    left = less * total - noise.from_questions
    return math.ceil(n * noise.from_redraw / left) if left > 0 else math.inf


def half_width(found: PairedDifference) -> float:
    """The longer of the two distances of an interval's ends from its value; NaN without an interval."""
    return max(found.high - found.value, found.value - found.low)


def _quantile(level: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf((1 + level) / 2))
