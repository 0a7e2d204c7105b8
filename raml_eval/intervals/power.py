"""The power of the two-sided t-test for a mean difference, and what it takes to find a wanted one.

Everything is computed at a difference that was chosen beforehand (a margin), never at an observed one: the power at the
observed difference is the p-value once more, and says nothing (Hoenig and Heisey 2001, The American Statistician 55).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from raml_eval.errors import MetricError
from raml_eval.intervals.clusters import check_level
from raml_eval.intervals.components import NoiseSplit

_FAR = 37.0  # standard errors; further out the noncentral t is not computed reliably, and the power is 1
_MOST = 10**9  # questions, or samples per question: more is none


def power_at(difference: float, standard_error: float, freedom: float, level: float = 0.95) -> float:
    """The chance that the interval at this level excludes 0 if this is the true difference: the power of the t-test.

    It is that of the noncentral t distribution with freedom degrees of freedom and noncentrality difference / standard_error,
    both tails together. NaN if the standard error is. Without any noise it is 1, and 1 - level for a difference of 0.

    Example: round(power_at(0.05, 0.0193, 133), 2) == 0.73
    """
    check_level(level)
    if math.isnan(standard_error):
        return math.nan
    if difference == 0:
        return 1 - level
    from scipy.stats import nct, t

    shift = abs(difference) / standard_error if standard_error > 0 else math.inf
    critical = float(t.ppf((1 + level) / 2, freedom))
    if shift > critical + _FAR:
        return 1.0
    below = float(nct.cdf(-critical, freedom, shift))
    return float(nct.sf(critical, freedom, shift)) + (0.0 if math.isnan(below) else below)  # NaN stands for less than 1e-300


def detectable_difference(standard_error: float, freedom: float, level: float = 0.95, power: float = 0.8) -> float:
    """The least true difference that is found with this power at this level. NaN if the standard error is NaN.

    About (t of (1 + level) / 2 + t of power) standard errors. Raises MetricError for a power that is not above 1 - level.

    Example: round(detectable_difference(0.01, 1000), 4) == 0.028
    """
    check_power(power, level)
    if math.isnan(standard_error) or standard_error == 0:
        return standard_error
    from scipy.optimize import brentq
    from scipy.stats import t

    most = 2 * (float(t.ppf((1 + level) / 2, freedom)) + _FAR)
    found = brentq(lambda shift: power_at(shift, 1.0, freedom, level) - power, 1e-9, most, xtol=1e-9)
    return float(found) * standard_error


def questions_needed(split: NoiseSplit, difference: float, level: float = 0.95, power: float = 0.8) -> int | None:
    """The number of questions that find this difference with this power, n staying as it is; None if it cannot be told.

    Over several tasks it is their sum, each growing in proportion. Raises MetricError for a difference of 0.

    Example: questions_needed(NoiseSplit(0, 0.02, 3e-4, 1e-4, 100, 100, 99), 0.05) == 128
    """
    check_difference(difference)
    check_power(power, level)
    if math.isnan(split.standard_error):
        return None

    def enough(n_questions: int) -> bool:
        more = n_questions / split.n_questions
        return power_at(difference, split.error_at(questions=more), split.freedom_at(more), level) >= power

    return _least(enough, 2)


def samples_needed(split: NoiseSplit, n: int, difference: float, level: float = 0.95, power: float = 0.8) -> float | None:
    """The samples per question that find this difference with this power, the questions staying as they are.

    split is that at n samples. Infinite if no number is enough, because the questions alone are too few; None if the parts of
    the noise are not known. Raises MetricError for a difference of 0.

    Example: samples_needed(NoiseSplit(0, 0.02, 1e-4, 3e-4, 100, 100, 99), 8, 0.05) == 12
    """
    check_difference(difference)
    check_power(power, level)
    if math.isnan(split.from_redraw) or math.isnan(split.from_questions):
        return None
    limit = math.sqrt(split.from_questions)
    if split.from_questions > 0 and power_at(difference, limit, split.freedom, level) <= power:
        return math.inf

    def enough(samples: int) -> bool:
        return power_at(difference, split.error_at(samples=samples / n), split.freedom, level) >= power

    return _least(enough, 1)


def check_power(power: float, level: float) -> None:
    check_level(level)
    if not 1 - level < power < 1:
        raise MetricError(f"power must lie above {1 - level:g} (1 - level) and below 1; met {power}. Give 0.8 for 80 %.")


def check_difference(difference: float) -> None:
    if not 0 < abs(difference) < math.inf:
        raise MetricError(f"a difference of {difference} cannot be looked for; give one above 0, such as 0.02 for 2 points.")


def _least(enough: Callable[[int], bool], start: int) -> int | None:
    """The least number from start on that is enough; None above 10^9. enough must stay true once it is."""
    low, high = start - 1, start
    while not enough(high):
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
