"""Numbers of a sweep with their places and intervals, each a mean, a paired difference or a ratio over questions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from raml_eval.allocation import FloatArray, linearised_ratio
from raml_eval.intervals import macro_mean, mean_interval, paired_difference
from raml_eval.tables.measures import not_given
from raml_eval.types import Interval

NO_MEAN = ("forced_samples", "left_out", "long_answer")
COUNT = "no interval: a count"
ENOUGH = 10  # clusters with a numerator other than 0, before a ratio gets an interval


class Place(NamedTuple):
    """What identifies one number of one task. against is the other budget of a difference, part a part of the samples."""

    metric: str
    budget: str = ""
    against: str = ""
    k: int | None = None
    part: str = ""


class Estimate(NamedTuple):
    """A number with its interval, the questions that it covers, and the p-value if it is a difference."""

    interval: Interval
    n_questions: int
    p_value: float = math.nan


Measured = dict[Place, Estimate]


def known(*arrays: FloatArray) -> Any:
    """A mask (Q,) of the questions that have every one of the numbers."""
    return np.logical_and.reduce([np.isfinite(array) for array in arrays])


def mean_of(
    values: FloatArray, clusters: Sequence[str], level: float, bounds: tuple[float, float] | None = (0.0, 1.0)
) -> Estimate:
    """The mean of values (Q,) over the questions that have one, with its clustered interval."""
    has = known(values)
    if not has.any():
        return Estimate(not_given("no samples"), 0)
    return Estimate(mean_interval(values[has], np.asarray(clusters)[has].tolist(), level, bounds), int(has.sum()))


def difference_of(
    base: FloatArray,
    new: FloatArray,
    clusters: Sequence[str],
    level: float,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> Estimate:
    """The mean of new - base over the questions that have both, with the interval of a paired difference."""
    has = known(base, new)
    if not has.any():
        return Estimate(not_given("no question has both"), 0)
    found = paired_difference(base[has], new[has], np.asarray(clusters)[has].tolist(), level, bounds)
    return Estimate(Interval(found.value, found.low, found.high, found.method), found.n_questions, found.p_value)


def ratio_of(
    above: FloatArray,
    below: FloatArray,
    clusters: Sequence[str],
    level: float,
    bounds: tuple[float, float] | None = None,
) -> Estimate:
    """mean(above) / mean(below) over the questions that have both, with the interval of the linearised ratio, within bounds."""
    has = known(above, below)
    if not has.any() or abs(below[has].mean()) < 1e-12:
        return Estimate(not_given("nothing to divide by"), int(has.sum()))
    values = linearised_ratio(above[has], below[has])
    of = np.asarray(clusters)[has]
    found = mean_interval(values, of.tolist(), level, None)
    low, high = bounds or (-math.inf, math.inf)
    if len(set(of[above[has] != 0])) < ENOUGH:
        few = Interval(found.value, math.nan, math.nan, "no interval: fewer than ten clusters have any")
        return Estimate(few, int(has.sum()))
    ends = max(found.low, low), min(found.high, high)
    return Estimate(Interval(found.value, *ends, f"{found.method} of the linearised ratio"), int(has.sum()))


def exactly(value: float, n_questions: int, method: str = "known, not estimated") -> Estimate:
    """A number without an interval."""
    return Estimate(Interval(value, math.nan, math.nan, method), n_questions)


def macro_of(estimates: Sequence[Estimate], correlations: FloatArray | None = None) -> Estimate:
    """The mean over fixed tasks of one number; if all of them refuse it for one reason, so does the mean."""
    if len({e.interval.method for e in estimates}) == 1 and estimates[0].interval.method.startswith("not given"):
        return Estimate(estimates[0].interval, sum(e.n_questions for e in estimates))
    return Estimate(macro_mean([e.interval for e in estimates], correlations), sum(e.n_questions for e in estimates))


def macro_over(tasks: Sequence[Mapping[Place, Estimate]], correlations: FloatArray | None = None) -> Measured:
    """The means over the tasks of every number that all of them have, but of counts and limits."""
    shared = [place for place in tasks[0] if place.metric not in NO_MEAN and all(place in task for task in tasks)]
    return {place: macro_of([task[place] for task in tasks], correlations) for place in shared}
