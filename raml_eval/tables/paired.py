"""The samples of one task as arrays: a row for each trajectory, a column for each budget that it was read at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raml_eval.allocation import BoolArray, FloatArray, IntArray, mean_by_question
from raml_eval.budgets import in_tokens
from raml_eval.counts import count_by_question
from raml_eval.tables.counted import draws_apart, planned_records
from raml_eval.types import QuestionCounts, SampleRecord, Status, StoredRun, ThinkingEnd


def cap_size(budget: object) -> float:
    """The tokens of a budget that in_tokens accepts; infinite for "unlimited"."""
    return float("inf") if budget == "unlimited" else float(str(budget))


@dataclass(frozen=True)
class Paired:
    """One task's trajectories that have a sample at each of the budgets, in ascending order.

    question (T,) holds the row of each trajectory's question in clusters (Q,); records holds T lists of B samples.
    n_incomplete trajectories lack a budget and n_open ones are left out because they did not end by themselves. apart is
    true if each budget is a draw of its own: a row then holds the draws of one question and sample index, which say no more
    of one another than those of other indices.
    """

    task: str
    budgets: tuple[Any, ...]
    question: IntArray
    index: IntArray
    clusters: tuple[str, ...]
    records: tuple[tuple[SampleRecord, ...], ...]
    counts: tuple[tuple[QuestionCounts, ...], ...]  # B lists of Q
    full_length: FloatArray  # (T,) tokens of a trajectory that ended by itself, otherwise NaN
    n_incomplete: int = 0
    n_open: int = 0
    apart: bool = False

    @property
    def n_questions(self) -> int:
        return len(self.clusters)

    def _each(self, value: Callable[[SampleRecord], Any], dtype: Any) -> NDArray[Any]:
        rows = [[value(record) for record in row] for row in self.records]
        return np.array(rows, dtype=dtype).reshape(len(rows), len(self.budgets))

    @cached_property
    def right(self) -> BoolArray:
        return self._each(lambda r: r.status is Status.CORRECT, np.bool_)

    @cached_property
    def forced(self) -> BoolArray:
        return self._each(lambda r: r.thinking_end is ThinkingEnd.FORCED, np.bool_)

    @cached_property
    def natural(self) -> BoolArray:
        return self._each(lambda r: r.thinking_end is ThinkingEnd.NATURAL, np.bool_)

    @cached_property
    def leak(self) -> BoolArray:
        return self._each(lambda r: r.leak, np.bool_)

    @cached_property
    def thinking(self) -> FloatArray:
        """Thinking tokens; NaN if the count is unknown."""
        return self._each(lambda r: r.n_thinking_tokens, np.float64)

    @cached_property
    def answer(self) -> FloatArray:
        """Answer tokens; NaN if the count is unknown."""
        return self._each(lambda r: r.n_answer_tokens, np.float64)

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
    by_task: defaultdict[str, list[SampleRecord]] = defaultdict(list)
    for record in planned_records(run):
        by_task[record.key.task].append(record)
    return [_pair(run, task, budgets, by_task[task], closed) for task in run.tasks]


def _pair(run: StoredRun, task: str, budgets: Sequence[Any], records: Iterable[SampleRecord], closed: bool) -> Paired:
    place = {budget: column for column, budget in enumerate(budgets)}
    found: defaultdict[tuple[str, int], dict[int, SampleRecord]] = defaultdict(dict)
    for record in records:
        if record.budget in place:
            found[record.key.question_id, record.key.index][place[record.budget]] = record
    whole = {key: row for key, row in found.items() if len(row) == len(budgets)}
    kept = {key: row for key, row in whole.items() if not closed or _ended(row)}
    present = {question_id for question_id, _ in kept}
    questions = {key: q for key, q in run.questions.items() if key[0] == task and key[1] in present}
    place_of = {question_id: row for row, (_, question_id) in enumerate(questions)}
    keys = sorted(kept, key=lambda key: (place_of[key[0]], key[1]))
    rows = tuple(tuple(kept[key][column] for column in range(len(budgets))) for key in keys)
    counted = count_by_question((r for row in rows for r in row if in_tokens(r.budget)), questions, run.classes) if rows else {}
    return Paired(
        task=task,
        budgets=tuple(budgets),
        question=np.array([place_of[question_id] for question_id, _ in keys], dtype=np.int64),
        index=np.array([index for _, index in keys], dtype=np.int64),
        clusters=tuple(question.cluster for question in questions.values()),
        records=rows,
        counts=tuple(tuple(counted.get((task, budget), ())) for budget in budgets),
        full_length=np.array([_full_length(run, row) for row in rows], dtype=np.float64),
        n_incomplete=len(found) - len(whole),
        n_open=len(whole) - len(kept),
        apart=draws_apart(run),
    )


def _ended(row: Mapping[int, SampleRecord]) -> bool:
    """True if the trajectory ended by itself: at each share of it, the answer is drawn after a forced or a natural end."""
    return all(record.thinking_end in (ThinkingEnd.FORCED, ThinkingEnd.NATURAL) for record in row.values())


def _full_length(run: StoredRun, row: Sequence[SampleRecord]) -> float:
    """The thinking tokens of the trajectory if it is known to have ended by itself, otherwise NaN."""
    for record in reversed(row):
        if record.thinking_end is ThinkingEnd.NATURAL and record.n_thinking_tokens is not None:
            return float(record.n_thinking_tokens)
        drawn = run.trajectories.get(record.trajectory or "")
        if drawn is not None and drawn.token_ids and drawn.end is not ThinkingEnd.LENGTH:
            return float(len(drawn.token_ids))
    return float("nan")
