"""The numbers of a run that stand in the history: avg@n of each domain's mean, or of its only task, at every budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from raml_eval.tables import DOMAIN_MEANS, MACRO, build_frame, frame_rows
from raml_eval.types import StoredRun

METRIC = "avg@n"


def headline_numbers(run: StoredRun) -> list[dict[str, Any]]:
    """An object for each number: task, budget, metric, value, and the ends of its interval, None where there is none."""
    rows = [row for row in frame_rows(build_frame([run])) if row["metric"] == METRIC]
    n_tasks = Counter(domain for domain, task in {(row["domain"], row["task"]) for row in rows} if task != MACRO)
    shown = [row for row in rows if (row["task"] == MACRO) == (n_tasks[row["domain"]] > 1)]
    return [
        {
            "task": DOMAIN_MEANS[row["domain"]] if row["task"] == MACRO else row["task"],
            "budget": row["budget"],
            "metric": METRIC,
            "value": row["value"],
            "low": row["low"],
            "high": row["high"],
        }
        for row in shown
    ]


def headline_text(numbers: Sequence[Mapping[str, Any]]) -> str:
    """The numbers in words, in percent.

    For example: gsm8k at unlimited: 50.0 [40.0, 60.0] %
    """
    return ", ".join(f"{one['task']} at {one['budget']}: {_percent(one)}" for one in numbers)


def _percent(one: Mapping[str, Any]) -> str:
    if one["value"] is None:
        return "not given"
    ends = "" if one["low"] is None else f" [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"
    return f"{100 * one['value']:.1f}{ends} %"
