"""Draws figures from the tidy frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raml_eval.errors import MetricError, writing
from raml_eval.tables import MACRO, budget_order

if TYPE_CHECKING:
    import pandas as pd

# Okabe and Ito's palette, whose colours can be told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"))
SPREAD = 0.05  # offset between the points of neighbouring lines, in steps of the budget axis


def plot_budget_curve(frame: pd.DataFrame, path: Path | str) -> Path:
    """path holds a figure of accuracy over thinking budget. The ending of path chooses the format: svg, png or pdf.

    There is a line for each task and run, in percent with the frame's intervals. Budgets are equally spaced. "off", which
    has another prompt, is a point apart from the line. Raises MetricError for a frame without accuracy,
    ConfigError if path cannot be written.

    Example: plot_budget_curve(build_frame([load_run("runs/mine")]), "curve.svg")
    """
    return save_figure(draw_budget_curve(frame), Path(path))


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Any]:
    """A figure of that size in inches, with the fonts of all others inside."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 10}):
        yield Figure(figsize=(width, height), layout="constrained")


def draw_budget_curve(frame: pd.DataFrame) -> Any:
    """The figure of plot_budget_curve. Raises MetricError for a frame without accuracy."""
    shown = frame[(frame["metric"] == "avg@n") & (frame["task"] != MACRO) & frame["value"].notna()]
    if shown.empty:
        raise MetricError("the frame has no avg@n to plot. Give the frame of build_frame for a run with samples.")
    budgets = sorted(set(shown["budget"]), key=budget_order)
    lines = list(dict.fromkeys(zip(shown["run"], shown["task"], strict=True)))
    tasks = list(dict.fromkeys(task for _, task in lines))
    runs = list(dict.fromkeys(run for run, _ in lines))
    with new_figure(7.2, 4.2) as figure:
        axes = figure.subplots()
        for number, (run, task) in enumerate(lines):
            own = shown[(shown["run"] == run) & (shown["task"] == task)]
            shift = (number - (len(lines) - 1) / 2) * min(SPREAD, 0.5 / len(lines))
            label = plain_label(task if len(runs) == 1 else f"{task}, {run}")
            colour = COLOURS[tasks.index(task) % len(COLOURS)]
            _draw_line(axes, own, budgets, shift, label, colour, STYLES[runs.index(run) % len(STYLES)])
        _finish(axes, budgets, str(shown["n_samples"].max()))
        return figure


def plain_label(text: str) -> str:
    """The text as matplotlib shows it literally: a dollar would begin mathematics, and an underscore would hide a label.

    Example: plain_label("_x") == " _x"
    """
    shown = text.replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def save_figure(figure: Any, path: Path) -> Path:
    """The path holds the figure, in the format of its ending. Raises ConfigError if it cannot be written."""
    import matplotlib as mpl

    with writing(path, "Choose a writable --plot."):
        path.parent.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context({"svg.hashsalt": "raml_eval"}):  # a fixed salt: equal frames give equal files
            figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    return path


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


def _finish(axes: Any, budgets: list[str], n: str) -> None:
    axes.set_xticks(range(len(budgets)), budgets)
    axes.set_xlabel("thinking budget (tokens)")
    axes.set_ylabel(f"accuracy, avg@{n} (%)")
    axes.set_ylim(-2, 102)
    axes.grid(axis="y", linewidth=0.5, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", frameon=False)
