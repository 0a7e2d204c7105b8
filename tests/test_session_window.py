"""A run of the questions from a span of dates only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import raml_eval
from raml_eval.errors import StoreError, TaskError
from raml_eval.tables import Run
from tests.test_tasks_catalogue import write_task
from tests.test_tasks_foreign import LOCAL


@pytest.fixture
def few(tmp_path: Path) -> dict[str, Any]:
    """Settings of a run over tasks of one date, of a date for each row, and of none."""
    rows = [{"question": f"{i}+1?", "answer": str(i + 1), "held": f"2025-0{i}-15T00:00:00"} for i in range(4, 9)]
    for name, more in (("old", ", date: 2024-02"), ("new", ", date: 2025-11-07"), ("each", ", date: held"), ("undated", "")):
        text = LOCAL.replace("task: mine", f"task: {name}").replace("licence: MIT", f"licence: MIT{more}")
        write_task(tmp_path / "tasks", name, text)
    (tmp_path / "tasks" / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return {
        "model": "pocket", "backend": "fake", "thinking_budget": "off", "answer_tokens": 8,
        "task_path": [tmp_path / "tasks"], "out": tmp_path / "out",
    }  # fmt: skip


def asked(run: Run) -> dict[str, int]:
    return {name: len(entry["questions"]) for name, entry in run.manifest["tasks"].items()}


def test_only_the_questions_of_a_window_are_asked(few: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    run = raml_eval.evaluate(**few, tasks="old,each,new", after="2025-06", before="2025-12")
    assert asked(run) == {"each": 3, "new": 5}
    assert "left out, since their questions are not from 2025-06 on and before 2025-12: old" in capsys.readouterr().err
    assert run.manifest["protocol"]["window"] == {"after": "2025-06", "before": "2025-12"}
    assert asked(raml_eval.evaluate(**few, tasks="each", after="2025-06", before="2025-12")) == {"each": 3, "new": 5}
    with pytest.raises(StoreError, match="window"):
        raml_eval.evaluate(**few, tasks="each", after="2025-07", before="2025-12")
    with pytest.raises(StoreError, match="window"):
        raml_eval.evaluate(**few, tasks="each")


def test_without_a_window_the_protocol_has_none(few: dict[str, Any]) -> None:
    run = raml_eval.evaluate(**few, tasks="undated,old")
    assert asked(run) == {"undated": 5, "old": 5}
    assert "window" not in run.manifest["protocol"]


@pytest.mark.parametrize(
    ("tasks", "after", "words"),
    [
        ("undated", "2025-06", "5 of its 5 questions have no date"),
        ("each", "2025-09", "task each has no question from 2025-09 on; its dates are 2025-04-15 to 2025-08-15"),
        ("old,new", "2026-01", "no task has questions from 2026-01 on: old 2024-02, new 2025-11-07"),
    ],
)
def test_windows_that_hold_nothing_are_refused(few: dict[str, Any], tasks: str, after: str, words: str) -> None:
    with pytest.raises(TaskError, match=words):
        raml_eval.evaluate(**few, tasks=tasks, after=after)
