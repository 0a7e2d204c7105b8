"""What a planned comparison will be able to find: each test with its level, its detectable difference, and what it lacks."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from raml_eval.comparison.endpoints import MEANS
from raml_eval.comparison.planned import Planned, PlannedTask, Wanted
from raml_eval.comparison.verdicts import PRIMARY_SHARE, split_alpha
from raml_eval.intervals import NoiseSplit, Part
from raml_eval.intervals.pooled import groups_of
from raml_eval.intervals.power import check_difference, detectable_difference, power_at, questions_needed, samples_needed
from raml_eval.tables import DOMAINS
from raml_eval.types import Domain

ALONE, FAMILY, PRIMARY = "alone", "family", "primary"


@dataclass(frozen=True, slots=True)
class PowerRow:
    """One test that a comparison would make. alpha is its error rate: that of the first step, if others are corrected with it.

    role says whether it is the only test, one of a family of `among` tasks, or one of `among` primary endpoints. standard_error
    and detectable are shares; detectable is NaN if a task has one cluster, and if there is no noise at all, which no t-test
    describes. power is that at the wanted difference. samples_needed is infinite if no n is enough with these questions.
    """

    scope: str
    domain: Domain
    role: str
    among: int
    alpha: float
    n_questions: int
    n_clusters: int
    standard_error: float
    detectable: float
    power: float
    questions_needed: int | None
    samples_needed: float | None


def power_rows(planned: Planned, wanted: Wanted) -> list[PowerRow]:
    """Every task alone, then in its family, then the primary endpoints, as raml_eval.comparison would test them.

    Raises MetricError for a difference of 0, or a level or power outside their ranges.
    """
    check_difference(wanted.difference)
    alpha = 1 - wanted.level
    groups = {domain: [task for task in planned.tasks if task.domain == domain] for domain in DOMAINS}
    means = {domain: tasks for domain, tasks in groups.items() if tasks}
    families = families_of(planned)
    rows = [_row([task], task.name, ALONE, 1, alpha, planned, wanted) for task in planned.tasks]
    several = [task for tasks in means.values() if len(tasks) > 1 for task in tasks]
    if several:
        each = split_alpha(alpha, families, False)["tasks"] / len(several)
        rows += [_row([task], task.name, FAMILY, len(several), each, planned, wanted) for task in several]
    first = alpha * (PRIMARY_SHARE if families else 1.0) / len(means)
    for domain, tasks in means.items():
        scope = tasks[0].name if len(tasks) == 1 else MEANS[domain]
        rows.append(_row(tasks, scope, PRIMARY, len(means), first, planned, wanted))
    return rows


def families_of(planned: Planned) -> list[str]:
    """The families that the comparison tests beside its primary endpoints; they share a fifth of its error rate."""
    sizes = Counter(task.domain for task in planned.tasks)
    present = {
        "tasks": any(size > 1 for size in sizes.values()),
        "budgets": planned.n_budgets > 1,
        "metrics": planned.n_samples > 1 and not planned.greedy,  # endpoints.default_metrics
    }
    return [family for family, is_there in present.items() if is_there]


def _row(
    tasks: Sequence[PlannedTask], scope: str, role: str, among: int, alpha: float, planned: Planned, wanted: Wanted
) -> PowerRow:
    split, level, power = planned_noise(tasks, wanted.spread), 1 - alpha, wanted.power
    silent = split.standard_error == 0 or min(len(set(task.clusters)) for task in tasks) < 2
    return PowerRow(
        scope=scope,
        domain=tasks[0].domain,
        role=role,
        among=among,
        alpha=alpha,
        n_questions=split.n_questions,
        n_clusters=split.n_clusters,
        standard_error=split.standard_error,
        detectable=math.nan if silent else detectable_difference(split.standard_error, split.freedom, level, power),
        power=math.nan if silent else power_at(wanted.difference, split.standard_error, split.freedom, level),
        questions_needed=None if silent else questions_needed(split, wanted.difference, level, power),
        samples_needed=None if silent else samples_needed(split, planned.n_samples, wanted.difference, level, power),
    )


def planned_noise(tasks: Sequence[PlannedTask], spread: float) -> NoiseSplit:
    """The noise of the mean paired difference over the tasks, each with the same weight.

    Redrawing adds twice what it adds to one run. The questions add only the spread of their true differences, because what
    a question has in both runs cancels; the questions of a cluster are taken to differ alike.
    """
    weights = [np.full(len(task.clusters), 1 / len(task.clusters) / len(tasks)) for task in tasks]
    drawn = [2 * float(np.sum(weight**2 * task.redraw)) for weight, task in zip(weights, tasks, strict=True)]
    between = spread**2 * _squared_shares(tasks, len(tasks))
    return NoiseSplit(
        value=0.0,
        standard_error=math.sqrt(between + math.fsum(drawn)),
        from_questions=between,
        from_redraw=math.fsum(drawn),
        n_questions=sum(len(task.clusters) for task in tasks),
        n_clusters=len({name for task in tasks for name in task.clusters}),
        freedom=_freedom(tasks, drawn, spread),
    )


def _freedom(tasks: Sequence[PlannedTask], drawn: Sequence[float], spread: float) -> float:
    """Welch and Satterthwaite's degrees of freedom over groups of tasks that share no cluster, as a comparison takes them."""
    zeros = [np.zeros(len(task.clusters)) for task in tasks]
    groups = groups_of([Part(zero, zero, task.clusters) for zero, task in zip(zeros, tasks, strict=True)])
    pairs = list(_variances(groups, tasks, drawn, spread))
    total = math.fsum(variance for variance, _ in pairs)
    if total == 0:
        return float(sum(df for _, df in pairs))
    return total**2 / math.fsum(variance**2 / df for variance, df in pairs)


def _variances(
    groups: Sequence[Sequence[int]], tasks: Sequence[PlannedTask], drawn: Sequence[float], spread: float
) -> Iterator[tuple[float, int]]:
    """The variance of each group of tasks, and the degrees of freedom of its smallest task."""
    for group in groups:
        between = spread**2 * _squared_shares([tasks[row] for row in group], len(tasks))
        freedom = min(len(set(tasks[row].clusters)) for row in group) - 1
        yield between + math.fsum(drawn[row] for row in group), max(1, freedom)


def _squared_shares(tasks: Sequence[PlannedTask], n_tasks: int) -> float:
    """The sum over clusters of the square of what a cluster weighs in the mean over n_tasks tasks, these among them."""
    shares: defaultdict[str, float] = defaultdict(float)
    for task in tasks:
        for name in task.clusters:
            shares[name] += 1 / len(task.clusters) / n_tasks
    return math.fsum(share**2 for share in shares.values())
