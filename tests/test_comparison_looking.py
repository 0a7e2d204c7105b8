"""A gate as what ends a run: it passes by its interval, and ends a run in a fail only if no pass is left."""

from __future__ import annotations

from typing import Any

import pytest

from raml_eval.comparison import Outcome, judge_gate
from raml_eval.comparison.looking import decide_by
from raml_eval.errors import MetricError
from raml_eval.gate_file import build_gate
from raml_eval.looks import Look
from raml_eval.types import StoredRun
from tests.factory import by_row, make_run
from tests.gates import cell

FIRST, LAST = Look(1, 2, (0.5,), 120, 240), Look(2, 2, (0.5, 1.0), 240, 240)
GATE: dict[str, Any] = {"margin": 10, "cells": [{"domain": "in_domain", "metric": "avg@n", "budget": 64}]}


@pytest.mark.parametrize(
    ("mean", "rule", "excluded"),
    [
        (-0.03, {}, False),
        (-0.055, {}, False),
        (-0.07, {}, True),
        (0.07, {"lower_is_better": True}, True),
        (-0.07, {"lower_is_better": True}, False),
        (0.055, {"test": "equivalence"}, False),
        (0.07, {"test": "equivalence"}, True),
        (-0.07, {"test": "equivalence"}, True),
        (-0.005, {"test": "superiority"}, False),
        (-0.02, {"test": "superiority"}, True),
        (0.0, {"test": "superiority", "bar": 0.02}, True),
    ],
)
def test_a_cell_cannot_pass_if_its_interval_says_so(mean: float, rule: dict[str, Any], excluded: bool) -> None:
    """The interval is mean +- 0.0098, the margin 0.05."""
    (judged,) = judge_gate([cell(mean, margin=0.05, **rule)]).cells
    assert judged.cannot_pass is excluded
    assert not (excluded and judged.outcome is Outcome.PASSED)


def run_of(shift: int, name: str) -> StoredRun:
    """60 questions a task; hits vary by row, and by up to one of 20 around the shift."""
    return make_run(
        by_row(lambda row: 8 + row % 5 + shift + (row * 7 % 3 - 1) * (shift < 0)), name=name, n_questions=60, n_samples=20
    )


@pytest.mark.parametrize(
    ("shift", "outcome", "decided", "exit_code"), [(0, "passed", True, 0), (-2, "failed", False, 1), (-4, "failed", True, 1)]
)
def test_a_look_ends_a_run_if_everything_passes_or_something_cannot(
    shift: int, outcome: str, decided: bool, exit_code: int
) -> None:
    found = decide_by(run_of(0, "base"), build_gate(GATE))(run_of(shift, "new"), FIRST)
    assert (found.decided, found.exit_code, found.entry["outcome"]) == (decided, exit_code, outcome)
    (judged,) = found.entry["cells"]
    assert judged["level"] == FIRST.level(0.95) > 0.99
    assert judged["difference"] == pytest.approx(shift / 20)


def test_what_cannot_be_judged_yet_is_not_decided_before_the_last_look() -> None:
    gate = build_gate({**GATE, "min_samples": 30})
    decide = decide_by(run_of(0, "base"), gate)
    found = decide(run_of(0, "new"), FIRST)
    assert not found.decided
    assert "30" in found.words
    with pytest.raises(MetricError):
        decide(run_of(0, "new"), LAST)
