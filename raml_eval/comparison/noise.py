"""The noise of a run's means, split, and the signal and noise between the checkpoints of one training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from raml_eval.comparison.endpoints import declared_primary
from raml_eval.comparison.pairs import pair_runs
from raml_eval.comparison.protocols import check_protocols
from raml_eval.comparison.seeds import draw_the_same, untie
from raml_eval.errors import InputError, MetricError, choose_names
from raml_eval.intervals import Part, split_noise
from raml_eval.intervals.clusters import SAME, FloatArray
from raml_eval.intervals.components import drawn_variance
from raml_eval.tables import (
    DOMAINS,
    MACRO,
    Cells,
    Measure,
    budget_label,
    budget_order,
    count_run,
    global_clusters,
    largest_budget,
    question_values,
    redraw_variances,
    repeats_draws,
    run_labels,
    step_of,
    suites_of,
)
from raml_eval.tables.measures import AVERAGE
from raml_eval.types import Budget, Domain, QuestionCounts, QuestionKey, StoredRun

if TYPE_CHECKING:
    import pandas as pd

MEAN, CHANGE, SERIES = "mean", "change", "series"
TIMES = 4.0  # more samples, or more questions, that a row tells the standard error of


@dataclass(frozen=True, slots=True)
class NoiseRow:
    """One number with its noise. NaN stands for what cannot be told, or what the kind does not have.

    mean: value is the mean over questions, of a task or over a domain's tasks ("macro"). standard_error**2 is the sum of two
    parts; questions_share and redraw_share are their shares of it. redraw_error is the standard error with these questions
    fixed. error_4_samples and error_4_questions are standard_error at four times the samples, or the questions.

    change: the same for the mean paired difference to the run `against`, the checkpoint before. signal_to_noise is its size
    over redraw_error. If both runs have the same seed, the shares are NaN where redrawing would be more than the whole.

    series: value is the range of the means over all checkpoints, step_noise how much a checkpoint's mean scatters about a
    line through its neighbours (step_noise), signal_to_noise their ratio. redraw_error is that of one checkpoint, on average.
    """

    kind: str
    run: str
    against: str
    task: str
    domain: Domain
    budget: str
    metric: str
    value: float
    standard_error: float = math.nan
    questions_share: float = math.nan
    redraw_share: float = math.nan
    redraw_error: float = math.nan
    error_4_samples: float = math.nan
    error_4_questions: float = math.nan
    step_noise: float = math.nan
    signal_to_noise: float = math.nan
    n_questions: int = 0
    n_clusters: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a number stands: a task, or the mean over a domain's tasks, at one budget by one metric."""

    task: str
    domain: Domain
    tasks: tuple[str, ...]
    budget: Budget
    measure: Measure


