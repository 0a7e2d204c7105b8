"""Sums of whole numbers, worked out exactly and never evaluated."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.grading.bracket.arithmetic import read_sum

VALUES = [
    ("6+2*3-2=10", 10, 10),
    ("(9+5-2)×2", 24, None),
    ("6*8/(9-7)", 24, None),
    ("6/2+5+4 = 12", 12, 12),
    ("1-2+5+2/1=6", 6, 6),
    ("8/3/(2-1)", Fraction(8, 3), None),
    (r"6 \times 4", 24, None),
    ("6−2", 4, None),
    ("$6+2$", 8, None),
    ("7", 7, None),
    ("2*(3+(4-1))", 12, None),
    ("5-8=-3", -3, -3),
]
NOT = [
    "",
    "1/0",
    "1/(2-2)",
    "2**9",
    "9^9",
    "1+",
    "+1",
    "(1",
    "1)",
    "x+1",
    "1=1=1",
    "1=",
    "1=1+0",
    "a",
    "__import__('os')",
    "1" * 300,
    "(" * 150 + "1",
]


@pytest.mark.parametrize(("text", "value", "result"), VALUES)
def test_value(text: str, value: Fraction, result: int | None) -> None:
    found = read_sum(text)
    assert found is not None
    assert (found.value, found.result) == (value, result)


@pytest.mark.parametrize("text", NOT)
def test_no_sum(text: str) -> None:
    assert read_sum(text) is None


def test_numbers_and_operators_stand_in_order() -> None:
    found = read_sum("6+2*(3-2)=8")
    assert found is not None
    assert (found.numbers, found.operators) == ((6, 2, 3, 2), "+*-")


@given(st.lists(st.integers(0, 99), min_size=2, max_size=8), st.data())
def test_python_agrees(numbers: list[int], data: st.DataObject) -> None:
    operators = [data.draw(st.sampled_from("+-*")) for _ in numbers[1:]]
    text = str(numbers[0]) + "".join(f" {operator} {number}" for operator, number in zip(operators, numbers[1:], strict=True))
    found = read_sum(text)
    assert found is not None
    assert found.value == eval(text)
