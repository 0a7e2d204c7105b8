"""The examples of docs/tasks.md, read from the page: the task passes the check and runs, and the graders read the rows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

import raml_eval
from raml_eval.grading import grade
from raml_eval.tasks.check import check_tasks
from raml_eval.types import GraderKind, Status

PAGE = (Path(__file__).parents[1] / "docs" / "tasks.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| `(\{.*?\})`(?: with .*)? \|$", PAGE, re.M))


def test_the_task_of_the_page_passes_the_check_and_runs(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "sums"
    folder.mkdir(parents=True)
    for name, form in (("sums.yaml", "yaml"), ("questions.jsonl", "json")):
        block = re.search(rf"```{form}\n(.*?)```", PAGE, re.S)
        assert block is not None
        (folder / name).write_text(block[1], encoding="utf-8")
    assert check_tasks([tmp_path / "mine"]) == []
    out = tmp_path / "run"
    run = raml_eval.evaluate(model="pocket", backend="fake", tasks="sums", task_path=[tmp_path / "mine"], samples=1, out=out)
    questions = raml_eval.load_run(out).questions.values()
    assert [question.gold for question in questions] == ["42", "4.5"]
    assert len(run.samples()) == 2


def test_every_grader_has_its_row() -> None:
    assert {*ROWS, "code"} == set(get_args(GraderKind))


@pytest.mark.parametrize("grader", sorted(ROWS))
def test_a_grader_accepts_the_gold_of_its_row(grader: GraderKind) -> None:
    row = json.loads(ROWS[grader].replace("\\|", "|"))
    options = ("true", "false", "uncertain") if grader == "label" else tuple(row.get("options", ()))
    answer = row["answer"] if grader in ("bracket", "grid") else rf"So the answer is \boxed{{{row['answer']}}}."
    assert grade(row["answer"], answer, grader, options).status is Status.CORRECT
