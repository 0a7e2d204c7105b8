"""Reasoning that goes on in the answer after the thinking was closed by force: it spends tokens that the budget withheld."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from raml_eval.allocation import BoolArray, FloatArray, mean_by_question
from raml_eval.budgets import in_tokens
from raml_eval.columns import Samples, group_rows
from raml_eval.tables.counted import draws_apart, planned_samples
from raml_eval.tables.measured import COUNT, Estimate, Measured, Place, difference_of, exactly, mean_of, ratio_of
from raml_eval.tables.measures import APART, UNCOUNTED, not_given
from raml_eval.tables.paired import Paired
from raml_eval.types import Budget, StoredRun, ThinkingEnd

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


def long_answer(natural_tokens: FloatArray) -> float:
    """The 95th percentile of the answer tokens after natural ends, each answer once; infinite for fewer than 20 of them."""
    counted = natural_tokens[np.isfinite(natural_tokens)]
    return float(np.quantile(counted, LONG)) if len(counted) >= ENOUGH else float("inf")


def escape_rates(run: StoredRun) -> list[EscapeRate]:
    """For each task and budget with forced answers, how many of them escape. Budgets may be of any kind."""
    samples = planned_samples(run)
    if not len(samples):
        return []
    tasks = {task: place for place, task in enumerate(dict.fromkeys(task for task, _ in samples.questions))}
    task = np.array([tasks[name] for name, _ in samples.questions])[samples.question]
    counted = samples.is_end(ThinkingEnd.NATURAL) & np.isfinite(samples.answer) & samples.in_budgets(in_tokens)
    rows = np.flatnonzero(counted)
    # A trajectory keeps its natural answer at larger budgets.
    _, first = np.unique(samples.draws(with_budget=draws_apart(run))[rows], return_index=True)
    natural = rows[first]
    long = np.array([long_answer(samples.answer[natural][task[natural] == place]) for place in tasks.values()])
    forced = np.flatnonzero(samples.is_end(ThinkingEnd.FORCED))
    escaped = find_escapes(samples.take(forced), long[task[forced]])
    names, n_budgets = list(tasks), len(samples.budgets)
    return [
        EscapeRate(names[cell // n_budgets], samples.budgets[cell % n_budgets], len(own), int(escaped[own].sum()))
        for cell, own in group_rows(task[forced] * n_budgets + samples.budget[forced])
    ]


def find_escapes(samples: Samples, long: FloatArray) -> BoolArray:
    """True for a forced answer that writes the end delimiter again, or is longer than long and has a word of reflection, (N,).

    long are tokens, one number for each sample.
    """
    forced = samples.is_end(ThinkingEnd.FORCED)
    rows = np.flatnonzero(forced & ~samples.leak & (samples.answer > long))
    escaped: BoolArray = forced & samples.leak
    escaped[rows] = samples.reflections(rows) > 0
    return escaped


def measure_escape(paired: Paired, level: float) -> Measured:
    """The escape rate at each budget and by depth of the cut; after forced and natural ends, tokens and words of reflection."""
    if not paired.forced.any():
        return {}
    columns = np.arange(len(paired.budgets))
    first = paired.natural.argmax(axis=1)  # the answer after a natural end is the same at every larger budget
    ended = paired.natural & (paired.apart | (columns == first[:, None]))
    long = long_answer(paired.answer[ended])
    words = paired.reflections(paired.forced | ended)
    escaped = paired.forced & (paired.leak | ((paired.answer > long) & (words > 0)))
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


def _pooled(paired: Paired, values: FloatArray | BoolArray, where: BoolArray) -> FloatArray:
    """The mean over each question's samples at all budgets together where they count: (T, B) to (Q,)."""
    question = np.repeat(paired.question, len(paired.budgets))
    return mean_by_question(values.ravel(), question, paired.n_questions, where.ravel())
