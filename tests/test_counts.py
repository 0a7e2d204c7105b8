"""Records folded into counts, whatever their order."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.budgets import budget_rank
from raml_eval.counts import count_by_question
from raml_eval.errors import MetricError
from raml_eval.types import (
    Budget,
    Finish,
    Grade,
    Question,
    QuestionCounts,
    SampleKey,
    SampleRecord,
    Status,
    ThinkingEnd,
)


def question(task: str, question_id: str, cluster: str = "") -> Question:
    return Question(task, question_id, cluster or question_id, {}, (), "7", "math")


def record(
    question_id: str,
    index: int,
    status: Status,
    answer: str | None = None,
    *,
    budget: Budget = 64,
    task: str = "sums",
    end: ThinkingEnd = ThinkingEnd.NATURAL,
) -> SampleRecord:
    return SampleRecord(
        key=SampleKey(task, question_id, index),
        budget=budget,
        trajectory=None,
        thinking_end=end,
        n_thinking_tokens=10 + index,
        answer=answer or "",
        answer_ids=(1,) * (index + 1),
        answer_finish=Finish.STOP,
        target="7",
        grade=Grade(status, answer),
        seed=0,
        leak=index == 0,
    )


QUESTIONS = {(q.task, q.id): q for q in (question("sums", "b", "story"), question("sums", "a"), question("sorts", "c"))}
RECORDS = [
    record("b", 0, Status.INCORRECT, "1/2"),
    record("b", 1, Status.CORRECT, "7"),
    record("b", 2, Status.INCORRECT, "0.5", end=ThinkingEnd.FORCED),
    record("b", 3, Status.CORRECT, "7.0"),
    record("b", 4, Status.UNFINISHED, end=ThinkingEnd.LENGTH),
    record("b", 5, Status.NO_ANSWER),
    record("b", 6, Status.TIMEOUT, "9^9^9"),
    record("b", 7, Status.INCORRECT, "seven"),
    record("b", 8, Status.CORRECT, "0.5"),
    record("b", 0, Status.CORRECT, "7", budget="unlimited"),
    record("b", 0, Status.CORRECT, "7", budget="off"),
    record("b", 0, Status.CORRECT, "7", budget=8),
]
CLASSES = {("sums", "b"): {"1/2": 0, "0.5": 0, "7": 1, "7.0": 1, "9^9^9": 2}}


def test_counts_of_one_question() -> None:
    counts = count_by_question(RECORDS, QUESTIONS, CLASSES)["sums", 64][0]
    assert counts == QuestionCounts(
        task="sums",
        question_id="b",
        cluster="story",
        n=9,
        correct=3,
        classes=((3, 1), (2, 2), (1, 0)),  # one half in two spellings; seven in two; a text that has no class
        statuses={
            Status.CORRECT: 3,
            Status.INCORRECT: 3,
            Status.NO_ANSWER: 1,
            Status.UNFINISHED: 1,
            Status.TIMEOUT: 1,
        },
        ends={
            ThinkingEnd.NATURAL: 7,
            ThinkingEnd.FORCED: 1,
            ThinkingEnd.EOS: 0,
            ThinkingEnd.LENGTH: 1,
            ThinkingEnd.OFF: 0,
            ThinkingEnd.UNKNOWN: 0,
        },
        thinking_tokens=tuple(range(10, 19)),
        answer_tokens=tuple(range(1, 10)),
        leaks=1,
    )


def test_scores_count_what_was_not_graded_as_0() -> None:
    graded = [
        replace(r, grade=replace(r.grade, score=share)) for r, share in zip(RECORDS[:4], (0.5, 1.0, None, 0.0), strict=True)
    ]
    counts = count_by_question(graded, QUESTIONS, CLASSES)["sums", 64]
    assert counts[0].scores == (0.5, 1.0, 0.0, 0.0)
    assert counts[1].scores == (0.0,) * counts[1].n  # the task has parts, and none of this question's was graded
    assert count_by_question(RECORDS, QUESTIONS, CLASSES)["sums", 64][0].scores == ()


def test_a_score_at_one_budget_shows_that_the_task_has_parts_at_the_others() -> None:
    small, large = record("q1", 0, Status.UNFINISHED, budget=8), record("q1", 0, Status.CORRECT, "7", budget=64)
    large = replace(large, grade=replace(large.grade, score=0.5))
    counts = count_by_question([small, large], {("sums", "q1"): question("sums", "q1")}, {})
    assert (counts["sums", 8][0].scores, counts["sums", 64][0].scores) == ((0.0,), (0.5,))


def test_every_question_stands_at_every_budget() -> None:
    counts = count_by_question(RECORDS, QUESTIONS, CLASSES)
    budgets: list[Budget] = ["off", 8, 64, "unlimited"]
    assert list(counts) == [(task, budget) for task in ("sums", "sorts") for budget in budgets]
    assert [(c.question_id, c.n) for c in counts["sums", "off"]] == [("b", 1), ("a", 0)]
    assert [(c.question_id, c.n, c.correct) for c in counts["sorts", 64]] == [("c", 0, 0)]


def test_order_of_records_does_not_matter() -> None:
    wanted = count_by_question(RECORDS, QUESTIONS, CLASSES)
    for seed in range(5):
        shuffled = Random(seed).sample(RECORDS, len(RECORDS))
        counts = count_by_question(iter(shuffled), QUESTIONS, CLASSES)
        assert counts == wanted
        assert list(counts) == list(wanted)


def test_answers_without_classes_are_told_apart_by_their_text() -> None:
    counts = count_by_question(RECORDS, QUESTIONS, {})["sums", 64][0]
    assert sorted(counts.classes) == [(1, 0), (1, 0), (1, 1), (1, 1), (2, 1)]


def test_no_records_give_no_budgets() -> None:
    assert count_by_question([], QUESTIONS, CLASSES) == {}


def test_sample_given_twice_is_refused() -> None:
    again = replace(RECORDS[3], seed=5)
    with pytest.raises(MetricError, match=r"sums/b/3 at budget 64 is given twice"):
        count_by_question([*RECORDS, again], QUESTIONS, CLASSES)


def test_sample_of_an_unknown_question_is_refused() -> None:
    stranger = record("z", 0, Status.CORRECT, "7")
    with pytest.raises(MetricError, match=r"sums/z/0 belongs to no question"):
        count_by_question([*RECORDS, stranger], QUESTIONS, CLASSES)


def counted_one_by_one(records: list[SampleRecord]) -> dict[tuple[str, Budget], list[QuestionCounts]]:
    """The counts of RECORDS' questions by plain loops."""
    graded = (Status.CORRECT, Status.INCORRECT)
    found: dict[tuple[str, Budget], list[QuestionCounts]] = {}
    budgets = sorted({r.budget for r in records}, key=budget_rank)
    for (task, question_id), q in QUESTIONS.items():
        for budget in budgets:
            own = sorted((r for r in records if (r.key.task, r.key.question_id, r.budget) == (task, question_id, budget)),
                         key=lambda r: r.key.index)  # fmt: skip
            groups: dict[object, list[SampleRecord]] = {}
            for r in own:
                if r.status in graded and r.grade.answer is not None:
                    groups.setdefault(CLASSES.get((task, question_id), {}).get(r.grade.answer, r.grade.answer), []).append(r)
            parted = any(r.grade.score is not None for r in records if r.key.task == task)
            counts = QuestionCounts(
                task=task, question_id=question_id, cluster=q.cluster, n=len(own), correct=sum(r.grade.correct for r in own),
                classes=tuple((len(group), sum(r.grade.correct for r in group)) for group in groups.values()),
                statuses={s: sum(r.status is s for r in own) for s in Status},
                ends={e: sum(r.thinking_end is e for r in own) for e in ThinkingEnd},
                thinking_tokens=tuple(r.n_thinking_tokens for r in own), answer_tokens=tuple(r.n_answer_tokens for r in own),
                leaks=sum(r.leak for r in own), scores=tuple(r.grade.score or 0.0 for r in own) if parted else (),
            )  # fmt: skip
            found.setdefault((task, budget), []).append(counts)
    return found