@dataclass(frozen=True, slots=True)
class _Counted:
    """A run with the counts of its questions, and the questions' clusters."""

    run: StoredRun
    label: str
    cells: Cells
    clusters: Mapping[QuestionKey, str]

    def values(self, task: str, place: _Place, ids: Sequence[str] | None = None) -> tuple[FloatArray, FloatArray, list[str]]:
        """The values of the questions, their variances over redrawing, and their clusters; of these questions if ids is given.

        Questions without a sample, which a partial run may have, are left out.
        """
        of = {q.question_id: q for q in self.cells[task, place.budget] if q.n}
        counts: list[QuestionCounts] = [of[one] for one in ids] if ids is not None else list(of.values())
        redraw = redraw_variances(counts, place.measure)
        if repeats_draws(self.run):
            redraw = np.full(len(counts), math.nan)  # repeated draws of one answer do not tell how another would be
        return question_values(counts, place.measure), redraw, [self.clusters[task, q.question_id] for q in counts]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The tasks and budgets, by label, that rows are given for. All of them where there are none; means need all tasks."""

    tasks: tuple[str, ...] = ()
    budgets: tuple[str, ...] = ()


EVERYTHING = Chosen()


def choose_places(runs: Sequence[StoredRun], tasks: Sequence[str], budgets: Sequence[str], everything: bool = False) -> Chosen:
    """What is asked for; without budgets, the primary one of the last run's suites, or the largest cap that all runs have.

    Raises ConfigError for a task or a budget that not all runs have, InputError if they share no budget.
    """
    shared = [task for task in runs[0].tasks if all(task in run.tasks for run in runs)]
    labels = [budget_label(budget) for budget in runs[0].budgets if all(budget in run.budgets for run in runs)]
    named = tuple(choose_names("task in the runs", tasks, shared)) if tasks else ()
    if not labels:
        raise InputError(f"runs {', '.join(run.name for run in runs)} share no budget. Name runs of the same budgets.")
    if budgets:
        return Chosen(named, tuple(choose_names("budget in the runs", budgets, labels)))
    if everything:
        return Chosen(named)
    declared = budget_label(declared_primary(suites_of(runs[-1]))[0].budget)
    largest = largest_budget(budget for budget in runs[0].budgets if budget_label(budget) in labels)
    return Chosen(named, (declared if declared in labels else budget_label(largest),))


def noise_of_run(
    run: StoredRun,
    measures: Sequence[Measure],
    label: str = "",
    allow_partial: bool = False,
    chosen: Chosen = EVERYTHING,
) -> list[NoiseRow]:
    """A row for every mean of the run: each task, and each domain of several tasks, at every budget, by every measure.

    A mean that cannot be given has the value NaN. Raises MetricError for missing samples unless allow_partial is set.
    """
    counted = _count(run, label or run.name, allow_partial)
    rows = []
    for place in _places([run], measures, chosen):
        found = [counted.values(task, place) for task in place.tasks]
        given = all(len(values) and np.isfinite(values).all() for values, _, _ in found)
        if not given:
            rows.append(NoiseRow(MEAN, counted.label, "", place.task, place.domain, *_labels(place), math.nan))
            continue
        parts = [Part(np.zeros(len(values)), values, clusters) for values, _, clusters in found]
        rows.append(_row(MEAN, counted.label, "", place, parts, [redraw for _, redraw, _ in found]))
    return rows


def noise_between(
    runs: Sequence[StoredRun],
    measures: Sequence[Measure],
    allow_different: Sequence[str] = (),
    chosen: Chosen = EVERYTHING,
) -> list[NoiseRow]:
    """The changes between neighbouring checkpoints in the order of their steps, and from three on the series as a whole.

    All are over the questions that every run has. Raises InputError unless every run has a step of its own, MetricError if
    the runs share nothing, are not finished, or were made differently in a way that allow_different does not name.
    """
    ordered = sort_by_step(runs)
    for before, after in pairwise(ordered):
        check_protocols(before, after, pair_runs(before, after).tasks(), allow_different)
    labels = dict(zip(map(id, runs), run_labels(runs), strict=True))
    counted = [_count(run, labels[id(run)]) for run in ordered]
    rows = []
    for place in _places(ordered, measures, chosen):
        found = _shared_values(counted, place)
        if found is None:
            continue
        rows += list(_changes(counted, place, found))
        if len(counted) > 2:
            rows.append(_series(counted, place, found))
    if not rows:
        names = ", ".join(run.name for run in ordered)
        raise MetricError(f"runs {names} share no number: no question and budget is in all. Name runs of the same tasks.")
    return rows


def default_measures(runs: Sequence[StoredRun]) -> list[Measure]:
    """avg@n, pass@k and mG-Pass@k at the largest k that all runs were asked for and have samples for, and thinking tokens."""
    asked = [set(run.manifest.get("config", {}).get("k") or []) for run in runs]
    ks = sorted(k for k in set.intersection(*asked) if 1 < k <= min(run.n_samples for run in runs))[-1:]
    by_k = [Measure(metric, k) for k in ks for metric in ("pass@k", "mg_pass@k")]
    return [AVERAGE, *by_k, Measure("thinking_tokens_mean", bounds=None)]


def sort_by_step(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """The runs in the order of their checkpoints' steps. Raises InputError if one has no step, or two have the same."""
    steps: dict[int, StoredRun] = {}
    for run in runs:
        step = step_of(run)
        if step is None:
            raise InputError(
                f"run {run.name} does not know the step of its checkpoint. Write step: N into checkpoint.yaml beside the model "
                f"and run again with the same --out, which stores it."
            )
        if step in steps:
            raise InputError(f"runs {steps[step].name} and {run.name} both have step {step}. Give one run for each step.")
        steps[step] = run
    return [steps[step] for step in sorted(steps)]


def noise_frame(rows: Sequence[NoiseRow]) -> pd.DataFrame:
    """The rows as a frame, with the fields of NoiseRow as columns."""
    import pandas as pd

    return pd.DataFrame([asdict(row) for row in rows], columns=list(NoiseRow.__dataclass_fields__))


def step_noise(means: Sequence[float]) -> float:
    """How much one checkpoint's mean scatters, from the changes d_1 ... d_D between neighbours; NaN for D < 2.

    It is the standard deviation of the changes about their mean, divided by the root of 2 and corrected for small D:
    the root of sum (d - mean d)^2 / (2 (D - 1/D)). If the means are a line plus independent noise, its square is unbiased for
    the variance of that noise. After the step-to-step noise of Heineman et al. 2025, arXiv:2508.13144, who take the standard
    deviation of the last means themselves, which counts the progress of training as noise.

    Example: [round(step_noise(means), 4) for means in ([0.1, 0.2, 0.3], [0.1, 0.2, 0.1])] == [0.0, 0.0816]
    """
    changes = np.diff(np.asarray(means, dtype=np.float64))
    n = len(changes)
    if n < 2:
        return math.nan
    apart = changes - changes.mean()
    if np.abs(apart).max() <= SAME * max(1.0, np.abs(changes).max()):
        return 0.0  # a line, up to rounding
    return math.sqrt(float(np.sum(apart**2)) / (2 * (n - 1 / n)))


