"""The rewrites of math/rewrites.py: every row, and every alternative of its pattern, is noticed by an example of the row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from raml_eval.grading.math import spelling
from raml_eval.grading.math.rewrites import REWRITES, Rewrite
from raml_eval.grading.math.spelling import simplify_latex
from tests.alternatives import alternatives, without_each

CASES = Path(__file__).with_name("cases")
LONGEST = 200  # characters of a pattern


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    spelling._simplify.cache_clear()
    yield
    spelling._simplify.cache_clear()


def results(row: Rewrite) -> dict[str, str]:
    spelling._simplify.cache_clear()
    return {text: simplify_latex(text) for text in row.examples}


def test_alternatives_are_split_outside_groups_and_classes() -> None:
    assert alternatives(r"a|(?:b|c)|[|)]|[]|]|\||d") == ["a", "(?:b|c)", "[|)]", "[]|]", r"\|", "d"]


@pytest.mark.parametrize("row", REWRITES, ids=lambda row: row.pattern)
def test_examples_come_out_as_the_row_says(row: Rewrite) -> None:
    assert row.examples
    assert results(row) == row.examples


@pytest.mark.parametrize("place", range(len(REWRITES)))
def test_a_row_that_is_missing_is_noticed(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = spelling._REWRITES[:place] + spelling._REWRITES[place + 1 :]
    monkeypatch.setattr(spelling, "_REWRITES", rest)
    row = REWRITES[place]
    assert [text for text, result in results(row).items() if result == row.examples[text]] == []


@pytest.mark.parametrize("place", range(len(REWRITES)))
def test_an_alternative_that_is_missing_is_noticed(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    row = REWRITES[place]
    for alternative, pattern in without_each(row.pattern):
        rewrites = list(spelling._REWRITES)
        rewrites[place] = (row.needs, re.compile(pattern), row.replacement)
        with monkeypatch.context() as patch:
            patch.setattr(spelling, "_REWRITES", rewrites)
            assert results(row) != row.examples, alternative


def test_no_pattern_is_long() -> None:
    assert [row.pattern for row in REWRITES if len(row.pattern) > LONGEST] == []


def test_what_a_row_needs_is_in_every_match() -> None:
    texts = [text for row in REWRITES for text in row.examples] + [
        line.strip()
        for name in ("math_equal", "math_unequal")
        for line in (CASES / f"{name}.txt").read_text(encoding="utf-8").replace(" | ", "\n").splitlines()
    ]
    for row in REWRITES:
        matching = [text for text in texts if re.search(row.pattern, text)]
        assert [text for text in matching if row.needs not in text] == [], row.pattern
