"""Averages, AUROCs and budgets of curves written by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from raml_eval.diagnostics.curves.averages import (
    BOTH,
    GRID,
    UNMOVED,
    auroc_rows,
    budget_rows,
    calibration_rows,
    lacking,
    level_rows,
    mean_curves,
)
from raml_eval.diagnostics.curves.drawn import Drawn
from raml_eval.diagnostics.curves.driver import Curve
from raml_eval.types import Budget, Status


def drawn(
    question: int,
    sample: int,
    status: Status,
    nll: tuple[float, ...],
    read: tuple[tuple[Budget, int, bool], ...] = (),
    prompt: str = "thinking",
    task: str = "sums",
) -> Drawn:
    """A curve with a position every 10 tokens, of a gold of two tokens."""
    curve = Curve(f"{question}/{sample}", tuple(range(0, 10 * len(nll), 10)), nll, 2, 5, 100, True)
    return Drawn(task, f"{question}-abcdef", f"{question}", sample, prompt, status, curve, read)


RIGHT, WRONG = Status.CORRECT, Status.INCORRECT
FOUR = [
    drawn(0, 0, RIGHT, (4.0, 0.0)),
    drawn(0, 1, WRONG, (4.0, 8.0)),
    drawn(1, 0, RIGHT, (6.0, 2.0)),
    drawn(1, 1, RIGHT, (6.0, 0.0)),
]


def test_mean_curves_by_hand() -> None:
    found = {one.group: one for one in mean_curves(FOUR)}
    assert [one.n_trajectories for one in found.values()][:3] == [4, 3, 1]
    right = found["correct"]
    # Means of 2, 3 and 3 nats per token at the start, 0, 1 and 0 at the end.
    assert right.mean[0] == pytest.approx(8 / 3)
    assert right.mean[-1] == pytest.approx(1 / 3)
    assert right.mean == pytest.approx(8 / 3 - GRID * 7 / 3)
    assert math.isnan(found["incorrect"].low[0])  # one cluster
    assert found[f"correct, {BOTH}"].n_questions == 1
    assert found[f"incorrect - correct, {BOTH}"].mean == pytest.approx(4 * GRID)


def test_the_mean_lies_within_its_interval() -> None:
    rng = np.random.default_rng(0)
    many = [drawn(q, s, RIGHT, tuple(rng.uniform(0, 5, 4))) for q in range(12) for s in range(3)]
    (everything, _) = mean_curves(many)
    assert (everything.low <= everything.mean).all()
    assert (everything.mean <= everything.high).all()


def test_levels_by_hand() -> None:
    rows = {row["verdict"]: row for row in level_rows([*FOUR, drawn(2, 0, Status.UNFINISHED, (2.0, 9.0))])}
    assert set(rows) == {"correct", "incorrect"}
    right = rows["correct"]
    assert (right["n_trajectories"], right["n_questions"], right["n_tokens"]) == (3, 2, 10.0)
    assert right["start"] == pytest.approx(8 / 3)
    assert right["drop"] == pytest.approx(7 / 3)
    assert right["slope"] == pytest.approx(-7 / 3)
    assert right["decided"] == pytest.approx(2 / 3)  # exp(-1) is below 1/2
    assert rows["incorrect"]["drop_low"] is None


def test_five_questions_have_no_interval_of_a_level_and_six_have_one_above_0() -> None:
    many = [drawn(q, 0, RIGHT, (0.0 if q else 8.0, 0.0)) for q in range(6)]
    (row,) = level_rows(many)
    assert (row["start"], row["start_low"]) == (pytest.approx(4 / 6), 0.0)
    assert row["drop_low"] < 0
    assert mean_curves(many)[0].low[0] == 0.0
    (row,) = level_rows(many[:5])
    assert (row["start_low"], row["drop_low"]) == (None, None)
    assert row["decided_low"] is not None  # a share of few questions has Gaffke's
    assert math.isnan(mean_curves(many[:5])[0].low[0])


def test_aurocs_look_within_questions() -> None:
    rows = {row["number"]: row for row in auroc_rows(FOUR)}
    assert {*rows} == {"half", "final", "area", "slope", "drop"}
    assert {row["within"] for row in rows.values()} == {1.0}
    assert {(row["n_questions"], row["n_pairs"], row["n_trajectories"]) for row in rows.values()} == {(1, 1, 4)}
    turned = {row["number"]: row for row in auroc_rows([drawn(0, 0, RIGHT, (4.0, 8.0)), drawn(0, 1, WRONG, (4.0, 0.0))])}
    assert {row["within"] for row in turned.values()} == {0.0}


def test_curves_without_a_second_position_have_a_pooled_final_value_alone() -> None:
    """Both curves of a question are the same value, so within questions they could not differ."""
    own = [drawn(q, s, status, (4.0 - q,), prompt="off") for q in (0, 1) for s, status in enumerate((RIGHT, WRONG))]
    (row,) = auroc_rows([*own, drawn(1, 2, RIGHT, (3.0,), prompt="off")])
    assert (row["number"], row["within"], row["n_questions"], row["remark"]) == ("final", None, 0, UNMOVED)
    assert row["pooled"] == pytest.approx(3.5 / 6)


def test_several_tasks_have_a_mean() -> None:
    other = [drawn(0, 0, RIGHT, (4.0, 8.0), task="other"), drawn(0, 1, WRONG, (4.0, 0.0), task="other")]
    means = [row for row in auroc_rows([*FOUR, *other]) if row["task"] == "mean of 2 tasks"]
    assert {row["within"] for row in means} == {0.5}
    assert {row["pooled"] for row in means} == {None}


def test_a_mean_of_tasks_says_why_it_has_no_interval_and_no_pooled_value() -> None:
    for n, method, ends in ((1, "no interval: a task has none", False), (9, "MOVER over fixed tasks", True)):
        own = [
            drawn(q, s, status, (4.0, 4.0 + s * (q % 3 - 1)), task=task)
            for task in ("a", "b")
            for q in range(n)
            for s, status in enumerate((RIGHT, WRONG))
        ]
        means = [row for row in auroc_rows(own) if row["n_tasks"] > 1]
        assert means
        assert {row["pooled_method"] for row in means} == {"not given: no pair is of two tasks"}
        assert {row["within_method"] for row in means} == {method}
        assert {row[f"within_{end}"] is not None for row in means for end in ("low", "high")} == {ends}


def test_budgets_compare_the_golds_probability_with_the_accuracy() -> None:
    log2 = math.log(2)
    own = [
        drawn(q, s, RIGHT, (2 * log2, log2, 0.0), ((0, 0, s == 0), (10, 10, q < 2), ("unlimited", 20, True)))
        for q in range(4)
        for s in range(4)
    ]
    rows = {row["budget"]: row for row in budget_rows(own)}
    assert list(rows) == ["0", "10", "unlimited"]
    assert [(row["probability"], row["accuracy"]) for row in rows.values()] == [
        pytest.approx(pair) for pair in ((0.25, 0.25), (0.5, 0.5), (1.0, 1.0))
    ]
    assert rows["0"]["difference"] == pytest.approx(0)
    assert (rows["0"]["within"], rows["0"]["n_questions"]) == (None, 0)  # one prefix, so nothing to tell apart
    assert rows["10"]["n_questions"] == 0
    bins = {row["bin"]: row for row in calibration_rows(own)}
    assert {name: (row["n_samples"], row["accuracy"]) for name, row in bins.items()} == {
        "0.2 to 0.3": (16, pytest.approx(0.25)),
        "0.5 to 0.6": (16, pytest.approx(0.5)),
    }


def test_a_budget_at_which_nothing_was_measured_is_left_out() -> None:
    assert budget_rows([drawn(0, 0, RIGHT, (1.0, 1.0), ((7, 7, True),))]) == []


def both(task: str, prompt: str = "thinking") -> list[Drawn]:
    """A question of the task with both verdicts, told apart by every number."""
    pair = ((RIGHT, (4.0, 0.0)), (WRONG, (4.0, 8.0)))
    return [drawn(0, sample, status, nll, task=task, prompt=prompt) for sample, (status, nll) in enumerate(pair)]


ALL_RIGHT = [drawn(0, 0, RIGHT, (4.0, 0.0), task="easy"), drawn(1, 0, RIGHT, (4.0, 0.0), task="easy")]
APART = [drawn(0, 0, RIGHT, (4.0, 0.0), task="apart"), drawn(1, 0, WRONG, (4.0, 0.0), task="apart")]


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (ALL_RIGHT, "no incorrect sample"),
        ([replace(one, status=WRONG) for one in ALL_RIGHT], "no correct sample"),
        ([replace(one, status=Status.UNFINISHED) for one in ALL_RIGHT], "no graded sample"),
        (APART, "no question with both verdicts"),
        (both("sums"), ""),
    ],
)
def test_why_nothing_tells_correct_from_incorrect(own: list[Drawn], reason: str) -> None:
    assert lacking(own) == reason
    assert {row["remark"] for row in auroc_rows(own)} == {reason}
    assert all((row["within"] is None) is bool(reason) for row in auroc_rows(own))


def test_a_mean_of_tasks_leaves_out_and_names_those_without_a_value() -> None:
    rows = auroc_rows([*both("a"), *APART, *both("b"), *ALL_RIGHT])
    means = [row for row in rows if row["n_tasks"] > 1]
    assert [row["number"] for row in means] == ["half", "final", "area", "slope", "drop"]
    assert {(row["task"], row["remark"], row["within"]) for row in means} == {
        ("mean of 2 of 4 tasks", "without apart, easy", 1.0)
    }
    (alone,) = [row for row in rows if row["task"] == "easy"]
    assert (alone["number"], alone["within"], alone["pooled"]) == ("all", None, None)


@pytest.mark.parametrize("others", [ALL_RIGHT, APART, [*ALL_RIGHT, *APART]])
def test_one_task_with_a_value_is_no_mean_and_neither_is_none(others: list[Drawn]) -> None:
    assert {row["n_tasks"] for row in auroc_rows([*both("a"), *others])} == {1}
    assert {row["n_tasks"] for row in auroc_rows(others)} == {1}


def test_prompts_have_means_of_their_own() -> None:
    rows = auroc_rows([*both("a"), *both("b"), *both("a", "off"), *[replace(one, prompt="off") for one in ALL_RIGHT]])
    assert {row["prompt"] for row in rows if row["n_tasks"] > 1} == {"thinking"}
