"""The one gold of a question: from worked solutions, letters, places and options."""

import time

import pytest

from raml_eval.errors import SourceError
from raml_eval.importing.golds import NO_TARGET, SEVERAL, read_gold

OPTIONS = ("iron", "salt", "glass")


@pytest.mark.parametrize(
    ("targets", "kind", "gold"),
    [
        (("42",), "math", "42"),
        ((" 42 ", "42"), "math", "42"),
        (("17 + 25 = 42\n#### 42",), "math", "42"),
        (("first #### 1\nthen\n#### 1,250 \n",), "math", "1,250"),
        (("#### 5\nbut that is not the end",), "math", "#### 5\nbut that is not the end"),
        (("So we get $\\boxed{\\frac{1}{2}}$.",), "math", "\\frac{1}{2}"),
        (("\\boxed{1}, no, \\boxed{2}",), "math", "2"),
        (("\\boxed{}",), "math", "\\boxed{}"),
        (("A",), "choice", "A"),
        (("(B)",), "choice", "B"),
        (("salt",), "choice", "B"),
        (("2",), "choice", "C"),
        (("$x=\\boxed{3}$ or $x=\\boxed{4}$",), "math", "3, 4"),
        (("So $x = \\boxed{3}$ and $y = \\boxed{4}$.",), "math", "3, 4"),
        (("\\boxed{5",), "math", "\\boxed{5"),
        (("1",), "choice", "B"),
        (("1.",), "choice", "B"),
        (("(1)",), "choice", "B"),
        (("**1**",), "choice", "B"),
        (("\\boxed{1}",), "choice", "B"),
        (("#### 42",), "exact", "#### 42"),
    ],
)
def test_one_target_gives_one_gold(targets: tuple[str, ...], kind: str, gold: str) -> None:
    assert read_gold(targets, kind, OPTIONS if kind == "choice" else (), "t/0") == (gold, "")


def test_a_megabyte_of_marks_takes_no_time() -> None:
    started = time.process_time()
    assert read_gold(("#### " * 200_000 + "\nend",), "math", (), "t/0")[1] == ""
    assert time.process_time() - started < 2


@pytest.mark.parametrize(("targets", "reason"), [((), NO_TARGET), (("", " "), NO_TARGET), (("1", "2"), SEVERAL)])
def test_a_question_without_one_gold_says_why(targets: tuple[str, ...], reason: str) -> None:
    assert read_gold(targets, "math", (), "t/0") == ("", reason)


def test_a_gold_that_is_none_of_the_options_names_the_question() -> None:
    with pytest.raises(SourceError, match=r"t/0: the gold 'copper' names none of the 3 options.*--grader TASK=KIND"):
        read_gold(("copper",), "choice", OPTIONS, "t/0")
    with pytest.raises(SourceError, match="names none"):
        read_gold(("3",), "choice", OPTIONS, "t/0")  # counted from 0, there are 0, 1 and 2
    for gold in ("3.", "-1", "1.0", "9" * 5000):
        with pytest.raises(SourceError, match="names none"):
            read_gold((gold,), "choice", OPTIONS, "t/0")


@pytest.mark.parametrize("text", ["(" * 1_000_000, "\\a" * 500_000, "1" * 1_000_000, "(1" * 500_000], ids=len)
def test_a_megabyte_of_a_choice_takes_no_time(text: str) -> None:
    started = time.process_time()
    with pytest.raises(SourceError, match="names none"):
        read_gold((text,), "choice", OPTIONS, "t/0")
    assert time.process_time() - started < 4


@pytest.mark.parametrize(("gold", "options"), [("1.", ("1", "2")), ("1", ("1.", "2.")), ("1", ("$1$", "$2$"))])
def test_a_number_among_marked_numbers_is_ambiguous_too(gold: str, options: tuple[str, ...]) -> None:
    with pytest.raises(SourceError, match="may be an option's text or its place"):
        read_gold((gold,), "choice", options, "t/0")


def test_a_number_among_numbers_is_ambiguous_and_never_guessed() -> None:
    with pytest.raises(SourceError, match="the target '2' may be an option's text or its place"):
        read_gold(("2",), "choice", ("1", "2", "3"), "t/0")
