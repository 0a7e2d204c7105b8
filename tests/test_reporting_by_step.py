"""A metric against the training step, as lines and as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

from raml_eval.reporting.by_step import by_step_csv, render_by_step
from raml_eval.tables import build_frame
from raml_eval.types import StoredRun
from tests.factory import by_row, make_run


def at_step(step: int | None, hits: int, name: str, **settings: Any) -> StoredRun:
    run = make_run(by_row(lambda row: hits), name=name, budgets=(16,), **settings)
    checkpoint = {} if step is None else {"checkpoint": {"step": step}}
    return replace(run, manifest={**run.manifest, "model": {**run.manifest["model"], **checkpoint}})


def test_runs_stand_in_the_order_of_their_steps_and_those_without_come_last() -> None:
    runs = [at_step(None, 4, "=base"), at_step(1000, 2, "late"), at_step(500, 1, "early")]
    frame = build_frame(runs)
    head, *lines = render_by_step(runs, frame).splitlines()[1:]
    assert [line.split()[:2] for line in lines] == [["500", "early"], ["1000", "late"], ["=base", "100.0"]]
    assert [line.split()[2] for line in lines[:2]] == ["25.0", "50.0"]
    assert "pocket_chain, budget 16" in head
    assert "pocket_sort, budget 16" in head
    rows = list(csv.DictReader(io.StringIO(by_step_csv(runs, frame))))
    assert len(rows) == len(frame)
    assert {row["run"]: row["step"] for row in rows} == {"'=base": "", "late": "1000", "early": "500"}
    value = next(row["value"] for row in rows if row["metric"] == "avg@n" and row["run"] == "early")
    assert float(value) == 0.25


def test_a_domain_of_several_tasks_is_shown_by_its_mean() -> None:
    tasks: Any = {"a": "in_domain", "b": "in_domain"}
    runs = [at_step(1, 1, "one", tasks=tasks), at_step(2, 2, "two", tasks=tasks)]
    text = render_by_step(runs, build_frame(runs))
    assert "in-domain mean, budget 16" in text
    assert "a, budget" not in text


def test_one_step_is_no_series() -> None:
    runs = [at_step(1, 1, "one"), at_step(None, 2, "two")]
    assert not render_by_step(runs, build_frame(runs))


def test_names_that_a_cut_would_make_alike_are_whole() -> None:
    names = [f"checkpoint-{step}_in_budgets=0+32_{how}" for step in (500, 1000) for how in ("greedy", "warm")]
    runs = [at_step(step, 1, name) for step, name in zip((500, 500, 1000, 1000), names, strict=True)]
    shown = [line.split()[1] for line in render_by_step(runs, build_frame(runs)).splitlines()[2:]]
    assert shown == names
    long = [at_step(step, 1, f"checkpoint-{step}-of-a-training-with-a-long-name") for step in (1, 2)]
    assert "checkpoint-1-of-a-training-with…" in render_by_step(long, build_frame(long))
