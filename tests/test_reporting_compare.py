"""Paired comparisons: what is tested, what is refused, and what the notes say."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from raml_eval.errors import ConfigError, MetricError
from raml_eval.intervals import holm, paired_difference
from raml_eval.reporting.compare import compare_runs, parse_metric, render_comparison
from raml_eval.tables import Measure
from raml_eval.types import Budget, Status, StoredRun
from tests.factory import by_row, make_run

BASE = make_run(by_row(lambda row: row % 4), name="base", n_questions=24)
WORSE = make_run(by_row(lambda row: max(row % 4 - 1, 0)), name="worse", n_questions=24)
BETTER = make_run(by_row(lambda row: row % 4 + 1), name="better", n_questions=24)


def worse_in_one_cell(task: str, row: int, index: int, budget: Budget) -> Status:
    hits = row % 4 - (2 if (task, budget) == ("pocket_sort", 64) else 0)
    return Status.CORRECT if index < hits else Status.INCORRECT


def test_a_run_that_is_worse_everywhere_has_regressed() -> None:
    found = compare_runs(BASE, WORSE)
    assert [(row.task, row.budget) for row in found.rows] == [
        (task, budget) for task in ("pocket_chain", "pocket_sort") for budget in ("16", "64")
    ]
    assert {row.verdict for row in found.rows} == {"worse"}
    assert found.regressed
    assert all(row.difference < 0 and row.high < 0 and row.n_questions == 24 for row in found.rows)


@pytest.mark.parametrize(("new", "verdict"), [(BETTER, "better"), (replace(BASE, name="same"), "undecided")])
def test_a_run_that_is_not_worse_has_not_regressed(new: StoredRun, verdict: str) -> None:
    found = compare_runs(BASE, new)
    assert {row.verdict for row in found.rows} == {verdict}
    assert not found.regressed


def test_the_numbers_are_those_of_the_paired_test_with_holm_over_all_cells() -> None:
    new = make_run(worse_in_one_cell, name="new", n_questions=24)
    found = compare_runs(BASE, new)
    row = found.rows[3]
    old, now = [r % 4 / 4 for r in range(24)], [max(r % 4 - 2, 0) / 4 for r in range(24)]
    expected = paired_difference(old, now, [str(r) for r in range(24)])
    assert (row.difference, row.low, row.high, row.p) == pytest.approx(
        (expected.value, expected.low, expected.high, expected.p_value)
    )
    assert [r.p_holm for r in found.rows] == holm([r.p for r in found.rows])
    assert [r.verdict for r in found.rows] == ["undecided"] * 3 + ["worse"]
    assert found.regressed


def test_one_difference_among_many_tests_is_not_called_a_regression() -> None:
    # p is below 0.05 alone and above it after the correction over 8 cells.
    tasks = dict.fromkeys("abcd", "in_domain")

    def outcome(task: str, row: int, index: int, budget: Budget) -> Status:
        lost = (task, budget) == ("a", 16) and row < 7
        return Status.INCORRECT if lost else Status.CORRECT

    base = make_run(by_row(lambda row: 1), name="b", tasks=tasks, n_questions=24, n_samples=1)  # type: ignore[arg-type]
    found = compare_runs(base, make_run(outcome, name="n", tasks=tasks, n_questions=24, n_samples=1))  # type: ignore[arg-type]
    assert found.rows[0].p < 0.05 < found.rows[0].p_holm
    assert not found.regressed


def test_only_shared_questions_and_budgets_count() -> None:
    base = make_run(by_row(lambda row: row % 4), name="base", n_questions=12, budgets=(16, "unlimited"))
    new = make_run(by_row(lambda row: row % 4), name="new", n_questions=24, budgets=(16, 64))
    found = compare_runs(base, new)
    assert {(row.budget, row.n_questions) for row in found.rows} == {("16", 12)}
    assert "pocket_chain: 12 questions are shared, of 12 in base and 24 in new" in found.notes
    assert any("left out" in note and "pocket_sort at unlimited" in note for note in found.notes)


def test_what_no_run_has_is_not_called_left_out() -> None:
    """Only one run has a task, and only the other has a budget, so neither run has the task at that budget."""
    base = make_run(by_row(lambda row: row % 4), name="base", tasks={"one": "in_domain", "two": "in_domain"}, budgets=(16,))
    new = make_run(by_row(lambda row: row % 4), name="new", tasks={"one": "in_domain"}, budgets=(16, 64))
    assert "left out, because only one run has it: two at 16, one at 64" in compare_runs(base, new).notes


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
    assert compare_runs(enough, make_run(outcome, name="new", n_questions=25)).rows
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


def test_differing_protocols_are_named() -> None:
    new = make_run(
        by_row(lambda row: row % 4),
        name="new",
        n_questions=24,
        protocol={"sampling": {"temperature": 0.6}, "tasks": {"unrelated": {"version": "2"}}},
    )
    assert compare_runs(BASE, new).notes == ("the protocols differ in 1 key: sampling.temperature 1.0, then 0.6",)
    assert compare_runs(BASE, WORSE).notes == ()


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("avg@n", Measure("avg@n")),
        ("pass@8", Measure("pass@k", 8)),
        ("g_pass@8:0.5", Measure("g_pass@k", 8, 0.5)),
        ("g_pass@4:1", Measure("g_pass@k", 4, 1.0)),
        ("mg_pass_normalized@4", Measure("mg_pass_normalized@k", 4)),
        ("maj@2", Measure("maj@k", 2)),
    ],
)
def test_metrics_are_named_as_they_are_tabulated(name: str, measure: Measure) -> None:
    assert parse_metric(name) == measure


@pytest.mark.parametrize("name", ["avg", "pass", "pass@0", "g_pass@8", "pass@8:0.5", "g_pass@8:1.5", "leak_rate", "avg@8"])
def test_unknown_metrics_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="there is no metric"):
        compare_runs(BASE, WORSE, metric=name)


def test_stability_can_be_compared_and_needs_its_samples() -> None:
    found = compare_runs(BASE, BETTER, metric="g_pass@4:1.0")
    assert (found.rows[0].base, found.rows[0].new) == (0.0, 0.25)
    with pytest.raises(MetricError, match=r"needs 8 samples per question; run base has 4"):
        compare_runs(BASE, BETTER, metric="pass@8")
    with pytest.raises(MetricError, match="greedy"):
        compare_runs(BASE, make_run(by_row(lambda row: 1), name="g", temperature=0.0), metric="pass@2")


def test_one_cluster_cannot_be_tested() -> None:
    single = make_run(by_row(lambda row: 1), name="b", n_questions=3, per_cluster=3)
    found = compare_runs(single, replace(single, name="n"))
    assert {row.verdict for row in found.rows} == {"not tested"}
    assert all(math.isnan(row.p_holm) for row in found.rows)
    assert "0 worse and 0 better in 0 tests" in render_comparison(found)


@pytest.mark.parametrize("form", ["terminal", "markdown"])
def test_a_comparison_is_rendered_with_its_verdicts(form: str) -> None:
    text = render_comparison(compare_runs(BASE, WORSE), form)
    assert "Regression: 4 worse and 0 better in 4 tests" in text
    assert "worse against base" in text
    assert "-18.8 [" in text  # 0, -1, -1, -1 of 4 samples
    assert max(map(len, text.splitlines())) <= 140
    with pytest.raises(ConfigError, match="Choose terminal or markdown"):
        render_comparison(compare_runs(BASE, WORSE), "html")
