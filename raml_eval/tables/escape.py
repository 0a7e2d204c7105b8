"""Reasoning that goes on in the answer after the thinking was closed by force: it spends tokens that the budget withheld."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from raml_eval.allocation import BoolArray, FloatArray, mean_by_question
from raml_eval.budgets import in_tokens
from raml_eval.tables.counted import draws_apart, planned_records
from raml_eval.tables.measured import COUNT, Estimate, Measured, Place, difference_of, exactly, mean_of, ratio_of
from raml_eval.tables.measures import APART, UNCOUNTED, not_given
from raml_eval.tables.paired import Paired
from raml_eval.tables.reflection import count_reflections
from raml_eval.types import Budget, SampleRecord, StoredRun, ThinkingEnd

LONG = 0.95  # an answer is long if it is above this quantile of the task's answers after natural ends
ENOUGH = 20  # natural answers that the quantile needs: fewer do not show the tail
DEPTHS = ("nothing kept", "first third", "second third", "last third")
NATURAL = "natural"
ANSWERS = ("answer_tokens_after_end", "reflections_per_1000_tokens", "delimiter_again")


class EscapeRate(NamedTuple):
    """The forced answers of one task at one budget, and how many of them go on reasoning."""

    task: str
    budget: Budget
    n_forced: int
    n_escaped: int


def is_escape(record: SampleRecord, long: float) -> bool:
    """True if a forced answer writes the end delimiter again, or is longer than long tokens and has a word of reflection."""
    if record.thinking_end is not ThinkingEnd.FORCED:
        return False
    tokens = record.n_answer_tokens
    return record.leak or (tokens is not None and tokens > long and count_reflections(record.answer) > 0)


def long_answer(natural_tokens: FloatArray) -> float:
    """The 95th percentile of the answer tokens after natural ends, each answer once; infinite for fewer than 20 of them."""
    counted = natural_tokens[np.isfinite(natural_tokens)]
    return float(np.quantile(counted, LONG)) if len(counted) >= ENOUGH else float("inf")


def escape_rates(run: StoredRun) -> list[EscapeRate]:
    """For each task and budget with forced answers, how many of them escape. Budgets may be of any kind."""
    natural: dict[str, dict[object, int]] = defaultdict(dict)  # a trajectory keeps its natural answer at larger budgets
    apart = draws_apart(run)
    forced: dict[tuple[str, Budget], list[SampleRecord]] = defaultdict(list)
    for record in planned_records(run):
        if record.thinking_end is ThinkingEnd.NATURAL and record.n_answer_tokens is not None and in_tokens(record.budget):
            draw = (record.key, record.budget) if apart else record.key
            natural[record.key.task].setdefault(draw, record.n_answer_tokens)
        elif record.thinking_end is ThinkingEnd.FORCED:
            forced[record.key.task, record.budget].append(record)
    long = {task: long_answer(np.array(list(tokens.values()), dtype=np.float64)) for task, tokens in natural.items()}
    return [
        EscapeRate(task, budget, len(records), sum(is_escape(r, long.get(task, float("inf"))) for r in records))
        for (task, budget), records in forced.items()
    ]


def measure_escape(paired: Paired, level: float) -> Measured:
    """The escape rate at each budget and by depth of the cut; after forced and natural ends, tokens and words of reflection."""
    if not paired.forced.any():
        return {}
    columns = np.arange(len(paired.budgets))
    first = paired.natural.argmax(axis=1)  # the answer after a natural end is the same at every larger budget
    ended = paired.natural & (paired.apart | (columns == first[:, None]))
    long = long_answer(paired.answer[ended])
    escaped = _each(paired, paired.forced, lambda r: is_escape(r, long)).astype(np.bool_)
    words = _each(paired, paired.forced | ended, lambda r: count_reflections(r.answer))
    beside = _pooled(paired, paired.answer, ended)
    found: Measured = {}
    for column, budget in enumerate(paired.budgets):
        here, at = paired.forced & (columns == column), str(budget)
        if here.any():
            found[Place("escape_rate", at)] = mean_of(_pooled(paired, escaped, here), paired.clusters, level)
            found |= _answers(paired, words, here, Place("", at), level)
            tokens = _pooled(paired, paired.answer, here)
            extra = difference_of(beside, tokens, paired.clusters, level, None)
            found[Place("answer_tokens_extra", at, NATURAL)] = extra if paired.counted else Estimate(not_given(UNCOUNTED), 0)
    if ended.any():
        found |= _answers(paired, words, ended, Place("", NATURAL), level)
        found[Place("long_answer", NATURAL)] = exactly(long if np.isfinite(long) else np.nan, int(ended.sum()))
    if paired.apart:  # a draw that was cut has no known full length
        return found | {Place("escape_rate", part=part): Estimate(not_given(APART), 0) for part in DEPTHS}
    for part, inside in zip(DEPTHS, _depths(paired), strict=True):
        here = paired.forced & inside
        if here.any():
            found[Place("forced_samples", part=part)] = exactly(
                float(here.sum()), len(set(paired.question[here.any(axis=1)])), COUNT
            )
            found[Place("escape_rate", part=part)] = mean_of(_pooled(paired, escaped, here), paired.clusters, level)
            found |= _answers(paired, words, here, Place("", part=part), level)
    return found


def _answers(paired: Paired, words: FloatArray, where: BoolArray, place: Place, level: float) -> Measured:
    """Of the samples that count: answer tokens, words of reflection per 1,000 of them, and delimiters written again."""
    tokens, density, again = (place._replace(metric=name) for name in ANSWERS)
    repeated = mean_of(_pooled(paired, paired.leak, where), paired.clusters, level)
    if not paired.counted:
        return {**dict.fromkeys((tokens, density), Estimate(not_given(UNCOUNTED), 0)), again: repeated}
    spent = _pooled(paired, paired.answer, where)
    return {
        tokens: mean_of(spent, paired.clusters, level, None),
        density: ratio_of(1000 * _pooled(paired, words, where), spent, paired.clusters, level),
        again: repeated,
    }


def _depths(paired: Paired) -> list[BoolArray]:
    """For each of DEPTHS, the samples (T, B) that kept this share of the trajectory's full length, if that is known."""
    with np.errstate(invalid="ignore"):
        depth = paired.thinking / paired.full_length[:, None]
    return [paired.thinking == 0, *((depth > third / 3) & (depth <= (third + 1) / 3) for third in range(3))]


def _each(paired: Paired, where: BoolArray, value: Callable[[SampleRecord], float]) -> FloatArray:
    """The value of each sample where it is wanted, otherwise 0: (T, B)."""
    values = np.zeros(where.shape)
    for row, column in zip(*np.nonzero(where), strict=True):
        values[row, column] = value(paired.records[row][column])
    return values


def _pooled(paired: Paired, values: FloatArray | BoolArray, where: BoolArray) -> FloatArray:
    """The mean over each question's samples at all budgets together where they count: (T, B) to (Q,)."""
    question = np.repeat(paired.question, len(paired.budgets))
    return mean_by_question(values.ravel(), question, paired.n_questions, where.ravel())
