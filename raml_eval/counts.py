"""Turns samples into counts per question, which are all that a metric may see."""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from raml_eval.budgets import budget_rank
from raml_eval.columns import ENDS, STATUSES, IntArray, Samples, columns_of
from raml_eval.errors import MetricError
from raml_eval.types import Budget, Question, QuestionCounts, QuestionKey, SampleRecord, Status

K = TypeVar("K")
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
    present = np.flatnonzero(np.bincount(samples.budget)).tolist()
    budgets = sorted((samples.budgets[place] for place in present), key=budget_rank)
    tasks = list(dict.fromkeys(task for task, _ in questions))
    counts: Counts = {(task, budget): [] for task in tasks for budget in budgets}
    scored = np.bincount(samples.question[~np.isnan(samples.score)])
    parted = {samples.questions[place][0] for place in np.flatnonzero(scored).tolist()}
    with uncollected():
        cells = _Cells(samples, questions, budgets)
        for number, (question, budget) in enumerate(itertools.product(questions.values(), budgets)):
            counts[question.task, budget].append(cells.count(number, question, question.task in parted))
    return counts


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """The collector of cycles does not run: a hundred thousand new objects, none in a cycle, would wake it again and again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


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
        cell, n = rows[samples.question] * len(budgets) + columns[samples.budget], len(questions) * len(budgets)
        self.statuses = _tally(cell, samples.status, STATUSES, n)
        self.ends = _tally(cell, samples.end, ENDS, n)
        self.leaks = np.bincount(cell[samples.leak], minlength=n).tolist()
        low, high = int(samples.index.min(initial=0)), int(samples.index.max(initial=0))
        order = np.argsort(cell * (high - low + 1) + samples.index - low, kind="stable")
        self.starts = np.append(0, np.cumsum(np.bincount(cell, minlength=n))).tolist()
        self.thinking, self.answer = _whole(samples.thinking[order]), _whole(samples.answer[order])
        self.scores = np.nan_to_num(samples.score[order], nan=0.0).tolist()
        right = samples.is_status(Status.CORRECT)[order]
        self.class_starts, self.classes = _count_classes(cell[order], samples.answer_class[order], right, n)

    def count(self, number: int, question: Question, has_parts: bool) -> QuestionCounts:
        own = slice(self.starts[number], self.starts[number + 1])
        statuses = self.statuses[number]
        return QuestionCounts(
            task=question.task,
            question_id=question.id,
            cluster=question.cluster,
            n=own.stop - own.start,
            correct=statuses[Status.CORRECT],
            classes=tuple(self.classes[self.class_starts[number] : self.class_starts[number + 1]]),
            statuses=statuses,
            ends=self.ends[number],
            thinking_tokens=tuple(self.thinking[own]),
            answer_tokens=tuple(self.answer[own]),
            leaks=self.leaks[number],
            scores=tuple(self.scores[own]) if has_parts else (),
        )


def _tally(cell: IntArray, codes: IntArray, names: Sequence[K], n_cells: int) -> list[Mapping[K, int]]:
    """How many samples of each cell have each code, by its name. Cells with equal numbers share one mapping."""
    tallies = np.bincount(cell * len(names) + codes, minlength=n_cells * len(names)).reshape(-1, len(names))
    named = functools.cache(lambda counts: dict(zip(names, counts, strict=True)))
    return [named(counts) for counts in map(tuple, tallies.tolist())]


def _count_classes(
    cell: IntArray, answer_class: IntArray, right: NDArray[np.bool_], n_cells: int
) -> tuple[list[int], list[tuple[int, int]]]:
    """(count, how many of them are correct) for each answer class, in the order in which the samples reach the classes.

    The samples are sorted by cell. Returns where each cell's classes begin, and the classes of all cells.
    """
    voting = np.flatnonzero(answer_class >= 0)
    of, voted = answer_class[voting], cell[voting]
    _, first, inverse, votes = np.unique(
        voted * (int(of.max(initial=0)) + 1) + of, return_index=True, return_inverse=True, return_counts=True
    )
    correct = np.bincount(inverse[right[voting]], minlength=len(first))
    order = np.argsort(first)
    starts = np.searchsorted(voted[first[order]], np.arange(n_cells + 1)).tolist()
    return starts, list(zip(votes[order].tolist(), correct[order].tolist(), strict=True))


def _whole(values: NDArray[np.float64]) -> list[Any]:
    """The counts as integers, None for one that is not known."""
    unknown = np.isnan(values)
    whole: list[Any] = np.where(unknown, 0, values).astype(np.int64).tolist()
    for row in np.flatnonzero(unknown):
        whole[row] = None
    return whole
