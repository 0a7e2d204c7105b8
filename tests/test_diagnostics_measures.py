"""What one thinking shows by itself: hand-made thinkings, whose numbers are counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from raml_eval.diagnostics.measures import COLUMNS, facts_of, follow_answers, measure, why_cut_short
from raml_eval.diagnostics.subjects import Subject
from raml_eval.types import Budget, Grade, Question, SampleKey, SampleRecord, Status, ThinkingEnd, Trajectory
from tests.stored import Drawn, ask, make_stored

RIGHT, NONE = Grade(Status.CORRECT, "12"), Grade(Status.NO_ANSWER, None)


def subject(text: str, question: Question, *, ids: bool = True, **more: Any) -> Subject:
    record = make_stored(0, question, Drawn("x", RIGHT, thinking=text, **more))
    tokens = tuple(range(len(text))) if ids else ()
    limit = 64 if ids else None
    return Subject(question, Trajectory(record.key, limit, tokens, ThinkingEnd.NATURAL, (1,), text, 0), (record,))


def measured(text: str, question: Question, **more: Any) -> dict[str, Any]:
    return measure(subject(text, question, **more), facts_of(question, {}), [8], half)


def half(trajectory: Trajectory, character: int) -> int | None:
    """As if every token were two characters."""
    return character // 2


def test_a_thinking_has_a_value_for_every_column() -> None:
    row = measured("Wait, 5 + 7 = 12. Однако", ask(0, "12"))
    assert set(row) == set(COLUMNS)
    assert (row["verdict"], row["end"], row["budget"], row["prompt"]) == ("correct", "natural", "8", "thinking")
    assert (row["n_tokens"], row["n_characters"]) == (24, 24)
    assert (row["reflections"], row["reflections_en"], row["reflections_ru"], row["reflections_zh"]) == (2, 1, 1, 0)
    assert (row["script"], row["question_script"], row["foreign_scripts"]) == ("cyrillic", "latin", "cyrillic")
    assert (row["n_letters"], row["n_foreign"]) == (10, 6)
    assert (row["gold_at_character"], row["gold_at_share"], row["gold_at_token"]) == (14, 14 / 24, 7)
    assert row["gold_in_question"] is False
    assert row["answer_changes"] is None


def test_a_gold_in_the_question_is_marked_and_a_missing_one_is_told() -> None:
    assert measured("7 and 7", ask(7, "7"))["gold_in_question"] is True
    assert measured("none", ask(0, "7"))["gold_at_share"] is None
    empty = measured("7", ask(0, ""))
    assert empty["gold_in_question"] is None
    assert empty["gold_at_character"] is None
    assert facts_of(ask(0, ""), {}).why_no_gold == "no gold"


def test_loops_are_those_of_the_tokens() -> None:
    question = ask(0, "12")
    looped = Subject(
        question,
        Trajectory(SampleKey("sums", question.id, 0), 999, (7, *(1, 2) * 150, 8), ThinkingEnd.NATURAL, (1,), "x", 0),
        (make_stored(0, question, Drawn("x", RIGHT)),),
    )
    row = measure(looped, facts_of(question, {}), [8], half)
    assert (row["n_loops"], row["loop_start"], row["loop_length"], row["loop_period"]) == (1, 1, 300, 2)
    assert row["ends_in_loop"] is False
    assert row["loop_unit"] == "tokens"


def test_a_thinking_without_ids_is_measured_in_characters() -> None:
    row = measured("so " * 300, ask(0, "12"), ids=False)
    assert (row["n_characters"], row["loop_unit"], row["loop_period"], row["ends_in_loop"]) == (900, "characters", 3, True)
    assert row["n_tokens"] == 900  # what the log says of it


@pytest.mark.parametrize("text", ["", "\ud800 half", "\x00\x1b[2J", "𝔸" * 900])
def test_any_text_is_measured(text: str) -> None:
    for ids in (True, False):
        row = measured(text, ask(0, "12", task="sums"), ids=ids)
        assert row["n_characters"] == len(text)


def test_names_that_no_table_holds_are_escaped() -> None:
    row = measured("x", Question("a", "0-abcdef", "clu\ud800ster", {}, (), "12", "math"))
    assert row["cluster"] == "clu\\ud800ster"
    assert row["n_foreign"] is None  # the question has no text


ANSWERS = {"12": 0, "12.0": 0, "7": 1, "9": 2}
BUDGETS: list[Budget] = [0, 16, 64, "unlimited"]


def swept(*answers: str | None, budgets: list[Budget] = BUDGETS) -> list[SampleRecord]:
    """Samples at ascending budgets; 12 is correct, and None is no answer."""
    grades = [
        NONE if one is None else Grade(Status.CORRECT if one.startswith("12") else Status.INCORRECT, one) for one in answers
    ]
    drawn = [make_stored(0, ask(0, "12"), Drawn("x", g, budget=b)) for g, b in zip(grades, budgets, strict=True)]
    return drawn[::-1]  # the order of records does not matter


@pytest.mark.parametrize(
    ("answers", "changes", "settled", "lost", "won"),
    [
        (("7", "7", "7", "7"), 0, "0", 0, 0),
        (("12", "12.0", "12", "12.0"), 0, "0", 0, 0),  # one class
        (("7", "12", "12", "12"), 1, "16", 0, 1),
        (("12", "7", "12", "7"), 3, "unlimited", 2, 1),
        (("7", "9", "9", "9"), 1, "16", 0, 0),  # wrong to another wrong
        ((None, None, "12", "12"), 1, "64", 0, 1),
        (("12", None, None, "12"), 2, "unlimited", 1, 1),
        (("8", "8", "7", "7"), 1, "64", 0, 0),  # an answer without a class is its own
    ],
)
def test_answers_are_followed(answers: tuple[str | None, ...], changes: int, settled: str, lost: int, won: int) -> None:
    assert follow_answers(swept(*answers), ANSWERS, BUDGETS) == {
        "answer_changes": changes, "settled_at": settled, "right_to_wrong": lost, "wrong_to_right": won,
    }  # fmt: skip


def test_answers_are_followed_only_through_a_whole_sweep() -> None:
    blank = dict.fromkeys(("answer_changes", "settled_at", "right_to_wrong", "wrong_to_right"))
    assert follow_answers(swept("7", "12", budgets=[0, 16]), ANSWERS, BUDGETS) == blank
    assert follow_answers(swept("7", budgets=[16]), ANSWERS, [16]) == blank
    with_off = swept("9", "7", "12", budgets=["off", 16, 64])
    assert follow_answers(with_off, ANSWERS, [16, 64])["answer_changes"] == 1


def test_a_thinking_whose_largest_sample_is_owed_is_left_out() -> None:
    question = ask(0, "12")
    record = make_stored(0, question, Drawn("x", RIGHT, finish=None, budget=16, thinking="abcd"))
    forced = Subject(
        question,
        Trajectory(record.key, 64, tuple(range(40)), ThinkingEnd.NATURAL, (1,), "x" * 40, 0),
        (SampleRecord(**{**{n: getattr(record, n) for n in record.__slots__}, "thinking_end": ThinkingEnd.FORCED}),),
    )
    assert why_cut_short(forced, [16, 64]) == "its sample at the largest budget is not stored"
    assert why_cut_short(forced, [16]) == ""
