"""The size and the noise that a comparison will have, from a stored run or from an assumed distribution of success."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from raml_eval.budgets import parse_label
from raml_eval.comparison.endpoints import DEFAULT_BUDGET, DEFAULT_METRIC
from raml_eval.comparison.verdicts import MARGIN, POWER
from raml_eval.errors import ConfigError, MetricError, choose_names
from raml_eval.tables import (
    Measure,
    budget_label,
    budget_order,
    count_run,
    global_clusters,
    parse_measure,
    redraw_variances,
    repeats_draws,
    suites_of,
)
from raml_eval.tables.redraw import assumed_redraw
from raml_eval.tasks.catalogue import Catalogue, load_catalogue
from raml_eval.tasks.load import load_task
from raml_eval.types import Budget, Domain, Primary, Question, QuestionKey, StoredRun, Suite, TaskDescription

Beta = tuple[float, float]
DEFAULT_SAMPLES = 8


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One task of a comparison: the global cluster of each question, and what redrawing adds to its value in one run, (Q,)."""

    name: str
    domain: Domain
    clusters: tuple[str, ...]
    redraw: NDArray[np.float64]


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
    greedy: bool = False


def parse_beta(text: str) -> Beta:
    """The parameters of a text such as beta:2,2, the chance of success over questions. Raises ConfigError for another text.

    Example: parse_beta("beta:0.5,0.5") == (0.5, 0.5)
    """
    kind, _, rest = text.partition(":")
    try:
        a, b = (float(word) for word in rest.split(","))
    except ValueError:
        a = b = 0.0
    if kind != "beta" or not (0 < a < 1e6 and 0 < b < 1e6):
        raise ConfigError(f"--assume {text!r} is no distribution; wanted beta:A,B with numbers above 0, such as beta:2,2.")
    return a, b


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
) -> Planned:
    """The comparison of these tasks or suites; without names, of all tasks of the base run.

    The metric and budget are those named, otherwise the primary ones of the suites, otherwise avg@n at unlimited. Raises
    ConfigError or TaskError for what cannot be planned, MetricError if the samples cannot tell the noise.

    Example: plan_comparison(["pocket"], assume="beta:2,2").n_samples == 8
    """
    beta = None if assume is None else parse_beta(assume)
    catalogue = load_catalogue(task_path)
    suites = catalogue.suites_among(names) if names or base is None else suites_of(base)
    declared = _declared(suites)
    measure = parse_measure(metric or declared.metric)
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


def _declared(suites: Mapping[str, Suite]) -> Primary:
    """The primary endpoint of the suites; avg@n at unlimited if there are none, or if they do not agree."""
    found = {suite.primary for suite in suites.values()}
    only = found.pop() if len(found) == 1 else None
    return only or Primary(DEFAULT_METRIC, DEFAULT_BUDGET)


def plan_from_run(
    run: StoredRun, names: Sequence[str], measure: Measure, budget: Budget, n: int | None = None, beta: Beta | None = None
) -> Planned:
    """A comparison with a stored run: its questions, its clusters and, without beta, its own noise, scaled to n samples.

    names are tasks of the run; all of them if there are none. Raises ConfigError for another task, MetricError if samples are
    missing or cannot tell what redrawing adds.
    """
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
        elif repeats_draws(run) or np.isnan(redraw).any():
            raise MetricError(_untold(run, measure))
        named = tuple(clusters[q.task, q.question_id] for q in counts)
        planned.append(PlannedTask(name, run.tasks[name].domain, named, redraw))
    noise = f"that of {run.name}" if beta is None else f"assumed, success Beta({beta[0]:g}, {beta[1]:g}) over questions"
    return Planned(tuple(planned), measure, budget_label(budget), samples, len(run.budgets), noise, repeats_draws(run))


def _untold(run: StoredRun, measure: Measure) -> str:
    if repeats_draws(run):
        return f"run {run.name} is greedy, so its samples do not tell what redrawing adds. Give --assume beta:2,2 with --base."
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
        PlannedTask(name, about.domain, clusters[name], np.full(len(clusters[name]), one)) for name, about in tasks.items()
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
    """The run's budget of that label; without one, the declared budget if the run has it, otherwise its largest.

    Raises ConfigError if the run does not have the budget that is asked for.
    """
    labels = {budget_label(budget): budget for budget in run.budgets}
    if asked is not None:
        return labels[choose_names("budget in the run", [asked], labels)[0]]
    return labels.get(budget_label(declared), labels[max(labels, key=budget_order)])
