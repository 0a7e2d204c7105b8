"""tasks check: what it finds in YAML files that lm-eval would skip or only refuse with the data loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from raml_eval.errors import TaskError
from raml_eval.tasks.check import check_tasks
from tests.test_tasks_catalogue import TASK, write_task


def test_the_shipped_tasks_are_clean() -> None:
    assert check_tasks() == []


def test_a_clean_folder_may_list_shipped_tasks(tmp_path: Path) -> None:
    write_task(tmp_path, "mine", TASK)
    write_task(tmp_path, "suite", "group: all\ntask: [mine, gsm8k, math]\nmetadata: {version: 1}\n")
    assert check_tasks([tmp_path]) == []


LOCAL = TASK.replace("dataset_path: someone/rows", "custom_dataset: !function raml_eval.tasks.docs.load_jsonl")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task: [a\n", "is not valid YAML"),
        ("- a\n- b\n", "holds list, not a mapping"),
        ("", "holds NoneType, not a mapping"),
        ("dataset_path: x\n", "lm-eval skips it silently"),
        ("task: [a, b]\n", "it must be a name"),
        (TASK + "doc_to_txt: question\n", "doc_to_txt is not a key of an lm-eval task"),
        (TASK + "raml: {domain: in_domain}\n", "raml is not a key of an lm-eval task; our own go under metadata.raml"),
        (TASK.replace("licence: MIT, ", ""), "metadata.raml.licence is missing"),
        (TASK.replace(", revision: main", ""), "metadata.raml.revision is missing"),
        (TASK.replace("source: mine", "origin: mine"), "metadata.raml.source is missing"),
        (TASK.replace("source: mine", "origin: mine"), "metadata.raml.origin is not a field"),
        (TASK.replace("in_domain", "indomain"), "domain is 'indomain'"),
        (TASK.replace("grader: math", "grader: maths"), "grader is 'maths'; it must be one of math, choice, exact"),
        (TASK.replace("grader: math", "grader: code"), "metadata.raml.tests is missing"),
        (TASK.replace("licence: MIT", "licence: MIT, tests: [1]"), "tests is [1]; it must name a column, or a function"),
        (TASK.replace("licence: MIT", "licence: MIT, tests: !function raml_eval.tasks.code.none"), "defines no none"),
        (TASK + "unsafe_code: true\n", "unsafe_code runs code that a model wrote outside any sandbox"),
        (TASK.replace("version: 1", "versoin: 1"), "metadata.version is missing"),
        (TASK.replace("licence: MIT", "licence: MIT, chance: 25"), "chance is 25; it must be a number from 0"),
        (TASK.replace("licence: MIT", "licence: MIT, cluster: 3"), "cluster is 3; it must name a column"),
        (TASK.replace("grader: math", "grader: label, options: [yes, no]"), "so quote the words"),
        (TASK.replace("grader: math", "grader: label"), "metadata.raml.options is missing: list the labels"),
        (TASK.replace("generation_kwargs: {until: []}", ""), "stops at the first blank line"),
        (TASK.replace("doc_to_target: answer", ""), "doc_to_target is missing"),
        (TASK.replace("test_split: test", ""), "test_split is missing"),
        (TASK.replace("dataset_path: someone/rows", ""), "dataset_path is missing"),
        (TASK + "process_docs: !function raml_eval.tasks.docs.level_6\n", "defines no level_6. Did you mean level_5"),
        (TASK + "process_docs: !function pick\n", "there is no module pick"),
        (TASK + "process_docs: !function nowhere_at_all.pick\n", "there is no module nowhere_at_all"),
        (
            LOCAL + "dataset_kwargs: {data_files: {test: rows.jsonl}}\n",
            "dataset_kwargs.data_files names rows.jsonl, which is not beside the YAML",
        ),
        (TASK.replace("until: []", "until: 5"), "generation_kwargs.until is 5; it must be a list of texts"),
        (TASK.replace("until: []", "until: [5]"), "generation_kwargs.until is [5]; it must be a list of texts"),
        (TASK.replace("until: []", "until: ''"), "generation_kwargs.until is ''; it must be a list of texts"),
        (TASK.replace("until: []", "until: ['']"), "generation_kwargs.until is ['']; it must be a list of texts"),
        (
            TASK.replace("until: []", r'until: [Q, "\n\n"]'),
            r"until holds '\n\n', which ends an answer, and its thinking, there",
        ),
        (TASK.replace("until: []", r'until: "\n"'), r"until holds '\n', which ends an answer"),
        (TASK.replace("licence: MIT", "licence: TODO"), "metadata.raml.licence is 'TODO'; fill it in"),
        (TASK.replace("source: mine", "source: TODO who made it"), "metadata.raml.source is 'TODO who made it'; fill it in"),
        (TASK.replace("task: mine", "task: gsm8k"), "gsm8k is the name of a task or suite that ships"),
        (TASK.replace("task: mine", "task: quick"), "quick is the name of a task or suite that ships"),
        (TASK.replace("{until: []}", "3"), "generation_kwargs is 3; it must be a mapping"),
        (TASK.replace("doc_to_target: answer", "doc_to_target: 0"), "doc_to_target is the number 0"),
        (TASK.replace("task: mine", "task: macro"), "its name is 'macro', which tables give to the mean"),
        (TASK.replace("task: mine", "task: my task"), "a name has no space, comma or slash"),
        (TASK.replace("licence: MIT", "licence: MIT, family: f"), "family is 'f'; it must be a name, and needs a cluster"),
        (TASK.replace("licence: MIT", "licence: MIT, redistribute: maybe"), "redistribute is 'maybe'; it must be one of yes"),
        (TASK.replace("licence: MIT", "licence: MIT, date: 3"), "date is 3; it must name a column"),
        (TASK.replace("licence: MIT", "licence: MIT, date: 2025-13"), "date is '2025-13'; it must be a day such as 2025-02-15"),
        (TASK + "num_fewshot: 3\n", "num_fewshot is 3, and the examples would come from the questions themselves"),
        ("group: g\ntask: [gsm8]\n", "lists gsm8, which is not a task. Did you mean gsm8k"),
        ("group: g\ntask: []\n", "task is missing or empty"),
        ("group: g\ntask: [gsm8k]\nrepeat: 3\n", "repeat would change every member"),
        ("include: _gone\ntask: a\n", "cannot be read"),
    ],
)
def test_problems(tmp_path: Path, text: str, words: str) -> None:
    write_task(tmp_path, "broken", text)
    found = [problem.message for problem in check_tasks([tmp_path])]
    assert any(words in message for message in found), found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (TASK.replace("in_domain", "indomain"), 10),
        (TASK.replace("licence: MIT, ", ""), 10),
        (TASK.replace("until: []", "until: 5"), 7),
        (TASK + "process_docs: !function raml_eval.tasks.docs.level_6\n", 11),
        (TASK + "doc_to_txt: question\n", 11),
        ("group: g\ntask:\n  - gsm8k\n  - gsm8\n", 4),
        ("dataset_path: x\n", None),
    ],
)
def test_the_line_of_a_problem(tmp_path: Path, text: str, line: int | None) -> None:
    write_task(tmp_path, "broken", text)
    (problem,) = check_tasks([tmp_path])[:1]
    assert problem.line == line, problem


def test_functions_beside_the_yaml_are_found_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("raise SystemExit\ndef pick(rows): return rows\n", encoding="utf-8")
    write_task(tmp_path, "mine", TASK + "process_docs: !function own.pick\n")
    assert check_tasks([tmp_path]) == []


def test_names_that_stand_twice_and_wrong_endings(tmp_path: Path) -> None:
    first = write_task(tmp_path, "a", TASK)
    write_task(tmp_path, "b", TASK)
    (tmp_path / "c.yml").write_text(TASK, encoding="utf-8")
    messages = {problem.path.name: problem.message for problem in check_tasks([tmp_path])}
    assert messages == {
        "b.yaml": f"{first} declares the name mine too, and lm-eval uses one of them; rename it.",
        "c.yml": "lm-eval only reads files that end in .yaml; rename it.",
    }


def test_a_problem_is_one_line_that_names_its_file(tmp_path: Path) -> None:
    path = write_task(tmp_path, "a", "task: 'x\n")
    (problem,) = check_tasks([path])
    assert str(problem).startswith(f"{path}: is not valid YAML: ")
    assert "\n" not in str(problem)


def test_a_place_in_a_broken_file_names_no_stream(tmp_path: Path) -> None:
    (problem,) = check_tasks([write_task(tmp_path, "a", "task: 'x\n")])
    assert "byte string" not in str(problem)
    assert "line 1, column 7" in str(problem)


def test_stop_strings_that_are_words_are_no_problem(tmp_path: Path) -> None:
    assert check_tasks([write_task(tmp_path, "a", TASK.replace("until: []", 'until: ["Question:", "</s>"]'))]) == []


@pytest.mark.parametrize(
    "more",
    [
        "num_fewshot: 0\n",
        "num_fewshot: 3\nfewshot_split: train\n",
        "num_fewshot: 3\ntraining_split: train\n",
        "num_fewshot: 1\nfewshot_config: {samples: [{question: q, answer: a}]}\n",
    ],
)
def test_examples_from_elsewhere_are_no_problem(tmp_path: Path, more: str) -> None:
    assert check_tasks([write_task(tmp_path, "a", TASK + more)]) == []


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="does not exist"):
        check_tasks([tmp_path / "nowhere"])
