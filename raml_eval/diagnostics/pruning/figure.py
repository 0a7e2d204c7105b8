"""The figure of a pruning: the accuracy of each answer by rule, with the thinking tokens that it follows."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from raml_eval.diagnostics.panels import MOST_PANELS, grid_of, is_lowest, labelled, split
from raml_eval.diagnostics.pruning.outcomes import WAYS
from raml_eval.diagnostics.pruning.rules import is_cut
from raml_eval.diagnostics.pruning.summary_rows import MEAN_OF_TASKS, SummaryRow
from raml_eval.drawing import COLOURS, FAINT, new_figure, plain_label
from raml_eval.types import Interval
from raml_eval.wording import count_noun

_INK = COLOURS[6]  # black, which a dark page shows as white
_WIDEST = 22  # characters of a rule's name on one line
# Colour, mark and whether it is filled: each way can be told from the others on grey paper, too.
_MARKS: Mapping[str, tuple[str, str, bool]] = {
    "whole": (_INK, "p", True),
    "pruned": (COLOURS[0], "o", True),
    "forced": (COLOURS[1], "s", False),
    "no_thinking": (_INK, "<", False),
}


def draw_pruning(rows: Sequence[SummaryRow]) -> Any:
    """A matplotlib Figure with a panel for each task and, last, for their mean; accuracies in percent with 95 % intervals.

    A panel has a row for the whole thinking, one for each rule and one for no thinking, so that no mark hides another. The mean
    tokens of each row's thinking stand at its right. Whole and no thinking are those of the rule with the most thinkings,
    since a rule may lack some. A rule without answers on a task says so.
    """
    shown, _ = _panels(rows)
    rules = list(dict.fromkeys(row.rule for row in rows))
    columns, n_lines = grid_of(len(shown))
    with new_figure(7.2, 0.9 + (0.9 + 0.42 * (len(rules) + 2)) * n_lines) as figure:
        panels = split(figure, len(shown), sharey=True)
        for place, (axes, task) in enumerate(zip(panels, shown, strict=True)):
            own = {row.rule: row for row in rows if row.task == task}
            tokens = _draw_panel(axes, own, rules)
            axes.set_title(plain_label(task), fontsize=10)
            right = axes.secondary_yaxis("right")
            right.set_yticks(range(len(tokens)), tokens)
            right.tick_params(length=0)
            right.spines["right"].set_visible(False)
            if place % columns == columns - 1 or place == len(shown) - 1:
                right.set_ylabel("thinking tokens, mean")
            if is_lowest(place, len(shown)):
                axes.set_xlabel("accuracy (%)")
                axes.tick_params(labelbottom=True)
        names = ["whole", *(textwrap.fill(plain_label(rule), _WIDEST) for rule in rules), "no thinking"]
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(len(names) - 0.4, -0.6)
        handles = labelled(panels)
        ways = [name for name in WAYS.values() if name in handles]
        figure.legend([handles[way] for way in ways], ways, frameon=False, loc="outside upper center", ncols=len(ways))
        return figure


def tell_figure(rows: Sequence[SummaryRow]) -> str:
    """What the figure shows, in words."""
    shown, n_left = _panels(rows)
    more = f". {count_noun(n_left, 'more task')} in the tables alone" if n_left else ""
    pooled = "; the last panel is the mean of all tasks, each of which counts alike" if MEAN_OF_TASKS in shown else ""
    return (
        "Accuracy with 95 % intervals after the whole thinking, after what each rule keeps of it (pruned), after as many of "
        f"its first tokens (forced), and after no thinking. At the right, the mean of the thinking tokens{pooled}{more}"
    )


def _panels(rows: Sequence[SummaryRow]) -> tuple[list[str], int]:
    """The tasks that have a panel, then their mean; and how many tasks have none."""
    tasks = list(dict.fromkeys(row.task for row in rows if row.task != MEAN_OF_TASKS))
    mean = [MEAN_OF_TASKS] if any(row.task == MEAN_OF_TASKS for row in rows) else []
    most = MOST_PANELS - len(mean)
    return [*tasks[:most], *mean], max(0, len(tasks) - most)


def _draw_panel(axes: Any, rows: Mapping[str, SummaryRow], rules: Sequence[str]) -> list[str]:
    """Draws the panel of a task; rows are its own by rule. Returns the tokens of each row of the panel, from top to bottom."""
    axes.set_xlim(-2, 102)
    axes.grid(axis="x", linewidth=0.5, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    if not rows:
        axes.text(50, (len(rules) + 1) / 2, "no rule has answers\non every task", ha="center", va="center", color=FAINT)
        return [""] * (len(rules) + 2)
    most = max(rows.values(), key=lambda row: row.n_thinkings)
    tokens = [f"{most.n_before:,.1f}"]
    _point(axes, 0, most.accuracy["whole"], "whole")
    for place, rule in enumerate(rules, 1):
        if (row := rows.get(rule)) is None:
            axes.text(50, place, "no answers: see the notes", ha="center", va="center", color=FAINT, fontsize=8)
            tokens.append("")
            continue
        apart = 0.0 if is_cut(rule) else 0.17  # a cut is its own twin
        _point(axes, place - apart, row.accuracy["pruned"], "pruned")
        if apart:
            _point(axes, place + apart, row.accuracy["forced"], "forced")
        tokens.append(f"{row.n_after:,.1f}")
    _point(axes, len(rules) + 1, most.accuracy["no_thinking"], "no_thinking")
    return [*tokens, "0"]


def _point(axes: Any, place: float, one: Interval, way: str) -> None:
    colour, marker, filled = _MARKS[way]
    below, above = max(0.0, 100 * (one.value - one.low)), max(0.0, 100 * (one.high - one.value))
    axes.errorbar(
        [100 * one.value],
        [place],
        xerr=[[below], [above]],
        fmt=marker,
        color=colour,
        markerfacecolor=colour if filled else "white",
        capsize=2,
        markersize=6,
        elinewidth=0.9,
        label=WAYS[way],
        zorder=3,
    )
