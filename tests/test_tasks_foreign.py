"""A user's own tasks in lm-eval's format, with their own rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import TaskError
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.load import load_task
from raml_eval.types import LoadedTask
from tests.test_tasks_catalogue import TASK, write_task

LOCAL = TASK.replace(
    "dataset_path: someone/rows",
    "custom_dataset: !function raml_eval.tasks.docs.load_jsonl\ndataset_kwargs: {data_files: {test: rows.jsonl}}",
)
ROWS: list[dict[str, Any]] = [
    {
        "question": f"What is {i}+1?",
        "answer": i + 1,
        "keep": i != 1,
        "story": f"s{i // 2}",
        "texts": ["yes", "no"],
        "letter": "B",
    }
    for i in range(4)
]


def load(folder: Path, text: str, rows: list[dict[str, Any]] = ROWS) -> LoadedTask:
    write_task(folder, "mine", text)
    lines = [json.dumps(row) for row in rows]
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return load_task(load_catalogue([folder], trust_tasks=True), "mine")


def test_rows_beside_the_yaml(tmp_path: Path) -> None:
    task = load(tmp_path, LOCAL)
    assert [question.target for question in task.questions] == ["1", "2", "3", "4"]
    assert task.questions[0].messages == ({"role": "user", "content": "What is 0+1?"},)
    assert task.description.dataset == f"{tmp_path.name}/rows.jsonl"
    changed = load(tmp_path, LOCAL, [ROWS[0] | {"answer": 9}, *ROWS[1:]])
    assert changed.questions[0].id != task.questions[0].id
    assert changed.questions[1].id == task.questions[1].id
    assert changed.content_hash != task.content_hash


def test_their_own_functions_choose_rows_and_keep_the_index(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def keep(rows): return rows.filter(lambda row: row['keep'])\n", encoding="utf-8")
    task = load(tmp_path, LOCAL + "process_docs: !function own.keep\n")
    assert [question.id.split("-")[0] for question in task.questions] == ["0", "2", "3"]


def test_functions_that_rebuild_the_rows_count_what_they_built(tmp_path: Path) -> None:
    code = (
        "def build(rows):\n    from datasets import Dataset\n    return Dataset.from_list([{'question': 'q', 'answer': '1'}])\n"
    )
    (tmp_path / "own.py").write_text(code, encoding="utf-8")
    task = load(tmp_path, LOCAL + "process_docs: !function own.build\n")
    assert [question.id.split("-")[0] for question in task.questions] == ["0"]


def test_stops_clusters_strata_and_a_system_text(tmp_path: Path) -> None:
    text = LOCAL.replace("until: []", "until: ['Question:']") + "description: Be brief.\n"
    task = load(tmp_path, text.replace("licence: MIT", "licence: MIT, cluster: story, stratum: keep"))
    question = task.questions[3]
    assert question.stop == ("Question:",)
    assert (question.cluster, question.stratum) == ("s1", "True")
    assert question.messages[0] == {"role": "system", "content": "Be brief."}


def test_without_until_nothing_stops_an_answer(tmp_path: Path) -> None:
    assert load(tmp_path, LOCAL.replace("generation_kwargs: {until: []}", "")).questions[0].stop == ()


def test_few_shot_examples_are_turns_and_the_same_each_time(tmp_path: Path) -> None:
    text = LOCAL.replace("target: answer", "target: '{{answer}}'") + "num_fewshot: 2\nfewshot_split: test\n"
    once, again = load(tmp_path, text), load(tmp_path, text)
    assert [message["role"] for message in once.questions[0].messages] == ["user", "assistant"] * 2 + ["user"]
    assert once == again


def test_options_from_a_column(tmp_path: Path) -> None:
    text = LOCAL.replace("grader: math", "grader: choice, options: texts").replace("target: answer", "target: letter")
    text = text.replace("doc_to_text: question", "doc_to_text: '{{question}} (A) {{texts[0]}} (B) {{texts[1]}}'")
    assert load(tmp_path, text).questions[0].options == ("yes", "no")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("grader: math", "grader: choice", "no list of options in 'options'"),
        ("licence: MIT", "licence: MIT, cluster: tale", "there is no column 'tale'"),
        ("test_split: test", "test_split: exam", "reads the split exam, but .* has test. Correct test_split"),
        ("doc_to_text: question", "doc_to_text: ' '", "doc_to_text is ' ', which is neither a column nor a template"),
        ("doc_to_target: answer", "doc_to_target: texts", "gives 2 targets"),
        (
            "doc_to_target: answer",
            "doc_to_target: '{{anwser}}'",
            "builds it: UndefinedError.* Did you mean answer. The columns are question, ",
        ),
        ("doc_to_target: answer", "doc_to_target: '{{1 // (3 - answer)}}'", "question 2-.*ZeroDivisionError"),
        (
            "doc_to_target: answer",
            "doc_to_target: answer\nprocess_docs: !function own.fail",
            "Put own.py beside the YAML if it is the task's own. Install what it imports: pip install 'own'",
        ),
        ("doc_to_text: question", "doc_to_text: question\nraml: 1", "unexpected keyword argument 'raml'"),
        ("rows.jsonl", "gone.jsonl", "when its rows are read: FileNotFoundError"),
    ],
)
def test_rows_that_do_not_fit(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(TaskError, match=words):
        load(tmp_path, LOCAL.replace(old, new))


def test_a_suite_is_not_a_task() -> None:
    with pytest.raises(TaskError, match="pocket is a suite"):
        load_task(load_catalogue(), "pocket")
