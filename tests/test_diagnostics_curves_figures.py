"""What the panels and rows of the curves' figures hold, and what they say where there is no curve."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from raml_eval.diagnostics.curves.averages import auroc_rows, budget_rows, mean_curves
from raml_eval.diagnostics.curves.figures import (
    draw_aurocs,
    draw_budgets,
    draw_means,
    draw_off,
    draw_trajectories,
    draw_within,
)
from raml_eval.diagnostics.panels import MOST_PANELS
from raml_eval.types import Status
from tests.test_diagnostics_curves_averages import ALL_RIGHT, APART, FOUR, RIGHT, WRONG, both, drawn

OWN = [*FOUR, *ALL_RIGHT, *APART]
TASKS = ["sums", "easy", "apart"]


def words(figure: Any) -> list[list[str]]:
    """The words in each visible panel, beside titles and labels."""
    return [[text.get_text() for text in axes.texts] for axes in figure.axes if axes.get_visible()]


def titles(figure: Any) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_visible()]


def test_a_panel_without_a_curve_says_why() -> None:
    curves = mean_curves(OWN)
    expected = [[], ["no incorrect sample"], ["no question with both verdicts"]]
    assert words(draw_within(OWN, curves, TASKS, "thinking")) == expected
    assert words(draw_trajectories(OWN, TASKS, "thinking")) == expected
    figure = draw_means(OWN, curves, TASKS, "thinking")
    assert words(figure) == [[], [], []]
    assert titles(figure) == ["sums\n3 correct, 1 incorrect", "easy\n2 correct, 0 incorrect", "apart\n1 correct, 1 incorrect"]


def test_tasks_without_a_graded_sample_or_a_thinking_say_so() -> None:
    ungraded = [replace(one, task="cut", status=Status.UNFINISHED) for one in FOUR]
    every = [*FOUR, *ungraded]
    figure = draw_means(every, mean_curves(every), ["sums", "cut", "absent"], "thinking")
    assert words(figure) == [[], ["no graded sample"], ["no thinking"]]


def test_panels_without_thinking_tell_other_words_and_what_is_missing() -> None:
    off = [replace(one, prompt="off") for one in FOUR]
    every = [*FOUR, *off, *ALL_RIGHT]
    figure = draw_off(every, mean_curves(every), ["sums", "easy", "absent"], "thinking", {"sums": "'a' after, '' without"})
    assert titles(figure) == [
        "sums\nasked in different words", "easy\nno answer without thinking", "absent\nno thinking, no answer without thinking",
    ]  # fmt: skip
    assert words(figure) == [[], [], ["no thinking, no answer without thinking"]]


def drawn_without(*lengths: int) -> Any:
    """The panel of FOUR beside answers without thinking of so many positions."""
    off = [drawn(q, 0, RIGHT, (3.0,) * n, prompt="off") for q, n in enumerate(lengths)]
    every = [*FOUR, *off]
    (axes,) = draw_off(every, mean_curves(every), ["sums"], "thinking", {}).axes
    return axes


def test_what_was_measured_at_one_position_is_a_mark_and_no_line_across() -> None:
    axes = drawn_without(*[1] * 6)
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert lines["without thinking, measured right after the prompt"] == [[0, 1.5]]
    assert len(lines["thinking"]) > 2
    assert len(axes.collections) == 1  # the band of the thinking alone
    interval = next(line for line in axes.lines if line.get_label().startswith("_child"))
    assert list(interval.get_xdata()) == [0, 0]


def test_a_curve_is_drawn_where_most_have_a_second_position() -> None:
    assert "without thinking" in [line.get_label() for line in drawn_without(2, 2, 1).lines]
    assert "without thinking" not in [line.get_label() for line in drawn_without(2, 1).lines]


def test_a_run_without_thinking_has_marks_by_verdict() -> None:
    off = [drawn(q, s, status, (3.0 + s,), prompt="off") for q in range(2) for s, status in enumerate((RIGHT, WRONG))]
    for figure in (draw_means(off, mean_curves(off), ["sums"], "off"), draw_within(off, mean_curves(off), ["sums"], "off")):
        (axes,) = figure.axes
        told = [line.get_label() for line in axes.lines if not line.get_label().startswith("_")]
        assert told == ["correct, measured right after the prompt", "incorrect, measured right after the prompt"]


def test_single_trajectories_that_begin_alike_are_both_seen() -> None:
    (axes,) = draw_trajectories(FOUR, ["sums"], "thinking").axes
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["correct"].get_linewidth() > 2 * lines["incorrect"].get_linewidth()
    ends = [line.get_xydata().tolist()[0] for line in axes.lines if len(line.get_xdata()) == 1]
    assert ends == [[10, 0], [10, 4]]


def test_the_pooled_mark_has_its_interval_where_one_is_computed() -> None:
    rng = np.random.default_rng(0)
    many = [drawn(q, s, RIGHT if s % 2 else WRONG, (4.0, float(rng.uniform(0, 4)))) for q in range(12) for s in range(4)]
    row = next(row for row in auroc_rows(many) if row["number"] == "final")
    (axes,) = draw_aurocs([row]).axes
    spans = [sorted(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2 and line.get_ydata()[0] > 0]
    assert [row["pooled_low"], row["pooled_high"]] in spans
    assert row["pooled_low"] < row["pooled"] < row["pooled_high"]


def test_no_mark_hides_another_and_what_has_no_value_is_named() -> None:
    figure = draw_aurocs(auroc_rows([*both("a"), *both("b"), *ALL_RIGHT]))
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[:2] == ["a: half", "a: final"]
    assert labels.count("easy") == 1
    assert labels[-1] == "mean of 2 of 3 tasks: drop"
    assert words(figure) == [["no incorrect sample"]]
    marks = [tuple(line.get_xydata()[0]) for line in axes.lines if line.get_marker() in ("o", "s", "D")]
    assert len(marks) == len({*marks}) == 2 * 5 * 2 + 5
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {
        "within questions, 95 %", "pooled, confounded by difficulty", "mean of tasks, 95 %",
    }  # fmt: skip


def test_the_mean_is_drawn_however_many_tasks_there_are() -> None:
    many = [one for n in range(MOST_PANELS + 2) for one in both(f"task{n:02}")]
    labels = [label.get_text() for label in draw_aurocs(auroc_rows(many)).axes[0].get_yticklabels()]
    assert len(labels) == 5 * (MOST_PANELS + 1)
    assert labels[-1] == f"mean of {MOST_PANELS + 2} tasks: drop"


@pytest.mark.parametrize(("n", "rotation"), [(3, 0), (9, 45)])
def test_many_budgets_have_slanted_names(n: int, rotation: int) -> None:
    own = [drawn(0, 0, RIGHT, (2.0,) * n, tuple((10 * i, 10 * i, True) for i in range(n)))]
    axes, other = draw_budgets(budget_rows(own), ["sums", "easy"]).axes
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {rotation}
    assert [text.get_text() for text in other.texts] == ["nothing was measured where a budget ends"]


def test_marks_at_zero_are_whole() -> None:
    axes = draw_trajectories(FOUR, ["sums"], "thinking").axes[0]
    assert axes.get_ylim()[0] < 0
