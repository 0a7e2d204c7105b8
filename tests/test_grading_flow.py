"""The order in which statements are searched, with statements that a kind of numbers might read."""

from __future__ import annotations

import re

import pytest

from raml_eval.grading.statements.flow import edge_lines, settle_text, strong_places, to_extraction
from raml_eval.grading.statements.places import Place
from raml_eval.grading.statements.settle import HEDGE, Reading


def _places(pattern: str, text: str, start: int = 0) -> list[Place]:
    return [Place(m.start(), m.end(), None, pattern) for m in re.finditer(pattern, text) if m.start() >= start][::-1]


def _read(text: str, place: Place) -> tuple[str, int] | None:
    match = re.compile(r"(\d)( or \d)?").match(text, place.at)
    return None if match is None else (HEDGE if match[2] else match[1], match.end())


def _settle(text: str) -> str | None:
    found = settle_text(
        text,
        strong=_places("answer: ", text),
        read=lambda place: _read(text, place),
        weak=lambda start: _places("it is ", text, start),
        read_weak=lambda place: _read(text, place),
        closing=lambda: Reading("end", 0, len(text), "closing"),
    )
    return found.value if found else None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("answer: 1. it is 2.", "1"),  # prose does not override a strong statement
        ("answer: 1. wait, it is 2.", "2"),  # but for a change of mind
        ("answer: 1. wait, it is 2 or 3.", "1"),  # to one answer
        ("wait, it is 2. answer: 1.", "1"),  # behind it
        ("it is 1. it follows. it is 2.", "2"),  # no strong statement
        ("it is 1 or 2.", HEDGE),
        ("nothing.", "end"),
        ("answer: 1 or 2. it follows. it is 3.", "3"),  # prose settles what a statement left open
        ("answer: 1. it follows. it is 3.", "1"),
        ("answer: 1 or 2. wait, it is 3.", "3"),
    ],
)
def test_a_strong_statement_then_prose_then_the_end(text: str, value: str) -> None:
    assert _settle(text) == value


def test_lines_at_the_edges() -> None:
    text = "\n```\nA\n\nB\n C \n```\n"
    assert [text[start:end] for spans in edge_lines(text, 2000) for start, end in spans] == ["A", " C "]
    assert [text[start:end] for spans in edge_lines(text, 2000, 2) for start, end in spans] == ["A", "B", "B", " C "]
    assert edge_lines("\n \n", 2000) == ([], [])


def test_strong_places_come_from_the_last_to_the_first() -> None:
    text = r"\boxed{1} answer: 2 <answer>3</answer>"
    places = strong_places(text, [], [Place(10, 18, None, "answer phrase")])
    assert [text[place.at] for place in places] == ["3", "2", "1"]


def test_a_reading_as_an_extraction() -> None:
    assert to_extraction(None, "several labels").rule == "nothing found"
    assert to_extraction(Reading(HEDGE, 0, 1, "boxed", closed=True), "several labels").rule == "boxed, several labels"
    assert to_extraction(Reading("1", 0, 1, "boxed", closed=True), "several labels").closed
