"""What a run checks before its engine starts."""

from __future__ import annotations

import re

import pytest

from raml_eval.errors import TaskError
from raml_eval.inputs import check_golds
from raml_eval.types import GraderKind, Question

GRID = '{"header": ["House", "Name"], "rows": [["1", "Ann"]]}'


def check(kind: GraderKind, gold: str, options: tuple[str, ...] = (), tests: str = "") -> None:
    question = Question("t", "0-a", "0-a", {}, (), gold, kind, options=options, tests=tests)
    check_golds({("t", "0-a"): question})


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
