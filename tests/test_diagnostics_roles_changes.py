"""Changes and their means by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from raml_eval.diagnostics.roles.changes import ALL, FLOOR, Change, Measured, measure_changes, measure_delimiter, role_rows
from raml_eval.diagnostics.roles.null import Span
from raml_eval.diagnostics.roles.occurrences import DELIMITER, Occurrence
from raml_eval.diagnostics.roles.thoughts import Chosen, Found
from raml_eval.intervals import mean_interval
from raml_eval.types import SampleKey, Status
from tests.test_diagnostics_roles_thoughts import thought

ONE, TWO, THREE = (thought(name, "wait abcdef") for name in "012")


def test_one_change() -> None:
    change = Change(2.0, 0.5)
    assert change.difference == -1.5
    assert change.log == pytest.approx(math.log(0.25))
    assert change.relative == 0.75


def test_what_is_below_an_engines_noise_has_no_logarithm_of_its_own() -> None:
    assert Change(3e-6, 1e-5).log == 0
    assert Change(1e-6, 1.0).log == pytest.approx(-math.log(FLOOR))
    assert Change(1e-6, 1e-5).relative == pytest.approx(9)
    assert math.isnan(Change(0.0, 1.0).relative)


def test_changes_are_read_at_both_ends_of_a_span_and_of_its_null() -> None:
    chosen = Chosen(ONE, Occurrence("Wait", 0, 4), (Span(1, 1, 5), Span(1, 2, 6)))
    found = Found([ONE, TWO], [chosen])
    values = {ONE.id: {0: 2.0, 4: 1.0}, TWO.id: {1: 1.0, 5: 4.0, 2: 3.0}}
    (one,) = measure_changes(found, values)
    assert (one.change, one.null) == (Change(2.0, 1.0), (Change(1.0, 4.0),))  # the second span has no value at 6
    assert one.null_log == pytest.approx(math.log(4))
    row = one.row()
    assert (row["change"], row["relative"], row["n_null"], row["null_after"]) == (-1.0, 0.5, 1, [4.0])
    assert measure_changes(found, {ONE.id: {0: 2.0}}) == []


def measured(of: object, change: Change, *null: Change) -> Measured:
    return Measured(of, "Wait", 0, 4, change, null)  # type: ignore[arg-type]


def test_a_row_by_hand() -> None:
    own = [
        measured(ONE, Change(1.0, 2.0), Change(1.0, 1.0)),
        measured(ONE, Change(1.0, 4.0), Change(1.0, 2.0), Change(2.0, 1.0)),
        measured(TWO, Change(0.5, 0.25)),
        measured(THREE, Change(0.0, 1.0), Change(1.0, 8.0)),
    ]
    found = Found([ONE, TWO, THREE])
    found.n_found["sums", Status.CORRECT, "Wait"] = 9
    (row,) = role_rows(own, found, ["Wait", "However"])
    assert (row["task"], row["role"], row["verdict"]) == ("sums", "Wait", "correct")
    assert (row["n_found"], row["n"], row["n_trajectories"], row["n_questions"]) == (9, 4, 3, 3)
    assert row["relative"] == pytest.approx((1 + 3 + 0.5) / 3)  # the last has no denominator
    assert row["largest_share"] == pytest.approx(3 / 4.5)
    assert row["median"] == pytest.approx(1.0)
    assert row["null_median"] == pytest.approx(1.0)
    two = math.log(2)
    logs = [two, 2 * two, -two, -math.log(FLOOR)]
    assert row["log_change"] == pytest.approx(sum(logs) / 4)
    assert row["matched_log_change"] == pytest.approx((two + 2 * two - math.log(FLOOR)) / 3)  # those with a null
    assert row["null_log_change"] == pytest.approx((0 + 0 + 3 * two) / 3)
    assert row["difference"] == pytest.approx((two + 2 * two - math.log(FLOOR) - 3 * two) / 3)
    assert row["n_matched"] == 3
    assert (row["n_null"], row["n_few"], row["n_zero"], row["n_floor"]) == (4, 4, 1, 0)
    assert (row["log_change_low"], row["log_change_method"]) == (None, "no interval: fewer than six clusters")


def test_intervals_are_clustered_by_question_from_six_on() -> None:
    logs = [0.1 * i * i for i in range(8)]
    names = list("00123456")
    own = [measured(thought(name, "wait"), Change(1.0, math.exp(log))) for name, log in zip(names, logs, strict=True)]
    (row,) = role_rows(own, Found([one.thought for one in own]), ["Wait"])
    wanted = mean_interval(logs, names, bounds=None)
    assert (row["log_change_low"], row["log_change_high"]) == pytest.approx((wanted.low, wanted.high))


def test_several_tasks_have_a_row_together_and_one_each() -> None:
    key = SampleKey("logic", "3-abcdef", 0)
    other = replace(thought("3", "wait"), key=key)
    own = [measured(ONE, Change(1.0, 2.0)), measured(other, Change(1.0, 4.0))]
    rows = role_rows(own, Found([ONE, other]), ["Wait"])
    assert [(row["task"], row["n"], row["relative"]) for row in rows] == [(ALL, 2, 2.0), ("sums", 1, 1.0), ("logic", 1, 3.0)]


def test_verdicts_are_apart() -> None:
    wrong = thought("3", "wait", Status.INCORRECT)
    own = [measured(ONE, Change(1.0, 2.0)), measured(wrong, Change(1.0, 4.0))]
    rows = role_rows(own, Found([ONE, wrong]), ["Wait"])
    assert [(row["verdict"], row["relative"]) for row in rows] == [("correct", 1.0), ("incorrect", 3.0)]


def test_one_question_has_no_interval() -> None:
    (row,) = role_rows([measured(ONE, Change(1.0, 2.0))], Found([ONE]), ["Wait"])
    assert row["log_change"] == pytest.approx(math.log(2))
    assert row["log_change_low"] is row["null_log_change"] is row["difference"] is None


def test_the_delimiter_is_measured_at_natural_ends() -> None:
    cut = thought("4", "wait abcdef", natural=False)
    values = {one.id: {11: 2.0} for one in (ONE, cut)}
    (one,) = measure_delimiter([ONE, TWO, cut], values, {ONE.id: {11: 0.5}, cut.id: {11: 0.5}})
    assert (one.role, one.start, one.change, one.null) == (DELIMITER, 11, Change(2.0, 0.5), ())
