"""Endings are compared on the same thinkings, paired."""

from __future__ import annotations

import pytest

from raml_eval.diagnostics.roles.closings import NOTHING, OWN
from raml_eval.diagnostics.roles.compared import ending_rows
from raml_eval.diagnostics.roles.thoughts import SHARES, Thought
from raml_eval.intervals import mean_interval
from tests.test_diagnostics_roles_thoughts import thought

THOUGHTS = [thought(str(i), "abcdefgh") for i in range(6)]


def values(*levels: float) -> dict[str, dict[int, float]]:
    """A thinking's level, a tenth higher at each share before its end."""
    return {one.id: {2: x + 0.3, 4: x + 0.2, 6: x + 0.1, 8: x} for one, x in zip(THOUGHTS, levels, strict=False)}


def rows_of(thoughts: list[Thought], **by_ending: dict[str, dict[int, float]]) -> dict[tuple[float, str], dict[str, object]]:
    given = {{"nothing": NOTHING, "own": OWN}.get(name, name): values for name, values in by_ending.items()}
    return {(row["share"], row["ending"]): row for row in ending_rows(thoughts, given)}


def test_differences_are_paired() -> None:
    rows = rows_of(THOUGHTS, nothing=values(4, 5, 6, 9, 6, 6), own=values(1, 2, 3, 4, 2, 3), x=values(2, 2, 5, 5, 3, 4))
    assert {share for share, _ in rows} == {*SHARES}
    last = rows[1.0, "x"]
    assert (last["n"], last["n_questions"], last["nll"]) == (6, 6, 3.5)
    assert last["against_own"] == pytest.approx(1.0)
    assert last["against_nothing"] == pytest.approx(-2.5)
    wanted = mean_interval([1, 0, 2, 1, 1, 1], list("012345"), bounds=None)
    assert (last["against_own_low"], last["against_own_high"]) == pytest.approx((wanted.low, wanted.high))
    assert rows[0.25, "x"]["nll"] == pytest.approx(3.8)
    assert rows[1.0, OWN]["against_own"] is rows[1.0, NOTHING]["against_nothing"] is None
    assert rows[1.0, OWN]["against_nothing"] == pytest.approx(-3.5)


def test_no_interval_of_an_nll_reaches_below_0_and_five_questions_have_none() -> None:
    level = values(0, 0, 0, 0, 0, 9)
    row = rows_of(THOUGHTS, nothing=level, own=level)[1.0, OWN]
    assert (row["nll"], row["nll_low"]) == (1.5, 0.0)
    row = rows_of(THOUGHTS[1:], nothing=level, own=level)[1.0, OWN]
    assert (row["nll"], row["nll_low"], row["nll_high"]) == (1.8, None, None)


def test_only_natural_thinkings_with_every_value_count() -> None:
    cut = thought("9", "abcdefgh", natural=False)
    every = {"nothing": values(4, 5, 6, 9), "own": values(1, 2, 3, 4), "x": values(2, 2, 5)}
    for of in every.values():
        of[cut.id] = {2: 1.0, 4: 1.0, 6: 1.0, 8: 1.0}
    assert {row["n"] for row in rows_of([*THOUGHTS, cut], **every).values()} == {3}
    assert rows_of([cut], **every) == {}
