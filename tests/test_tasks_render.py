"""What a YAML makes of a row: faults that would become a wrong gold or prompt are refused, and by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import TaskError
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.load import load_task
from tests.test_tasks_catalogue import write_task
from tests.test_tasks_foreign import LOCAL

ROW: dict[str, Any] = {"question": "What is 2+3?", "answer": "5"}
FUNCTIONS = """
def pair(row): return row["answer"], row["question"]
def nothing(row): return None
def shout(row): return f"{row['question']}!"
def needs_none(row): return "None of these" if row["hint"] is None else row["hint"].strip()
def only(rows): return rows.select([])
"""


def target_of(folder: Path, text: str, *rows: dict[str, Any]) -> str:
    """The target of the first question of a task with these rows."""
    write_task(folder, "mine", text)
    (folder / "own.py").write_text(FUNCTIONS, encoding="utf-8")
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows or (ROW,)), encoding="utf-8")
    return load_task(load_catalogue([folder], trust_tasks=True), "mine").questions[0].target


def with_target(target: str) -> str:
    return LOCAL.replace("doc_to_target: answer", f"doc_to_target: {target}")


def with_text(text: str) -> str:
    return LOCAL.replace("doc_to_text: question", f"doc_to_text: {text}")


@pytest.mark.parametrize("gold", ["[5]", "[[3, 5, 8]]", "[1, 2]", "5", " 5 ", "007", "[Ann]", "{'a': 1}", "None of them"])
@pytest.mark.parametrize("target", ["answer", "'{{answer}}'"])
def test_a_gold_is_its_own_text_by_column_and_by_template(tmp_path: Path, gold: str, target: str) -> None:
    assert target_of(tmp_path, with_target(target), ROW | {"answer": gold}) == gold


@pytest.mark.parametrize(("gold", "target"), [(5, "5"), (4.5, "4.5"), (True, "True"), (["5"], "5")])
def test_a_gold_that_is_no_text(tmp_path: Path, gold: Any, target: str) -> None:
    assert target_of(tmp_path, LOCAL, ROW | {"answer": gold}) == target


@pytest.mark.parametrize(
    ("text", "rows", "words"),
    [
        (with_target("'{{answer.of[0]}}'"), [ROW | {"answer": {"of": [None]}}], "doc_to_target writes a null as a word"),
        (with_target("anwser"), [ROW], "doc_to_target is 'anwser', which is neither a column nor a template.*mean answer"),
        (with_text("qestion"), [ROW], "doc_to_text is 'qestion', which is neither a column nor a template.*mean question"),
        (LOCAL, [{"question": "What is 2+3?"}], "doc_to_target is 'answer', which is neither a column nor a template"),
        (with_target("'{{anwser}}'"), [ROW], "'anwser' is undefined"),
        (with_target("!function own.pair"), [ROW], "doc_to_target gives a tuple"),
        (with_target("!function own.nothing"), [ROW], "doc_to_target gives no value"),
        (LOCAL, [ROW, ROW | {"answer": None}], "question 1-.*doc_to_target gives no value"),
        (with_target("'{{answer}}'"), [ROW, ROW | {"answer": None}], "doc_to_target writes a null as a word.*'answer'"),
        (with_text("'Say: {{question}}'"), [ROW, ROW | {"question": None}], "doc_to_text writes a null as a word"),
        (with_text("!function own.shout"), [ROW, ROW | {"question": None}], "doc_to_text writes a null as a word"),
        (LOCAL, [ROW, ROW | {"question": None}], "doc_to_text gives None; wanted a text"),
        (LOCAL, [ROW, ROW | {"question": ""}], "doc_to_text gives an empty prompt"),
        (LOCAL, [ROW, ROW | {"answer": " "}], "doc_to_target gives no target"),
        (LOCAL, [ROW | {"answer": ["1", "2"]}], "doc_to_target gives 2 targets, wanted one"),
        (LOCAL + "process_docs: !function own.only\n", [ROW], "lm-eval finds no first question"),
        (
            with_target("!function no_such_package.f"),
            [ROW],
            "Put no_such_package.py beside the YAML if it is .* pip install 'no_such_package'",
        ),
    ],
)
def test_rows_that_would_become_a_wrong_gold_or_prompt(
    tmp_path: Path, text: str, rows: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(TaskError, match=words):
        target_of(tmp_path, text, *rows)


CHOICE = LOCAL.replace("grader: math", "grader: choice")
LABEL = LOCAL.replace("grader: math", "grader: label, options: [guilty, innocent]")
PICK: dict[str, Any] = {"options": ["red", "blue\n fish"], "answer": "B"}


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        (CHOICE, "Which?\n(A) red\n(B) blue fish"),
        (CHOICE, "Which? a) red, b) blue fish"),
        (CHOICE, "Which? **A.** red **B.** blue fish"),
        (CHOICE, "Is it red or blue fish?\nA: red\nB: blue\n\nfish"),
        (LABEL, "Say Guilty or INNOCENT."),
    ],
)
def test_a_prompt_that_shows_its_options(tmp_path: Path, text: str, prompt: str) -> None:
    row = PICK | {"question": prompt} | ({"answer": "guilty"} if text == LABEL else {})
    assert target_of(tmp_path, text, row) == row["answer"]


@pytest.mark.parametrize(
    ("text", "prompt", "words"),
    [
        (CHOICE, "Which?", "does not show the option A as '.A. red'"),
        (CHOICE, "Which? A) red", "does not show the option B as '.B. blue fish'"),
        (CHOICE, "Which? A) blue fish B) red", "does not show the option A as"),
        (CHOICE, "Which? 1) red 2) blue fish", "does not show the option A as"),
        (CHOICE, "Which? AA) red BB) blue fish", "does not show the option A as"),
        (CHOICE, "Is it A or B: red or blue fish?", "does not show the option A as"),
        (LABEL, "Is he guilty?", "does not name the label 'innocent'"),
    ],
)
def test_a_prompt_that_does_not_show_its_options_is_refused(tmp_path: Path, text: str, prompt: str, words: str) -> None:
    with pytest.raises(TaskError, match=f"question 0-.*: the prompt {words}"):
        target_of(tmp_path, text, PICK | {"question": prompt} | ({"answer": "guilty"} if text == LABEL else {}))


def test_a_null_option_is_refused_and_a_null_cluster_is_none(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="hold a null; wanted a text for each"):
        target_of(tmp_path, CHOICE, PICK | {"question": "Which?\n(A) None\n(B) blue fish", "options": [None, "blue fish"]})
    target_of(tmp_path, LOCAL.replace("grader: math", "grader: math, cluster: of, stratum: of"), ROW | {"of": None})
    (question,) = load_task(load_catalogue([tmp_path], trust_tasks=True), "mine").questions
    assert (question.cluster, question.stratum) == (question.id, "")


def test_a_null_that_nothing_writes_is_no_fault(tmp_path: Path) -> None:
    rows = [ROW | {"hint": "h"}, ROW | {"hint": None}]
    assert target_of(tmp_path, LOCAL, *rows) == "5"
    assert target_of(tmp_path, with_text("!function own.needs_none"), rows[1], rows[0]) == "5"
    assert target_of(tmp_path, with_text("'{{question}} None of them?{{hint or 1}}'"), rows[1], rows[0]) == "5"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('{"question": "q", "answer": "1"}\n{"question": "q", \n', "rows.jsonl, line 2, is not JSON"),
        ('\n\n["q", "1"]\n', "rows.jsonl, line 3, holds list, wanted a JSON object"),
        ("\n", "rows.jsonl holds no rows"),
    ],
)
def test_a_broken_file_of_rows_names_its_line(tmp_path: Path, lines: str, words: str) -> None:
    write_task(tmp_path, "mine", LOCAL)
    (tmp_path / "rows.jsonl").write_text(lines, encoding="utf-8")
    with pytest.raises(TaskError, match=words):
        load_task(load_catalogue([tmp_path], trust_tasks=True), "mine")


def test_a_question_among_its_own_examples_is_refused(tmp_path: Path) -> None:
    text = LOCAL.replace("test: rows.jsonl", "test: rows.jsonl, train: shown.jsonl") + "num_fewshot: 1\nfewshot_split: train\n"
    assert "train: shown.jsonl" in text
    (tmp_path / "shown.jsonl").write_text(json.dumps({"question": "What is 2+2?", "answer": "4"}), encoding="utf-8")
    assert target_of(tmp_path, text) == "5"
    (tmp_path / "shown.jsonl").write_text(json.dumps(ROW), encoding="utf-8")
    with pytest.raises(TaskError, match=r"question 0-.*: its own question is among its examples"):
        target_of(tmp_path, text)
