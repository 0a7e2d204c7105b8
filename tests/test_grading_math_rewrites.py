"""The rewrites of math/rewrites.py: every row, and every alternative of its pattern, is noticed by an example of the row."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from raml_eval.grading.math import spelling
from raml_eval.grading.math.rewrites import REWRITES, Rewrite
from raml_eval.grading.math.spelling import simplify_latex

LONGEST = 200  # characters of a pattern


def alternatives(pattern: str) -> list[str]:
    """The alternatives of a pattern that stand outside all its groups: 'a|(b|c)' has two."""
    parts, depth, start, in_class = [], 0, 0, False
    place = 0
    while place < len(pattern):
        character = pattern[place]
        if character == "\\":
            place += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
            place += len(re.match(r"\[\^?\]?", pattern[place:])[0]) - 1
        elif character == "|" and depth == 0:
            parts.append(pattern[start:place])
            start = place + 1
        else:
            depth += (character == "(") - (character == ")")
        place += 1
    return [*parts, pattern[start:]]


def without_each(pattern: str) -> Iterator[tuple[str, str]]:
    """Each alternative, and the pattern in which it never matches; groups keep their numbers."""
    parts = alternatives(pattern)
    for place, part in enumerate(parts):
        yield part, "|".join([*parts[:place], f"(?!){part}", *parts[place + 1 :]])


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
        rewrites[place] = (re.compile(pattern), row.replacement)
        with monkeypatch.context() as patch:
            patch.setattr(spelling, "_REWRITES", rewrites)
            assert results(row) != row.examples, alternative


def test_no_pattern_is_long() -> None:
    assert [row.pattern for row in REWRITES if len(row.pattern) > LONGEST] == []
