"""The power of a planned test by simulation, where no t-test describes it: near the bounds, and for few questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raml_eval.comparison.planned import Beta, PlannedTask
from raml_eval.intervals import Part, pooled_difference
from raml_eval.intervals.clusters import FloatArray, carriers
from raml_eval.tables import Measure
from raml_eval.tables.measures import value_table

DRAWS = 300  # simulated comparisons: the power's own standard error is then at most 3 points
# A t-test describes the plan if each task has this many clusters' worth of value on either side, this many clusters whose
# values differ between two runs of the same model, and this many clusters. With fewer, compare often takes Gaffke's interval,
# and of the differences that a t-test plans to find in 80 %, 0 to 68 % were found.
WORTH, DIFFERING, CLUSTERS = 10, 20, 20
_CLOSE = 0.02  # of the wanted power: near enough for a detectable difference
_STEPS = 5
_CHANCES = np.linspace(0, 1, 1001)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a question may come to, if its chance of success is Beta(a, b): by n samples, for one measure."""

    success: Beta
    n: int
    values: FloatArray  # (n + 1,): by the number of samples that count
    means: FloatArray  # the expected value at each of _CHANCES

    @property
    def mean(self) -> float:
        """The mean value over questions."""
        return float(self.at(_quantiles(self.success)).mean())

    @property
    def differing(self) -> float:
        """The share of questions whose values differ between two runs of the same model."""
        from scipy.stats import binom

        same = binom.pmf(np.arange(self.n + 1)[:, None], self.n, _quantiles(self.success)[None, :])
        distinct = np.unique(self.values, return_inverse=True)[1]
        return 1 - float(np.mean([(np.bincount(distinct, weights=column) ** 2).sum() for column in same.T]))

    def at(self, chances: FloatArray) -> FloatArray:
        """The expected value at these chances of success."""
        return np.interp(chances, _CHANCES, self.means)

    def shift(self, difference: float, spread: float) -> float:
        """What every chance must change by, for a true difference of this size, towards the middle; NaN if none is enough.

        Chances stay within 0 and 1, so the shift may be more than the difference.
        """
        from scipy.optimize import brentq
        from scipy.stats import norm

        p = _quantiles(self.success)[:, None]
        moved = p + spread * norm.ppf((np.arange(15) + 0.5) / 15)[None, :]
        wanted = self.mean + (difference if self.mean < 0.5 else -difference)

        def gap(by: float) -> float:
            return float(self.at(np.clip(moved + by, 0, 1)).mean()) - wanted

        most = 1 + 3 * spread
        return float(brentq(gap, -most, most)) if gap(-most) < 0 < gap(most) else math.nan


def outcomes_of(success: Beta, n: int, measure: Measure) -> Outcomes:
    """The outcomes of n samples for a measure that follows_from_chance."""
    from scipy.stats import binom

    values = value_table(n, measure)
    return Outcomes(success, n, values, values @ binom.pmf(np.arange(n + 1)[:, None], n, _CHANCES[None, :]))


def _quantiles(success: Beta) -> FloatArray:
    from scipy.stats import beta

    return np.asarray(beta.ppf((np.arange(200) + 0.5) / 200, *success), dtype=np.float64)


def is_near_bound(task: PlannedTask, outcomes: Outcomes | None) -> bool:
    """True if no t-test describes a comparison of this task: too little value on one side, or too few clusters, or too few
    that differ.

    Without outcomes, only the clusters are counted.
    """
    n_clusters = len(set(task.clusters))
    effective = carriers(np.unique(task.clusters, return_counts=True)[1].astype(np.float64))  # large ones weigh more
    if effective < CLUSTERS or outcomes is None:
        return effective < CLUSTERS
    worth = n_clusters * min(outcomes.mean, 1 - outcomes.mean)
    return worth < WORTH or n_clusters * outcomes.differing < DIFFERING


@dataclass(frozen=True, slots=True)
class Simulation:
    """Comparisons of these tasks with a true difference, tested as compare does, each test at level."""

    tasks: Sequence[PlannedTask]
    outcomes: Sequence[Outcomes]
    spread: float
    level: float

    def power(self, difference: float, seed: int = 0) -> float:
        """The share of DRAWS comparisons whose interval excludes 0; NaN if no chance can change by so much.

        A question's chance of success is drawn from its task's distribution, and every cluster changes by the same amount
        plus spread times a normal number, within 0 and 1.
        """
        shifts = [one.shift(difference, self.spread) for one in self.outcomes]
        if any(map(math.isnan, shifts)):
            return math.nan
        rng, place = np.random.default_rng(seed), places_of(self.tasks)
        n_clusters = 1 + max(int(rows.max()) for rows in place)
        found = 0
        for _ in range(DRAWS):
            pull = self.spread * rng.standard_normal(n_clusters)
            parts = []
            for task, one, shift, rows in zip(self.tasks, self.outcomes, shifts, place, strict=True):
                p = rng.beta(*one.success, len(rows))
                base, new = (rng.binomial(one.n, chance) for chance in (p, np.clip(p + shift + pull[rows], 0, 1)))
                parts.append(Part(one.values[base], one.values[new], task.clusters))
            interval = pooled_difference(parts, self.level, tested=False)
            found += interval.low > 0 or interval.high < 0
        return found / DRAWS

    def detectable(self, power: float, start: float) -> float:
        """The least true difference that is found with about this power; NaN if none is.

        start is a first guess. The power is taken to rise as a normal distribution does between two differences.
        """
        from scipy.stats import norm

        most = 0.98 * min(max(one.mean, 1 - one.mean) for one in self.outcomes)
        low, high = (0.0, float(norm.ppf(1 - self.level))), (most, math.inf)
        at = min(start, most)
        for _ in range(_STEPS):
            found = self.power(at)
            if math.isnan(found) or (at == most and found < power):
                return math.nan
            if abs(found - power) < _CLOSE:
                return at
            here = (at, float(norm.ppf(min(max(found, 0.5 / DRAWS), 1 - 0.5 / DRAWS))))
            low, high = (here, high) if found < power else (low, here)
            if math.isinf(high[1]):
                at = min(1.5 * at, most)
            else:
                at = low[0] + (high[0] - low[0]) * (float(norm.ppf(power)) - low[1]) / (high[1] - low[1])
        return at


def places_of(tasks: Sequence[PlannedTask]) -> list[NDArray[np.int64]]:
    """The number of each question's cluster, counted over all tasks in the order in which they are named."""
    numbers: dict[str, int] = {}
    return [np.array([numbers.setdefault(name, len(numbers)) for name in task.clusters], dtype=np.int64) for task in tasks]
