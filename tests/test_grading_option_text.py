"""Which option a text is, in any spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.grading.choice.option_text import LETTERS, OptionTexts, option_texts

OPTIONS = ("10 eV", r"$\frac{1}{2}$", "5.3 × 10^-15 s", "The heart", "New York", "25", "$1,250", r"\sqrt{2}")

SAME = [
    ("10 eV", "A"),
    (r"10\,\mathrm{eV}", "A"),
    ("1/2", "B"),
    (r"\dfrac12", "B"),
    (r"5.3 \times 10^{-15}\text{ s}", "C"),
    ("5.3*10^-15 s", "C"),
    ("5.3 x 10^-15 s", "C"),
    ("heart", "D"),
    ("the heart.", "D"),
    ("new  york", "E"),
    ("**New York**", "E"),
    ("25", "F"),
    ("$25$", "F"),
    (r"\$1{,}250", "G"),
    ("$1250", "G"),
    ("√2", "H"),
]
VALUES = [("10", "A"), ("0.5", "B"), ("5.3e-15 s", "C"), ("25.0", "F"), ("25 cm", "F"), ("x = 25", "F"), ("$1,250.00", "G")]
NONE = ["", "10 m", "100 eV", "York", "2.5", "0.51", "12", "hearts", "25 or 10"]


@pytest.mark.parametrize(("text", "letter"), SAME)
def test_same_text(text: str, letter: str) -> None:
    assert option_texts(OPTIONS).match(text) == letter


@pytest.mark.parametrize(("text", "letter"), VALUES)
def test_same_value(text: str, letter: str) -> None:
    assert (option_texts(OPTIONS).match(text) or option_texts(OPTIONS).match_value(text)) == letter


@pytest.mark.parametrize("text", NONE)
def test_no_option(text: str) -> None:
    assert option_texts(OPTIONS).match(text) is None
    assert option_texts(OPTIONS).match_value(text) is None


def test_two_equal_options_are_no_answer() -> None:
    assert OptionTexts(("same", "same", "other")).match("same") == ""
    assert OptionTexts(("10 m", "10 s")).match_value("10") == ""


def test_the_longest_option_that_a_text_begins_or_ends_with() -> None:
    texts = option_texts(("osmosis", "osmosis in plants", "10", "10.5"))
    assert texts.match_start("Osmosis in plants, since") == ("B", len("osmosis in plants"))
    assert texts.match_start("osmosis: why") == ("A", len("osmosis"))
    assert texts.match_start("osmosises") is None
    assert texts.match_start("10.5 m") == ("D", 4)
    assert texts.match_end("it is osmosis in plants") == "B"
    assert texts.match_end("it is reverse-osmosis") is None


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=16, unique=True))
def test_an_option_is_itself_or_ambiguous(options: list[str]) -> None:
    texts = OptionTexts(options)
    for letter, option in zip(LETTERS, options, strict=False):
        assert texts.match(option) in (letter, "", None)
