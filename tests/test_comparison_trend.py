"""The change of a score along checkpoints, against a fit by hand."""

from __future__ import annotations

import numpy as np
import pytest

from raml_eval.comparison.trend import fit_trend
from raml_eval.errors import MetricError
from raml_eval.types import StoredRun
from tests.test_comparison_generalization import run_of


def steps(*right: int) -> list[StoredRun]:
    """Runs whose first so many of 40 questions are right."""
    return [
        run_of(f"run{place}", lambda task, row, index, n=n: row < n)  # type: ignore[misc]
        for place, n in enumerate(right)
    ]


@pytest.mark.parametrize(("xs", "log"), [((0, 100, 200), False), ((1, 2, 8), True)])
def test_the_change_is_that_of_the_least_squares_line(xs: tuple[int, ...], log: bool) -> None:
    found = fit_trend(steps(10, 12, 30), xs, "in_domain", "off")
    at = np.log2(xs) if log else np.array(xs)
    slope = np.polyfit(at, [10 / 40, 12 / 40, 30 / 40], 1)[0]
    assert found.change.value == pytest.approx(slope * (at[-1] - at[0]))
    assert found.log is log
    assert found.change.low < found.change.value < found.change.high
    assert found.change.p_value < 0.01


def test_two_runs_give_their_paired_difference() -> None:
    found = fit_trend(steps(10, 25), (1, 2), "in_domain", "off")
    assert found.change.value == pytest.approx(15 / 40)


def test_runs_that_do_not_change_give_no_trend() -> None:
    found = fit_trend(steps(10, 10, 10), (1, 2, 4), "in_domain", "off")
    assert found.change.value == 0
    assert found.change.p_value == 1


def test_one_x_is_no_axis() -> None:
    with pytest.raises(MetricError, match="a trend needs runs with different x; met 5, 5"):
        fit_trend(steps(10, 12), (5, 5), "in_domain", "off")


def test_no_task_of_the_domain() -> None:
    run = run_of("a", lambda task, row, index: True, tasks={"sums": "in_domain"})
    with pytest.raises(MetricError, match="share no question of the cross_domain tasks"):
        fit_trend([run, run], (1, 2), "cross_domain", "off")
