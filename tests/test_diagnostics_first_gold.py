"""A gold is found where it stands alone: a table of texts, each with the gold marked by bars."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.diagnostics.first_gold import gold_finder

# gold, text with | before the place where it is found
FOUND = [
    ("12", "123 - 111 = |12"),
    ("12", "so it is |12."),
    ("12", "|12, and 13"),
    ("12", "4.12, then |12"),
    ("12", "12.5 or 1,200 or 12th or x12 or x_12 are not |12"),
    ("12", "-12 is negative, (-12) too, = −12, and 5-|12 is a difference"),
    ("12", "x-|12"),
    ("12", "x = - 12, 2e-12 and 1.5E12, then 5 - |12"),
    ("12", "\n- |12 apples"),
    ("-12", "17 - 12 = 5, (3)-12, x - 12 and n-12, so x is |-12"),
    ("-12", "it is |- 12"),
    ("1/2", "-1/2 and - 1/2, then 3 - |1/2"),
    (r"\frac{1}{2}", r"-\frac{1}{2}, 3\frac{1}{2}, |\frac{1}{2}"),
    (r"\sqrt{3}", r"2\sqrt{3}, x\sqrt{3}, 2 + |\sqrt{3}"),
    ("12", "costs $|12"),
    ("12", "|12% of it"),
    ("12", r"\boxed{|12}"),
    ("12", "1/|12"),
    ("12", "12,000, and 3,|12 is a list"),
    ("12", "(|12,13)"),
    ("200", "1,200 and 1{,}200, but (3, |200)"),
    ("200000", "1,200,000 and |200,000"),
    ("12", "(3, |12)"),
    ("-12", "12 or 5-12 or x - |-12"),
    ("-12", "(|−12)"),
    ("-12", "= |- 12"),
    ("1200", "11,200 and 1,2000, then |1,200"),
    ("1,200", "|1200 apples"),
    ("1200", r"|1{,}200"),
    ("1200", r"|1\,200"),
    ("1234567", "|1,234,567"),
    ("0.5", "10.5 and 0.55, but |0.5."),
    ("0", "10, 0.1, 100, |0"),
    ("Paris", "Parisian, |paris"),
    ("B", "b, AB, and |B"),
    ("No", "None knows; |no"),
    (r"\frac{1}{2}", r"\frac{1}{20}, |\dfrac{1}{2}"),
    (r"\frac{1}{2}", r"|\frac {1} {2}"),
    ("x^2 - 1", "|x^2−1"),
    ("(1, 2)", "f(1,20) and |(1,2)"),
    ("3/4", "13/4, 3/40, |3/4"),
    ("new york", "New  Yorker, |New\n York"),
    ("苹果", "我有|苹果树"),
    ("a.b", "axb, |A.b"),
    ("2\\sqrt{3}", "12\\sqrt{3}, |2\\sqrt{3}"),
    (r"5\%", "15% or 5, |5 %"),
    (r"5\%", r"so |5\%"),
    ("5%", r"15\% or |5\%"),
    (r"\$5", "a fee of |$5"),
    (r"\$5", r"|\$5"),
    ("R&D", r"|R\&D"),
]


@pytest.mark.parametrize(("gold", "marked"), FOUND)
def test_a_gold_is_found_where_it_stands_alone(gold: str, marked: str) -> None:
    assert marked.count("|") == 1
    assert gold_finder(gold)(marked.replace("|", "")) == marked.index("|")


@pytest.mark.parametrize(
    ("gold", "text"),
    [("12", "123 112 1.12 12.0 12,000 a12 12a"), ("12", ""), ("-12", "12"), ("0.5", "1/2"), ("B", "b"), ("1200", "120 0")],
)
def test_a_gold_that_never_stands_alone_is_not_found(gold: str, text: str) -> None:
    assert gold_finder(gold)(text) is None


@given(st.integers(0, 5_000), st.lists(st.integers(0, 5_000), max_size=30))
def test_a_whole_number_is_found_at_its_first_place(gold: int, numbers: list[int]) -> None:
    text = " ".join(map(str, numbers))
    expected = len(" ".join([*map(str, numbers[: numbers.index(gold)]), ""])) if gold in numbers else None
    assert gold_finder(str(gold))(text) == expected


@given(st.text(max_size=12).filter(str.strip), st.text(max_size=30))
def test_any_gold_and_text_are_read(gold: str, text: str) -> None:
    place = gold_finder(gold)(text)
    assert place is None or 0 <= place < len(text)
