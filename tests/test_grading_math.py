"""Pairs of (gold, answer) that a mathematician would call equal, and pairs that only look alike."""

from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval.grading.math.equal import equal_math, quick_math, symbolic_math
from raml_eval.grading.math.numbers import same_decimals

CASES = Path(__file__).with_name("cases")


def read_table(name: str) -> list[tuple[str, str]]:
    """The pairs 'gold | answer' of a file; lines that begin with # name what follows."""
    lines = (CASES / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.partition(" |") for line in lines if line and not line.startswith("#")]
    return [(gold.strip(), answer.strip()) for gold, _, answer in rows]


EQUAL, UNEQUAL = read_table("math_equal"), read_table("math_unequal")


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_equal(gold: str, answer: str) -> None:
    equal, decided_by = equal_math(gold, answer)
    assert equal, decided_by


@pytest.mark.parametrize(("gold", "answer"), UNEQUAL)
def test_unequal(gold: str, answer: str) -> None:
    equal, decided_by = equal_math(gold, answer)
    assert not equal, decided_by


@pytest.mark.parametrize(("gold", "answer"), EQUAL + UNEQUAL)
def test_the_quick_decision_never_contradicts_the_whole_one(gold: str, answer: str) -> None:
    for pair in ((gold, answer), (answer, gold)):
        quick = quick_math(*pair)
        if quick is not None:
            assert quick[0] == symbolic_math(*pair)[0] or "too large" in quick[1]


@pytest.mark.parametrize(("gold", "answer"), [("1024", "1023"), ("1,000", "1000"), ("\\frac{1}{2}", "0.5"), ("-3", "-3.0")])
def test_numbers_never_reach_sympy(gold: str, answer: str) -> None:
    assert quick_math(gold, answer) is not None


@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
@settings(max_examples=200)
def test_fractions_compare_as_fractions(a: Fraction, b: Fraction) -> None:
    decision = quick_math(str(a), str(b))
    assert decision is not None
    assert decision[0] == (a == b)
    assert quick_math(str(a), f"\\frac{{{3 * a.numerator}}}{{{3 * a.denominator}}}")[0]


@given(st.decimals(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False))
@settings(max_examples=300)
def test_decimals_compare_exactly_or_as_roundings(a: Decimal, b: Decimal) -> None:
    decision = quick_math(str(a), str(b))
    assert decision is not None
    assert decision[0] == (a == b or same_decimals(str(a), str(b)))
    assert quick_math(str(a), str(a)) == (True, "identical")


def test_million_digits_compare_fast() -> None:
    started = time.process_time()
    assert quick_math("9" * 1_000_000, "9" * 999_999 + "8") == (False, "number")
    assert quick_math("9" * 1_000_000, "+" + "9" * 1_000_000 + ".0") == (True, "number")
    assert time.process_time() - started < 2
