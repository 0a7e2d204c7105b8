"""Simulated power: the outcomes have the distribution's moments, and differences are the wanted ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from raml_eval.comparison.planned import PlannedTask
from raml_eval.comparison.simulated import Simulation, is_near_bound, outcomes_of, places_of
from raml_eval.tables import parse_measure
from raml_eval.tables.measures import value_table


def task(n_questions: int, per_cluster: int = 1, name: str = "t") -> PlannedTask:
    return PlannedTask(
        name, "in_domain", tuple(f"{name}{row // per_cluster}" for row in range(n_questions)), np.zeros(n_questions)
    )


@pytest.mark.parametrize("name", ["avg@n", "pass@4", "mg_pass@4", "unfinished_rate"])
@pytest.mark.parametrize("spread", [0.0, 0.2])
@pytest.mark.parametrize("success", [(20.0, 1.0), (1.0, 9.0), (2.0, 2.0)])
def test_a_shift_makes_the_wanted_difference(name: str, spread: float, success: tuple[float, float]) -> None:
    measure, rng = parse_measure(name), np.random.default_rng(1)
    outcomes, values = outcomes_of(success, 8, measure), value_table(8, measure)
    shift = outcomes.shift(0.1, spread)
    p = rng.beta(*success, 40_000)
    base = values[rng.binomial(8, p)]
    new = values[rng.binomial(8, np.clip(p + shift + spread * rng.standard_normal(len(p)), 0, 1))]
    towards_the_middle = 0.1 if outcomes.mean < 0.5 else -0.1
    assert base.mean() == pytest.approx(outcomes.mean, abs=0.01)
    assert new.mean() - base.mean() == pytest.approx(towards_the_middle, abs=0.015)
    again = values[rng.binomial(8, p)]
    assert outcomes.differing == pytest.approx(float(np.mean(base != again)), abs=0.015)


def test_no_shift_is_enough_for_more_than_there_is() -> None:
    outcomes = outcomes_of((2.0, 2.0), 4, parse_measure("avg@n"))
    assert not math.isnan(outcomes.shift(0.49, 0.0))
    assert math.isnan(outcomes.shift(0.6, 0.0))
    assert math.isnan(Simulation([task(9)], [outcomes], 0.0, 0.95).power(0.6))


@pytest.mark.parametrize(
    ("success", "n", "n_questions", "near"),
    [
        ((2.0, 2.0), 8, 30, False),
        ((2.0, 2.0), 8, 19, True),  # few
        ((20.0, 1.0), 8, 100, True),  # 4.8 worth on one side
        ((1.0, 20.0), 8, 100, True),
        ((20.0, 1.0), 8, 300, False),
        ((2.0, 2.0), 1, 30, True),  # 12 differ
        ((2.0, 2.0), 1, 60, False),
    ],
)
def test_where_no_t_test_describes_a_plan(success: tuple[float, float], n: int, n_questions: int, near: bool) -> None:
    assert is_near_bound(task(n_questions), outcomes_of(success, n, parse_measure("avg@n"))) == near


@pytest.mark.parametrize("other", [0.01, 1.0, 100.0, 1e6])
def test_extreme_distributions_have_outcomes(other: float) -> None:
    for success in ((0.01, other), (other, 0.01), (other, 1e6)):
        outcomes = outcomes_of(success, 4, parse_measure("avg@n"))
        assert outcomes.mean == pytest.approx(success[0] / sum(success), abs=0.01)
        assert 0 <= outcomes.differing <= 1


def test_clusters_count_and_not_questions() -> None:
    outcomes = outcomes_of((2.0, 2.0), 8, parse_measure("avg@n"))
    assert is_near_bound(task(60, per_cluster=4), outcomes)
    assert not is_near_bound(task(60, per_cluster=2), outcomes)
    assert is_near_bound(task(60, per_cluster=4), None)
    assert not is_near_bound(task(60, per_cluster=2), None)


def test_power_is_the_level_without_a_difference_and_rises_with_it() -> None:
    outcomes = outcomes_of((2.0, 2.0), 4, parse_measure("avg@n"))
    test = Simulation([task(40)], [outcomes], 0.0, 0.9)
    found = [test.power(difference) for difference in (1e-9, 0.05, 0.1, 0.3)]
    assert found == sorted(found)
    assert found[0] < 0.15
    assert found[-1] == 1.0
    assert test.power(test.detectable(0.8, 0.1), seed=1) == pytest.approx(0.8, abs=0.08)
    assert math.isnan(Simulation([task(2)], [outcomes], 0.0, 0.999).detectable(0.8, 0.4))


def test_clusters_are_counted_over_all_tasks() -> None:
    one, two = task(4, 2, "a"), task(3, 1, "a")
    assert [of.tolist() for of in places_of([one, two])] == [[0, 0, 1, 1], [0, 1, 2]]
