"""What a planned comparison will find: the levels are those that a comparison uses, the power is that of simulated ones."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from raml_eval.comparison.planned import Planned, PlannedTask, Wanted, plan_comparison
from raml_eval.comparison.power import PowerRow, families_of, planned_noise, power_rows
from raml_eval.errors import ConfigError
from raml_eval.intervals import Part, pooled_difference
from raml_eval.tables import Measure
from raml_eval.tables.redraw import assumed_redraw
from raml_eval.types import Domain, Status
from tests.factory import make_run

FOUR = ("a", "b", "c", "d")


def plan(n_questions: int, domains: dict[str, Domain], n: int = 8, redraw: float | None = None, n_budgets: int = 1) -> Planned:
    """Beta(2, 2) unless another variance is given."""
    each = 0.2 / n if redraw is None else redraw
    tasks = [
        PlannedTask(name, domain, tuple(f"{name}{row}" for row in range(n_questions)), np.full(n_questions, each))
        for name, domain in domains.items()
    ]
    return Planned(tuple(tasks), Measure("avg@n"), "unlimited", n, n_budgets, "made up")


def rows_of(planned: Planned, wanted: Wanted, role: str) -> list[PowerRow]:
    return [row for row in power_rows(planned, wanted) if row.role == role]


@pytest.mark.parametrize(("n_questions", "one", "pooled"), [(30, 22, 69), (60, 39, 93), (134, 75.5, 99.9)])
def test_power_agrees_with_simulated_comparisons(n_questions: int, one: float, pooled: float) -> None:
    """n = 8, success from Beta(2, 2), a true drop of 5 points, each test at 0.05: simulated with the harness's own tests."""
    planned = plan(n_questions, dict.fromkeys(FOUR, "in_domain"))
    alone = rows_of(planned, Wanted(0.05), "alone")
    assert [100 * row.power for row in alone] == pytest.approx([one] * 4, abs=3)
    (mean,) = rows_of(planned, Wanted(0.05, level=1 - 0.05 / 0.8), "primary")
    assert mean.alpha == pytest.approx(0.05)
    assert 100 * mean.power == pytest.approx(pooled, abs=3)


def test_the_first_holm_step_of_forty_agrees_with_simulated_comparisons() -> None:
    wanted = Wanted(0.05, level=1 - 0.05 / 40)
    power = [rows_of(plan(size, {"a": "in_domain"}), wanted, "alone")[0].power for size in (30, 60, 134)]
    assert [100 * of for of in power] == pytest.approx([2, 6, 23.5], abs=3)


@pytest.mark.parametrize("spread", [0.0, 0.15])
def test_power_is_how_often_a_pooled_difference_excludes_0(spread: float) -> None:
    """Two tasks of 80 and 40 questions, the latter in clusters of two that change alike."""
    rng = np.random.default_rng(1)
    names = [[f"a{row}" for row in range(80)], [f"b{row // 2}" for row in range(40)]]
    found = 0
    for _ in range(400):
        parts = []
        for of in names:
            clusters = np.unique(of, return_inverse=True)[1]
            p = rng.beta(4, 4, len(of))
            change = 0.06 + spread * rng.standard_normal(clusters.max() + 1)[clusters]
            base, new = (rng.binomial(8, np.clip(chance, 0, 1)) / 8 for chance in (p, p + change))
            parts.append(Part(base, new, of))
        found += pooled_difference(parts).p_value < 0.05
    each = 4 * 4 / (8 * 9) / 8  # E[p (1-p)] / n under Beta(4, 4)
    tasks = [PlannedTask(of[0][0], "in_domain", tuple(of), np.full(len(of), each)) for of in names]
    planned = Planned(tuple(tasks), Measure("avg@n"), "unlimited", 8, 1, "")
    (row,) = rows_of(planned, Wanted(0.06, spread, level=1 - 0.05 / 0.8), "primary")
    assert row.power == pytest.approx(found / 400, abs=0.07)


def test_levels_are_those_of_a_comparison() -> None:
    planned = plan(50, {"a": "in_domain", "b": "in_domain", "c": "cross_domain"}, n_budgets=3)
    assert families_of(planned) == ["tasks", "budgets", "metrics"]
    rows = power_rows(planned, Wanted())
    assert [(row.scope, row.role, row.among) for row in rows] == [
        ("a", "alone", 1), ("b", "alone", 1), ("c", "alone", 1),
        ("a", "family", 2), ("b", "family", 2),
        ("in-domain mean", "primary", 2), ("c", "primary", 2),
    ]  # fmt: skip
    assert [row.alpha for row in rows] == pytest.approx([0.05] * 3 + [0.01 / 3 / 2] * 2 + [0.02] * 2)


def test_without_families_the_primary_endpoints_get_the_whole_level() -> None:
    planned = plan(50, {"a": "in_domain"}, n=1)
    assert families_of(planned) == []
    assert [row.alpha for row in power_rows(planned, Wanted())] == pytest.approx([0.05, 0.05])


def test_pooling_halves_the_error_of_four_tasks_unless_they_share_their_questions() -> None:
    planned = plan(50, dict.fromkeys(FOUR, "in_domain"))
    one, four = planned_noise(planned.tasks[:1], 0.1), planned_noise(planned.tasks, 0.1)
    assert four.standard_error == pytest.approx(one.standard_error / 2)
    assert (one.freedom, four.freedom) == (49, pytest.approx(4 * 49))
    alike = [PlannedTask(name, "in_domain", planned.tasks[0].clusters, planned.tasks[0].redraw) for name in FOUR]
    shared = planned_noise(alike, 0.1)
    assert (shared.from_questions, shared.from_redraw) == (
        pytest.approx(one.from_questions),
        pytest.approx(one.from_redraw / 4),
    )
    assert (shared.n_clusters, shared.freedom) == (50, pytest.approx(49))


