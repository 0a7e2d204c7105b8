"""Contrasts that a model which remembers questions would push below 0, against numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from raml_eval.comparison.contamination import find_contrasts
from raml_eval.errors import ConfigError, MetricError
from raml_eval.intervals import Part, pooled_difference
from raml_eval.reporting.report import Contamination, render_report
from raml_eval.types import Domain, Status, StoredRun
from tests.factory import make_run

TASKS: Mapping[str, Domain] = {"original": "in_domain", "changed": "in_domain"}
Right = Callable[[str, int], bool]


def run_of(
    name: str, right: Right, tasks: Mapping[str, Domain] = TASKS, dates: Callable[[str, int], str] | None = None, **more: Any
) -> StoredRun:
    """A run of one sample per question whose answers are right where right(task, row) says so."""
    run = make_run(
        lambda task, row, index, budget: Status.CORRECT if right(task, row) else Status.INCORRECT,
        name=name, tasks=tasks, n_samples=1, n_questions=40, budgets=("off",), **more,
    )  # fmt: skip
    # No two tasks hold the same row, so that only what a test declares is shared.
    questions = {
        (task, key): replace(question, date=dates(task, int(key.partition("-")[0])) if dates else "")
        for (task, key), question in run.questions.items()
    }
    about = {task: replace(one, dataset=task) for task, one in run.tasks.items()}
    return replace(run, questions=questions, tasks=about)


def paired(run: StoredRun) -> StoredRun:
    """The run whose task changed holds perturbed versions of original's questions."""
    family = {task: replace(one, family="f") for task, one in run.tasks.items()}
    family["changed"] = replace(family["changed"], perturbs="original")
    return replace(run, tasks=family)


def test_perturbed_questions_against_their_originals() -> None:
    remembers = paired(run_of("remembers", lambda task, row: row % 2 == 0 if task == "original" else row % 4 == 0))
    thinks = paired(run_of("thinks", lambda task, row: row % 4 < 2 if task == "original" else row % 8 < 3))
    (contrast,) = find_contrasts(remembers, thinks)
    assert (contrast.scope, contrast.n_new, contrast.budget) == ("changed, original", 40, "off")
    assert contrast.own.value == pytest.approx(0.25 - 0.5)
    assert contrast.own.low < -0.25 < contrast.own.high < 0
    assert contrast.against.value == pytest.approx((0.25 - 0.5) - (0.375 - 0.5))
    assert contrast.against.low < -0.125 < contrast.against.high


def test_the_same_run_is_not_told_from_itself() -> None:
    one = paired(run_of("one", lambda task, row: row % 2 == 0 if task == "original" else row % 4 == 0))
    (contrast,) = find_contrasts(one, replace(one, name="two"))
    assert contrast.own.value == pytest.approx(-0.25)
    assert contrast.against.value == 0


def test_a_task_without_its_original_gives_nothing() -> None:
    few: Mapping[str, Domain] = {"changed": "in_domain"}
    run, other = (paired(run_of(name, lambda task, row: True, few)) for name in "ab")
    with pytest.raises(MetricError, match=r"share nothing that tells of contamination.*no --cutoff was given"):
        find_contrasts(run, other)


def dated(task: str, row: int) -> str:
    return {"original": "2024-02", "changed": f"2025-0{1 + row % 8}-10"}.get(task, "")


def test_fresh_questions_against_old_ones() -> None:
    mine = run_of("mine", lambda task, row: task == "original" or row % 8 < 5, dates=dated)
    reference = run_of("reference", lambda task, row: row % 2 == 0, dates=dated)
    (contrast,) = find_contrasts(mine, reference, "2025-05")
    # changed: rows with row % 8 of 4 to 7 are fresh, mine has 1 of 4 right and the reference 2 of 4.
    assert (contrast.new, contrast.old, contrast.n_new, contrast.n_old) == ("from 2025-05 on", "before 2025-05", 20, 60)
    old = ((1 - 0.5) + (1 - 0.5)) / 2  # both tasks: original, and the rows of changed with row % 8 below 4
    assert contrast.against.value == pytest.approx((0.25 - 0.5) - old)
    assert math.isnan(contrast.own.value)
    assert contrast.against.low < contrast.against.value < contrast.against.high


