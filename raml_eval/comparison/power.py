"""What a planned comparison will be able to find: each test with its level, its detectable difference, and what it lacks."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from raml_eval.comparison.planned import Beta, Planned, PlannedTask, Wanted, check_wanted
from raml_eval.comparison.simulated import Outcomes, Simulation, is_near_bound, outcomes_of, places_of
from raml_eval.comparison.verdicts import PRIMARY_SHARE, split_alpha
from raml_eval.intervals import NoiseSplit, Part
from raml_eval.intervals.pooled import freedoms_of, groups_of, welch_freedom
from raml_eval.intervals.power import detectable_difference, power_at, questions_needed, samples_needed
from raml_eval.tables import DOMAIN_MEANS, DOMAINS
from raml_eval.types import Domain

ALONE, FAMILY, PRIMARY = "alone", "family", "primary"


@dataclass(frozen=True, slots=True)
class PowerRow:
    """One test that a comparison would make. alpha is its error rate: that of the first step, if others are corrected with it.

    role says whether it is the only test, one of a family of `among` tasks, or one of `among` primary endpoints. standard_error
    and detectable are shares; detectable is NaN if a task has one cluster, and if there is no noise at all, which no t-test
    describes. power is that at the wanted difference. samples_needed is infinite if no n is enough with these questions.

    simulated is true where values lie near a bound or clusters are few (simulated.is_near_bound): detectable and power are
    then from simulated comparisons. If near_bound is true without simulated, the metric could not be simulated, and the
    t-test's numbers are too good. questions_needed and samples_needed are a t-test's, and None where so many would still be
    too few for one.
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
    near_bound: bool = False
    simulated: bool = False


def power_rows(planned: Planned, wanted: Wanted) -> list[PowerRow]:
    """Every task alone, then in its family, then the primary endpoints, as raml_eval.comparison would test them.

    Raises ConfigError for a difference, spread, level or power outside their ranges.
    """
    check_wanted(wanted)
    alpha, row_of = 1 - wanted.level, _Rows(planned, wanted).row
    groups = {domain: [task for task in planned.tasks if task.domain == domain] for domain in DOMAINS}
    means = {domain: tasks for domain, tasks in groups.items() if tasks}
    families = families_of(planned)
    rows = [row_of([task], task.name, ALONE, 1, alpha) for task in planned.tasks]
    several = [task for tasks in means.values() if len(tasks) > 1 for task in tasks]
    if several:
        each = split_alpha(alpha, families, False)["tasks"] / len(several)
        rows += [row_of([task], task.name, FAMILY, len(several), each) for task in several]
    first = alpha * (PRIMARY_SHARE if families else 1.0) / len(means)
    for domain, tasks in means.items():
        scope = tasks[0].name if len(tasks) == 1 else DOMAIN_MEANS[domain]
        rows.append(row_of(tasks, scope, PRIMARY, len(means), first))
    return rows


def families_of(planned: Planned) -> list[str]:
    """The families that the comparison tests beside its primary endpoints; they share a fifth of its error rate."""
    sizes = Counter(task.domain for task in planned.tasks)
    present = {
        "tasks": any(size > 1 for size in sizes.values()),
        "budgets": planned.n_budgets > 1,
        "metrics": planned.n_samples > 1,  # endpoints.default_metrics
    }
    return [family for family, is_there in present.items() if is_there]


_MOST = 256  # samples: with more, no more questions differ to speak of
Chances = tuple[float, float]  # detectable difference, power at the wanted one