DRAWS = st.tuples(st.sampled_from(list(QUESTIONS)), st.integers(0, 5), st.sampled_from(["off", 8, 64, "unlimited"]))
SAID = st.tuples(
    st.sampled_from(list(Status)), st.sampled_from(list(ThinkingEnd)), st.sampled_from([None, "1/2", "0.5", "7", "0", "x"]),
    st.sampled_from([None, 0.0, 0.25]), st.sampled_from([None, 0, 3]), st.booleans(),
)  # fmt: skip


@given(st.lists(st.tuples(DRAWS, SAID), unique_by=lambda pair: pair[0], min_size=1))
def test_counts_are_those_of_plain_loops(drawn: list[Any]) -> None:
    records = [
        replace(record(question_id, index, status, budget=budget), key=SampleKey(task, question_id, index), thinking_end=end,
                grade=Grade(status, answer, score=score), n_thinking_tokens=tokens, leak=leak)
        for ((task, question_id), index, budget), (status, end, answer, score, tokens, leak) in drawn
    ]  # fmt: skip
    wanted, counts = counted_one_by_one(records), count_by_question(records, QUESTIONS, CLASSES)
    assert counts == wanted
    assert all(type(n) is int for of in counts.values() for q in of for n in (q.n, q.correct, q.leaks, *q.statuses.values()))
