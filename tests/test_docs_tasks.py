"""The examples of docs/tasks.md and docs/code-tasks.md, read from the pages: the tasks pass the check, run and are graded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

import raml_eval
from raml_eval.grading import grade
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.check import check_tasks
from raml_eval.tasks.procedural import REFUSED
from raml_eval.types import GraderKind, Primary, Status
from tests.sandboxes import needs_sandbox

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "tasks.md").read_text(encoding="utf-8")
CODE_PAGE = (DOCS / "code-tasks.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| `(\{.*?\})`(?: with .*)? \|$", PAGE, re.M))


def write_example(page: str, folder: Path) -> Path:
    """The folder with the page's task: its one YAML block with its one JSON block as the rows."""
    folder.mkdir(parents=True)
    for name, form in ((f"{folder.name}.yaml", "yaml"), ("questions.jsonl", "json")):
        block = re.search(rf"^```{form}\n(.*?)^```$", page, re.S | re.M)
        assert block is not None
        (folder / name).write_text(block[1], encoding="utf-8")
    return folder


def test_the_task_of_the_page_passes_the_check_and_runs(tmp_path: Path) -> None:
    mine = write_example(PAGE, tmp_path / "mine" / "sums").parent
    assert check_tasks([mine]) == []
    out = tmp_path / "run"
    run = raml_eval.evaluate(model="pocket", backend="fake", tasks="sums", task_path=[mine], samples=1, out=out)
    questions = raml_eval.load_run(out).questions.values()
    assert [question.gold for question in questions] == ["42", "4.5"]
    assert len(run.samples()) == 2


def test_the_suite_of_the_page_passes_the_check(tmp_path: Path) -> None:
    mine = write_example(PAGE, tmp_path / "mine" / "sums").parent
    suite = next(block for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.S | re.M) if block.startswith("group:"))
    (mine / "mine.yaml").write_text(suite, encoding="utf-8")
    assert check_tasks([mine]) == []
    assert load_catalogue([mine]).primary["mine"] == Primary("avg@n", "unlimited")


@needs_sandbox
def test_the_programming_task_of_the_page_passes_the_check_and_runs(tmp_path: Path) -> None:
    mine = write_example(CODE_PAGE, tmp_path / "mine" / "doubles").parent
    assert check_tasks([mine]) == []
    out = tmp_path / "run"
    run = raml_eval.evaluate(model="pocket", backend="fake", tasks="doubles", task_path=[mine], samples=1, out=out)
    assert [record.status for record in run.records] == [Status.NO_ANSWER]  # the fake writes no program
    (question,) = raml_eval.load_run(out).questions.values()
    assert question.target == "double passes its tests"
    right = "```python\ndef double(n):\n    return n * 2\n```"
    assert grade(question.gold, right, "code").status is Status.CORRECT
    assert grade(question.gold, right.replace("2", "3"), "code").status is Status.INCORRECT


def test_every_grader_has_its_row() -> None:
    assert {*ROWS, "code", "task_rule"} == set(get_args(GraderKind))


def test_the_page_lists_every_generator_that_is_refused() -> None:
    listed = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (.*) \|$", PAGE.partition("## Procedural tasks")[2], re.M)
    assert {name: reason for names, reason in listed for name in re.findall(r"\w+", names)} == REFUSED


@pytest.mark.parametrize("grader", sorted(ROWS))
def test_a_grader_accepts_the_gold_of_its_row(grader: GraderKind) -> None:
    row = json.loads(ROWS[grader].replace("\\|", "|"))
    options = ("true", "false", "uncertain") if grader == "label" else tuple(row.get("options", ()))
    answer = row["answer"] if grader in ("bracket", "grid") else rf"So the answer is \boxed{{{row['answer']}}}."
    assert grade(row["answer"], answer, grader, options).status is Status.CORRECT


def test_the_readme_counts_the_tasks_that_ship() -> None:
    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"shows the (\d+) tasks", readme) == [str(len(load_catalogue([], None).tasks))]
