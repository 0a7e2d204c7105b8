"""The figure of a pruning: a mark for each rule, and a hollow one beside it where it is compared with a cut."""

from __future__ import annotations

import numpy as np

from raml_eval.diagnostics.pruning.figure import draw_pruning
from raml_eval.diagnostics.pruning.summary_rows import MEAN_OF_TASKS, summarise_outcomes
from tests.test_pruning_summary_rows import drawn


def test_each_rule_has_a_mark_at_its_tokens() -> None:
    rng = np.random.default_rng(0)
    rows = summarise_outcomes([one for task in "ab" for rule in ("last:1", "share:0.5") for one in drawn(rng, task, rule)])
    figure = draw_pruning(rows)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == [MEAN_OF_TASKS, "a", "b"]
    handles, labels = panels[0].get_legend_handles_labels()
    assert labels == ["no thinking", "whole", "first tokens, as many", "last:1", "share:0.5"]
    points = {label: handle.lines[0].get_xydata()[0] for handle, label in zip(handles, labels, strict=True)}
    row = next(row for row in rows if row.task == MEAN_OF_TASKS and row.rule == "share:0.5")
    assert tuple(points["share:0.5"]) == (row.n_after, 100 * row.accuracy["pruned"].value)
    assert points["no thinking"][0] == 0
    assert points["whole"][0] > points["last:1"][0]
