"""Turns sample records into counts per question, which are all that a metric may see."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from raml_eval.budgets import budget_rank
from raml_eval.errors import MetricError
from raml_eval.types import Budget, Question, QuestionCounts, SampleRecord, Status, ThinkingEnd

_GRADED = (Status.CORRECT, Status.INCORRECT)


def count_by_question(
    run_records: Iterable[SampleRecord],
    questions: Mapping[tuple[str, str], Question],
    classes: Mapping[tuple[str, str], Mapping[str, int]],
) -> dict[tuple[str, Budget], list[QuestionCounts]]:
    """The counts of every question of every task, at every budget that has a record, in the order of the questions.

    The keys are (task, budget): tasks in the order of the questions, budgets in the order off, numbers ascending, unlimited.
    A question without a record has n = 0, so that missing samples can be seen. questions and classes are keyed by (task,
    question id). classes maps an extracted answer to its class; a graded answer that is missing there forms a class of its
    own, by its exact text. The order of the records does not matter. Raises MetricError if a sample occurs twice at one
    budget, and for a record of an unknown question.
    """
    samples: defaultdict[tuple[str, str, Budget], dict[int, SampleRecord]] = defaultdict(dict)
    parted = set()  # tasks whose answers have parts: a score of any sample, at any budget, shows it
    for record in run_records:
        key = record.key
        if (key.task, key.question_id) not in questions:
            raise MetricError(f"sample {key} belongs to no question of the run. Count with the questions it was drawn from.")
        of_question = samples[key.task, key.question_id, record.budget]
        if key.index in of_question:
            raise MetricError(f"sample {key} at budget {record.budget} is given twice, wanted once. Count each run alone.")
        of_question[key.index] = record
        if record.grade.score is not None:
            parted.add(key.task)
    budgets = sorted({budget for _, _, budget in samples}, key=budget_rank)
    counts: dict[tuple[str, Budget], list[QuestionCounts]] = {
        (task, budget): [] for task in dict.fromkeys(task for task, _ in questions) for budget in budgets
    }
    for (task, question_id), question in questions.items():
        for budget in budgets:
            by_index = samples.get((task, question_id, budget), {})
            records = [by_index[index] for index in sorted(by_index)]
            counts[task, budget].append(_count(question, records, classes.get((task, question_id), {}), task in parted))
    return counts


def _count(question: Question, records: Sequence[SampleRecord], classes: Mapping[str, int], has_parts: bool) -> QuestionCounts:
    statuses = Counter(record.status for record in records)
    ends = Counter(record.thinking_end for record in records)
    return QuestionCounts(
        task=question.task,
        question_id=question.id,
        cluster=question.cluster,
        n=len(records),
        correct=statuses[Status.CORRECT],
        classes=_count_classes(records, classes),
        statuses={status: statuses[status] for status in Status},
        ends={end: ends[end] for end in ThinkingEnd},
        thinking_tokens=tuple(record.n_thinking_tokens for record in records),
        answer_tokens=tuple(record.n_answer_tokens for record in records),
        leaks=sum(record.leak for record in records),
        scores=tuple(record.grade.score or 0.0 for record in records) if has_parts else (),
    )


def _count_classes(records: Sequence[SampleRecord], classes: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
    """(count, how many of them are correct) for each answer class, in the order in which the samples reach the classes."""
    votes: Counter[int | str] = Counter()
    correct: Counter[int | str] = Counter()
    for record in records:
        answer = record.grade.answer
        if record.status in _GRADED and answer is not None:
            answer_class = classes.get(answer, answer)
            votes[answer_class] += 1
            correct[answer_class] += record.grade.correct
    return tuple((count, correct[answer_class]) for answer_class, count in votes.items())
