"""Answer classes: which answers to a question are equal. They are formed without the gold, and maj@k votes on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from raml_eval.grading.pool import GradingPool
from raml_eval.types import Question, QuestionKey, SampleRecord, Status, StoredRun

Classes = dict[QuestionKey, dict[str, int]]
R = TypeVar("R", bound=StoredRun)


def lacking_classes(
    records: Iterable[SampleRecord], classes: Mapping[QuestionKey, Mapping[str, int]]
) -> dict[QuestionKey, list[str]]:
    """For each question with an answer that has no class: all its answers, sorted. Other questions have no entry."""
    answers: dict[QuestionKey, set[str]] = {}
    for record in records:
        if record.status in (Status.CORRECT, Status.INCORRECT) and record.grade.answer is not None:
            answers.setdefault((record.key.task, record.key.question_id), set()).add(record.grade.answer)
    return {key: sorted(given) for key, given in answers.items() if given - classes.get(key, {}).keys()}


def form_classes(
    records: Iterable[SampleRecord],
    questions: Mapping[QuestionKey, Question],
    classes: Mapping[QuestionKey, Mapping[str, int]],
    pool: GradingPool,
) -> Classes:
    """Every graded answer to the questions has a class. Classes of a question that hold all its answers are kept. Blocks."""
    formed = {key: dict(group) for key, group in classes.items()}
    for key, given in lacking_classes(records, classes).items():
        if key in questions:  # a directory may hold samples of questions that its plan does not name
            formed[key] = pool.classes_blocking(given, questions[key].grader)
    return formed


def with_classes(run: R) -> R:
    """The run with a class for every graded answer. Classes that are missing are formed now. Blocks."""
    if not lacking_classes(run.records, run.classes):
        return run
    pool = GradingPool(workers=1)
    try:
        return replace(run, classes=form_classes(run.records, run.questions, run.classes, pool))
    finally:
        pool.close()
