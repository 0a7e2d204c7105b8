"""What each rule costs and what it saves: accuracy and tokens by task and rule, with paired differences over questions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from raml_eval.diagnostics.pruning.outcomes import WAYS, Outcome
from raml_eval.diagnostics.pruning.rules import is_cut
from raml_eval.intervals import PairedDifference, Part, holm, macro_mean, mean_interval, pooled_difference
from raml_eval.tables.clusters import overlap
from raml_eval.types import Interval, Status

MEAN_OF_TASKS = "mean of tasks"


@dataclass(frozen=True, slots=True)
class Difference:
    """pruned minus another way, over the same questions. p_holm is corrected for all rules of the task."""

    value: float
    low: float
    high: float
    p_value: float
    p_holm: float
    method: str


NO_DIFFERENCE = Difference(math.nan, math.nan, math.nan, math.nan, math.nan, "the two are the same")
# Zero by construction, which neither an interval nor a test can add to.
UNCHANGED = Difference(0.0, math.nan, math.nan, math.nan, math.nan, "unchanged: every answer is the whole one")


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One rule on one task, or on the mean of all tasks. Means are over questions, of each question's mean.

    tokens are thinking tokens: n_before in the whole thinking, n_after in the shortened one. accuracy is by way (WAYS). n_*
    count thinkings: unchanged by the rule; emptied by it; longer than before (a summary); cut (a summary that ran out of
    tokens). unfinished and timeouts count the answers of each way that no grader saw, or that stopped one.
    """

    task: str
    rule: str
    n_questions: int
    n_thinkings: int
    n_before: float
    n_after: float
    accuracy: Mapping[str, Interval]
    over_forced: Difference
    over_whole: Difference
    n_unchanged: int
    n_emptied: int
    n_longer: int
    n_cut: int
    unfinished: Mapping[str, int]
    timeouts: Mapping[str, int]

    @property
    def share(self) -> float:
        """The share of the tokens that is kept; NaN if there was none."""
        return self.n_after / self.n_before if self.n_before else math.nan


def summarise_outcomes(outcomes: Sequence[Outcome]) -> list[SummaryRow]:
    """The rows by task, in the order of the outcomes, and after them those of the mean of tasks if there are several."""
    cells: dict[str, dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    for one in outcomes:
        cells[one.task][one.rule].append(one)
    rules = list(dict.fromkeys(one.rule for one in outcomes))
    rows = [_row(task, rule, [of[rule]]) for task, of in cells.items() for rule in rules if of.get(rule)]
    if len(cells) > 1:
        shared = [rule for rule in rules if all(of.get(rule) for of in cells.values())]
        rows += [_row(MEAN_OF_TASKS, rule, [of[rule] for of in cells.values()]) for rule in shared]
    return [row for task in (*cells, MEAN_OF_TASKS) for row in _corrected([row for row in rows if row.task == task])]


def _row(task: str, rule: str, tasks: Sequence[Sequence[Outcome]]) -> SummaryRow:
    """One row over one or several tasks, each with its outcomes."""
    every = [one for outcomes in tasks for one in outcomes]
    questions = [_by_question(outcomes) for outcomes in tasks]
    names = [[of[0].cluster for of in by] for by in questions]

    def means(value: Callable[[Outcome], float]) -> list[list[float]]:
        """By task, the mean of each question."""
        return [[float(np.mean([value(one) for one in of])) for of in by] for by in questions]

    right = {way: means(partial(_correct, way=way)) for way in WAYS}

    def accuracy(way: str) -> Interval:
        own = [mean_interval(values, clusters) for values, clusters in zip(right[way], names, strict=True)]
        return own[0] if len(own) == 1 else macro_mean(own, overlap(names))

    def over(way: str) -> Difference:
        parts = [Part(np.array(a), np.array(b), c) for a, b, c in zip(right[way], right["pruned"], names, strict=True)]
        return _difference(pooled_difference(parts))

    unchanged = all(one.unchanged for one in every)
    return SummaryRow(
        task=task,
        rule=rule,
        n_questions=sum(map(len, questions)),
        n_thinkings=len(every),
        n_before=float(np.mean([np.mean(values) for values in means(lambda one: one.n_whole)])),
        n_after=float(np.mean([np.mean(values) for values in means(lambda one: one.n_kept)])),
        accuracy={way: accuracy(way) for way in WAYS},
        over_forced=NO_DIFFERENCE if is_cut(rule) else UNCHANGED if unchanged else over("forced"),
        over_whole=UNCHANGED if unchanged else over("whole"),
        n_unchanged=sum(one.unchanged for one in every),
        n_emptied=sum(one.n_kept == 0 < one.n_whole for one in every),
        n_longer=sum(one.n_kept > one.n_whole for one in every),
        n_cut=sum(bool(one.cut) for one in every),
        unfinished={way: sum(getattr(one, way) is Status.UNFINISHED for one in every) for way in WAYS},
        timeouts={way: sum(getattr(one, way) is Status.TIMEOUT for one in every) for way in WAYS},
    )


def _correct(one: Outcome, way: str) -> bool:
    return one.correct(way)


def _by_question(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    found: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        found[one.question_id].append(one)
    return list(found.values())


def _difference(found: PairedDifference) -> Difference:
    return Difference(found.value, found.low, found.high, found.p_value, math.nan, found.method)


def _corrected(rows: Sequence[SummaryRow]) -> list[SummaryRow]:
    """The rows of one task with Holm's p-values, over the rules, for each of the two differences."""
    forced = _holm([row.over_forced for row in rows])
    whole = _holm([row.over_whole for row in rows])
    return [replace(row, over_forced=a, over_whole=b) for row, a, b in zip(rows, forced, whole, strict=True)]


def _holm(differences: Sequence[Difference]) -> list[Difference]:
    known = [one.p_value for one in differences if not math.isnan(one.p_value)]
    adjusted = iter(holm(known))
    return [one if math.isnan(one.p_value) else replace(one, p_holm=next(adjusted)) for one in differences]
