"""A difference with its interval becomes one of four words, and the level is shared out among many of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from raml_eval.errors import ConfigError
from raml_eval.intervals import holm

PRIMARY_SHARE = 0.8  # of the level: 0.04 of 0.05 for the primary endpoints, the rest for the families
POWER = 0.8
MARGIN = 0.02


class Verdict(StrEnum):
    """What a difference shows."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"


def judge(low: float, high: float, margin: float, lower_is_better: bool = False) -> Verdict:
    """The verdict of an interval for new - base: better or worse if it excludes 0, equivalent if it lies within the margin.

    Everything else is inconclusive, and so is an interval that cannot be given (NaN).

    Example: judge(-0.01, 0.015, 0.02) == "equivalent"
    """
    if low > 0 or high < 0:
        return Verdict.BETTER if (low > 0) != lower_is_better else Verdict.WORSE
    return Verdict.EQUIVALENT if lies_within(low, high, margin) else Verdict.INCONCLUSIVE


def lies_within(low: float, high: float, margin: float) -> bool:
    """True if the whole interval lies within the margin on both sides of 0."""
    return -margin < low and high < margin


def detectable(half_width: float, level: float, power: float = POWER) -> float:
    """The true difference whose interval at this level would exclude 0 with the chance power, from the interval's half width.

    The half width is z standard errors, and z + z_power of them are needed (normal quantiles).

    Example: round(detectable(0.0196, 0.95), 4) == 0.028
    """
    from scipy.stats import norm

    z = float(norm.ppf((1 + level) / 2))
    return half_width * (z + float(norm.ppf(power))) / z


def findable(half_width: float, level: float, power: float = POWER) -> float:
    """As detectable, but infinity if it exceeds 1: no two shares differ by more, so that no difference would be found so often.

    Example: findable(0.9, 0.95) == math.inf
    """
    least = detectable(half_width, level, power)
    return math.inf if least > 1 else least


@dataclass(frozen=True, slots=True)
class Share:
    """The part of the error rate that a test got: the level its interval is taken at, and its p-value after correction.

    p_adjusted is to be compared with the error rate of the whole comparison, whatever part of it the family has.
    """

    level: float
    p_adjusted: float


def holm_shares(p_values: Sequence[float], alpha: float, whole: float | None = None) -> list[Share]:
    """What Holm's procedure gives each test of a family at the error rate alpha, in the order given.

    A test is rejected exactly if its interval at its level excludes 0: the test with the i-th least p gets
    alpha / (m - i + 1) as long as those before it were rejected, and from the first that is not, all get the same. whole is
    the error rate of all families together (alpha if None): a test is rejected if p_adjusted <= whole. NaN (not tested) is
    left out of the family, and gets its level and a NaN. Source: Holm 1979, Scandinavian Journal of Statistics 6.

    Example: [round(share.level, 4) for share in holm_shares([0.01, 0.2], 0.05)] == [0.975, 0.95]
    """
    tested = [index for index, p in enumerate(p_values) if not math.isnan(p)]
    scale = (whole or alpha) / alpha
    adjusted = {i: min(1.0, scale * p) for i, p in zip(tested, holm([p_values[i] for i in tested]), strict=True)}
    shares, level = {}, 1 - alpha / max(1, len(tested))
    going = True
    for rank, index in enumerate(sorted(tested, key=lambda index: p_values[index])):
        level = 1 - alpha / (len(tested) - rank) if going else level
        going = going and p_values[index] <= 1 - level
        shares[index] = Share(level, adjusted[index])
    return [shares.get(index, Share(1 - alpha / max(1, len(tested)), math.nan)) for index in range(len(p_values))]


def split_alpha(alpha: float, families: Sequence[str], all_primary_rejected: bool) -> Mapping[str, float]:
    """The error rate of each family besides the primary one. It grows if every primary endpoint was rejected.

    A fixed 0.2 of alpha belongs to the families, in equal parts, so that a fall in one task can be found alone; the 0.8 of
    the primary endpoints is passed on to them only when all of these are rejected (Bretz et al. 2009, Statistics in
    Medicine 28: a weighted Bonferroni test with passing on holds alpha over everything).

    Example: split_alpha(0.05, ["tasks"], False) == {"tasks": 0.05 * (1 - PRIMARY_SHARE)}
    """
    whole = alpha if all_primary_rejected else alpha * (1 - PRIMARY_SHARE)
    return {family: whole / len(families) for family in families}


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of several primary endpoints together: worse if one is worse, otherwise inconclusive if one is.

    Otherwise better if one is better, and equivalent if all are.
    """
    for verdict in (Verdict.WORSE, Verdict.INCONCLUSIVE, Verdict.BETTER):
        if verdict in verdicts:
            return verdict
    return Verdict.EQUIVALENT if verdicts else Verdict.INCONCLUSIVE


def check_margin(margin: Any) -> float:
    """The margin as a share. Raises ConfigError unless it lies between 0 and 1."""
    if not 0 < margin < 1:
        raise ConfigError(f"margin {100 * margin:g} points is out of range; wanted more than 0 and less than 100, such as 2.")
    return float(margin)
