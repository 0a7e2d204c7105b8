"""Comparisons: what is tested at which level, what is refused, and what the notes say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from raml_eval.comparison import Comparison, Verdict, compare_runs, judge_runs
from raml_eval.comparison.endpoints import check_whole_level
from raml_eval.errors import ConfigError, MetricError
from raml_eval.gate_file import GateFile
from raml_eval.intervals import Part, paired_difference, pooled_difference
from raml_eval.tables import Measure, parse_measure
from raml_eval.types import Budget, Domain, Status, StoredRun
from tests.factory import by_row, make_run

FOUR: Mapping[str, Domain] = {"a": "in_domain", "b": "in_domain", "c": "cross_domain", "d": "cross_domain"}
BASE = make_run(by_row(lambda row: row % 4), name="base", n_questions=32)
WORSE = make_run(by_row(lambda row: max(row % 4 - 1, 0)), name="worse", n_questions=32)
BETTER = make_run(by_row(lambda row: row % 4 + 1), name="better", n_questions=32)


def with_suite(run: StoredRun, **primary: Any) -> StoredRun:
    """The run as one that was asked for by the suite mine."""
    suites = {"mine": {"tasks": list(run.tasks), "primary": primary}}
    return replace(run, manifest={**run.manifest, "suites": suites})


def verdicts(found: Comparison, family: str) -> list[tuple[str, str, Verdict]]:
    return [(cell.scope, cell.budget, cell.verdict) for cell in found.cells if cell.family == family]


def test_a_run_that_is_worse_everywhere_is_worse() -> None:
    found = compare_runs(BASE, WORSE)
    assert verdicts(found, "primary") == [("pocket_chain", "64", "worse"), ("pocket_sort", "64", "worse")]
    assert verdicts(found, "budgets") == [("pocket_chain", "16", "worse"), ("pocket_sort", "16", "worse")]
    assert verdicts(found, "tasks") == []  # one task a domain: the endpoint is the task
    assert found.verdict is Verdict.WORSE
    assert found.regressed
    assert all(cell.difference < 0 and cell.high < 0 and cell.n_questions == 32 for cell in found.family("primary"))


def test_a_run_that_is_better_everywhere_is_better_and_no_regression() -> None:
    found = compare_runs(BASE, BETTER)
    assert found.verdict is Verdict.BETTER
    assert not found.regressed


@pytest.mark.parametrize("name", ["thinking_tokens_mean", "answer_tokens_mean"])
def test_tokens_are_not_primary_whoever_declares_them(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} cannot be the primary metric: tokens have no better or worse"):
        compare_runs(BASE, WORSE, metric=name)
    with pytest.raises(ConfigError, match="margin in tokens"):
        compare_runs(BASE, with_suite(WORSE, metric=name, budget=64))
    assert compare_runs(BASE, WORSE, metric="unfinished_rate").primary.measure.bounds == (0, 1)


def test_a_gate_has_no_primary_tokens_and_no_cells_without_parts() -> None:
    def judged(cell: dict[str, Any], **more: Any) -> None:
        judge_runs(BASE, WORSE, GateFile.model_validate({"name": "release", "cells": [cell], **more}))

    with pytest.raises(ConfigError, match="cannot be the primary metric"):
        judged({"domain": "in_domain"}, primary={"metric": "answer_tokens_mean"})
    with pytest.raises(MetricError, match="partial_score is not known for 32 of 32 questions"):
        judged({"domain": "in_domain", "metric": "partial_score", "test": "equivalence"})
    judged({"domain": "in_domain", "metric": "answer_tokens_mean", "margin": 5})


def test_a_level_that_no_comparison_can_hold_is_refused() -> None:
    for level in (0.4999, 0.99991, 1.0, float("nan"), float("inf"), 0.0, 0.9999999999999999):
        with pytest.raises(ConfigError, match=r"wanted a number from 0.5 to 0.9999"):
            check_whole_level(level)
    assert [check_whole_level(level) for level in (0.5, 0.95, 0.9999)] == [0.5, 0.95, 0.9999]


def test_cells_are_not_compared_on_tasks_without_parts() -> None:
    with pytest.raises(MetricError, match="partial_score is not known for 32 of 32 questions of pocket_chain"):
        compare_runs(BASE, WORSE, metric="partial_score")


def test_the_same_run_again_is_inconclusive_with_what_could_have_been_seen() -> None:
    found = compare_runs(BASE, replace(BASE, name="same"))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert not found.regressed
    cell = found.family("primary")[0]
    assert cell.detectable > found.margin
    assert cell.needed_questions is not None
    assert cell.needed_questions > cell.n_questions
    # At the margin, never at the observed difference of 0. Gaffke's interval shortens in proportion to the questions.
    assert cell.needed_questions == pytest.approx(32 * cell.detectable / 0.02, abs=1)
    assert cell.needed_samples is None


def test_what_the_margin_needs_is_what_decides_there() -> None:
    """The same differences on as many questions as are needed have the margin as their detectable difference."""
    small = {
        n: [make_run(by_row(lambda row, m=m: (row * m) % 5), name="r", n_questions=n, budgets=(64,)) for m in (1, 3)]
        for n in (40, 1200)
    }
    needed = compare_runs(*small[40], margin=0.05).family("primary")[0]
    assert needed.needed_questions is not None
    many = compare_runs(*small[1200], margin=0.05).family("primary")[0]
    assert many.detectable * (1200 / needed.needed_questions) ** 0.5 == pytest.approx(0.05, rel=0.08)


def test_many_questions_without_a_difference_are_equivalent() -> None:
    base = make_run(by_row(lambda row: row % 4), name="base", n_questions=400, budgets=(64,))
    found = compare_runs(base, replace(base, name="same"), margin=0.05)
    assert found.verdict is Verdict.EQUIVALENT
    assert {cell.needed_questions for cell in found.cells} == {None}
    assert compare_runs(base, replace(base, name="same"), margin=0.001).verdict is Verdict.INCONCLUSIVE


def test_an_interval_within_the_margin_that_excludes_0_says_both() -> None:
    def slips(task: str, row: int, index: int, budget: Budget) -> Status:
        return Status.CORRECT if index < row % 4 - (row % 20 == 3) else Status.INCORRECT

    base = make_run(by_row(lambda row: row % 4), name="base", n_questions=400, budgets=(64,))
    found = compare_runs(base, make_run(slips, name="new", n_questions=400, budgets=(64,)), margin=0.05)
    assert {(cell.verdict, cell.within_margin) for cell in found.cells if cell.family == "primary"} == {("worse", True)}


def test_the_endpoint_of_a_domain_is_the_mean_of_its_tasks_whatever_their_size() -> None:
    base = make_run(by_row(lambda row: row % 4), name="base", tasks=FOUR, n_questions=24)
    smaller = {key: q for key, q in base.questions.items() if key[0] != "b" or int(q.id.split("-")[0]) < 12}
    base = replace(
        base, questions=smaller, records=tuple(r for r in base.records if (r.key.task, r.key.question_id) in smaller)
    )

    def outcome(task: str, row: int, index: int, budget: Budget) -> Status:
        return Status.CORRECT if index < row % 4 + (task == "b") else Status.INCORRECT

    new = make_run(outcome, name="new", tasks=FOUR, n_questions=24)
    cell = next(cell for cell in compare_runs(base, new).cells if cell.scope == "in-domain mean" and cell.budget == "64")
    assert cell.difference == pytest.approx((0 + 0.25) / 2)
    assert cell.n_questions == 36


def test_tasks_that_share_questions_are_not_independent() -> None:
    tasks: Mapping[str, Domain] = {"a": "in_domain", "b": "in_domain"}
    base = make_run(by_row(lambda row: row % 4), name="base", tasks=tasks, n_questions=24)
    new = make_run(by_row(lambda row: (row * 3 + 1) % 4), name="new", tasks=tasks, n_questions=24)
    asked = {key: replace(q, messages=({"role": "user", "content": q.id},)) for key, q in new.questions.items()}
    apart = compare_runs(base, new).family("primary")[0]
    shared = compare_runs(base, replace(new, questions=asked)).family("primary")[0]
    assert shared.difference == apart.difference
    assert shared.alone.high - shared.alone.low == pytest.approx(2**0.5 * (apart.alone.high - apart.alone.low), rel=0.05)


def test_the_level_is_split_between_primary_endpoints_and_families() -> None:
    base = make_run(by_row(lambda row: row % 4), name="base", tasks=FOUR, n_questions=24)
    found = compare_runs(base, replace(base, name="same"))
    levels = {cell.family: cell.level for cell in found.cells}
    assert levels["primary"] == pytest.approx(1 - 0.04 / 2)
    # Three families share 0.01: four tasks, two means at another budget, two means by each of two metrics.
    assert levels["tasks"] == pytest.approx(1 - 0.01 / 3 / 4)
    assert levels["budgets"] == pytest.approx(1 - 0.01 / 3 / 2)
    assert levels["metrics"] == pytest.approx(1 - 0.01 / 3 / 4)


def test_the_level_is_passed_on_when_every_primary_endpoint_is_decided() -> None:
    base = make_run(by_row(lambda row: row % 4), name="base", tasks=FOUR, n_questions=24)
    found = compare_runs(base, make_run(by_row(lambda row: row % 4 + 1 + row % 2), name="new", tasks=FOUR, n_questions=24))
    last = min(cell.level for cell in found.family("tasks"))
    assert last == pytest.approx(1 - 0.05 / 3)  # the last of Holm's steps has the whole of the family's part


def test_a_fall_in_a_single_task_is_found_alone() -> None:
    def outcome(task: str, row: int, index: int, budget: Budget) -> Status:
        return Status.CORRECT if index < row % 4 + {"a": 1, "b": -1}.get(task, 0) else Status.INCORRECT

    base = make_run(by_row(lambda row: row % 4), name="base", tasks=FOUR, n_questions=48)
    found = compare_runs(base, make_run(outcome, name="new", tasks=FOUR, n_questions=48))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert ("b", "64", "worse") in verdicts(found, "tasks")
    assert found.regressed


def test_the_numbers_of_a_cell_are_those_of_the_pooled_difference() -> None:
    def outcome(task: str, row: int, index: int, budget: Budget) -> Status:
        return Status.CORRECT if index < (row * 7) % 5 else Status.INCORRECT

    found = compare_runs(BASE, make_run(outcome, name="new", n_questions=24))
    old, now = [row % 4 / 4 for row in range(24)], [min((row * 7) % 5, 4) / 4 for row in range(24)]
    expected = paired_difference(old, now, [str(row) for row in range(24)], found.family("primary")[0].level)
    cell = found.family("primary")[0]
    assert (cell.difference, cell.low, cell.high, cell.p) == pytest.approx(
        (expected.value, expected.low, expected.high, expected.p_value)
    )


@pytest.mark.parametrize(
    ("primary", "flags", "wanted"),
    [
        ({"metric": "pass@2", "budget": "16"}, {}, ("pass@2", "16", "suite mine")),
        ({"metric": "avg@n", "budget": "unlimited"}, {}, ("avg@n", "64", "suite mine")),
        ({"metric": "pass@2", "budget": "16"}, {"metric": "maj@4"}, ("maj@4", "16", "--metric maj@4")),
        ({"metric": "pass@2", "budget": "16"}, {"budget": "64"}, ("pass@2", "64", "--budget 64")),
        (None, {}, ("avg@n", "64", "the default")),
    ],
)
def test_what_is_primary_is_declared(primary: Any, flags: dict[str, str], wanted: tuple[str, str, str]) -> None:
    new = WORSE if primary is None else with_suite(WORSE, **primary)
    found = compare_runs(BASE, new, **flags)  # type: ignore[arg-type]
    assert (found.primary.measure.name, str(found.primary.budget), found.primary.source) == wanted
    assert {(cell.metric, cell.budget) for cell in found.family("primary")} == {wanted[:2]}


def test_a_declared_budget_that_was_not_drawn_is_replaced_by_the_largest_and_said() -> None:
    found = compare_runs(BASE, with_suite(WORSE, metric="avg@n", budget="unlimited"))
    assert "the primary budget is 64, the largest of both runs, because unlimited is not in both" in found.notes
    with pytest.raises(MetricError, match=r"share no budget 128.* They share 16, 64"):
        compare_runs(BASE, WORSE, budget="128")


def test_a_hint_is_not_the_largest_budget() -> None:
    base, new = (make_run(by_row(lambda row: row % 4), name=name, budgets=(16, 64, "effort:high")) for name in ("b", "n"))
    assert compare_runs(base, new).primary.budget == 64


def test_suites_that_disagree_leave_the_default() -> None:
    suites = {
        name: {"tasks": ["pocket_chain"], "primary": {"metric": m, "budget": "16"}}
        for name, m in (("x", "avg@n"), ("y", "pass@2"))
    }
    found = compare_runs(BASE, replace(WORSE, manifest={**WORSE.manifest, "suites": suites}))
    assert (found.primary.measure.name, found.primary.source) == ("avg@n", "the default")


def test_only_shared_questions_and_budgets_count() -> None:
    base = make_run(by_row(lambda row: row % 4), name="base", n_questions=12, budgets=(16, "unlimited"))
    new = make_run(by_row(lambda row: row % 4), name="new", n_questions=24, budgets=(16, 64))
    found = compare_runs(base, new)
    assert {(cell.budget, cell.n_questions) for cell in found.cells} == {("16", 12)}
    assert "pocket_chain: 12 questions are shared, of 12 in base and 24 in new" in found.notes
    assert any("left out" in note and "pocket_sort at unlimited" in note for note in found.notes)


def test_what_no_run_has_is_not_called_left_out() -> None:
    """Only one run has a task, and only the other has a budget, so neither run has the task at that budget."""
    base = make_run(by_row(lambda row: row % 4), name="base", tasks={"one": "in_domain", "two": "in_domain"}, budgets=(16,))
    new = make_run(by_row(lambda row: row % 4), name="new", tasks={"one": "in_domain"}, budgets=(16, 64))
    notes = compare_runs(base, new).notes
    assert "left out, because only one run has it: two at 16, one at 64" in notes
    assert "the in-domain mean is that of one, without two" in notes


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (make_run(by_row(lambda row: 1), content="bbbbbb"), "of the 10 rows that both have, 0 are the same"),
        (make_run(by_row(lambda row: 1), tasks={"other": "in_domain"}), "share no question at the same budget"),
        (make_run(by_row(lambda row: 1), budgets=(128,)), "share no question at the same budget"),
        (replace(WORSE, records=WORSE.records[3:]), "lacks 3 of its"),
        (
            make_run(lambda task, row, index, budget: Status.TIMEOUT if row == 0 else Status.CORRECT),
            re.escape("the grader was stopped on 4 of 40 compared samples of pocket_chain at 16"),
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(new: StoredRun, message: str) -> None:
    with pytest.raises(MetricError, match=message):
        compare_runs(BASE, new)


def test_one_timeout_in_a_hundred_is_allowed() -> None:
    def outcome(task: str, row: int, index: int, budget: Budget) -> Status:
        return Status.TIMEOUT if (row, index) == (0, 0) else Status.CORRECT

    enough = make_run(by_row(lambda row: row % 4), name="base", n_questions=25)
    assert compare_runs(enough, make_run(outcome, name="new", n_questions=25)).cells
    with pytest.raises(MetricError, match="the grader was stopped"):
        compare_runs(BASE, make_run(outcome, name="new", n_questions=24))


def test_changed_questions_are_counted() -> None:
    half = make_run(by_row(lambda row: 1), content="bbbbbb")
    mixed = {key: q for key, q in BASE.questions.items() if int(q.id.split("-")[0]) < 6}
    changed = {key: q for key, q in half.questions.items() if int(q.id.split("-")[0]) >= 6}
    records = [r for r in (*BASE.records, *half.records) if (r.key.task, r.key.question_id) in {**mixed, **changed}]
    run = replace(half, name="mixed", questions={**mixed, **changed}, records=tuple(records))
    with pytest.raises(
        MetricError, match="pocket_chain holds other questions in mixed than in base: of the 10 rows that both have, 6 are"
    ):
        compare_runs(BASE, run)


@pytest.mark.parametrize("name", ["avg", "pass", "pass@0", "g_pass@8", "pass@8:0.5", "g_pass@8:1.5", "avg@8"])
def test_unknown_metrics_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="there is no metric"):
        compare_runs(BASE, WORSE, metric=name)


@pytest.mark.parametrize("margin", [0.0, -0.01, 1.0])
def test_a_margin_must_be_one(margin: float) -> None:
    with pytest.raises(ConfigError, match="points is out of range; wanted more than 0"):
        compare_runs(BASE, WORSE, margin=margin)


def test_stability_can_be_primary_and_needs_its_samples() -> None:
    cell = compare_runs(BASE, BETTER, metric="g_pass@4:1.0").family("primary")[0]
    assert (cell.base, cell.new) == (0.0, 0.25)
    with pytest.raises(MetricError, match=r"needs 8 samples per question; run base has 4"):
        compare_runs(BASE, BETTER, metric="pass@8")
    with pytest.raises(MetricError, match="greedy"):
        compare_runs(
            BASE, make_run(by_row(lambda row: 1), name="g", temperature=0.0), metric="pass@2", allow_different=["sampling"]
        )


def test_greedy_runs_are_compared_by_accuracy_alone() -> None:
    base, new = (make_run(by_row(lambda row: row % 2), name=name, temperature=0.0) for name in ("b", "n"))
    found = compare_runs(base, new)
    assert {cell.metric for cell in found.cells} == {"avg@n"}
    assert found.curves == ()


def test_one_cluster_is_inconclusive_and_says_that_there_is_no_interval() -> None:
    single = make_run(by_row(lambda row: 1), name="b", n_questions=3, per_cluster=3)
    found = compare_runs(single, replace(single, name="n"))
    assert {cell.verdict for cell in found.cells} == {"inconclusive"}
    assert all(cell.p != cell.p and cell.needed_questions is None for cell in found.cells)


def test_lower_is_better_for_shares_that_ended_badly() -> None:
    def ends(n_open: int) -> Any:
        return lambda task, row, index, budget: Status.UNFINISHED if index < n_open and row % 2 else Status.CORRECT

    base, new = (make_run(ends(n), name=name, n_questions=40) for n, name in ((1, "b"), (3, "n")))
    found = compare_runs(base, new, metric="unfinished_rate")
    assert found.family("primary")[0].difference > 0
    assert found.verdict is Verdict.WORSE


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("avg@n", Measure("avg@n")),
        ("pass@8", Measure("pass@k", 8)),
        ("g_pass@8:0.5", Measure("g_pass@k", 8, 0.5)),
        ("g_pass@4:1", Measure("g_pass@k", 4, 1.0)),
        ("mg_pass_normalized@4", Measure("mg_pass_normalized@k", 4)),
        ("maj@2", Measure("maj@k", 2)),
        ("unfinished_rate", Measure("unfinished_rate")),
        ("answer_tokens_mean", Measure("answer_tokens_mean", bounds=None)),
    ],
)
def test_metrics_are_named_as_they_are_tabulated(name: str, measure: Measure) -> None:
    assert parse_measure(name) == measure
    assert parse_measure(measure.name) == measure


def test_a_pooled_part_is_what_the_pairs_hold() -> None:
    found = compare_runs(BASE, WORSE)
    part = Part([r % 4 / 4 for r in range(32)], [max(r % 4 - 1, 0) / 4 for r in range(32)], [str(r) for r in range(32)])  # type: ignore[arg-type]
    assert found.family("primary")[0].alone.p_value == pytest.approx(pooled_difference([part]).p_value)
