"""What a comparison tests: the declared primary endpoint of each domain, and the families of tasks, budgets and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from raml_eval.comparison.notes import redraw_notes
from raml_eval.comparison.pairs import Pairs
from raml_eval.errors import ConfigError, MetricError, near_names
from raml_eval.tables import DOMAIN_MEANS, DOMAINS, Measure, budget_label, largest_budget, parse_measure, suites_of
from raml_eval.types import Budget, Domain, Primary, Suite

Family = Literal["primary", "tasks", "budgets", "metrics"]
FAMILIES: tuple[Family, ...] = ("tasks", "budgets", "metrics")
LEVELS = (0.5, 0.9999)  # the least and the greatest level of a whole comparison
DEFAULT_METRIC, DEFAULT_BUDGET = "avg@n", "unlimited"


@dataclass(frozen=True, slots=True)
class PrimaryEndpoint:
    """The metric and budget that are primary, and who declared them. asked is the declared budget, which may not be shared."""

    measure: Measure
    budget: Budget
    source: str
    notes: tuple[str, ...] = ()
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One difference that is tested: of a task, or of the mean over a domain's tasks."""

    family: Family
    scope: str
    domain: Domain
    tasks: tuple[str, ...]
    budget: Budget
    measure: Measure


def choose_primary(pairs: Pairs, metric: str | None = None, budget: str | None = None) -> PrimaryEndpoint:
    """The primary metric and budget: those that the caller names, otherwise the suite's, otherwise avg@n at unlimited.

    The suites are those that the new run was asked for; if they disagree, the default holds. If the declared budget was not
    drawn by both runs, the largest cap in tokens of both takes its place, which the notes say. So nothing depends on a result.
    Raises ConfigError for an unknown metric and for tokens, MetricError if both runs lack the named budget.
    """
    declared, suites = declared_primary(suites_of(pairs.new))
    source = f"suite {' and '.join(suites)}" if suites else "the default"
    if metric or budget:
        source = " and ".join(f"--{name} {value}" for name, value in (("metric", metric), ("budget", budget)) if value)
    shared = {budget_label(one): one for one in pairs.budgets}
    if budget is not None and budget not in shared:
        raise MetricError(
            f"runs {pairs.base.name} and {pairs.new.name} share no budget {budget}.{near_names(budget, shared)} They share "
            f"{', '.join(shared)}."
        )
    asked = budget or budget_label(declared.budget)
    chosen = asked if asked in shared else budget_label(largest_budget(shared.values()))
    notes = (
        ()
        if chosen == asked
        else (f"the primary budget is {chosen}, the largest of both runs, because {asked} is not in both",)
    )
    measure = primary_measure(metric or declared.metric)
    return PrimaryEndpoint(measure, shared[chosen], source, (*notes, *redraw_notes(pairs, measure)), asked)


def primary_measure(name: str) -> Measure:
    """The measure of that name, which a verdict can be about. Raises ConfigError for an unknown name, and for tokens."""
    measure = parse_measure(name)
    if measure.bounds is None:
        raise ConfigError(
            f"{name} cannot be the primary metric: tokens have no better or worse, and a margin in points says nothing about "
            f"them. Compare by another metric, such as avg@n; compare shows tokens below its tests, and a gate's cell can hold "
            f"them to a margin in tokens."
        )
    return measure


def check_whole_level(level: float) -> float:
    """The level of a whole comparison. Raises ConfigError unless it lies between 0.5 and 0.9999.

    Below, "better" would mean little; above, the shares of the error rate that single tests get leave floating point.
    """
    if not LEVELS[0] <= level <= LEVELS[1]:
        raise ConfigError(f"level {level:.17g} is not usable; wanted a number from {LEVELS[0]} to {LEVELS[1]}, such as 0.95.")
    return level


def declared_primary(suites: Mapping[str, Suite]) -> tuple[Primary, list[str]]:
    """What the suites declare as primary, and their names; avg@n at unlimited and no name if none does or they disagree."""
    found = {suite.primary for suite in suites.values()}
    only = found.pop() if len(found) == 1 else None
    return (only, list(suites)) if only else (Primary(DEFAULT_METRIC, DEFAULT_BUDGET), [])


def default_metrics(pairs: Pairs) -> tuple[Measure, ...]:
    """pass@k and mG-Pass@k at the largest power of two that both runs have samples for; none for one sample or greedy runs."""
    k = 1 << (pairs.n_samples.bit_length() - 1)
    found = (Measure("pass@k", k), Measure("mg_pass@k", k))
    return tuple(measure for measure in found if k > 1 and pairs.can_give(measure))


def list_targets(pairs: Pairs, primary: PrimaryEndpoint, metrics: Sequence[Measure]) -> list[Target]:
    """Every tested difference, the primary ones first.

    Primary: the mean over each domain's tasks at the primary metric and budget. Tasks: each task there, if its domain has
    several. Budgets: the means at every other budget. Metrics: the means by the other metrics.
    """
    measure, budget = primary.measure, primary.budget
    targets = _means(pairs, "primary", budget, measure)
    targets += [
        Target("tasks", task, mean.domain, (task,), budget, measure)
        for mean in targets
        if len(mean.tasks) > 1
        for task in mean.tasks
    ]
    targets += [target for other in pairs.budgets if other != budget for target in _means(pairs, "budgets", other, measure)]
    targets += [target for other in metrics if other != measure for target in _means(pairs, "metrics", budget, other)]
    return targets


def _means(pairs: Pairs, family: Family, budget: Budget, measure: Measure) -> list[Target]:
    found = []
    for domain in DOMAINS:
        if tasks := tuple(pairs.tasks(domain, budget)):
            scope = tasks[0] if len(tasks) == 1 else DOMAIN_MEANS[domain]
            found.append(Target(family, scope, domain, tasks, budget, measure))
    return found
