"""The panels of a sweep's figures: domains' means side by side, then the tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from raml_eval.drawing import plain_label
from raml_eval.reporting.sections import TITLES
from raml_eval.tables import DOMAINS, MACRO

if TYPE_CHECKING:
    import pandas as pd


class Panel(NamedTuple):
    """One panel: a task, or a domain's mean."""

    task: str
    domain: str
    title: str


def find_panels(frame: pd.DataFrame) -> list[Panel]:
    """In-domain beside cross-domain, each as its tasks' mean or its only task; then the tasks behind a mean."""
    found = list(dict.fromkeys(zip(frame["task"], frame["domain"], strict=True)))
    first, rest = [], []
    for domain in DOMAINS:
        of = [task for task, own in found if own == domain and task != MACRO]
        name = TITLES[domain]
        panels = [Panel(task, domain, plain_label(f"{task} ({name.lower()})")) for task in of]
        if (MACRO, domain) in found and len(of) > 1:
            first.append(Panel(MACRO, domain, f"{name}: mean of {len(of)} tasks"))
            rest += panels
        else:
            first += panels
    return first + rest


def pick(frame: pd.DataFrame, panel: Panel, run: str, metric: str) -> pd.DataFrame:
    of = (frame["task"] == panel.task) & (frame["domain"] == panel.domain) & (frame["run"] == run)
    return frame[of & (frame["metric"] == metric)]


def run_names(frame: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(frame["run"]))


def lay_out(panels: Sequence[Panel], n_runs: int, heights: tuple[int, ...] = (1,)) -> tuple[Any, list[tuple[Any, ...]]]:
    """A figure with two columns of panels, each of one or more axes above one another that share their x axis.

    Places are given in inches, because matplotlib's own layouts of nested grids differ by rounding from draw to draw.
    """
    from matplotlib.figure import Figure

    n_columns = min(2, len(panels))
    n_rows = -(-len(panels) // n_columns)
    above = 0.6 if n_runs > 1 else 0.35  # the legend and the titles
    high = 2.5 if len(heights) == 1 else 3.2
    width, height = 3.9 * n_columns + 0.6, high * n_rows + 0.4 + above
    figure = Figure(figsize=(width, height))
    outer = figure.add_gridspec(
        n_rows,
        n_columns,
        left=0.65 / width,
        right=1 - 0.15 / width,
        top=1 - above / height,
        bottom=0.7 / height,
        wspace=0.16,
        hspace=0.34 if len(heights) == 1 else 0.24,
    )
    rows = []
    for number in range(len(panels)):
        inner = outer[number // n_columns, number % n_columns].subgridspec(len(heights), 1, height_ratios=heights, hspace=0.14)
        first = figure.add_subplot(inner[0])
        rows.append((first, *(figure.add_subplot(inner[i], sharex=first) for i in range(1, len(heights)))))
    return figure, rows


def label_axes(figure: Any, rows: Sequence[tuple[Any, ...]], x: str, above: str, below: str) -> None:
    """Axis labels at the left and the bottom, and one legend if there are several runs."""
    n_columns = min(2, len(rows))
    for number, axes in enumerate(rows):
        axes[-1].set_xlabel(x if number >= len(rows) - n_columns else "")
        axes[0].set_ylabel(above if number % n_columns == 0 else "")
        if len(axes) > 1:
            axes[-1].set_ylabel(below if number % n_columns == 0 else "")
    handles, labels = rows[0][0].get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="upper center", ncols=min(3, len(labels)), frameon=False)
