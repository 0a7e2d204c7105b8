"""Runs in memory whose samples are cuts of trajectories of given lengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from raml_eval.types import Domain, Finish, Grade, SampleRecord, Status, StoredRun, ThinkingEnd
from tests.factory import make_run

Right = Callable[[str, int, int, Any], bool]  # task, question's row, sample index, budget


def cut_run(
    right: Right,
    length: Callable[[str, int, int], int],
    *,
    budgets: tuple[Any, ...] = (0, 16, 64, "unlimited"),
    tasks: Mapping[str, Domain] | None = None,
    answer: Callable[[SampleRecord], Mapping[str, Any]] = lambda record: {},
    **settings: Any,
) -> StoredRun:
    """A run of trajectories with these lengths, read at each budget. answer overrides fields of a record.

    At a budget frac:F, a trajectory longer than 1,000 tokens has not ended.
    """
    run = make_run(
        lambda *where: Status.CORRECT if right(*where) else Status.INCORRECT,
        budgets=budgets,
        tasks={"sums": "in_domain"} if tasks is None else tasks,
        **settings,
    )

    def cut(record: SampleRecord) -> SampleRecord:
        size = length(record.key.task, int(record.key.question_id.split("-")[0]), record.key.index)
        kept, end = _cut(record.budget, size)
        if end is ThinkingEnd.LENGTH:
            grade = Grade(Status.UNFINISHED, None)
            return replace(record, thinking_end=end, n_thinking_tokens=kept, grade=grade, answer_finish=None)
        return replace(record, thinking_end=end, n_thinking_tokens=kept, answer_finish=Finish.STOP)

    records = tuple(cut(record) for record in run.records)
    return replace(run, records=tuple(replace(record, **answer(record)) for record in records), trajectories={})


ENGINE_CAPS: Mapping[str, Any] = {"thinking": {"capped_by": "engine"}}  # the protocol of a run with --capped-by engine


def _cut(budget: Any, size: int) -> tuple[int, ThinkingEnd]:
    if budget == "off":
        return 0, ThinkingEnd.OFF
    if isinstance(budget, str) and budget.startswith("frac:"):
        share = float(budget.removeprefix("frac:"))
        return (int(share * size), ThinkingEnd.FORCED) if size <= 1000 else (1000, ThinkingEnd.LENGTH)
    if isinstance(budget, int) and (size > budget or budget == 0):
        return budget, ThinkingEnd.FORCED
    return size, ThinkingEnd.NATURAL


def find(frame: pd.DataFrame, metric: str, budget: str | None = None, task: str = "sums", **wanted: object) -> pd.Series:
    """The only row with the wanted values."""
    found = frame[(frame["metric"] == metric) & (frame["task"] == task)]
    for column, value in {**({} if budget is None else {"budget": budget}), **wanted}.items():
        found = found[found[column] == value]
    assert len(found) == 1, f"{metric} at {budget} of {task} has {len(found)} rows"
    return found.iloc[0]
