"""The notes on missing intervals name the reason, the columns and the rows; what has an interval or no reason has no note."""

from __future__ import annotations

import math
from typing import Any

import pytest

from raml_eval.diagnostics.section import Column, SectionTable
from raml_eval.diagnostics.told_intervals import MOST, notes_of_intervals

COLUMNS = (
    Column("task", "task"),
    Column("verdict", "verdict"),
    Column("n", "n", "count"),
    Column("mean", "mean [95 % interval]", "number", low="mean_low", high="mean_high"),
    Column("rate", "rate, of all", "number", low="rate_low", high="rate_high"),
)


def row(verdict: str | None, mean: str, rate: str = "", low: float | None = None) -> dict[str, Any]:
    ends = {"mean_low": low, "mean_high": low, "rate_low": math.nan, "rate_high": math.nan}
    return {"task": "a", "verdict": verdict, "n": 1, "mean": 1.0, "rate": 2.0, **ends, "mean_method": mean, "rate_method": rate}


def notes(*rows: dict[str, Any]) -> list[str]:
    return list(notes_of_intervals([SectionTable("lengths", "Length per 1,000 words: means, by task", COLUMNS, rows, 2)]))


def test_rows_are_named_by_reason() -> None:
    few, one = "no interval: fewer than six clusters", "not given: the denominator's interval includes 0"
    assert notes(row("all", "t", "t", 0.5), row("correct", few, few), row("incorrect", few, one), row(None, few)) == [
        "Without an interval (fewer than six clusters): Length per 1,000 words: 'mean' (a correct, a incorrect, a); "
        "Length per 1,000 words: 'rate, of all' (a correct).",
        "Without an interval (the denominator's interval includes 0): Length per 1,000 words: 'rate, of all' (a incorrect).",
    ]


def test_columns_that_lack_the_same_rows_are_told_together() -> None:
    few = "no interval: no variance and no bounds"
    (note,) = notes(*(row(str(n), few, few) for n in range(MOST + 2)), row("last", "t", low=0.5))
    assert note.startswith(
        "Without an interval (all values are equal): Length per 1,000 words: 'mean' and 'rate, of all' (a 0,"
    )
    assert note.endswith(f"a {MOST - 1} and 2 more).")
    (note,) = notes(row("all", few), row("correct", few))
    assert note.endswith("'mean' (every row).")


@pytest.mark.parametrize("method", ["", "no interval: no values", "clustered t-interval", "the two are the same"])
def test_what_needs_no_reason_has_no_note(method: str) -> None:
    assert notes(row("all", method)) == []
    assert notes() == []
