"""BIG-Bench Hard: options read from the question, rows without a right option, and the forms in which answers are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import Dataset

from raml_eval.grading import grade
from raml_eval.tasks.bbh_rows import consistent, read_options
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.load import load_task
from tests import hub_cross_a
from tests.test_tasks_download import write_mirror


@pytest.mark.parametrize(
    ("text", "target", "read"),
    [
        ("Which?\nOptions:\n(A) red\n(B) two", "(B)", ("Which?", ["red", "two"], "B")),
        ("Which?\nOptions:\n(A) red\n(B) two", "two", ("Which?", ["red", "two"], "B")),
        ("a (A) b\nOptions:\n(A) more\nlines\n(B) two", "(A)", ("a (A) b", ["more\nlines", "two"], "A")),
        ("Which?\nOptions:\n(A) red\n(B) two", "(C)", None),
        ("Which?\nOptions:\n(A) red\n(C) two", "(A)", None),
        ("Which?\n(A) red\n(B) two", "(A)", None),
        ("Which?\nOptions:\n- Yes\n- No", "Yes", None),
        ("Which?\nOptions:\n(A) red\n(B) red", "(A)", None),
        ("Which?\nOptions:\n(A) red", "(A)", None),
    ],
)
def test_options(text: str, target: str, read: object) -> None:
    assert read_options({"input": text, "target": target}) == read


def test_rows_without_a_right_option_are_left_out(tmp_path: Path) -> None:
    task = load_task(load_catalogue(data_dir=write_mirror(tmp_path)), "bbh_snarks")
    assert [question.target for question in task.questions] == ["A", "B", "C", "B"]
    assert task.questions[0].options == ("one 0", "two 0", "three 0")
    assert task.questions[0].messages[0]["content"].startswith("snarks 0: which is it?\n\n(A) one 0\n(B) two 0")


def test_each_task_asks_for_its_answers(tmp_path: Path) -> None:
    catalogue = load_catalogue(data_dir=write_mirror(tmp_path))
    for name, (first, second) in hub_cross_a.LABELS.items():
        question = load_task(catalogue, f"bbh_{name}").questions[0]
        assert f"put {first} or {second} within".lower() in question.messages[0]["content"].lower()
        assert question.options == (first, second)
    brackets = load_task(catalogue, "bbh_dyck_languages").questions[0]
    assert "<answer></answer>" in brackets.messages[0]["content"]
    assert grade(brackets.target, "<answer>] }</answer>", "exact").correct
    assert not grade(brackets.target, "<answer>} ]</answer>", "exact").correct


def test_dates_of_livecodebench(tmp_path: Path) -> None:
    catalogue = load_catalogue(data_dir=write_mirror(tmp_path))
    assert {question.date for question in load_task(catalogue, "livecodebench_v6").questions} == {"2025-03-08"}
    assert all(question.date for question in load_task(catalogue, "livecodebench").questions)


def test_rows_that_contradict_each_other_are_left_out() -> None:
    rows = [("a", "Yes"), ("b", "No"), ("a", "No"), ("c", "Yes"), ("c", "Yes")]
    dataset = Dataset.from_list([{"input": text, "target": target} for text, target in rows])
    assert consistent(dataset)["input"] == ["b", "c", "c"]
