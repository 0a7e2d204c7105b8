"""How the answer to a mathematical question is read out of a text: a table of texts by kind, with cases on both sides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from raml_eval.grading.kinds import extract_answer
from raml_eval.grading.math.conclusion import read_conclusion
from raml_eval.grading.math.result import read_result
from raml_eval.grading.math.undelimited import find_runs, is_formula, mark_formulas
from raml_eval.grading.pool import GradingPool
from raml_eval.grading.statements.delimited import FORMULA, content_of, read_marked
from raml_eval.types import Finish, Question, Status

TABLE = Path(__file__).with_name("cases") / "math_reading.txt"


def sections() -> dict[str, list[tuple[str, str, str]]]:
    """The cases by section: (status, gold, text)."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            found[line[3:]] = []
        elif line and not line.startswith("# "):
            status, gold, text = line.split(" | ", 2)
            found[list(found)[-1]].append((status, gold, text.replace("¶", "\n")))
    return found


CASES = [(section, *case) for section, cases in sections().items() for case in cases]


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    pool = GradingPool(workers=1, timeout_s=60.0)
    yield pool
    pool.close()


@pytest.mark.parametrize(("section", "status", "gold", "text"), CASES)
def test_reading(pool: GradingPool, section: str, status: str, gold: str, text: str) -> None:
    grade = pool.grade_blocking(gold, text)
    assert grade.status.value == status, (section, grade)


@pytest.mark.parametrize("section", sections())
def test_each_kind_has_cases_on_both_sides(section: str) -> None:
    right = [status == "correct" for status, _, _ in sections()[section]]
    assert right.count(True) >= 3
    assert right.count(False) >= 3


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        (r"the area is 6\sqrt{2}.", r"the area is $6\sqrt{2}$."),
        (r"on [2,\infty) it is", r"on $[2,\infty)$ it is"),
        (r"so $x = 2$ or 3\pi", r"so $x = 2$ or $3\pi$"),
        (r"**12\pi**", r"**$12\pi$**"),
        ("f(x) = 3x - 2", "$f(x) = 3x - 2$"),
        ("S = {1, 2, 3}", "$S = {1, 2, 3}$"),
        ("3xy + 5", "$3xy + 5$"),
        ("|x - 3| is even", "$|x - 3|$ is even"),
        ("12 pi and 2 sqrt(3)", "$12 pi$ and $2 sqrt(3)$"),
        *((text, text) for text in (
            "x = 5 or x = -2", "120 - 45 = 75", "5 m/s", "a 5-digit code A4 (see 3)", "It is $5 or $6 a day.", r"6 \text{ cm}",
            "In 2020, he ran 3 km, i.e. 5%.", "- 3\n- 5", "I have a 5", "the x-axis and 5-7", "and/or 5", "the log of it",
            "4th and 2nd", "",
        )),
        (r"6\sqrt{the smaller}", None),
        (r"it is x^{y and more}, 3", r"it is x^{y and more}, 3"),
    ],
)  # fmt: skip
def test_undelimited_formulas_are_marked_whole(text: str, marked: str | None) -> None:
    assert mark_formulas(text) == marked


@pytest.mark.parametrize("text", [r"\frac{5}{7}", "x^2+4", "(3, 5)", "y = 4x + 1", "-17", "x", r"\{1, 2\}", "1 1/2"])
def test_one_formula(text: str) -> None:
    assert is_formula(text)
    assert len(list(find_runs(text))) == 1


@pytest.mark.parametrize(
    "text", ["", "...", "5 cars", "x = 3\ny = 4", "a b", r"\boxed{}", r"\begin{matrix}", "1, 2", "(1", "+"]
)
def test_no_formula(text: str) -> None:
    assert not is_formula(text)


def test_delimited_formulas() -> None:
    match = FORMULA.search(r"so \begin{align*} a &= 2+3 \\ &= 5 \end{align*}")
    assert match is not None
    assert content_of(match) == "a = 2+3 = 5"
    assert read_marked(r"$x=2$, \(y=3\) and **4**, or so") == ["x=2", "y=3", "4"]
    assert read_marked("x, $y$") == []


def test_results() -> None:
    assert read_result("So the sides are $3$ and $4$.") == "3, 4"
    assert read_result("So the sides are 3, then 4.") is None
    assert read_conclusion("There are 5 of them. Do you need more?") == "5"


@pytest.mark.parametrize("text", ["Maria\nor", "x^2+4\n+", "Result: 4\nThen", "So it is 5\\sqrt{3}. But"])
def test_what_no_delimiter_ends_counts_in_no_answer_that_was_cut_off(pool: GradingPool, text: str) -> None:
    question = Question("t", "q", "q", {}, (), "4", "math")
    assert asyncio.run(pool.grade_sample(question, text, Finish.LENGTH)).status is Status.UNFINISHED
    assert asyncio.run(pool.grade_sample(question, text, Finish.STOP)).status is not Status.UNFINISHED


PIECES = [
    "\\", r"\\boxed{", r"\\boxed{x=\\}", r"\boxed{x=\text{e}", r"\boxed{1.5} ", r"\boxed{x_1=2} ", "[(", "1+", "(1,",
    "- ", "for 5 ",
    r"\begin{align}", r"\begin{a}", "$$1$$\n", "$$\n", r"\frac{1}{2}", "5 cars for 5 ", "so 1, ", "two hundred and ", "1 = ",
    "= 1\n", "1\n",
    "answer $$", '{"answer": 1, ', "\0", "x^", "!", "...", "5 is the answer ", "1 2/3 ", "因此1", "ne 1 pas ",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("ends", [("", ""), ("5 cars for ", "."), (r"\\boxed{", "}"), (r"\boxed{x=", "=}"), ("x\n", "\n42")])
def test_a_megabyte_of_anything_is_read_fast(piece: str, ends: tuple[str, str]) -> None:
    started = time.process_time()
    for size in (400, 2900, 1 << 20):
        extract_answer(ends[0] + piece * (size // len(piece)) + ends[1], "math")
    assert time.process_time() - started < 3
