"""The figure of a pruning: a row for each rule, in which no mark hides another, and words where a rule has no answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from raml_eval.diagnostics.pruning.figure import _MARKS, MOST_PANELS, draw_pruning, tell_figure
from raml_eval.diagnostics.pruning.outcomes import WAYS
from raml_eval.diagnostics.pruning.summary_rows import MEAN_OF_TASKS, summarise_outcomes
from raml_eval.drawing import COLOURS
from raml_eval.reporting.html_figures import INK
from tests.test_pruning_summary_rows import drawn


def panels_of(figure: Any) -> dict[str, Any]:
    return {axes.get_title(): axes for axes in figure.axes if axes.get_visible()}


def places(axes: Any) -> list[tuple[float, float]]:
    return [tuple(handle.lines[0].get_xydata()[0]) for handle in axes.containers]


def words(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_each_answer_of_each_rule_has_a_place_of_its_own() -> None:
    rng = np.random.default_rng(0)
    rows = summarise_outcomes([one for task in "ab" for rule in ("last:1", "share:0.5") for one in drawn(rng, task, rule)])
    figure = draw_pruning(rows)
    panels = panels_of(figure)
    assert list(panels) == ["a", "b", MEAN_OF_TASKS]
    for title, axes in panels.items():
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert labels == ([] if title == "b" else ["whole", "last:1", "share:0.5", "no thinking"])  # b stands right of a
        assert len({place for _, place in places(axes)}) == len(places(axes)) == 5  # share is a cut: it has no twin
        row = next(row for row in rows if row.task == title and row.rule == "last:1")
        accuracies = [100 * row.accuracy[way].value for way in ("whole", "pruned", "forced")]
        assert [x for x, _ in places(axes)[:3]] == accuracies
        tokens = [label.get_text() for label in axes.child_axes[0].get_yticklabels()]
        assert tokens[:2] == [f"{row.n_before:,.1f}", f"{row.n_after:,.1f}"]
        assert words(axes) == []
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(WAYS.values())
    assert "the last panel is the mean of all tasks" in tell_figure(rows)
    figure.canvas.draw()


def test_marks_are_of_colours_that_a_dark_page_turns_or_that_show_on_both() -> None:
    assert {colour for colour, *_ in _MARKS.values()} == {"#000000", *COLOURS[:2]}  # a page shows black as its own ink
    assert {*INK} >= {"#000000"}


def test_a_rule_without_answers_on_a_task_says_so() -> None:
    rng = np.random.default_rng(0)
    figure = draw_pruning(summarise_outcomes([*drawn(rng, "a", "last:1"), *drawn(rng, "b", "first:1")]))
    panels = panels_of(figure)
    assert words(panels["a"]) == words(panels["b"]) == ["no answers: see the notes"]
    assert MEAN_OF_TASKS not in panels  # no rule is on both
    figure.canvas.draw()


def test_tasks_beyond_the_last_panel_are_told() -> None:
    rng = np.random.default_rng(0)
    outcomes = [one for n in range(MOST_PANELS) for one in drawn(rng, f"task{n}", "last:1")]
    rows = summarise_outcomes(outcomes)
    assert len(panels_of(draw_pruning(rows))) == MOST_PANELS
    assert tell_figure(rows).endswith("1 more task in the tables alone")
    few = [row for row in rows if row.task in ("task0", "task1", MEAN_OF_TASKS)]
    assert "tables alone" not in tell_figure(few)
