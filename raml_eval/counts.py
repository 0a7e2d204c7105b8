"""Turns samples into counts per question, which are all that a metric may see."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raml_eval.budgets import budget_rank
from raml_eval.columns import ENDS, STATUSES, IntArray, Samples, columns_of
from raml_eval.errors import MetricError
from raml_eval.types import Budget, Question, QuestionCounts, QuestionKey, SampleRecord, Status

Counts = dict[tuple[str, Budget], list[QuestionCounts]]


def count_by_question(
    run_records: Iterable[SampleRecord],
    questions: Mapping[QuestionKey, Question],
    classes: Mapping[QuestionKey, Mapping[str, int]],
) -> Counts:
    """The counts of every question of every task, at every budget that has a record, in the order of the questions.

    classes maps an extracted answer to its class; a graded answer that is missing there forms a class of its own, by its
    exact text. Otherwise as count_samples.
    """
    return count_samples(columns_of(run_records, classes), questions)


def count_samples(samples: Samples, questions: Mapping[QuestionKey, Question]) -> Counts:
    """The counts of every question of every task, at every budget that has a sample, in the order of the questions.

    The keys are (task, budget): tasks in the order of the questions, budgets in the order off, numbers ascending, unlimited.
    A question without a sample has n = 0, so that missing samples can be seen. questions is keyed by (task, question id).
    The order of the samples does not matter. Raises MetricError if a sample occurs twice at one budget, and for a sample of
    an unknown question.
    """
    _check(samples, questions)
    present = np.unique(samples.budget)
    budgets = sorted((samples.budgets[place] for place in present), key=budget_rank)
    tasks = list(dict.fromkeys(task for task, _ in questions))
    counts: Counts = {(task, budget): [] for task in tasks for budget in budgets}
    parted = {samples.questions[place][0] for place in np.unique(samples.question[~np.isnan(samples.score)])}
    cells = _Cells(samples, questions, budgets)
    for number, (question, budget) in enumerate(itertools.product(questions.values(), budgets)):
        counts[question.task, budget].append(cells.count(number, question, question.task in parted))
    return counts


def _check(samples: Samples, questions: Collection[QuestionKey]) -> None:
    strange = samples.in_questions(lambda key: key not in questions)
    if strange.any():
        key = samples.key(int(np.argmax(strange)))
        raise MetricError(f"sample {key} belongs to no question of the run. Count with the questions it was drawn from.")
    twice = samples.first_repetition()
    if twice is not None:
        budget = samples.budgets[int(samples.budget[twice])]
        raise MetricError(f"sample {samples.key(twice)} at budget {budget} is given twice, wanted once. Count each run alone.")


class _Cells:
    """The samples of every question at every budget, sorted: the cells of questions times budgets, budgets fastest."""

    def __init__(self, samples: Samples, questions: Mapping[QuestionKey, Question], budgets: Sequence[Budget]) -> None:
        row_of = {key: row for row, key in enumerate(questions)}
        column_of = {budget: column for column, budget in enumerate(budgets)}
        rows = np.array([row_of.get(key, 0) for key in samples.questions], dtype=np.int64)
        columns = np.array([column_of.get(budget, 0) for budget in samples.budgets], dtype=np.int64)
        cell = rows[samples.question] * len(budgets) + columns[samples.budget]
        order = np.lexsort((samples.index, cell))
        self.cell, n = cell[order], len(questions) * len(budgets)
        self.starts = np.searchsorted(self.cell, np.arange(n + 1)).tolist()
        here = samples.take(order)
        self.statuses = self._tally(here.status, len(STATUSES), n)
        self.ends = self._tally(here.end, len(ENDS), n)
        self.leaks = np.bincount(self.cell[here.leak], minlength=n).tolist()
        self.thinking, self.answer = _whole(here.thinking), _whole(here.answer)
        self.scores = np.nan_to_num(here.score, nan=0.0).tolist()
        self.class_starts, self.classes = self._classes(here, n)

    def _tally(self, codes: IntArray, n_codes: int, n_cells: int) -> list[list[int]]:
        counts = np.bincount(self.cell * n_codes + codes, minlength=n_cells * n_codes)
        return [*map(list, counts.reshape(-1, n_codes).tolist())]

    def _classes(self, here: Samples, n_cells: int) -> tuple[list[int], list[tuple[int, int]]]:
        """(count, how many of them are correct) for each answer class, in the order in which the samples reach the classes."""
        voting = np.flatnonzero(here.answer_class >= 0)
        correct, cell, of = here.is_status(Status.CORRECT)[voting], self.cell[voting], here.answer_class[voting]
        key = cell * (int(of.max(initial=0)) + 1) + of
        _, first, inverse, votes = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
        right = np.bincount(inverse[correct], minlength=len(first))
        order = np.argsort(first)
        starts = np.searchsorted(cell[first[order]], np.arange(n_cells + 1)).tolist()
        return starts, list(zip(votes[order].tolist(), right[order].tolist(), strict=True))

    def count(self, number: int, question: Question, has_parts: bool) -> QuestionCounts:
        own = slice(self.starts[number], self.starts[number + 1])
        statuses = dict(zip(STATUSES, self.statuses[number], strict=True))
        return QuestionCounts(
            task=question.task,
            question_id=question.id,
            cluster=question.cluster,
            n=own.stop - own.start,
            correct=statuses[Status.CORRECT],
            classes=tuple(self.classes[self.class_starts[number] : self.class_starts[number + 1]]),
            statuses=statuses,
            ends=dict(zip(ENDS, self.ends[number], strict=True)),
            thinking_tokens=tuple(self.thinking[own]),
            answer_tokens=tuple(self.answer[own]),
            leaks=self.leaks[number],
            scores=tuple(self.scores[own]) if has_parts else (),
        )


def _whole(values: NDArray[np.float64]) -> list[Any]:
    """The counts as integers, None for one that is not known."""
    unknown = np.isnan(values)
    whole: list[Any] = np.where(unknown, 0, values).astype(np.int64).tolist()
    for row in np.flatnonzero(unknown):
        whole[row] = None
    return whole
