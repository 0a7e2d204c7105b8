"""The figure of a pruning: accuracy over mean thinking tokens, as figure 11 of the RaML paper has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raml_eval.diagnostics.pruning.rules import is_cut
from raml_eval.diagnostics.pruning.summary_rows import MEAN_OF_TASKS, SummaryRow
from raml_eval.drawing import COLOURS, STYLES, new_figure, plain_label
from raml_eval.types import Interval

MOST_PANELS = 12  # more could not be read
_GREY = "#555555"


def draw_pruning(rows: Sequence[SummaryRow]) -> Any:
    """A matplotlib Figure with a panel for each task and for their mean, in percent with 95 % intervals.

    Each rule has a colour: a filled mark for the answers after what it keeps, and a hollow one for those after as many of the
    first tokens, joined by a line, unless the two are the same. Whole and no thinking are grey. They are those of the rule with
    the most thinkings, since a rule may lack some.
    """
    tasks = list(dict.fromkeys(row.task for row in rows))
    tasks.sort(key=lambda task: task != MEAN_OF_TASKS)
    rules = list(dict.fromkeys(row.rule for row in rows))
    colours = {rule: (COLOURS[n % len(COLOURS)], STYLES[n % len(STYLES)][1]) for n, rule in enumerate(rules)}
    shown = tasks[:MOST_PANELS]
    columns = min(2, len(shown))
    n_lines = -(-len(shown) // columns)
    with new_figure(7.2, 1.1 + 2.9 * n_lines) as figure:
        panels = list(figure.subplots(n_lines, columns, squeeze=False).flat)
        for axes, task in zip(panels, shown, strict=False):
            _draw_panel(axes, [row for row in rows if row.task == task], colours)
            axes.set_title(plain_label(task), fontsize=10)
        for axes in panels[len(shown) :]:
            axes.set_visible(False)
        _label(figure, panels[: len(shown)], columns)
        return figure


def _draw_panel(axes: Any, rows: Sequence[SummaryRow], colours: Mapping[str, tuple[str, str]]) -> None:
    most = max(rows, key=lambda row: row.n_thinkings)
    _point(axes, 0.0, most.accuracy["none"], _GREY, "<", "no thinking", filled=True)
    _point(axes, most.n_before, most.accuracy["whole"], _GREY, "p", "whole", filled=True)
    widest = max(1.0, most.n_before, *(row.n_after for row in rows))
    for row in rows:
        colour, marker = colours[row.rule]
        pruned, forced = row.accuracy["pruned"], row.accuracy["forced"]
        x, twin, shift = row.n_after, min(row.n_after, row.n_before), 0.0
        if not is_cut(row.rule):  # a cut is its own twin
            shift = 0.006 * widest  # or the two intervals would hide each other
            axes.plot([x, twin], [100 * pruned.value, 100 * forced.value], color=colour, linewidth=0.8, zorder=2)
            _point(axes, twin + shift, forced, colour, marker, "first tokens, as many", filled=False)
        _point(axes, x - shift, pruned, colour, marker, row.rule, filled=True)
    axes.set_ylim(-2, 102)
    axes.set_xlim(left=-0.04 * widest)
    axes.grid(axis="y", linewidth=0.5, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)


def _point(axes: Any, x: float, one: Interval, colour: str, marker: str, label: str, filled: bool) -> None:
    below, above = max(0.0, 100 * (one.value - one.low)), max(0.0, 100 * (one.high - one.value))
    axes.errorbar(
        [x],
        [100 * one.value],
        yerr=[[below], [above]],
        fmt=marker,
        color=colour,
        markerfacecolor=colour if filled else "white",
        capsize=2,
        markersize=6,
        elinewidth=0.9,
        alpha=1.0 if filled else 0.8,
        label=plain_label(label),
        zorder=3,
    )


def _label(figure: Any, panels: Sequence[Any], columns: int) -> None:
    shown: dict[str, Any] = {}
    for place, axes in enumerate(panels):
        if place + columns >= len(panels):
            axes.set_xlabel("thinking tokens, mean")
        if place % columns == 0:
            axes.set_ylabel("accuracy (%)")
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            shown.setdefault(label, handle)
    figure.legend(list(shown.values()), list(shown), frameon=False, loc="outside upper center", ncols=3)
