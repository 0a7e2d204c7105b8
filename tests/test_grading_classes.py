"""Answers to one question, grouped without knowing the gold."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.grading.answer_classes import answer_classes
from raml_eval.grading.math.equal import equal_math
from raml_eval.grading.pool import GradingPool


def never(a: str, b: str) -> bool:
    raise AssertionError(f"{a} and {b} needed sympy")


def groups(numbers: dict[str, int]) -> set[frozenset[str]]:
    return {frozenset(a for a in numbers if numbers[a] == number) for number in numbers.values()}


def test_forty_integers_need_no_sympy() -> None:
    numbers = answer_classes([str(n) for n in range(40)], "math", never)
    assert list(numbers.values()) == list(range(40))


def test_equal_numbers_share_a_class_and_duplicates_collapse() -> None:
    numbers = answer_classes(["1000", "5", "1,000", r"\frac{10}{2}", "5", "1e3", "5.0"], "math", never)
    assert numbers == {"1000": 0, "5": 1, "1,000": 0, r"\frac{10}{2}": 1, "1e3": 0, "5.0": 1}


@pytest.mark.parametrize("order", list(itertools.permutations([r"\frac{\sqrt2}{2}", r"\frac{1}{\sqrt2}", "x=5", "5"])))
def test_the_partition_is_the_same_in_any_order(order: tuple[str, ...]) -> None:
    numbers = answer_classes(order, "math", lambda a, b: equal_math(a, b)[0] or equal_math(b, a)[0])
    assert groups(numbers) == {frozenset({r"\frac{\sqrt2}{2}", r"\frac{1}{\sqrt2}"}), frozenset({"x=5", "5"})}


def test_classes_are_transitive() -> None:
    alike = {("p1", "q1"), ("q1", "r1")}
    numbers = answer_classes(["p1", "q1", "r1", "s1"], "math", lambda a, b: (a, b) in alike or (b, a) in alike)
    assert groups(numbers) == {frozenset({"p1", "q1", "r1"}), frozenset({"s1"})}


def test_a_stopped_comparison_costs_one_limit() -> None:
    asked = []

    def equal(a: str, b: str) -> bool | None:
        asked.append((a, b))
        return None if "slow" in a + b else a[5] == b[5]

    numbers = answer_classes(["\\sum a1", "\\sum a2", "\\sum b1", "\\sum slow+slow"], "math", equal)
    assert groups(numbers) == {frozenset({"\\sum a1", "\\sum a2"}), frozenset({"\\sum b1"}), frozenset({"\\sum slow+slow"})}
    assert sum("slow" in a + b for a, b in asked) == 1


def test_letters_and_texts() -> None:
    assert answer_classes(["A", "B", "A"], "choice", never) == {"A": 0, "B": 1}
    assert answer_classes(["True", "true.", "false"], "exact", never) == {"True": 0, "true.": 0, "false": 1}
    assert answer_classes([], "math", never) == {}
    assert answer_classes(["True", "False", "True"], "label", never) == {"True": 0, "False": 1}


def test_brackets_and_grids_are_compared_by_form() -> None:
    brackets = answer_classes(["{1,2}", "A;C", "{2, 1}", "[A];[C]", "1 2,3 4", "1 2\n3 4", "C;A"], "bracket", never)
    assert list(brackets.values()) == [0, 1, 0, 1, 2, 2, 3]
    ann, bob = '{"House 1": {"Name": "Ann"}}', '{"House 1": {"Name": "Bob"}}'
    assert list(answer_classes([ann, bob, ann.replace("Ann", "ANN")], "grid", never).values()) == [0, 1, 0]


def test_formulas_in_brackets_are_left_to_sympy() -> None:
    numbers = answer_classes(["2x+3", "3+2x", "2x+4"], "bracket", lambda a, b: {a, b} == {"2x+3", "3+2x"})
    assert groups(numbers) == {frozenset({"2x+3", "3+2x"}), frozenset({"2x+4"})}


@given(st.lists(st.integers(-5, 5).map(str) | st.fractions(-2, 2, max_denominator=4).map(str), max_size=12))
def test_classes_are_values(answers: list[str]) -> None:
    from fractions import Fraction

    numbers = answer_classes(answers, "math", never)
    for a, b in itertools.combinations(numbers, 2):
        assert (numbers[a] == numbers[b]) == (Fraction(a) == Fraction(b))


def test_a_pool_forms_classes() -> None:
    async def main() -> dict[str, int]:
        pool = GradingPool(workers=1, timeout_s=60.0)
        try:
            return await pool.classes([r"\frac{1}{\sqrt2}", "3", r"\frac{\sqrt2}{2}", "x=3"])
        finally:
            pool.close()

    numbers = asyncio.run(main())
    assert numbers == {r"\frac{1}{\sqrt2}": 0, "3": 1, r"\frac{\sqrt2}{2}": 0, "x=3": 1}
