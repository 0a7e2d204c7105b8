"""New tasks: the files that are written pass the check, load, and are graded, under stock lm-eval too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from raml_eval.errors import TaskError
from raml_eval.golds import check_rows
from raml_eval.grading import KINDS, grade
from raml_eval.stock import check_scorers
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.check import check_tasks
from raml_eval.tasks.load import load_task
from raml_eval.tasks.scaffold import SKETCHES, write_task
from raml_eval.types import GraderKind

PROGRAM = "```python\ndef double(n):\n    return 2 * n\n```"


def test_every_grader_has_a_sketch() -> None:
    assert {*SKETCHES, "task_rule"} == set(get_args(GraderKind))


@pytest.mark.parametrize("grader", SKETCHES)
def test_what_is_written_passes_the_check_and_is_graded(tmp_path: Path, grader: str) -> None:
    files = write_task(tmp_path, "mine", grader)
    assert {path.name for path in files} == {"mine.yaml", "README.md", "questions.jsonl"}
    assert_filled_in_passes(tmp_path)
    (checked,) = check_rows([tmp_path], hub=False)
    assert checked.problems == ()
    for question in load_task(load_catalogue([tmp_path]), "mine").questions:
        write_gold = KINDS[grader].write_gold
        right = write_gold(question.gold, question.options) if write_gold else PROGRAM
        assert grade(question.gold, right, grader, question.options).correct
        assert not grade(question.gold, "I do not know.", grader, question.options).correct
        assert stock_scores(tmp_path, right) == {"exact_match": 1.0}
        break


def assert_filled_in_passes(folder: Path) -> None:
    """The check names the lines to fill in, and nothing else once they are."""
    yaml = folder / "mine" / "mine.yaml"
    assert [problem.message.split()[0] for problem in check_tasks([folder])] == [
        "metadata.raml.source",
        "metadata.raml.licence",
    ]
    yaml.write_text(yaml.read_text(encoding="utf-8").replace("TODO", "some"), encoding="utf-8")
    assert check_tasks([folder]) == []
    assert check_scorers([folder]) == []


def stock_scores(folder: Path, completion: str) -> Any:
    from lm_eval.tasks import TaskManager

    task = TaskManager(include_path=[folder], include_defaults=False).load(["mine"])["tasks"]["mine"]
    return task.process_results(task.eval_docs[0], [completion])


def test_rows_of_a_hub(tmp_path: Path) -> None:
    files = write_task(tmp_path, "mine", "math", "someone/rows", "part", "train", "in_domain")
    assert [path.name for path in files] == ["mine.yaml", "README.md"]
    assert_filled_in_passes(tmp_path)
    task = load_catalogue([tmp_path]).tasks["mine"]
    assert (task.dataset, task.config, task.split, task.domain) == ("someone/rows", "part", "train", "in_domain")


def test_the_readme_shows_a_row_of_the_task(tmp_path: Path) -> None:
    write_task(tmp_path, "mine", "choice")
    readme = (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    row = json.loads(readme.partition("```json\n")[2].partition("```")[0])
    assert row == SKETCHES["choice"].rows[0]


@pytest.mark.parametrize(
    ("name", "grader", "words"),
    [
        ("mine", "maths", "no sketch of a task with the grader 'maths'.*Did you mean math"),
        ("my task", "math", "a name has no space, comma or slash"),
        ("macro", "math", "which tables give to the mean"),
        ("gsm8k", "math", "gsm8k is the name of a task or suite that ships"),
        ("quick", "math", "quick is the name of a task or suite that ships"),
        ("there", "math", "is there already, and nothing in it was changed"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, name: str, grader: str, words: str) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(TaskError, match=words):
        write_task(tmp_path, name, grader)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_domain_that_no_table_has(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no domain 'both'; wanted in_domain or cross_domain"):
        write_task(tmp_path, "mine", domain="both")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(TaskError, match=r"file/mine cannot be written: Not a directory\. Name a folder that can be"):
        write_task(tmp_path / "file", "mine")
