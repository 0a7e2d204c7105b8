"""Curves are matched with their trajectories by id, and what begins alike has one value."""

from __future__ import annotations

import numpy as np
import pytest

from raml_eval.diagnostics.curves.drawn import Drawn, curve_columns, match_curves, trajectory_row
from raml_eval.diagnostics.curves.driver import Curve
from raml_eval.diagnostics.curves.probe import Probe
from raml_eval.diagnostics.curves.shape import normalised, smoothed
from raml_eval.diagnostics.curves.targets import Target
from raml_eval.types import SampleKey, Status
from tests.factory import make_question, make_record

PROBE = Probe((9, 8), 1, True)


def target(sample: int, ids: tuple[int, ...], row: int = 0, probe: Probe = PROBE) -> Target:
    key = SampleKey("sums", f"{row}-aaaaaa", sample)
    record = make_record("sums", row, sample, 64, Status.CORRECT)
    return Target(f"{key}@64", key, "thinking", (1, 2, *ids), 2, probe, (record,))


def curve(one: Target, nll: tuple[float, ...]) -> Curve:
    return Curve(one.id, tuple(range(0, 2 * len(nll), 2)), nll, 2, 2, 10, True, one.drawn)


QUESTIONS = {("sums", f"{row}-aaaaaa"): make_question("sums", row, cluster="shared") for row in range(2)}


def match(*pairs: tuple[Target, tuple[float, ...]]) -> list[Drawn]:
    return match_curves([one for one, _ in pairs], {one.id: curve(one, nll) for one, nll in pairs}, QUESTIONS)


def test_the_same_prefix_has_the_value_that_was_measured_first() -> None:
    first, second = match((target(0, (5, 6, 7, 8)), (3.0, 2.0, 1.0)), (target(1, (5, 6, 7, 9)), (3.00001, 2.00002, 0.5)))
    assert first.curve.nll == (3.0, 2.0, 1.0)
    assert second.curve.nll == (3.0, 2.0, 0.5)


@pytest.mark.parametrize(
    "other", [target(1, (5, 6), row=1), target(1, (5, 6), probe=Probe((9, 7), 1, True)), target(1, (6, 5))]
)
def test_another_question_gold_or_thinking_keeps_its_own_values(other: Target) -> None:
    _, found = match((target(0, (5, 6)), (3.0, 2.0)), (other, (3.5, 2.5)))
    assert found.curve.nll[1] == 2.5
    if other.key.question_id != "0-aaaaaa" or other.probe != PROBE:
        assert found.curve.nll[0] == 3.5


def test_a_target_without_a_curve_is_left_out_and_a_curve_without_a_target_too() -> None:
    here, gone = target(0, (5, 6)), target(1, (5, 6))
    found = match_curves([here, target(2, (5, 6))], {one.id: curve(one, (1.0, 2.0)) for one in (here, gone)}, QUESTIONS)
    assert [one.sample for one in found] == [0]
    assert found[0].cluster == "shared"
    assert found[0].read == ((64, 40, True),)


def test_the_rows_of_the_tables() -> None:
    (one,) = match((target(0, (5, 6, 7, 8)), (4.0, 2.0, 0.2)))
    row = trajectory_row(one)
    assert (row["n_tokens"], row["n_positions"], row["n_gold_tokens"], row["status"]) == (4, 3, 2, "correct")
    assert (row["start"], row["final"], row["decided_at"], row["decided_share"]) == (2.0, 0.1, 4, 1.0)
    columns = curve_columns([one, one])
    assert columns["position"] == [0, 2, 4] * 2
    assert columns["nll_sum"] == [4.0, 2.0, 0.2] * 2
    assert columns["nll_mean"] == [2.0, 1.0, 0.1] * 2
    assert columns["share"] == normalised([0, 2, 4]).tolist() * 2
    assert columns["nll_smoothed"][:3] == smoothed([0, 2, 4], np.array([2.0, 1.0, 0.1])).tolist()
    assert one.nll(2) == 2.0
