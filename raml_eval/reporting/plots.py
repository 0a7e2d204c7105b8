"""Draws figures from the tidy frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raml_eval.drawing import new_figure, plain_label, save_figure, style_of
from raml_eval.errors import MetricError
from raml_eval.tables import MACRO, budget_order

if TYPE_CHECKING:
    import pandas as pd

_SPACED = "tokens, not to scale"
SPREAD = 0.1  # offset between the points of neighbouring lines, in steps of the budget axis


def plot_budget_curve(frame: pd.DataFrame, path: Path | str) -> Path:
    """path holds a figure of accuracy over thinking budget. The ending of path chooses the format: svg, png or pdf.

    There is a line for each task, or, with several runs, a panel for each task with a line for each run, in percent with the
    frame's intervals. Budgets are equally spaced. "off", which has another prompt, is a point apart from the line. Raises
    MetricError for a frame without accuracy, ConfigError if path cannot be written.

    Example: plot_budget_curve(build_frame([load_run("runs/mine")]), "curve.svg")
    """
    return save_figure(draw_budget_curve(frame), Path(path))


def draw_budget_curve(frame: pd.DataFrame) -> Any:
    """The figure of plot_budget_curve. Raises MetricError for a frame without accuracy."""
    shown = frame[(frame["metric"] == "avg@n") & (frame["task"] != MACRO) & frame["value"].notna()]
    if shown.empty:
        raise MetricError("the frame has no avg@n to plot. Give the frame of build_frame for a run with samples.")
    budgets = sorted(set(shown["budget"]), key=budget_order)
    every = list(dict.fromkeys(frame["run"]))  # runs without a number have a place too, so that styles are those of the page
    runs, tasks = (list(dict.fromkeys(shown[column])) for column in ("run", "task"))
    if len(runs) == 1:
        panels = {"": [(plain_label(task), n, runs[0], task) for n, task in enumerate(tasks)]}
    else:
        panels = {task: [(plain_label(run), every.index(run), run, task) for run in runs] for task in tasks}
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    with new_figure(7.2, 4.2 if len(panels) == 1 else 0.6 + 2.6 * rows) as figure:
        places = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
        for axes, (title, lines) in zip(places, panels.items(), strict=False):
            step = min(SPREAD, 0.6 / len(lines))
            for place, (label, number, run, task) in enumerate(lines):
                own = shown[(shown["run"] == run) & (shown["task"] == task)]
                shift = (place - (len(lines) - 1) / 2) * step
                _draw_line(axes, own, budgets, shift, label, *style_of(number))
            axes.set_title(plain_label(title), fontsize=10)
            _finish(axes, budgets)
        _label_all(figure, places, len(panels), columns, str(shown["n_samples"].max()))
        return figure


def _draw_line(
    axes: Any, own: pd.DataFrame, budgets: list[str], shift: float, label: str, colour: str, style: tuple[str, str]
) -> None:
    import numpy as np

    line, marker = style
    places = [budgets.index(budget) + shift for budget in own["budget"]]
    values = 100 * own["value"].to_numpy()
    below = np.maximum(values - 100 * own["low"].to_numpy(), 0)  # matplotlib refuses a rounding error below 0
    above = np.maximum(100 * own["high"].to_numpy() - values, 0)
    axes.errorbar(
        places,
        values,
        yerr=[below, above],
        fmt=marker,
        color=colour,
        capsize=2.5,
        markersize=5,
        elinewidth=1,
        label=label,
    )
    swept = [i for i, budget in enumerate(own["budget"]) if budget != "off"]
    axes.plot([places[i] for i in swept], [values[i] for i in swept], line, color=colour, linewidth=1.5)


def _finish(axes: Any, budgets: list[str]) -> None:
    axes.set_xticks(range(len(budgets)), [plain_label(budget) for budget in budgets])
    axes.set_ylim(-2, 102)
    axes.grid(axis="y", linewidth=0.5, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)


def _label_all(figure: Any, every: Sequence[Any], n_panels: int, columns: int, n: str) -> None:
    """The axes have their labels at the left and the bottom, the figure has one legend, and no empty panel is seen."""
    shown: dict[str, Any] = {}
    for place, axes in enumerate(every):
        if place >= n_panels:
            axes.set_visible(False)
            continue
        if place + columns >= n_panels:
            axes.set_xlabel(f"thinking budget ({_SPACED})")
            axes.tick_params(labelbottom=True)
        if place % columns == 0:
            axes.set_ylabel(f"accuracy, avg@{n} (%)")
        shown |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    where = {"loc": "outside right center"} if n_panels == 1 else {"loc": "outside upper center", "ncols": 3}
    figure.legend(list(shown.values()), list(shown), frameon=False, **where)
