"""What a margin would take: questions, or samples of each question. Computed at the margin, never at what was observed."""

from __future__ import annotations

import math

from raml_eval.comparison.verdicts import POWER, detectable
from raml_eval.intervals import NoiseSplit, PairedDifference
from raml_eval.intervals.means import T_INTERVAL


def needed(
    found: PairedDifference, noise: NoiseSplit | None, n: int, margin: float, level: float, power: float = POWER
) -> tuple[int | None, float | None]:
    """The questions, or in their place the samples of each, with which a difference of the margin would be found.

    None if there are enough already, or if it cannot be told. More samples make the variance of a t-interval smaller, and do
    little for another one, so they are counted for t-intervals alone; infinite if no number of them is enough.
    """
    questions = needed_questions(found, noise, margin, level, power)
    if questions is None or questions <= found.n_questions:
        return None, None
    if noise is None or T_INTERVAL not in found.method:
        return questions, None
    less = (margin / detectable(half_width(found), level, power)) ** 2  # what must remain of the variance
    return questions, needed_samples(noise, n, less)


def needed_questions(
    found: PairedDifference, noise: NoiseSplit | None, margin: float, level: float, power: float = POWER
) -> int | None:
    """The questions with which a true difference of the margin would be found with this power; None without an interval.

    A t-interval shortens with the root of the number of questions. Gaffke's, near a bound or where few clusters carry the
    difference, shortens in proportion to the number at first, and never beyond what the standard error allows.
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