def _count(run: StoredRun, label: str, allow_partial: bool = False) -> _Counted:
    return _Counted(run, label, count_run(run, allow_partial), global_clusters(run.questions, run.tasks))


def _places(runs: Sequence[StoredRun], measures: Sequence[Measure], chosen: Chosen) -> Iterator[_Place]:
    """Every chosen place that all runs have: by measure and budget, the tasks of a domain and then their mean."""
    tasks = [task for task in runs[0].tasks if all(task in run.tasks for run in runs)]
    budgets = [budget for budget in runs[0].budgets if all(budget in run.budgets for run in runs)]
    budgets = [budget for budget in budgets if budget_label(budget) in (chosen.budgets or map(budget_label, budgets))]
    for measure in measures:
        for budget in sorted(budgets, key=lambda one: budget_order(budget_label(one))):
            for domain in DOMAINS:
                own = tuple(task for task in tasks if runs[0].tasks[task].domain == domain)
                for task in own:
                    if task in (chosen.tasks or own):
                        yield _Place(task, domain, (task,), budget, measure)
                if len(own) > 1 and not chosen.tasks:
                    yield _Place(MACRO, domain, own, budget, measure)


Values = list[tuple[FloatArray, FloatArray, list[str]]]  # of one run, by task


def _shared_values(counted: Sequence[_Counted], place: _Place) -> list[Values] | None:
    """The values of each run over the questions that all runs have; None if a task has none, or a value cannot be given."""
    found: list[Values] = [[] for _ in counted]
    for task in place.tasks:
        ids = [q.question_id for q in counted[-1].cells[task, place.budget]]
        for one in counted:
            has = {q.question_id for q in one.cells[task, place.budget] if q.n}
            ids = [of for of in ids if of in has]
        for row, one in enumerate(counted):
            found[row].append(one.values(task, place, ids))
    given = all(len(values) and np.isfinite(values).all() for of in found for values, _, _ in of)
    return found if given else None


def _changes(counted: Sequence[_Counted], place: _Place, found: Sequence[Values]) -> Iterator[NoiseRow]:
    for (before, old), (after, new) in pairwise(zip(counted, found, strict=True)):
        parts = [Part(a[0], b[0], b[2]) for a, b in zip(old, new, strict=True)]
        redraws = [a[1] + b[1] for a, b in zip(old, new, strict=True)]
        if draw_the_same(before.run, after.run):
            redraws = [np.full(len(redraw), math.nan) for redraw in redraws]
        runs = (before.run, after.run)
        yield _row(CHANGE, after.label, before.label, place, parts, redraws, runs)


def _series(counted: Sequence[_Counted], place: _Place, found: Sequence[Values]) -> NoiseRow:
    means = [math.fsum(float(values.mean()) for values, _, _ in of) / len(of) for of in found]
    scatter, signal = step_noise(means), max(means) - min(means)
    errors = [_redraw_error([redraw for _, redraw, _ in of]) for of in found]
    return NoiseRow(
        kind=SERIES,
        run=counted[-1].label,
        against=counted[0].label,
        task=place.task,
        domain=place.domain,
        budget=budget_label(place.budget),
        metric=place.measure.name,
        value=signal,
        redraw_error=math.sqrt(math.fsum(error**2 for error in errors) / len(errors)),
        step_noise=scatter,
        signal_to_noise=_ratio(signal, scatter),
        n_questions=sum(len(values) for values, _, _ in found[0]),
        n_clusters=len({name for _, _, clusters in found[-1] for name in clusters}),
    )


def _redraw_error(redraws: Sequence[FloatArray]) -> float:
    """The standard error of the mean over tasks with the questions fixed: of the draws alone, whatever the total is."""
    variance = drawn_variance(redraws)
    return math.sqrt(max(variance, 0.0)) if variance == variance else math.nan


def _ratio(signal: float, noise: float) -> float:
    return signal / noise if noise > 0 else math.nan


def _labels(place: _Place) -> tuple[str, str]:
    return budget_label(place.budget), place.measure.name


def _row(
    kind: str,
    run: str,
    against: str,
    place: _Place,
    parts: Sequence[Part],
    redraws: Sequence[FloatArray],
    runs: tuple[StoredRun, StoredRun] | None = None,
) -> NoiseRow:
    """runs are the two that a change is between."""
    split, error = split_noise(parts, redraws), _redraw_error(redraws)
    split = untie(split, redraws, *runs) if runs else split
    return NoiseRow(
        kind,
        run,
        against,
        place.task,
        place.domain,
        *_labels(place),
        value=split.value,
        standard_error=split.standard_error,
        questions_share=split.questions_share,
        redraw_share=split.redraw_share,
        redraw_error=error,
        error_4_samples=split.error_at(samples=TIMES),
        error_4_questions=split.error_at(questions=TIMES),
        signal_to_noise=_ratio(abs(split.value), error) if kind == CHANGE else math.nan,
        n_questions=split.n_questions,
        n_clusters=split.n_clusters,
    )
