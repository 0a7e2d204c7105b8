"""Our tasks under stock lm-eval: every YAML gives the same score as the grader of a run, for the same completion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from raml_eval.golds import KINDS
from raml_eval.grading import grade
from raml_eval.stock import check_scorers
from raml_eval.tasks.catalogue import load_catalogue, tasks_dir
from raml_eval.tasks.load import load_task
from raml_eval.tasks.rules import raml_of
from raml_eval.tasks.sources import is_source_name
from raml_eval.types import Question
from tests.instructions import MISSING
from tests.test_tasks_catalogue import TASK, write_task
from tests.test_tasks_download import write_mirror

CATALOGUE = load_catalogue()
WRONG = ("", "I cannot tell.", r"\boxed{no such answer}", "<think>It is", "```python\nx = 1\n```")


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mirror(tmp_path_factory.mktemp("mirror"))


def stock_task(name: str, mirror: Path) -> Any:
    """The task as stock lm-eval builds it, with its rows from the mirror's files."""
    from lm_eval.tasks import TaskManager

    from raml_eval.tasks.download import fetch_dataset, local_mirror

    file = CATALOGUE.files[name]
    member: dict[str, Any] = {"task": name}
    if not file.config.get("custom_dataset"):
        arguments = file.config.get("dataset_kwargs") or {}
        with local_mirror(mirror):
            rows = fetch_dataset(name, file.config["dataset_path"], file.config.get("dataset_name"), arguments)
        member["custom_dataset"] = lambda **_: rows
    manager = TaskManager(include_path=[tasks_dir()], include_defaults=False)
    with local_mirror(mirror):
        return manager.load([{"group": "_", "task": [member]}])["tasks"][name]


def stock_score(task: Any, doc: Any, completion: str) -> float:
    from lm_eval.api.instance import Instance

    (filters,) = task._filters
    instance = Instance("generate_until", doc, ("", {}), 0, (task.config.task, 0, 1), resps=[completion])
    filters.apply([instance])
    scores = task.process_results(doc, [instance.filtered_resps[filters.name]])
    return float(scores["exact_match"])


def completions(question: Question) -> list[str]:
    """Right and wrong ways to answer the question, in and behind thinking."""
    write_gold = KINDS[question.grader].write_gold
    right = write_gold(question.gold, question.options) if write_gold else "```python\ndef f(): return 1\n```"
    return [
        right,
        f"Perhaps {right}</think>So I do not know.",
        f"<think>Hm.</think>So {right}",
        f"The answer is {question.target}.",
        *WRONG,
    ]


@pytest.mark.parametrize("name", [name for name in sorted(CATALOGUE.tasks) if not is_source_name(name)])
def test_stock_lm_eval_gives_the_same_scores(name: str, mirror: Path) -> None:
    if MISSING.get(name):
        pytest.skip(MISSING[name])
    ours = load_task(load_catalogue(data_dir=mirror), name).questions[:3]
    task = stock_task(name, mirror)
    scores = []
    for question, doc in zip(ours, task.eval_docs, strict=False):
        for completion in completions(question):
            expected = float(grade(question.gold, completion, question.grader, question.options).correct)
            assert stock_score(task, doc, completion) == expected, (question.id, completion)
            scores.append(expected)
    assert 0.0 in scores
    assert 1.0 in scores or KINDS[raml_of(CATALOGUE.files[name].config)["grader"]].write_gold is None


def test_a_program_that_passes_scores_under_stock_lm_eval(mirror: Path) -> None:
    task = stock_task("humaneval", mirror)
    doc = next(iter(task.eval_docs))
    program = f"```python\n{doc['prompt']}{doc['canonical_solution']}\n```"
    assert stock_score(task, doc, program) == 1.0
    assert stock_score(task, doc, program.replace("return", "return not")) == 0.0
    assert json.dumps(doc)  # lm-eval logs the row


@pytest.mark.parametrize(
    ("scorer", "grader", "reason"),
    [
        ("math", "math", ""),
        ("choice", "math", "grades as choice, but metadata.raml.grader is math"),
        ("yes_no", "label, options: ['Yes', 'No']", ""),
        ("yes_no", "label, options: answers", ""),
        ("yes_no", "label, options: ['True', 'No']", "knows the labels no, yes, and the options are True, No"),
    ],
)
def test_a_scorer_must_grade_as_the_task_does(tmp_path: Path, scorer: str, grader: str, reason: str) -> None:
    text = TASK.replace("grader: math", f"grader: {grader}") + f"process_results: !function raml_eval.stock.{scorer}\n"
    path = write_task(tmp_path, "mine", text)
    expected = [f"{path}: process_results is raml_eval.stock.{scorer}, which {reason}; make them agree."] if reason else []
    assert [str(problem) for problem in check_scorers([path])] == expected


def test_the_scorers_of_the_shipped_tasks_agree_with_their_graders() -> None:
    assert check_scorers([tasks_dir()]) == []
