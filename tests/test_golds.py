"""Golds that no answer can match are refused before anything is drawn."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from raml_eval.errors import TaskError
from raml_eval.golds import check_golds, check_rows, find_bad_golds
from raml_eval.types import GraderKind, Question
from tests.test_tasks_catalogue import write_task
from tests.test_tasks_foreign import LOCAL

GRID = '{"header": ["House", "Name"], "rows": [["1", "Ann"]]}'


def check(kind: GraderKind, gold: str, options: tuple[str, ...] = (), tests: str = "") -> None:
    check_golds([Question("t", "0-a", "0-a", {}, (), gold, kind, options=options, tests=tests)])


@pytest.mark.parametrize(
    ("kind", "gold", "options"),
    [
        ("math", "5", ()),
        ("choice", "B", ("x", "y")),
        ("choice", "y", ("x", "y")),
        ("choice", "2", ("1", "2")),
        ("label", "no", ("yes", "no")),
        ("label", "false", ("True", "False")),
        ("exact", "any", ()),
        ("bracket", "[[A];[B]]", ()),
        ("grid", GRID, ()),
    ],
)
def test_golds_that_an_answer_can_equal(kind: GraderKind, gold: str, options: tuple[str, ...]) -> None:
    check(kind, gold, options)


@pytest.mark.parametrize(
    ("kind", "gold", "options", "message"),
    [
        ("choice", "C", ("x", "y"), "names none of the 2 options"),
        ("choice", "1", ("x", "y"), "could count the 2 options from 0 or from 1"),
        ("label", "maybe", ("yes it is", "no"), "is none of the labels yes it is, no"),
        ("bracket", "[[]]", (), "holds no answer"),
        ("grid", "Ann lives there", (), "is no solved grid"),
        ("grid", "[]", (), "is no solved grid"),
        ("code", "{}", (), "is no JSON text with its tests"),
    ],
)
def test_golds_that_no_answer_can_equal_are_refused_by_name(
    kind: GraderKind, gold: str, options: tuple[str, ...], message: str
) -> None:
    with pytest.raises(TaskError, match=re.escape("task t, question 0-a: the gold") + ".*" + re.escape(message)):
        check(kind, gold, options)


WORKED = "She has 3 * 4 = <<3*4=12>>12 eggs and sells 5, so 12 - 5 = 7 are left.\n#### 7"


@pytest.mark.parametrize(
    ("kind", "gold"),
    [
        ("math", WORKED),
        ("exact", WORKED),
        ("math", "#### 7"),
        ("math", r"Adding both sides, $x+x=14$, so $x=\boxed{7}$."),
        ("math", "Half of 14 is 7. The answer is 7."),
        ("math", "Half of 14 is 7.\n<answer>7</answer>"),
        ("exact", 'Half of 14 is {"answer": "7"}'),
    ],
)
def test_a_worked_solution_is_no_gold(kind: GraderKind, gold: str) -> None:
    with pytest.raises(TaskError, match="is a text that gives '7' as its answer"):
        check(kind, gold)


@pytest.mark.parametrize(
    ("kind", "gold"),
    [
        ("math", r"\boxed{7}"),
        ("math", "x = 7"),
        ("math", r"$f(x)=ax+b$, where $b$ is an integer"),
        ("math", "odd $n$"),
        ("math", r"\frac{e^{-2 t}}{15}"),
        ("exact", "The seventh seal"),
    ],
)
def test_a_gold_may_be_marked_or_hold_words(kind: GraderKind, gold: str) -> None:
    check(kind, gold)


def test_a_gold_that_its_own_box_cannot_hold_is_refused() -> None:
    with pytest.raises(TaskError, match="cannot be read back from"):
        check("math", r"\frac{1}{2\sqrt{2}")


def asked(kind: GraderKind, *golds: str, options: tuple[str, ...] = ("x", "y"), prompt: str = "Which?") -> list[str]:
    """The reasons against questions with one prompt and these golds."""
    messages = ({"role": "user", "content": prompt},)
    questions = [Question("t", str(place), "c", {}, messages, gold, kind, options=options) for place, gold in enumerate(golds)]
    return [bad.reason for bad in find_bad_golds(questions)]


@pytest.mark.parametrize(
    ("kind", "golds"),
    [("math", ("1", "1", "2")), ("choice", ("A", "B")), ("exact", ("a", "b")), ("bracket", ("[[1]]", "[[2]]"))],
)
def test_one_prompt_with_two_golds_is_refused(kind: GraderKind, golds: tuple[str, ...]) -> None:
    (reason,) = asked(kind, *golds)
    assert f"the same as question 0, whose gold is {golds[0]!r} and not {golds[-1]!r}" in reason


@pytest.mark.parametrize(
    ("kind", "golds"),
    [("math", ("1/2", "0.5", "$\\frac12$")), ("choice", ("A", "x")), ("exact", ("a", "A ")), ("bracket", ("[[1]]", "[[1.0]]"))],
)
def test_one_prompt_with_golds_that_are_equal_may_be_asked_twice(kind: GraderKind, golds: tuple[str, ...]) -> None:
    assert asked(kind, *golds) == []


def test_questions_without_a_prompt_or_of_two_tasks_do_not_contradict_each_other() -> None:
    one, other = (Question(task, "0", "c", {}, ({"content": "Q"},), gold, "math") for task, gold in (("t", "1"), ("u", "2")))
    assert (
        list(find_bad_golds([one, other, replace(one, id="1", messages=()), replace(one, id="2", messages=(), target="2")]))
        == []
    )


def test_the_first_bad_gold_is_named_and_the_others_are_counted() -> None:
    questions = [Question("t", f"{i}-a", f"{i}-a", {}, (), gold, "math") for i, gold in enumerate(["7", WORKED, WORKED])]
    assert [bad.question.id for bad in find_bad_golds(questions)] == ["1-a", "2-a"]
    with pytest.raises(TaskError, match=re.escape("task t, question 1-a: ") + ".* So it is for 2 of the task's 3 golds"):
        check_golds(questions)


def test_rows_beside_the_yaml_are_checked(tmp_path: Path) -> None:
    write_task(tmp_path, "mine", LOCAL)
    write_task(tmp_path, "theirs", LOCAL.replace("task: mine", "task: theirs").replace("rows.jsonl", "others.jsonl"))
    rows = [{"question": "1+1?", "answer": answer} for answer in ("2", WORKED)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "others.jsonl").write_text(json.dumps(rows[0]) + "\n", encoding="utf-8")
    mine, theirs = check_rows([tmp_path], hub=False)
    assert (mine.name, mine.n_questions, theirs.problems) == ("mine", 2, ())
    (problem,) = mine.problems
    assert "is a text that gives '7' as its answer" in str(problem)