def test_with_a_spread_no_n_may_be_enough() -> None:
    planned = plan(50, {"a": "in_domain"})
    (row,) = rows_of(planned, Wanted(0.02, spread=0.2), "alone")
    assert row.samples_needed == math.inf
    assert row.questions_needed is not None
    assert row.questions_needed == pytest.approx(50 * (row.detectable / 0.02) ** 2, rel=0.05)
    (sure,) = rows_of(planned, Wanted(0.02), "alone")
    assert sure.samples_needed is not None
    again = plan(50, {"a": "in_domain"}, n=int(sure.samples_needed))
    assert rows_of(again, Wanted(0.02), "alone")[0].power == pytest.approx(0.8, abs=0.01)


def test_without_noise_or_with_one_cluster_nothing_is_promised() -> None:
    (silent,) = rows_of(plan(50, {"a": "in_domain"}, redraw=0.0), Wanted(), "alone")
    (alone,) = rows_of(plan(1, {"a": "in_domain"}), Wanted(), "alone")
    for row in (silent, alone):
        assert math.isnan(row.detectable)
        assert math.isnan(row.power)
        assert (row.questions_needed, row.samples_needed) == (None, None)


def near(n_questions: int, names: tuple[str, ...] = ("a",), n: int = 1) -> Planned:
    """A plan with success from Beta(20, 1), so that little value lies below 1."""
    return plan_comparison_of(n_questions, names, n, (20.0, 1.0))


def plan_comparison_of(n_questions: int, names: tuple[str, ...], n: int, success: tuple[float, float]) -> Planned:
    one = assumed_redraw(n, Measure("avg@n"), *success)
    tasks = [
        PlannedTask(name, "in_domain", tuple(f"{name}{row}" for row in range(n_questions)), np.full(n_questions, one), success)
        for name in names
    ]
    return Planned(tuple(tasks), Measure("avg@n"), "unlimited", n, 1, "made up")


@pytest.mark.parametrize(("n_questions", "names"), [(30, ("a",)), (134, ("a",)), (30, ("a", "b"))])
def test_near_a_bound_the_detectable_difference_is_found_with_the_planned_power(
    n_questions: int, names: tuple[str, ...]
) -> None:
    """Simulated apart from the plan. A t-test's detectable difference is found in 38 to 67 % here."""
    (row,) = rows_of(near(n_questions, names), Wanted(), "primary")
    assert row.simulated
    rng, found = np.random.default_rng(2), 0
    for _ in range(300):
        parts = []
        for name in names:
            p = rng.beta(20, 1, n_questions)
            base, new = (rng.binomial(1, chance).astype(float) for chance in (p, np.clip(p - row.detectable, 0, 1)))
            parts.append(Part(base, new, [f"{name}{row}" for row in range(n_questions)]))
        interval = pooled_difference(parts, 1 - row.alpha, tested=False)
        found += interval.low > 0 or interval.high < 0
    assert found / 300 == pytest.approx(0.8, abs=0.08)


def test_numbers_that_only_a_t_test_gives_are_left_out_near_a_bound() -> None:
    (few,) = rows_of(near(30), Wanted(0.05), "alone")
    assert (few.near_bound, few.simulated, few.samples_needed) == (True, True, None)
    assert few.questions_needed is not None  # with so many, no bound is near
    (over,) = rows_of(plan_comparison_of(400, ("a",), 8, (2.0, 2.0)), Wanted(0.3), "alone")
    assert (over.near_bound, over.power > 0.99) == (False, True)
    assert (over.questions_needed, over.samples_needed) == (None, 1)  # about ten questions: no t-test; all with one sample: one
    (many,) = rows_of(plan_comparison_of(134, ("a",), 8, (2.0, 2.0)), Wanted(0.05), "alone")
    assert (many.near_bound, many.simulated) == (False, False)
    assert many.samples_needed is not None
    unknown = replace(near(12).tasks[0], success=None)  # maj@k, partial_score
    (told,) = rows_of(replace(near(12), tasks=(unknown,)), Wanted(0.05), "alone")
    assert (told.near_bound, told.simulated) == (True, False)


def test_a_task_without_noise_does_not_make_a_mean_promise_much() -> None:
    """All wrong in one task, and one sample right in the other: a t-test would find 10 points in 100 %, and 3 in 80 %."""
    run = make_run(
        lambda task, row, index, budget: Status.CORRECT if (task, row, index) == ("b", 0, 0) else Status.INCORRECT,
        n_questions=20,
        tasks={"a": "in_domain", "b": "in_domain"},
        budgets=(64,),
    )
    rows = power_rows(plan_comparison([], base=run), Wanted(0.1))
    (mean,) = [row for row in rows if row.role == "primary"]
    assert mean.simulated
    assert mean.power < 0.9
    assert mean.detectable > 0.06  # a t-test: 0.03


def test_a_shipped_suite_can_be_planned() -> None:
    rows = power_rows(plan_comparison(["raml_in_domain"], assume="beta:2,2", n_questions=30), Wanted())
    assert [(row.scope, row.n_questions) for row in rows if row.role == "primary"] == [("in-domain mean", 90)]


def test_a_difference_of_0_is_refused() -> None:
    with pytest.raises(ConfigError, match="no difference to look for"):
        power_rows(plan(50, {"a": "in_domain"}), Wanted(0.0))
