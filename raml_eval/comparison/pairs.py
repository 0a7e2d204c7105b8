"""Two runs on the questions that they share, and every reason why they cannot be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raml_eval.comparison.seeds import draw_the_same
from raml_eval.errors import MetricError
from raml_eval.intervals import Part
from raml_eval.tables import (
    Cells,
    Measure,
    budget_label,
    budget_order,
    count_run,
    global_clusters,
    pair_counts,
    question_values,
    redraw_variances,
    repeats_draws,
)
from raml_eval.types import Budget, Domain, QuestionCounts, QuestionKey, Status, StoredRun
from raml_eval.wording import count_noun

TIMEOUTS_ALLOWED = 0.01  # share of a cell's samples; above it, the grader and not the model could decide
Place = tuple[str, Budget]  # task, budget
Counts = tuple[list[QuestionCounts], list[QuestionCounts]]  # base and new, the same questions in the same order


@dataclass(frozen=True)
class Pairs:
    """Two finished runs. cells holds the counts of the questions that both have, by task and budget; none is empty."""

    base: StoredRun
    new: StoredRun
    cells: Mapping[Place, Counts]
    clusters: Mapping[QuestionKey, str]

    @property
    def budgets(self) -> list[Budget]:
        """The shared budgets, in the order of the tables."""
        return sorted({budget for _, budget in self.cells}, key=lambda budget: budget_order(budget_label(budget)))

    @property
    def n_samples(self) -> int:
        """The samples per question that both runs have."""
        return min(self.base.n_samples, self.new.n_samples)

    def tasks(self, domain: Domain | None = None, budget: Budget | None = None) -> list[str]:
        """The shared tasks of a domain at a budget."""
        found = dict.fromkeys(task for task, at in self.cells if budget in (None, at))
        return [task for task in found if domain in (None, self.new.tasks[task].domain)]

    def part(self, task: str, budget: Budget, measure: Measure) -> Part:
        """The values of the shared questions with their clusters.

        Raises MetricError if a question has no value: fewer than k samples, greedy draws, or tokens that are not counted.
        """
        before, after = self.cells[task, budget]
        for run in (self.base, self.new):
            _check_drawn(run, measure)
        base, new = question_values(before, measure), question_values(after, measure)
        for run, values in ((self.base, base), (self.new, new)):
            if unknown := int((values != values).sum()):
                raise MetricError(
                    f"{measure.name} is not known for {unknown} of {len(values)} questions of {task} at {budget_label(budget)} "
                    f"in run {run.name}. Compare by another metric."
                )
        return Part(base, new, self.clusters_of(after))

    def redraw(self, task: str, budget: Budget, measure: Measure) -> NDArray[np.float64]:
        """The variance of each question's difference over redrawing both runs' samples, (Q,); NaN where it is not known."""
        before, after = self.cells[task, budget]
        variances = redraw_variances(before, measure) + redraw_variances(after, measure)
        # Neither repeated draws nor the same draws of the same model tell how another draw would be.
        silent = repeats_draws(self.base) or repeats_draws(self.new) or draw_the_same(self.base, self.new)
        return np.full(len(after), math.nan) if silent else variances

    def clusters_of(self, counts: Sequence[QuestionCounts]) -> list[str]:
        """The global clusters of the questions."""
        return [self.clusters[q.task, q.question_id] for q in counts]

    def can_give(self, measure: Measure) -> bool:
        """True if both runs have the samples that the measure needs."""
        return measure.k is None or not (measure.k > self.n_samples or repeats_draws(self.base) or repeats_draws(self.new))


def pair_runs(base: StoredRun, new: StoredRun, planned: bool = False) -> Pairs:
    """The two runs on the questions and budgets that they share.

    planned is true for a new run that is not drawn yet, and holds the base's samples in place of its own. Raises MetricError
    if they share none, if a question's content differs, if planned samples are missing, or if more than 1 % of a cell's
    samples timed out.
    """
    before, after = count_run(base), count_run(new, allow_partial=planned)
    _check_content(base, new)
    cells = _shared(before, after)
    if not cells:
        raise MetricError(
            f"runs {base.name} and {new.name} share no question at the same budget: {_holdings(before)} against "
            f"{_holdings(after)}. Compare runs with a task, its questions and a budget in common."
        )
    for run, side in ((base, 0), (new, 1)):
        for place, pair in cells.items():
            check_timeouts(run, place, pair[side])
    return Pairs(base, new, cells, global_clusters(new.questions, new.tasks))


def pair_unchecked(base: StoredRun, new: StoredRun, before: Cells) -> Pairs | None:
    """The two runs on what they share, as tables of gains hold them together; None if they share nothing.

    before are the counts of the base, which is counted once for many runs. Nothing is refused: a partial run counts with the
    samples that it has. A verdict takes pair_runs.
    """
    cells = _shared(before, count_run(new, allow_partial=True))
    return Pairs(base, new, cells, global_clusters(new.questions, new.tasks)) if cells else None


def _shared(before: Cells, after: Cells) -> dict[Place, Counts]:
    pairs = {place: pair_counts(before.get(place, []), counts) for place, counts in after.items()}
    ordered = sorted(pairs.items(), key=lambda item: budget_order(budget_label(item[0][1])))
    tasks = list(dict.fromkeys(task for task, _ in pairs))
    return {place: pair for task in tasks for place, pair in ordered if place[0] == task and pair[1]}


def _holdings(cells: Cells) -> str:
    tasks = {task: len(counts) for (task, _), counts in cells.items()}
    budgets = sorted({budget_label(budget) for _, budget in cells}, key=budget_order)
    return f"{', '.join(f'{n} of {task}' for task, n in tasks.items())} at {', '.join(budgets)}"


def _check_content(base: StoredRun, new: StoredRun) -> None:
    """Raises MetricError if a row's content differs. An id is a row's index and a hash of its content."""
    for task in new.tasks:
        ids = [{i.rpartition("-")[0]: i for owner, i in run.questions if owner == task} for run in (base, new)]
        common = ids[0].keys() & ids[1].keys()
        same = sum(ids[0][row] == ids[1][row] for row in common)
        if same < len(common):
            raise MetricError(
                f"{task} holds other questions in {new.name} than in {base.name}: of the {len(common)} rows that both have, "
                f"{same} are the same. Run the older one again on the present data."
            )


def _check_drawn(run: StoredRun, measure: Measure) -> None:
    if measure.k is not None and repeats_draws(run):
        raise MetricError(f"run {run.name} is greedy, so its samples only repeat one another. Compare it by avg@n.")
    if measure.k is not None and run.n_samples < measure.k:
        raise MetricError(
            f"{measure.metric} with k = {measure.k} needs {count_noun(measure.k, 'sample')} per question; run {run.name} has "
            f"{run.n_samples}. Run again with --samples {measure.k} and the same --out, or ask for k <= {run.n_samples}."
        )


def check_timeouts(run: StoredRun, place: Place, counts: Sequence[QuestionCounts]) -> None:
    """Raises MetricError if more than TIMEOUTS_ALLOWED of the samples timed out."""
    stopped, drawn = sum(q.statuses.get(Status.TIMEOUT, 0) for q in counts), sum(q.n for q in counts)
    if stopped > TIMEOUTS_ALLOWED * drawn:
        raise MetricError(
            f"the grader was stopped on {stopped} of {drawn} compared samples of {place[0]} at {place[1]} in run {run.name}, "
            f"wanted at most {TIMEOUTS_ALLOWED:.0%}: a difference could be the grader's. Grade both again with more time: "
            f"`raml-eval regrade --timeout SECONDS`."
        )
