"""The samples of one task as arrays: a row for each trajectory, a column for each budget that it was read at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raml_eval.allocation import BoolArray, FloatArray, IntArray, mean_by_question
from raml_eval.budgets import in_tokens
from raml_eval.columns import Samples
from raml_eval.counts import count_samples
from raml_eval.tables.counted import draws_apart, planned_samples
from raml_eval.types import QuestionCounts, Status, StoredRun, ThinkingEnd


def cap_size(budget: object) -> float:
    """The tokens of a budget that in_tokens accepts; infinite for "unlimited"."""
    return float("inf") if budget == "unlimited" else float(str(budget))


@dataclass(frozen=True)
class Paired:
    """One task's trajectories that have a sample at each of the budgets, in ascending order.

    question (T,) holds the row of each trajectory's question in clusters (Q,). samples holds the T x B samples, those of each
    trajectory together.
    n_incomplete trajectories lack a budget and n_open ones are left out because they did not end by themselves. apart is
    true if each budget is a draw of its own: a row then holds the draws of one question and sample index, which say no more
    of one another than those of other indices.
    """

    task: str
    budgets: tuple[Any, ...]
    question: IntArray
    index: IntArray
    clusters: tuple[str, ...]
    samples: Samples
    counts: tuple[tuple[QuestionCounts, ...], ...]  # B lists of Q
    full_length: FloatArray  # (T,) tokens of a trajectory that ended by itself, otherwise NaN
    n_incomplete: int = 0
    n_open: int = 0
    apart: bool = False

    @property
    def n_questions(self) -> int:
        return len(self.clusters)

    def _each(self, values: NDArray[Any]) -> NDArray[Any]:
        return values.reshape(len(self.index), len(self.budgets))

    @cached_property
    def right(self) -> BoolArray:
        return self._each(self.samples.is_status(Status.CORRECT))

    @cached_property
    def forced(self) -> BoolArray:
        return self._each(self.samples.is_end(ThinkingEnd.FORCED))

    @cached_property
    def natural(self) -> BoolArray:
        return self._each(self.samples.is_end(ThinkingEnd.NATURAL))

    @cached_property
    def leak(self) -> BoolArray:
        return self._each(self.samples.leak)

    @cached_property
    def thinking(self) -> FloatArray:
        """Thinking tokens; NaN if the count is unknown."""
        return self._each(self.samples.thinking)

    @cached_property
    def answer(self) -> FloatArray:
        """Answer tokens; NaN if the count is unknown."""
        return self._each(self.samples.answer)

    def reflections(self, where: BoolArray) -> FloatArray:
        """The words of reflection of the answers that are wanted, which follow forced or natural ends; otherwise 0: (T, B)."""
        words = np.zeros(len(self.samples))
        rows = np.flatnonzero(where.ravel())
        words[rows] = self.samples.reflections(rows)
        return self._each(words)

    @cached_property
    def cost(self) -> FloatArray:
        """Thinking and answer tokens together."""
        return self.thinking + self.answer

    @cached_property
    def counted(self) -> bool:
        """True if every sample's tokens are known. Otherwise no mean of tokens is given: it would be one of other samples."""
        return bool(np.isfinite(self.cost).all())

    @cached_property
    def accuracy(self) -> FloatArray:
        """The share of each question's samples that is right at each budget: (Q, B)."""
        return self.by_question(self.right)

    def by_question(self, values: NDArray[Any], where: BoolArray | None = None) -> FloatArray:
        """The mean over each question's trajectories; see mean_by_question."""
        return mean_by_question(values, self.question, self.n_questions, where)


def pair_tasks(run: StoredRun, budgets: Sequence[Any], closed: bool = False) -> list[Paired]:
    """For each task of the run, the trajectories that have a planned sample at every one of the budgets.

    The budgets are in ascending order. closed keeps only trajectories that ended by themselves: at a share of its length, any
    other has no place.
    """
    samples = planned_samples(run)
    by_task = {task: np.array([name == task for name, _ in samples.questions], dtype=np.bool_) for task in run.tasks}
    return [_pair(run, task, budgets, samples.take(own[samples.question]), closed) for task, own in by_task.items()]


def _pair(run: StoredRun, task: str, budgets: Sequence[Any], samples: Samples, closed: bool) -> Paired:
    place = {budget: column for column, budget in enumerate(budgets)}
    samples = samples.take(samples.in_budgets(place.__contains__))
    found, trajectory = np.unique(samples.draws(), return_inverse=True)
    column = np.array([place.get(budget, 0) for budget in samples.budgets], dtype=np.int64)[samples.budget]
    rows = np.full((len(found), len(budgets)), -1)
    rows[trajectory, column] = np.arange(len(samples))
    whole = rows[(rows >= 0).all(axis=1)]
    kept = whole[_ended(samples)[whole].all(axis=1)] if closed else whole
    present = {samples.questions[place][1] for place in np.flatnonzero(np.bincount(samples.question[kept[:, 0]])).tolist()}
    questions = {key: q for key, q in run.questions.items() if key[0] == task and key[1] in present}
    row_of = {key: row for row, key in enumerate(questions)}
    question = np.array([row_of.get(key, -1) for key in samples.questions], dtype=np.int64)[samples.question[kept[:, 0]]]
    order = np.lexsort((samples.index[kept[:, 0]], question))
    cells = samples.take(kept[order].ravel())
    counted = count_samples(cells.take(cells.in_budgets(in_tokens)), questions) if len(kept) else {}
    return Paired(
        task=task,
        budgets=tuple(budgets),
        question=question[order],
        index=samples.index[kept[order, 0]],
        clusters=tuple(question.cluster for question in questions.values()),
        samples=cells,
        counts=tuple(tuple(counted.get((task, budget), ())) for budget in budgets),
        full_length=_full_length(cells, len(budgets)),
        n_incomplete=len(found) - len(whole),
        n_open=len(whole) - len(kept),
        apart=draws_apart(run),
    )


def _ended(samples: Samples) -> BoolArray:
    """True if the trajectory ended by itself: at each share of it, the answer is drawn after a forced or a natural end."""
    return samples.is_end(ThinkingEnd.FORCED) | samples.is_end(ThinkingEnd.NATURAL)


def _full_length(cells: Samples, n_budgets: int) -> FloatArray:
    """The thinking tokens of each trajectory if it is known to have ended by itself, otherwise NaN."""
    told = np.where(cells.is_end(ThinkingEnd.NATURAL) & np.isfinite(cells.thinking), cells.thinking, cells.full_length)
    largest_first = told.reshape(-1, n_budgets)[:, ::-1]
    found: FloatArray = largest_first[np.arange(len(largest_first)), np.isfinite(largest_first).argmax(axis=1)]
    return found
