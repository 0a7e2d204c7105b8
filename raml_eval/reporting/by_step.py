"""A metric against the training step, for the runs of many checkpoints: as lines for a terminal, and as a tidy file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from raml_eval.reporting.raw import frame_csv
from raml_eval.reporting.render import percent, shorten_all
from raml_eval.tables import DOMAIN_MEANS, MACRO, Row, frame_rows, run_labels, step_of
from raml_eval.types import StoredRun

if TYPE_CHECKING:
    import pandas as pd

METRIC = "avg@n"


def render_by_step(runs: Sequence[StoredRun], frame: pd.DataFrame, metric: str = METRIC) -> str:
    """The metric of each domain's mean, or of its only task, in the order of the steps. frame is build_frame's of these runs.

    Runs without a step come last. Empty if fewer than two runs have one.
    """
    steps = _steps(runs)
    if sum(step is not None for step in steps.values()) < 2:
        return ""
    lines: dict[str, dict[tuple[str, str], Row]] = {label: {} for label in sorted(steps, key=lambda run: _order(steps[run]))}
    for row in _shown(frame_rows(frame), metric):
        lines[row["run"]][_name(row), row["budget"]] = row
    columns = list(dict.fromkeys(key for line in lines.values() for key in line))
    head = ["step", "run", *(f"{name}, budget {budget}" for name, budget in columns)]
    body = [
        [_text(steps[run]), name, *(_value(line[key]) if key in line else "" for key in columns)]
        for (run, line), name in zip(lines.items(), shorten_all(list(lines)), strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    told = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *body)]
    return "\n".join([f"{metric} against the training step, in percent, with its interval", *told])


def by_step_csv(runs: Sequence[StoredRun], frame: pd.DataFrame) -> str:
    """The frame as CSV, with the step of each run's checkpoint in the first column."""
    by_run = frame["run"].map(_steps(runs)).astype("Int64")
    return frame_csv(frame.assign(step=by_run)[["step", *frame.columns]])


def _steps(runs: Sequence[StoredRun]) -> Mapping[str, int | None]:
    return {label: step_of(run) for label, run in zip(run_labels(runs), runs, strict=True)}


def _shown(rows: Sequence[Row], metric: str) -> list[Row]:
    """The means over the tasks of a domain; of a domain with one task, the task."""
    own = [row for row in rows if row["metric"] == metric]
    tasks = {(row["run"], row["domain"], row["task"]) for row in own if row["task"] != MACRO}
    n_tasks = Counter((run, domain) for run, domain, _ in tasks)
    return [row for row in own if (row["task"] == MACRO) == (n_tasks[row["run"], row["domain"]] > 1)]


def _name(row: Row) -> str:
    return DOMAIN_MEANS[row["domain"]] if row["task"] == MACRO else str(row["task"])


def _order(step: int | None) -> float:
    return math.inf if step is None else step


def _text(step: int | None) -> str:
    return "" if step is None else str(step)


def _value(row: Row) -> str:
    return percent(row["value"], row["low"], row["high"])
