"""Answer classes: which answers to a question are equal. They are formed without the gold, and maj@k votes on them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from raml_eval.grading.pool import GradingPool
from raml_eval.types import Question, QuestionKey, SampleRecord, Status, StoredRun

Answers = Mapping[QuestionKey, Collection[str]]  # the graded answers to each question
Classes = dict[QuestionKey, dict[str, int]]
R = TypeVar("R", bound=StoredRun)


def graded_answers(records: Iterable[SampleRecord]) -> dict[QuestionKey, set[str]]:
    """The graded answers to each question."""
    answers: dict[QuestionKey, set[str]] = {}
    for record in records:
        if record.status in (Status.CORRECT, Status.INCORRECT) and record.grade.answer is not None:
            answers.setdefault((record.key.task, record.key.question_id), set()).add(record.grade.answer)
    return answers


def lacking_classes(answers: Answers, classes: Mapping[QuestionKey, Mapping[str, int]]) -> dict[QuestionKey, list[str]]:
    """For each question with an answer that has no class: all its answers, sorted. Other questions have no entry."""
    return {key: sorted(given) for key, given in answers.items() if any(a not in classes.get(key, ()) for a in given)}


def form_for(
    answers: Answers,
    questions: Mapping[QuestionKey, Question],
    classes: Mapping[QuestionKey, Mapping[str, int]],
    pool: GradingPool,
) -> Classes:
    """Every graded answer to the questions has a class. Classes of a question that hold all its answers are kept. Blocks."""
    return _form(lacking_classes(answers, classes), questions, classes, pool)


def _form(
    lacking: Mapping[QuestionKey, list[str]],
    questions: Mapping[QuestionKey, Question],
    classes: Mapping[QuestionKey, Mapping[str, int]],
    pool: GradingPool,
) -> Classes:
    formed = {key: dict(group) for key, group in classes.items()}
    for key, given in lacking.items():
        if key in questions:  # a directory may hold samples of questions that its plan does not name
            formed[key] = pool.classes_blocking(given, questions[key].grader)
    return formed


def complete_classes(
    answers: Answers, questions: Mapping[QuestionKey, Question], classes: Mapping[QuestionKey, Mapping[str, int]]
) -> Mapping[QuestionKey, Mapping[str, int]]:
    """The classes with those that the answers to these questions lack, which are formed now. Blocks."""
    lacking = lacking_classes(answers, classes)
    if not lacking:
        return classes
    pool = GradingPool(workers=1)
    try:
        return _form(lacking, questions, classes, pool)
    finally:
        pool.close()


def with_classes(run: R) -> R:
    """The run with a class for every graded answer. Classes that are missing are formed now. Blocks."""
    return replace(run, classes=complete_classes(graded_answers(run.records), run.questions, run.classes))
