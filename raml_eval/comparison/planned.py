"""The size and the noise that a comparison will have, from a stored run or from an assumed distribution of success."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from raml_eval.budgets import parse_label
from raml_eval.comparison.endpoints import check_whole_level, declared_primary, primary_measure
from raml_eval.comparison.verdicts import MARGIN, POWER
from raml_eval.errors import ConfigError, MetricError, choose_names
from raml_eval.tables import (
    Measure,
    budget_label,
    count_run,
    global_clusters,
    is_greedy,
    largest_budget,
    question_values,
    redraw_variances,
    suites_of,
)
from raml_eval.tables.measures import counted_samples, follows_from_chance
from raml_eval.tables.redraw import assumed_redraw
from raml_eval.tasks.catalogue import Catalogue, load_catalogue
from raml_eval.tasks.load import load_task
from raml_eval.types import Budget, Domain, Question, QuestionCounts, QuestionKey, StoredRun, TaskDescription

Beta = tuple[float, float]
DEFAULT_SAMPLES = 8
MOST_SAMPLES, MOST_QUESTIONS = 10_000, 100_000
_LEAST_BETA, _MOST_BETA = 0.01, 1e6


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One task of a comparison: the global cluster of each question, and what redrawing adds to its value in one run, (Q,).

    success is the distribution of the chance that a sample counts (is correct, or is one of a rate's) over the questions:
    assumed, or that of the run; None if the metric does not follow from it.
    """

    name: str
    domain: Domain
    clusters: tuple[str, ...]
    redraw: NDArray[np.float64]
    success: Beta | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a comparison should find. difference, spread, level and power are shares.

    difference is that to be found; spread is the standard deviation over questions of the true difference, so that 0 means
    that every question changes by the same amount. level is that of the whole comparison.
    """

    difference: float = MARGIN
    spread: float = 0.0
    level: float = 0.95
    power: float = POWER


@dataclass(frozen=True, slots=True)
class Planned:
    """A comparison that is being planned. budgets is how many each run has; measure and budget are the primary ones."""

    tasks: tuple[PlannedTask, ...]
    measure: Measure
    budget: str
    n_samples: int
    n_budgets: int
    noise: str


def parse_beta(text: str) -> Beta:
    """The parameters of a text such as beta:2,2, the chance of success over questions. Raises ConfigError for another text.

    Example: parse_beta("beta:0.5,0.5") == (0.5, 0.5)
    """
    kind, _, rest = text.partition(":")
    try:
        a, b = (float(word) for word in rest.split(","))
    except ValueError:
        a = b = 0.0
    if kind != "beta" or not (_LEAST_BETA <= a <= _MOST_BETA and _LEAST_BETA <= b <= _MOST_BETA):
        raise ConfigError(
            f"--assume {text!r} is no distribution; wanted beta:A,B with numbers from {_LEAST_BETA} to {_MOST_BETA:,.0f}, such "
            f"as beta:2,2."
        )
    return a, b


def check_wanted(wanted: Wanted) -> None:
    """Raises ConfigError, in the words of the options, for a difference, spread, level or power that is none."""
    if not 0 < wanted.difference < 1:
        raise ConfigError(
            f"--difference {100 * wanted.difference:g} is no difference to look for; wanted more than 0 and less than 100 "
            f"points, such as 2."
        )
    if not 0 <= wanted.spread < 1:
        raise ConfigError(
            f"--spread {100 * wanted.spread:g} is no standard deviation; wanted 0 or more points, below 100, such as 10."
        )
    check_whole_level(wanted.level)
    if not 1 - wanted.level < wanted.power <= 0.9999:
        raise ConfigError(
            f"--power {wanted.power:g} is no chance to plan for; wanted more than {1 - wanted.level:.4g} (1 - level), at "
            f"most 0.9999, such as 0.8."
        )


def check_sizes(n: int | None, n_questions: int | None) -> None:
    """Raises ConfigError for numbers of samples or questions that cannot be planned. None is not given."""
    for option, number, most in (("--samples", n, MOST_SAMPLES), ("--questions", n_questions, MOST_QUESTIONS)):
        if number is not None and not 1 <= number <= most:
            raise ConfigError(f"{option} {number} cannot be planned; wanted a whole number from 1 to {most:,}.")


def plan_comparison(
    names: Sequence[str],
    *,
    base: StoredRun | None = None,
    assume: str | None = None,
    n: int | None = None,
    n_questions: int | None = None,
    metric: str | None = None,
    budget: str | None = None,
    task_path: Sequence[Path] = (),
    trust_tasks: bool = False,
) -> Planned:
    """The comparison of these tasks or suites; without names, of all tasks of the base run.

    The metric and budget are those named, otherwise the primary ones of the suites, otherwise avg@n at unlimited. Raises
    ConfigError or TaskError for what cannot be planned, MetricError if the samples cannot tell the noise.

    Example: plan_comparison(["pocket"], assume="beta:2,2").n_samples == 8
    """
    check_sizes(n, n_questions)
    beta = None if assume is None else parse_beta(assume)
    catalogue = load_catalogue(task_path, trust_tasks=trust_tasks)
    suites = catalogue.suites_among(names) if names or base is None else suites_of(base)
    declared, _ = declared_primary(suites)
    measure = primary_measure(metric or declared.metric)
    if base is not None:
        if n_questions is not None:
            raise ConfigError(f"--questions {n_questions} and --base are both given, and the run has its own. Leave one out.")
        known = [name for name in names if name in base.tasks]
        wanted = [*known, *catalogue.expand(name for name in names if name not in base.tasks)]
        return plan_from_run(base, wanted, measure, choose_budget(base, budget, declared.budget), n, beta)
    if not names:
        raise ConfigError("no task and no --base is given, so there is nothing to plan. Name a task, a suite or a stored run.")
    if beta is None:
        raise ConfigError("no noise is given to plan with. Name a stored run with --base, or assume one: --assume beta:2,2.")
    at = parse_label(budget) if budget is not None else declared.budget
    return plan_from_tasks(catalogue, names, measure, at, n or DEFAULT_SAMPLES, beta, n_questions)


def plan_from_run(
    run: StoredRun, names: Sequence[str], measure: Measure, budget: Budget, n: int | None = None, beta: Beta | None = None
) -> Planned:
    """A comparison with a stored run: its questions, its clusters and, without beta, its own noise, scaled to n samples.

    names are tasks of the run; all of them if there are none. Raises ConfigError for another task, MetricError if samples are
    missing or cannot tell what redrawing adds, and for a greedy run: nothing of it is drawn, so no distribution describes it.
    """
    if is_greedy(run):
        raise MetricError(
            f"run {run.name} is greedy: its samples do not tell what redrawing adds, and planned samples would not be "
            f"independent. Name a run with a temperature above 0, or plan without --base (--questions N --assume beta:2,2)."
        )
    chosen = choose_names("task in the run", names, run.tasks)
    cells, clusters = count_run(run), global_clusters(run.questions, run.tasks)
    samples = n or run.n_samples
    if measure.k is not None and measure.k > samples:
        raise MetricError(f"{measure.name} needs {measure.k} samples per question; met {samples}. Give --samples {measure.k}.")
    planned = []
    for name in chosen:
        counts = cells[name, budget]
        redraw = redraw_variances(counts, measure) * run.n_samples / samples
        if beta is not None:
            redraw = np.full(len(counts), assumed_redraw(samples, measure, *beta))
        elif np.isnan(redraw).any():
            raise MetricError(_untold(run, name, counts, measure))
        named = tuple(clusters[q.task, q.question_id] for q in counts)
        planned.append(PlannedTask(name, run.tasks[name].domain, named, redraw, beta or success_of(counts, measure)))
    noise = f"that of {run.name}" if beta is None else f"assumed, success Beta({beta[0]:g}, {beta[1]:g}) over questions"
    return Planned(tuple(planned), measure, budget_label(budget), samples, len(run.budgets), noise)


def success_of(counts: Sequence[QuestionCounts], measure: Measure) -> Beta | None:
    """The Beta distribution whose mean and mean of p (1-p) are those that the samples show without bias.

    If no question has both kinds of samples, half a sample of each kind is added to all, and most chances lie next to 0 or 1.
    Neither parameter is below 0.01, for which E[p (1-p)] is raised if need be.
    None if the measure does not follow from a chance, and if n < 2.
    """
    if not follows_from_chance(measure) or min(q.n for q in counts) < 2:
        return None
    n, c = np.array([q.n for q in counts]), counted_samples(counts, measure)
    mean, within = float(np.mean(c / n)), float(np.mean(c * (n - c) / (n * (n - 1))))
    if within == 0:
        mean = (float(c.sum()) + 0.5) / (float(n.sum()) + 1)
    share = within / (mean * (1 - mean))  # (a + b) / (a + b + 1); chance can bring it to 1 or above
    total = share / (1 - share) if share < 1 else math.inf
    total = min(max(total, _LEAST_BETA / min(mean, 1 - mean)), _MOST_BETA)  # the mean stays, if next to a bound too
    return mean * total, (1 - mean) * total


def _untold(run: StoredRun, task: str, counts: Sequence[QuestionCounts], measure: Measure) -> str:
    if unknown := int(np.isnan(question_values(counts, measure)).sum()) if measure.k is None else 0:
        return (
            f"{measure.name} is not known for {unknown} of {len(counts)} questions of {task} in run {run.name}. Plan with "
            f"another metric."
        )
    needed = (measure.k or 1) + 1
    return (
        f"{measure.name} needs {needed} samples per question to tell what redrawing adds; run {run.name} has {run.n_samples}. "
        f"Draw more, or give --assume beta:2,2 with --base."
    )


def plan_from_tasks(
    catalogue: Catalogue, names: Sequence[str], measure: Measure, budget: Budget, n: int, beta: Beta, n_questions: int | None
) -> Planned:
    """A comparison of tasks that nobody ran yet: n_questions of each, or all rows of tasks that ship with theirs.

    Raises ConfigError for a task whose rows lie elsewhere if n_questions is None, MetricError if n < k.
    """
    tasks = {name: catalogue.tasks[name] for name in catalogue.expand(names)}
    if n_questions is None:
        clusters = _shipped_clusters(catalogue, tasks)
    else:
        clusters = {name: tuple(f"{name}/{row}" for row in range(n_questions)) for name in tasks}
    one = assumed_redraw(n, measure, *beta)
    planned = [
        PlannedTask(name, about.domain, clusters[name], np.full(len(clusters[name]), one), beta)
        for name, about in tasks.items()
    ]
    noise = f"assumed, success Beta({beta[0]:g}, {beta[1]:g}) over questions"
    return Planned(tuple(planned), measure, budget_label(budget), n, 1, noise)


def _shipped_clusters(catalogue: Catalogue, tasks: Mapping[str, TaskDescription]) -> dict[str, tuple[str, ...]]:
    away = [name for name in tasks if catalogue.files[name].config.get("dataset_path")]
    if away:
        raise ConfigError(
            f"the rows of {', '.join(away)} do not ship with the package, so their number is not known here. Give --questions "
            f"N, or a stored run with --base."
        )
    questions: dict[QuestionKey, Question] = {}
    for name in tasks:
        questions |= {(name, question.id): question for question in load_task(catalogue, name).questions}
    clusters = global_clusters(questions, tasks)
    return {name: tuple(cluster for key, cluster in clusters.items() if key[0] == name) for name in tasks}


def choose_budget(run: StoredRun, asked: str | None, declared: Budget) -> Budget:
    """The run's budget of that label; without one, the declared budget if the run has it, otherwise its largest cap in tokens.

    Raises ConfigError if the run does not have the budget that is asked for.
    """
    labels = {budget_label(budget): budget for budget in run.budgets}
    if asked is not None:
        return labels[choose_names("budget in the run", [asked], labels)[0]]
    return labels.get(budget_label(declared), largest_budget(run.budgets))