@dataclass
class _Rows:
    """The rows of one plan. Tests that are alike, as those of tasks under one assumption, are simulated once."""

    planned: Planned
    wanted: Wanted
    known: dict[object, Chances] = field(default_factory=dict)
    outcomes: dict[tuple[Beta, int], Outcomes] = field(default_factory=dict)

    def row(self, tasks: Sequence[PlannedTask], scope: str, role: str, among: int, alpha: float) -> PowerRow:
        """One test of the mean over these tasks at the error rate alpha."""
        wanted, split, level = self.wanted, planned_noise(tasks, self.wanted.spread), 1 - alpha
        silent = split.standard_error == 0 or min(len(set(task.clusters)) for task in tasks) < 2
        row = PowerRow(
            scope=scope,
            domain=tasks[0].domain,
            role=role,
            among=among,
            alpha=alpha,
            n_questions=split.n_questions,
            n_clusters=split.n_clusters,
            standard_error=split.standard_error,
            detectable=math.nan if silent else detectable_difference(split.standard_error, split.freedom, level, wanted.power),
            power=math.nan if silent else power_at(wanted.difference, split.standard_error, split.freedom, level),
            questions_needed=None if silent else questions_needed(split, wanted.difference, level, wanted.power),
            samples_needed=None
            if silent
            else samples_needed(split, self.planned.n_samples, wanted.difference, level, wanted.power),
        )
        if silent:
            return row
        row = self.without_near(row, tasks)
        if any(self.is_near(task, self.planned.n_samples) for task in tasks):
            row = self.near_bound(row, tasks)
        return replace(row, detectable=math.nan) if row.detectable > 1 else row  # no two shares differ by more

    def without_near(self, row: PowerRow, tasks: Sequence[PlannedTask]) -> PowerRow:
        """The row without the numbers of questions and samples that are themselves too few for a t-test."""
        n, needed, samples = self.planned.n_samples, row.questions_needed, row.samples_needed
        if needed is not None and any(self.is_near(_resized(task, needed / row.n_questions), n) for task in tasks):
            needed = None
        if samples is not None and samples < math.inf and any(self.is_near(task, min(int(samples), _MOST)) for task in tasks):
            samples = None
        return replace(row, questions_needed=needed, samples_needed=samples)

    def near_bound(self, row: PowerRow, tasks: Sequence[PlannedTask]) -> PowerRow:
        """The row with simulated numbers; that of a t-test, with near_bound set, if the metric cannot be simulated."""
        row, outcomes = replace(row, near_bound=True), [self.outcomes_of(task, self.planned.n_samples) for task in tasks]
        if None in outcomes:
            return row
        alike = (row.alpha, *((task.success, tuple(of.tolist())) for task, of in zip(tasks, places_of(tasks), strict=True)))
        if alike not in self.known:
            test = Simulation(tasks, [one for one in outcomes if one], self.wanted.spread, 1 - row.alpha)
            self.known[alike] = (test.detectable(self.wanted.power, row.detectable), test.power(self.wanted.difference))
        detectable, power = self.known[alike]
        return replace(row, simulated=True, detectable=detectable, power=power)

    def is_near(self, task: PlannedTask, n: int) -> bool:
        """True if no t-test describes a comparison of this task by n samples."""
        return is_near_bound(task, self.outcomes_of(task, n))

    def outcomes_of(self, task: PlannedTask, n: int) -> Outcomes | None:
        """What the task's questions may come to by n samples; None if the metric does not follow from a chance."""
        if task.success is None or n < (self.planned.measure.k or 1):
            return None
        if (task.success, n) not in self.outcomes:
            self.outcomes[task.success, n] = outcomes_of(task.success, n, self.planned.measure)
        return self.outcomes[task.success, n]


def _resized(task: PlannedTask, times: float) -> PlannedTask:
    """The task with this many times its clusters, up to as many as the rule for bounds can ask for."""
    wanted = min(math.ceil(times * len(set(task.clusters))), 100_000)
    return replace(task, clusters=tuple(map(str, range(wanted))))


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
    parts = [Part(zero, zero, task.clusters) for zero, task in zip(zeros, tasks, strict=True)]
    pairs = list(_variances(groups_of(parts), freedoms_of(parts), tasks, drawn, spread))
    return welch_freedom([variance for variance, _ in pairs], [df for _, df in pairs])


def _variances(
    groups: Sequence[Sequence[int]],
    freedoms: Sequence[float],
    tasks: Sequence[PlannedTask],
    drawn: Sequence[float],
    spread: float,
) -> Iterator[tuple[float, float]]:
    """The variance of each group of tasks, and the fewest degrees of freedom of its tasks."""
    for group in groups:
        between = spread**2 * _squared_shares([tasks[row] for row in group], len(tasks))
        freedom = min(freedoms[row] for row in group)
        yield between + math.fsum(drawn[row] for row in group), max(1.0, freedom)


def _squared_shares(tasks: Sequence[PlannedTask], n_tasks: int) -> float:
    """The sum over clusters of the square of what a cluster weighs in the mean over n_tasks tasks, these among them."""
    shares: defaultdict[str, float] = defaultdict(float)
    for task in tasks:
        for name in task.clusters:
            shares[name] += 1 / len(task.clusters) / n_tasks
    return math.fsum(share**2 for share in shares.values())
