"""A gate on two runs: what each cell takes, and that what was not compared is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from raml_eval.comparison import check_gate, check_planned, compare_gated, judge_runs
from raml_eval.errors import ConfigError, MetricError
from raml_eval.gate_file import GateFile, build_gate
from raml_eval.intervals import Part, pooled_difference
from raml_eval.types import Domain, Status, StoredRun
from tests.factory import by_row, make_run

TASKS: Mapping[str, Domain] = {"pocket_chain": "in_domain", "pocket_logic": "in_domain", "pocket_sort": "cross_domain"}


def draw(name: str, lost: int = 0, **more: Any) -> StoredRun:
    """Each question has 0 to 3 of 4 samples right, in pocket_sort lost of them fewer."""

    def outcome(task: str, row: int, index: int, budget: Any) -> Status:
        return Status.CORRECT if index < row % 4 - (lost if task == "pocket_sort" else 0) else Status.INCORRECT

    settings = {"tasks": TASKS, "n_questions": 40, **more}
    return make_run(outcome, name=name, **settings)


BASE, NEW = draw("base"), draw("new", lost=1)


def gate(*cells: dict[str, Any], **more: Any) -> GateFile:
    return build_gate({"name": "release", "cells": list(cells), **more})


def test_a_cell_takes_the_tasks_budget_and_metric_that_it_names() -> None:
    new = replace(
        NEW, manifest={**NEW.manifest, "suites": {"two": {"tasks": ["pocket_sort", "pocket_logic"], "primary": None}}}
    )
    rules = gate(
        {"domain": "in_domain"},
        {"domain": "cross_domain", "budget": 16, "metric": "pass@2"},
        {"suite": "two"},
        {"task": "pocket_sort", "metric": "unfinished_rate"},
        {"task": "*"},
    )
    cells = judge_runs(BASE, new, rules).cells
    assert [(c.rule.scope, c.rule.tasks, c.rule.budget, c.rule.measure.name) for c in cells] == [
        ("in-domain mean", ("pocket_chain", "pocket_logic"), "64", "avg@n"),
        ("cross-domain mean", ("pocket_sort",), "16", "pass@2"),
        ("suite two", ("pocket_sort", "pocket_logic"), "64", "avg@n"),
        ("pocket_sort", ("pocket_sort",), "64", "unfinished_rate"),
        *((task, (task,), "64", "avg@n") for task in TASKS),
    ]
    assert cells[3].rule.lower_is_better
    parts = []
    for task, lost in (("pocket_sort", 1), ("pocket_logic", 0)):
        rows = range(40)
        base, after = [row % 4 / 4 for row in rows], [max(row % 4 - lost, 0) / 4 for row in rows]
        parts.append(Part(base, after, [f"{task}/c{row}" for row in rows]))  # type: ignore[arg-type]
    wanted = pooled_difference(parts)
    found = cells[2].found
    assert (found.value, found.low, found.high) == pytest.approx((wanted.value, wanted.low, wanted.high))
    assert (cells[2].base, cells[2].new) == pytest.approx((0.375, 0.28125))


def test_margin_level_direction_and_bar() -> None:
    rules = gate(
        {"task": "pocket_sort"},
        {"task": "pocket_sort", "margin": 5, "level": 0.99, "test": "superiority"},
        {"task": "pocket_sort", "test": "superiority", "direction": "lower"},
        {"task": "pocket_sort", "metric": "thinking_tokens_mean", "margin": 150, "inconclusive": "warn"},
        margin=3,
        level=0.9,
    )
    cells = judge_runs(BASE, NEW, rules).cells
    found = [number for c in cells for number in (c.rule.margin, c.rule.bar, c.level)]
    assert found == pytest.approx([0.03, 0, 0.9, 0.05, 0.05, 0.99, 0.03, 0, 0.9, 150, 0, 0.9])
    assert [c.outcome for c in cells] == ["failed", "failed", "passed", "inconclusive"]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"task": "pocket_sart"}, "cell 1 (pocket_sart, avg@n at 64): neither run has it. Did you mean pocket_sort"),
        ({"suite": "pokket"}, "there is no suite 'pokket'. Did you mean pocket"),
        ({"suite": "pocket"}, "run base lacks pocket_chain_long; run new lacks pocket_chain_long"),
        ({"domain": "in_domain", "budget": 128}, "run base has no samples at 128; run new has no samples at 128"),
        ({"task": "pocket_sort", "min_samples": 8}, "run base has n = 4, wanted at least 8; run new has n = 4"),
        ({"task": "pocket_sort", "metric": "pass@8"}, "needs 8 samples per question; run base has 4"),
    ],
)
def test_what_was_not_compared_is_refused(cell: dict[str, Any], message: str) -> None:
    with pytest.raises(MetricError) as met:
        judge_runs(BASE, NEW, gate({"task": "pocket_sort"}, cell))
    assert "gate release cannot be judged, because 1 blocking cell of 2 cannot be compared" in str(met.value)
    assert message.replace("cell 1", "cell 2") in str(met.value)
    assert "\n" not in str(met.value)
    with pytest.raises(MetricError) as planned:
        check_planned(BASE, replace(NEW, records=BASE.records), gate({"task": "pocket_sort"}, cell))
    assert str(planned.value) == str(met.value)


@pytest.mark.parametrize("cell", [{"task": "gone"}, {"task": "pocket_sort", "budget": 128}, {"task": "*", "min_samples": 8}])
def test_an_advisory_cell_that_cannot_be_judged_is_shown_and_changes_nothing(cell: dict[str, Any]) -> None:
    alone = judge_runs(BASE, NEW, gate({"task": "pocket_sort"}))
    both = judge_runs(BASE, NEW, gate({"task": "pocket_sort"}, {**cell, "tier": "advisory"}))
    assert (both.cells, both.outcome, both.exit_code) == (alone.cells, alone.outcome, alone.exit_code)
    assert len(both.uncompared) == (3 if cell["task"] == "*" else 1)
    assert all(one.why and one.rule.tier == "advisory" for one in both.uncompared)
    assert both.entry()["not_compared"][0]["why"] == both.uncompared[0].why


def test_a_plan_that_can_be_judged_is_not_refused() -> None:
    """The planned run is not drawn: it may have fewer questions than the base, and more samples than are there."""
    kept = {key: question for key, question in BASE.questions.items() if int(key[1].partition("-")[0]) < 30}
    planned = replace(BASE, name="to be drawn", questions=kept, n_samples=8, budgets=(64,))
    check_planned(BASE, planned, gate({"task": "*", "metric": "pass@4"}, {"domain": "in_domain", "min_samples": 4}))
    with pytest.raises(MetricError, match="run to be drawn has no samples at 16"):
        check_planned(BASE, planned, gate({"task": "*", "budget": 16}))
    with pytest.raises(MetricError, match="run base has n = 4, wanted at least 8"):
        check_planned(BASE, planned, gate({"task": "*", "min_samples": 8}))
    with pytest.raises(MetricError, match="needs 8 samples per question; run base has 4"):
        check_planned(BASE, planned, gate({"task": "*", "metric": "pass@8"}))
    warm = replace(planned, manifest={**planned.manifest, "protocol": {"sampling": {"temperature": 0.6}}})
    with pytest.raises(MetricError, match=r"`allow_different: \[sampling.temperature\]` in the gate's file"):
        check_planned(BASE, warm, gate({"task": "*"}))


@pytest.mark.parametrize("swapped", [False, True])
def test_questions_that_one_run_lacks_are_refused_unless_a_limit_explains_them(swapped: bool) -> None:
    def judge(small: StoredRun) -> list[str]:
        runs = (small, BASE) if swapped else (BASE, small)
        return [str(one.outcome) for one in judge_runs(*runs, gate({"task": "pocket_chain"})).cells]

    lost = draw("few", n_questions=30)
    with pytest.raises(MetricError, match=r"the runs share 30 questions of pocket_chain, of [34]0 in .* and no --limit"):
        judge(lost)
    with pytest.raises(MetricError, match=r"the runs share 30 questions of pocket_chain"):
        judge(draw("few", n_questions=30, limit=35))  # as of a run that stopped before its limit
    assert judge(draw("few", n_questions=30, limit=30)) == ["inconclusive"]
    other = {key: question for key, question in draw("few", limit=30).questions.items() if not key[1].startswith("7-")}
    extra = {(task, "99-aaaaaa"): replace(BASE.questions[task, "7-aaaaaa"], id="99-aaaaaa") for task in TASKS}
    beside = draw("few", limit=30)
    records = tuple(
        replace(r, key=replace(r.key, question_id="99-aaaaaa")) if r.key.question_id == "7-aaaaaa" else r
        for r in beside.records
    )
    with pytest.raises(MetricError, match="the runs share 39 questions of pocket_chain, of 40 in"):
        judge(replace(beside, questions={**other, **extra}, records=records))


def test_a_look_is_taken_at_some_of_the_questions() -> None:
    """While a run is drawn, the base has more questions, and the run is between its looks."""
    few = draw("new", n_questions=30)
    record = {
        "base": {"name": "base"}, "fractions": [0.75, 1.0], "n_questions_planned": 120, "looks": [], "stopped_at": None,
        "drawn_on": False,
    }  # fmt: skip
    few = replace(few, manifest={**few.manifest, "sequential": record})
    assert judge_runs(BASE, few, gate({"task": "pocket_chain"}), level=0.99).cells
    with pytest.raises(MetricError, match="run new is before look 1 of 2"):
        judge_runs(BASE, few, gate({"task": "pocket_chain"}))
    with pytest.raises(MetricError, match="run new is before look 1 of 2"):
        compare_gated(few, BASE, gate({"task": "pocket_chain"}))


def test_every_cell_that_cannot_be_judged_is_named() -> None:
    rules = gate({"task": "pocket_sort"}, {"task": "gone"}, {"suite": "none"}, min_samples=6)
    with pytest.raises(MetricError, match="3 blocking cells of 3") as met:
        judge_runs(BASE, NEW, rules)
    assert all(f"cell {number} (" in str(met.value) for number in (1, 2, 3))


def test_a_reason_is_told_once_for_all_its_cells() -> None:
    with pytest.raises(MetricError) as met:
        judge_runs(BASE, NEW, gate({"task": "*"}, {"domain": "in_domain"}, {"task": "pocket_sort", "margin": 3}, min_samples=6))
    text = str(met.value)
    assert text.count("run base has n = 4, wanted at least 6; run new has n = 4") == 1
    assert "cells 1, 2, 3 (pocket_chain, avg@n at 64; " in text
    assert "; and 2 more): run base" in text


def test_a_suite_that_the_run_stored_and_the_catalogue_knows_is_offered_once() -> None:
    new = replace(NEW, manifest={**NEW.manifest, "suites": {"pocket": {"tasks": list(TASKS), "primary": None}}})
    with pytest.raises(MetricError, match=r"Did you mean pocket\?"):
        judge_runs(BASE, new, gate({"suite": "pokket"}))


@pytest.mark.parametrize("cell", [{"domain": "in_domain"}, {"task": "*"}, {"suite": "both"}, {"task": "pocket_logic"}])
def test_a_task_that_one_run_lost_is_no_pass(cell: dict[str, Any]) -> None:
    fewer = draw("new", tasks={task: domain for task, domain in TASKS.items() if task != "pocket_logic"})
    suites = {"both": {"tasks": list(TASKS), "primary": None}}
    fewer = replace(fewer, manifest={**fewer.manifest, "suites": suites})
    with pytest.raises(MetricError, match=r"run new lacks pocket_logic"):
        judge_runs(BASE, fewer, gate(cell))


def test_the_primary_budget_does_not_move_if_one_run_lost_it() -> None:
    """compare falls back to the largest shared budget; a gate would pass on what nobody declared."""
    longer = draw("base", budgets=(16, 64, "unlimited"))
    with pytest.raises(MetricError, match="only base has the primary budget unlimited"):
        judge_runs(longer, NEW, gate({"task": "pocket_sort"}))
    assert judge_runs(longer, NEW, gate({"task": "pocket_sort", "budget": 64})).cells
    assert judge_runs(longer, NEW, gate({"task": "pocket_sort"}, primary={"budget": 64})).cells
    assert judge_runs(longer, NEW, gate({"task": "pocket_sort"}), budget="64").cells


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            {"task": "x", "metric": "pas@8"},
            "gate release, cell 1: there is no metric 'pas@8' to compare by. Did you mean pass@8",
        ),
        ({"task": "x", "metric": "answer_tokens_mean"}, "says nothing about tokens. Give the cell a margin in tokens"),
        ({"task": "x", "metric": "avg@n", "margin": 150}, "a margin of 150 points can never be missed"),
    ],
)
def test_a_rule_that_fits_no_metric_is_refused_without_a_run(cell: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_gate(gate(cell))
    with pytest.raises(ConfigError, match="primary: there is no metric"):
        check_gate(gate({"task": "x"}, primary={"metric": "x"}))


def test_the_gates_settings_are_the_comparisons_and_flags_come_first() -> None:
    rules = gate({"task": "pocket_sort"}, primary={"metric": "pass@2", "budget": 16}, margin=3, level=0.9)
    found, judged = compare_gated(BASE, NEW, rules)
    assert (found.primary.measure.name, str(found.primary.budget), found.primary.source) == ("pass@2", "16", "gate release")
    assert (found.margin, found.level) == (0.03, 0.9)
    assert judged.cells[0].rule.name == "pocket_sort, pass@2 at 16"
    found, judged = compare_gated(BASE, NEW, rules, metric="avg@n", margin=0.05)
    assert (found.primary.measure.name, found.primary.source) == ("avg@n", "--metric avg@n and gate release")
    assert (judged.cells[0].rule.name, judged.cells[0].rule.margin) == ("pocket_sort, avg@n at 16", 0.03)


def test_a_gate_may_allow_a_protocol_difference() -> None:
    warm = draw("new", protocol={"sampling": {"temperature": 0.6}})
    with pytest.raises(MetricError, match=r"sampling\.temperature"):
        compare_gated(BASE, warm, gate({"task": "pocket_sort"}))
    allowed = gate({"task": "pocket_sort"}, allow_different=["sampling.temperature"])
    assert compare_gated(BASE, warm, allowed)[1].cells[0].outcome == "inconclusive"
    assert compare_gated(BASE, warm, gate({"task": "pocket_sort"}), allow_different=["sampling"])[1].cells


def test_a_run_is_not_its_own_baseline() -> None:
    with pytest.raises(MetricError, match="a run is as good as itself"):
        compare_gated(BASE, replace(BASE, name="other"), gate({"task": "pocket_sort"}))


def test_one_cluster_is_inconclusive_and_blocks() -> None:
    one = make_run(by_row(lambda row: 1), name="one", n_questions=3, per_cluster=3)
    judged = judge_runs(one, replace(one, name="two"), gate({"task": "pocket_sort", "inconclusive": "pass"}))
    assert (judged.outcome, judged.exit_code, judged.cells[0].found.method) == ("inconclusive", 3, "no interval: one cluster")
