"""Which answers of a question are equal, for the votes of maj@k: formed from the samples, without the gold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from raml_eval.descriptions import StoredRun
from raml_eval.grading.pool import GradingPool
from raml_eval.types import Question, SampleRecord, Status

QuestionKey = tuple[str, str]
Classes = dict[QuestionKey, dict[str, int]]
R = TypeVar("R", bound=StoredRun)


def ungrouped(
    records: Iterable[SampleRecord], classes: Mapping[QuestionKey, Mapping[str, int]]
) -> dict[QuestionKey, list[str]]:
    """The graded answers of each question that has one without a class: all of its answers, sorted."""
    answers: dict[QuestionKey, set[str]] = {}
    for record in records:
        if record.status in (Status.CORRECT, Status.INCORRECT) and record.grade.answer is not None:
            answers.setdefault((record.key.task, record.key.question_id), set()).add(record.grade.answer)
    return {key: sorted(given) for key, given in answers.items() if given - classes.get(key, {}).keys()}


def group_answers(
    records: Iterable[SampleRecord],
    questions: Mapping[QuestionKey, Question],
    classes: Mapping[QuestionKey, Mapping[str, int]],
    pool: GradingPool,
) -> Classes:
    """Classes for every graded answer: the given ones, formed anew where an answer is missing from them. Blocks."""
    formed = {key: dict(group) for key, group in classes.items()}
    for key, given in ungrouped(records, classes).items():
        formed[key] = pool.classes_blocking(given, questions[key].grader)
    return formed


def with_classes(run: R) -> R:
    """The run with a class for every graded answer; the missing ones are formed now. Blocks."""
    if not ungrouped(run.records, run.classes):
        return run
    pool = GradingPool(workers=1)
    try:
        return replace(run, classes=group_answers(run.records, run.questions, run.classes, pool))
    finally:
        pool.close()
