"""Texts that the kind 'exact' calls the same, and every status that a grade can have."""

from __future__ import annotations

import pytest

import raml_eval.grading
from raml_eval.errors import ConfigError, TaskError
from raml_eval.grading import grade
from raml_eval.grading.exact import normalize_exact
from raml_eval.types import Status
from tests.cases import exact as cases

SAME = [
    ("True", "true"),
    ("True", " true. "),
    ("true", "**True**"),
    ("true", "$\\text{True}$"),
    ("true", "`true`"),
    ("true", '"true"'),
    ("1, 2, 3", "1,2,3"),
    ("1 2 3", "1  2\n3"),
    ("[1, 2, 3]", "[ 1,2 , 3 ]"),
    ("1, 2, 3", "1,\\ 2,\\ 3"),
    ("{1, 2}", r"\{1, 2\}"),
    ("12", "１２"),
    ("-5", "−5"),
    ("no", "No!"),
    ("New York", "new  york"),
    ("a-b", "a - b"),
    ("abc", "a\u200bbc"),
]

DIFFERENT = [
    ("true", "false"),
    ("-5", "5"),
    (".5", "5"),
    ("1,2", "12"),
    ("1 2", "12"),
    ("[1]", "1"),
    ("1, 2, 3", "1, 3, 2"),
    ("New York", "York"),
    ("a", ""),
]


@pytest.mark.parametrize(("left", "right"), SAME)
def test_same(left: str, right: str) -> None:
    assert normalize_exact(left) == normalize_exact(right)


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different(left: str, right: str) -> None:
    assert normalize_exact(left) != normalize_exact(right)


FOUR = ("osmosis", "reverse osmosis", "diffusion", "10 eV")

GRADES = [
    ("5", r"\boxed{5}", "math", (), Status.CORRECT),
    ("5", r"<think>\boxed{6}</think>\boxed{5}", "math", (), Status.CORRECT),
    ("5", r"<think>\boxed{5}</think>\boxed{6}", "math", (), Status.INCORRECT),
    ("5", r"<think>\boxed{5}</think>", "math", (), Status.NO_ANSWER),
    ("5", r"<think>\boxed{5}", "math", (), Status.UNFINISHED),
    ("5", "<think>", "math", (), Status.UNFINISHED),
    ("5", r"\boxed{5}</think>so 5 or 6", "math", (), Status.NO_ANSWER),
    ("5", r"<think>a</think>\boxed{5}<think>hm", "math", (), Status.UNFINISHED),
    ("5", "The answer is 5.", "math", (), Status.CORRECT),
    ("5", "I get 5 here and 5 there.", "math", (), Status.NO_ANSWER),
    ("5", "", "math", (), Status.NO_ANSWER),
    ("5", r"\boxed{6}", "math", (), Status.INCORRECT),
    ("5", r"\boxed{5} no \boxed{6}", "math", (), Status.INCORRECT),
    (r"\frac{\sqrt{3}}{3}", r"\boxed{\frac{1}{\sqrt{3}}}", "math", (), Status.CORRECT),
    (r"x^2+2x+1", r"\boxed{(x+1)^2}", "math", (), Status.CORRECT),
    (r"$\sqrt{2}$", r"\boxed{1.5}", "math", (), Status.INCORRECT),
    ("5", r"\boxed{__import__('os').system('touch pwned')}", "math", (), Status.INCORRECT),
    ("B", "The answer is (B).", "choice", FOUR, Status.CORRECT),
    ("(B)", r"\boxed{B}", "choice", FOUR, Status.CORRECT),
    ("diffusion", r"\boxed{C}", "choice", FOUR, Status.CORRECT),
    ("B", r"\boxed{reverse osmosis}", "choice", FOUR, Status.CORRECT),
    ("B", "The answer is (A).", "choice", FOUR, Status.INCORRECT),
    ("B", "A or B", "choice", FOUR, Status.NO_ANSWER),
    ("B", "<think>The answer is (B).", "choice", FOUR, Status.UNFINISHED),
    ("P", r"\boxed{P}", "choice", (), Status.CORRECT),
    ("true", r"\boxed{\text{True}}", "exact", (), Status.CORRECT),
    ("true", "Answer: true.", "exact", (), Status.CORRECT),
    ("true", "False", "exact", (), Status.INCORRECT),
    ("1, 2, 3", r"\boxed{1,2,3}", "exact", (), Status.CORRECT),
    ("1, 2, 3", r"\boxed{1,3,2}", "exact", (), Status.INCORRECT),
    ("1, 2, 3", "First\nthen", "exact", (), Status.NO_ANSWER),
]


@pytest.mark.parametrize(("gold", "completion", "kind", "options", "status"), GRADES)
def test_status(gold: str, completion: str, kind: str, options: tuple[str, ...], status: Status) -> None:
    verdict = grade(gold, completion, kind, options)
    assert verdict.status is status
    assert verdict.correct is (status is Status.CORRECT)
    assert (verdict.answer is not None) is (status in (Status.CORRECT, Status.INCORRECT))
    assert verdict.rule


@pytest.mark.parametrize(("gold", "completion", "status"), cases.GRADES)
def test_case(gold: str, completion: str, status: str) -> None:
    assert grade(gold, completion, "exact").status.value == status


def test_a_verdict_says_what_decided() -> None:
    verdict = grade("1000", r"\boxed{1{,}000}")
    assert (verdict.answer, verdict.rule, verdict.detail) == ("1{,}000", "boxed", "identical")


def test_an_unknown_kind_is_refused_with_near_names() -> None:
    with pytest.raises(ConfigError, match=r"unknown grader 'maths'.*Did you mean math"):
        grade("5", "5", kind="maths")


def test_a_gold_that_is_no_option_is_refused() -> None:
    with pytest.raises(TaskError, match="names none of the 4 options"):
        grade("G", "A", "choice", FOUR)


def test_kinds_and_version_are_public() -> None:
    assert tuple(raml_eval.grading.KINDS) == ("math", "choice", "exact", "label", "bracket", "grid", "code", "task_rule")
    assert raml_eval.grading.GRADER_VERSION == "5"
