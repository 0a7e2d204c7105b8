"""Text written to do harm: a verdict in time, no crash, nothing evaluated."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from raml_eval.grading.kinds import KINDS, extract_answer
from raml_eval.grading.pool import GradingPool
from raml_eval.types import Status

MEGABYTE = 1 << 20
WRONG = {Status.INCORRECT, Status.NO_ANSWER, Status.TIMEOUT}

PIECES = [
    "a",
    " ",
    "\n",
    "$",
    "{",
    "}",
    "\\",
    "\\{",
    "\\(",
    "\\[",
    "*",
    "**a",
    "`",
    "(A) ",
    "A or ",
    "answer is ",
    "answer:\n",
]
PIECES += [
    r"\boxed{",
    r"\boxed{}",
    r"\boxed{1}",
    r"\boxed",
    r"\text{",
    "####",
    "\n#### 1 x",
    "1,",
    "1,000,",
    "-",
    ".",
    "^{",
    "\x00",
]
PIECES += [
    "[[",
    "[[1]] ",
    "]]",
    '{"a":',
    '{"House 1":',
    "['",
    '"answer": "',
    "<answer>",
    "true or ",
    "not true ",
    "| a |\n",
    "答案是",
    "选A",
    "if ",
    "so ",
]
PIECES += ["\u202e", "option A is ", "answer to a", "the answer is $", "\\,", "<think>", "</think>", "𝟙", "٣", "½", "²"]


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    pool = GradingPool(workers=1, timeout_s=3.0)
    yield pool
    pool.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("piece", PIECES)
def test_extraction_of_a_megabyte_is_fast(piece: str, kind: str) -> None:
    text = piece * (MEGABYTE // len(piece))
    started = time.process_time()
    extract_answer(text, kind, ("x", "y"))
    extract_answer(text + "}" * 5000, kind, ("x", "y"))
    extract_answer("answer is " + text, kind, ("x", "y"))
    assert time.process_time() - started < 4  # three texts, on a machine that may be busy


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("length", [999, 100_000])
def test_a_box_full_of_anything_is_wrong_in_time(pool: GradingPool, piece: str, length: int) -> None:
    started = time.monotonic()
    verdict = pool.grade_blocking("7", rf"\boxed{{{piece * (length // len(piece))}}}")
    assert time.monotonic() - started < 60
    assert verdict.status in WRONG | {Status.UNFINISHED}


@pytest.mark.parametrize(
    "answer",
    [
        "9^{9^{9^{9}}}",
        "9^9^9^9^9",
        "((9^9)^9)^{9^9}",
        "9!!!!!!",
        "99999999!",
        "9" * 1_000_000,
        "1e999999999",
        "1e9999999999999",
        r"\frac{1}{0}",
        "1/0",
        r"\sqrt{" * 300 + "7" + "}" * 300,
        r"\frac{" * 150 + "7" + "}{1}" * 150,
        "(" * 900,
        "7" + "\u0661" * 3,
        r"\input{/etc/passwd}",
        r"\begin{matrix}" * 50,
        "{" * 10_000 + "8" + "}" * 10_000,
        r"\binom{99999999}{9999999}",
        r"\sum_{n=1}^{\infty}\frac{1}{n^{1.0000001}}",
    ],
)
def test_monsters_are_wrong_in_time(pool: GradingPool, answer: str) -> None:
    pool.grade_blocking(f"x+{pool.n_compared + 1}", r"\boxed{x}")  # never asked before: a killed worker is replaced now
    started = time.monotonic()
    verdict = pool.grade_blocking("7", rf"\boxed{{{answer}}}")
    assert time.monotonic() - started < 30
    assert verdict.status in WRONG


def test_a_box_in_ten_thousand_boxes_holds_its_answer(pool: GradingPool) -> None:
    text = r"\boxed{" * 10_000 + "7" + "}" * 10_000
    assert pool.grade_blocking("7", text).status is Status.CORRECT
    assert pool.grade_blocking("7", text.removesuffix("}" * 9_999)).status is Status.CORRECT


@pytest.mark.parametrize("noise", ["\x00", "\u200b", "\u202e", "\u2066", "\ufeff", "\u00ad"])
def test_invisible_characters_change_nothing(pool: GradingPool, noise: str) -> None:
    assert pool.grade_blocking("17", rf"\boxed{{1{noise}7}}").correct
    assert pool.grade_blocking("B", f"The answer is {noise}(B){noise}.", "choice", ("x", "y")).correct


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if not kind.needs_sandbox])
def test_python_in_any_field_is_only_text(pool: GradingPool, kind: str, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    code = f"__import__('os').system('touch {touched}')"
    options = (code, "y")
    golds = {"choice": "A", "label": code, "grid": json.dumps({"House 1": {"Name": code}})}
    for completion in (code, rf"\boxed{{{code}}}", f"The answer is {code}", f"$\\text{{{code}}}$", f"#### {code}"):
        pool.grade_blocking(golds.get(kind, "7"), completion, kind, options)
        pool.grade_blocking(golds.get(kind, code), rf"\boxed{{x+{code}}}", kind, options)
    assert not touched.exists()


def test_lone_surrogates_are_graded(pool: GradingPool) -> None:
    pool.timeout_s = 60.0
    assert pool.grade_blocking("7", "\\boxed{x\ud800+1}").status is Status.INCORRECT
    pool.timeout_s = 3.0
