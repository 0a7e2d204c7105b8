"""How far what a checkpoint gained over its base carries over: to the other domain, and to the questions the base solved.

A raw gap between two domains confounds generalization with difficulty, so every number here is paired with a base run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from raml_eval.comparison.pairs import Pairs
from raml_eval.intervals import (
    PairedDifference,
    Part,
    mean_interval,
    paired_difference,
    pooled_difference,
    ratio_of_means,
    share_of_means,
)
from raml_eval.tables import DOMAINS
from raml_eval.tables.measures import AVERAGE
from raml_eval.types import Budget, Domain, Interval, QuestionCounts


@dataclass(frozen=True, slots=True)
class DomainGain:
    """One domain at one budget: base and new avg@n as macro means, the gain, and what of the base's solved questions is kept.

    retention is the chance that a sample of the run is right where one of the base is, with the tasks weighted alike: the
    mean of p_base * p_new over that of p_base, for a question's shares of right samples. Where every question has one sample
    it is the share of the questions solved by the base that the run solves too. repeat is the same of the base with itself,
    from pairs of its own samples: what a run of the very same model would keep. It needs n >= 2.
    """

    domain: Domain
    tasks: tuple[str, ...]
    n_questions: int
    base: float
    new: float
    gain: Interval
    retention: Interval
    repeat: Interval


@dataclass(frozen=True, slots=True)
class LevelGain:
    """The gain on the questions of one task that have the same stratum, such as a level of difficulty."""

    task: str
    level: str
    n_questions: int
    base: float
    new: float
    gain: Interval


@dataclass(frozen=True, slots=True)
class Generalization:
    """The gains of one run over a base at one budget. transfer is the cross-domain gain for each point of in-domain gain.

    transfer is NaN, and its method says why, where a domain is missing or the in-domain gain's interval includes 0. Its
    interval includes 0 wherever that of the cross-domain gain does: it is widened to 0 there, which its method says.
    """

    budget: Budget
    domains: Mapping[Domain, DomainGain]
    levels: tuple[LevelGain, ...]
    transfer: Interval


def generalize(pairs: Pairs, budget: Budget, level: float = 0.95) -> Generalization:
    """What the new run of the pairs gained over the base at the budget, by domain and by level, by avg@n.

    Raises MetricError as Pairs.part does.

    Example: generalize(pair_runs(base, new), 512).domains["in_domain"].gain
    """
    parts = {
        domain: {task: pairs.part(task, budget, AVERAGE) for task in pairs.tasks(domain, budget)}
        for domain in DOMAINS
        if pairs.tasks(domain, budget)
    }
    return Generalization(
        budget=budget,
        domains={domain: _domain_gain(pairs, budget, domain, of, level) for domain, of in parts.items()},
        levels=tuple(
            gain for of in parts.values() for task in of for gain in _level_gains(pairs, budget, task, of[task], level)
        ),
        transfer=_transfer([list(parts.get(domain, {}).values()) for domain in DOMAINS], level),
    )


def _domain_gain(pairs: Pairs, budget: Budget, domain: Domain, parts: Mapping[str, Part], level: float) -> DomainGain:
    gain = pooled_difference(list(parts.values()), level, tested=False)
    return DomainGain(
        domain=domain,
        tasks=tuple(parts),
        n_questions=gain.n_questions,
        base=float(np.mean([np.mean(part.base) for part in parts.values()])),
        new=float(np.mean([np.mean(part.new) for part in parts.values()])),
        gain=Interval(gain.value, gain.low, gain.high, gain.method),
        retention=_kept([(part, np.asarray(part.base) * np.asarray(part.new)) for part in parts.values()], level),
        repeat=_kept([(part, _right_twice(pairs.cells[task, budget][0])) for task, part in parts.items()], level),
    )


def _kept(both: Sequence[tuple[Part, NDArray[np.float64]]], level: float) -> Interval:
    """The mean of the values over the mean of the base's shares. The tasks count alike in both means."""
    if any(np.isnan(values).any() for _, values in both):
        return Interval(math.nan, math.nan, math.nan, "not given: needs 2 samples per question of the base")
    if len(both) == 1 and set(np.unique(both[0][0].base)) <= {0.0, 1.0}:  # a share of solved questions, valid near 0 and 1 too
        part, values = both[0]
        solved = np.flatnonzero(np.asarray(part.base)).tolist()
        return mean_interval(values[solved], [part.clusters[place] for place in solved], level)
    over = [Part(np.zeros(len(values)), values, part.clusters) for part, values in both]
    under = [Part(np.zeros(len(part.base)), part.base, part.clusters) for part, _ in both]
    return share_of_means(over, under, level)


def _right_twice(counts: Sequence[QuestionCounts]) -> NDArray[np.float64]:
    """The chance that two of a question's samples are both right, c (c - 1) / (n (n - 1)); NaN for n < 2."""
    return np.array([q.correct * (q.correct - 1) / (q.n * (q.n - 1)) if q.n > 1 else math.nan for q in counts])


def _level_gains(pairs: Pairs, budget: Budget, task: str, part: Part, level: float) -> list[LevelGain]:
    """One gain for each stratum; none for a task whose questions all have the same one."""
    strata = [pairs.new.questions[task, q.question_id].stratum for q in pairs.cells[task, budget][1]]
    names = sorted(set(strata))
    if len(names) < 2:
        return []
    found = []
    for name in names:
        rows = [row for row, stratum in enumerate(strata) if stratum == name]
        base, new = np.asarray(part.base)[rows], np.asarray(part.new)[rows]
        gain = paired_difference(base, new, [part.clusters[row] for row in rows], level)
        interval = Interval(gain.value, gain.low, gain.high, gain.method)
        found.append(LevelGain(task, name, len(rows), float(base.mean()), float(new.mean()), interval))
    return found


def _transfer(parts: Sequence[Sequence[Part]], level: float) -> Interval:
    inside, across = parts
    if not (inside and across):
        return Interval(math.nan, math.nan, math.nan, "not given: needs tasks of both domains")
    gain = pooled_difference(inside, level, tested=False)
    if not (gain.low > 0 or gain.high < 0):  # the interval that tables show decides, and NaN is no sign of a gain
        return Interval(math.nan, math.nan, math.nan, "not given: the in-domain gain's interval includes 0")
    found = _widened(ratio_of_means(across, inside, level), pooled_difference(across, level, tested=False))
    return replace(found, method=f"{found.method}; of an in-domain loss") if gain.value < 0 else found


def _widened(ratio: Interval, over: PairedDifference) -> Interval:
    """The ratio with 0 in its interval, if the interval of its numerator includes 0.

    Fieller's interval is symmetric in the t-distribution, and that of a difference of few or lopsided questions is not: the
    one may exclude 0 where the other, which tables show beside it, does not.
    """
    if not over.low <= 0 <= over.high or ratio.low <= 0 <= ratio.high or math.isnan(ratio.low):
        return ratio
    method = f"{ratio.method}; widened to 0, which the cross-domain gain's interval includes"
    return replace(ratio, low=min(ratio.low, 0.0), high=max(ratio.high, 0.0), method=method)