def test_the_interval_of_two_sides_is_that_of_independent_differences() -> None:
    mine = run_of("mine", lambda task, row: task == "original" or row % 8 < 5, dates=dated)
    reference = run_of("reference", lambda task, row: row % 2 == 0, dates=lambda task, row: dated(task, row))
    (contrast,) = find_contrasts(mine, reference, "2025-01")
    rows, names = range(40), [str(row) for row in range(40)]
    theirs = [float(row % 2 == 0) for row in rows]
    fresh = pooled_difference([Part(theirs, [float(row % 8 < 5) for row in rows], names)], tested=False)
    old = pooled_difference([Part(theirs, [1.0] * 40, names)], tested=False)
    value = fresh.value - old.value
    below = math.hypot(fresh.value - fresh.low, old.high - old.value)
    above = math.hypot(fresh.high - fresh.value, old.value - old.low)
    assert (contrast.against.value, contrast.against.low) == pytest.approx((value, value - below))
    assert contrast.against.high == pytest.approx(value + above)


def test_undated_questions_are_on_neither_side() -> None:
    run, other = (run_of(name, lambda task, row: row % 2 == 0, dates=lambda task, row: "") for name in "ab")
    with pytest.raises(MetricError, match="no dated questions on both sides of 2025-05"):
        find_contrasts(run, other, "2025-05")


def test_procedural_tasks_against_published_ones_of_the_domain() -> None:
    tasks: Mapping[str, Domain] = {"gsm8k": "in_domain", "reasoning_gym:sums?seed=1": "in_domain", "folio": "cross_domain"}
    mine = run_of("mine", lambda task, row: task == "gsm8k" or row % 4 == 0, tasks)
    reference = run_of("reference", lambda task, row: row % 2 == 0, tasks)
    (contrast,) = find_contrasts(mine, reference)
    assert (contrast.scope, contrast.new, contrast.old) == ("in-domain mean", "procedural", "published")
    assert contrast.against.value == pytest.approx((0.25 - 0.5) - (1 - 0.5))


def test_the_table_of_a_report() -> None:
    remembers = paired(run_of("remembers", lambda task, row: row % 2 == 0 if task == "original" else row % 4 == 0))
    thinks = paired(run_of("thinks", lambda task, row: row % 4 < 2 if task == "original" else row % 8 < 3))
    for format in ("terminal", "markdown", "latex"):
        text = render_report([remembers, thinks], format=format, contamination=Contamination(thinks))
        assert "Contamination" in text
        assert "-25.0 [" in text.replace("{-}", "-")
    told = render_report([remembers], contamination=Contamination(thinks))
    assert "Descriptive, no test" in told
    assert "perturbed less original" in told
    assert "less that of thinks" in told
    with pytest.raises(ConfigError, match="the table of contamination has no form as csv"):
        render_report([remembers], format="csv", contamination=Contamination(thinks))


def test_limited_runs_may_hold_no_pair() -> None:
    first, second = (paired(run_of(name, lambda task, row: True)) for name in "ab")
    apart = {
        key: replace(question, cluster=f"{key}") if key[0] == "changed" else question
        for key, question in first.questions.items()
    }
    message = "none of the 40 questions of changed changes one of the 40 of original.* Run both models on more of the questions"
    with pytest.raises(MetricError, match=message):
        find_contrasts(replace(first, questions=apart), replace(second, questions=apart))


def test_a_run_is_not_held_against_itself() -> None:
    run = paired(run_of("one", lambda task, row: True))
    with pytest.raises(ConfigError, match=r"--contamination one is the only run of the report\. Name another model's run"):
        render_report([run], contamination=Contamination(run))


def test_a_question_of_the_cutoff_s_own_month_is_on_neither_side() -> None:
    run, other = (run_of(name, lambda task, row: row % 2 == 0, dates=dated) for name in "ab")
    with pytest.raises(MetricError, match="no dated questions on both sides of 2024-02-10"):
        find_contrasts(run, other, "2024-02-10")
    (contrast,) = find_contrasts(run, other, "2024-03-01")
    assert (contrast.n_new, contrast.n_old) == (40, 40)
