"""Metrics through the whole path, from samples to the text of a table, against exact fractions."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import combinations
from math import ceil

import pytest

from raml_eval.reporting.report import render_report
from raml_eval.tables import build_frame
from raml_eval.types import Status, StoredRun
from tests.factory import make_run

N, K = 6, 4
CORRECT = (0, 1, 2, 3, 4, 5, 6, 6, 2, 1)  # of the six samples of each question


def subsets(c: int) -> list[int]:
    """The number of right samples in each choice of K of N."""
    return [sum(chosen) for chosen in combinations([1] * c + [0] * (N - c), K)]


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def pass_at_k() -> Fraction:
    return mean([mean([Fraction(right > 0) for right in subsets(c)]) for c in CORRECT])


def g_pass(tau: Fraction) -> Fraction:
    least = max(ceil(tau * K), 1)
    return mean([mean([Fraction(right >= least) for right in subsets(c)]) for c in CORRECT])


def mg_pass() -> Fraction:
    steps = range(ceil(K / 2) + 1, K + 1)
    return Fraction(2, K) * sum((g_pass(Fraction(step, K)) for step in steps), Fraction(0))


EXACT = {
    ("avg@n", None): mean([Fraction(c, N) for c in CORRECT]),
    ("pass@k", None): pass_at_k(),
    **{("g_pass@k", float(tau)): g_pass(tau) for tau in (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), Fraction(1))},
    ("mg_pass@k", None): mg_pass(),
}


@pytest.fixture(scope="module")
def run() -> StoredRun:
    def status(task: str, row: int, index: int, budget: object) -> Status:
        return Status.CORRECT if index < CORRECT[row] else Status.INCORRECT

    return make_run(status, tasks={"sums": "in_domain"}, n_samples=N, n_questions=len(CORRECT), budgets=("off",))


@pytest.mark.parametrize(("metric", "tau"), EXACT)
def test_the_frame_holds_the_exact_value(run: StoredRun, metric: str, tau: float | None) -> None:
    frame = build_frame([run], k=[K])
    rows = frame[(frame["metric"] == metric) & (frame["task"] == "sums")]
    rows = rows[rows["tau"] == tau] if tau is not None else rows
    assert float(rows["value"].iloc[0]) == pytest.approx(float(EXACT[metric, tau]), abs=1e-12)


@pytest.mark.parametrize("form", ["markdown", "latex", "terminal"])
def test_the_text_holds_the_rounded_value(run: StoredRun, form: str) -> None:
    text = render_report([run], format=form, k=[K], full=True)
    shown = {float(one) for one in re.findall(r"(\d+\.\d) \[", text)}
    for value in EXACT.values():
        assert round(100 * float(value), 1) in shown, value
