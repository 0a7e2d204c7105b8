"""Tasks loaded through a hub with generated rows: prompts, targets, options, ids."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import TaskError
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.docs import order_options
from raml_eval.tasks.load import load_task
from raml_eval.types import LoadedTask
from tests.hub import Hub, load_in_new_process
from tests.test_tasks_catalogue import HUB_TASKS, POCKET_TASKS, write_task

ASK = "\n\nPlease reason step by step, and put your final answer within \\boxed{}."
ASK_LETTER = "\n\nPlease reason step by step, and put the letter of the correct option, and nothing else, within \\boxed{}."


@pytest.fixture(scope="module")
def loaded(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return load_in_new_process(HUB_TASKS, hub.url, tmp_path_factory.mktemp("load") / "home")


@pytest.mark.parametrize(
    ("name", "count", "row", "prompt", "target"),
    [
        ("aime24", 5, 2, "Find $2+2$." + ASK, "004"),
        ("math500", 12, 3, "Write $3/7$." + ASK, r"\frac{3}{7}"),
        ("math500_l5", 2, 1, "Write $9/7$." + ASK, r"\frac{9}{7}"),
        ("gsm8k", 7, 6, "Ann has 6 pens and buys 1000." + ASK, "1006"),
        ("mmlu_pro", 8, 0, "Which one is 0?\n\n(A) it is 0\n(B) it is 1\n(C) it is 2" + ASK_LETTER, "A"),
        ("arc_challenge", 6, 0, "What floats, 0?\n\n(A) lead\n(B) cork\n(C) iron\n(D) gold" + ASK_LETTER, "B"),
        ("arc_challenge", 6, 1, "What floats, 1?\n\n(A) lead\n(B) cork\n(C) iron\n(D) gold" + ASK_LETTER, "B"),
    ],
)
def test_questions(loaded: dict[str, LoadedTask], name: str, count: int, row: int, prompt: str, target: str) -> None:
    questions = loaded[name].questions
    assert len(questions) == count
    assert questions[row].messages == ({"role": "user", "content": prompt},)
    assert questions[row].target == target
    assert questions[row].stop == ()
    assert not questions[row].synthetic


def test_options_and_strata(loaded: dict[str, LoadedTask]) -> None:
    assert loaded["mmlu_pro"].questions[7].options == tuple(f"it is {i}" for i in range(7, 17))
    assert loaded["arc_challenge"].questions[1].options == ("lead", "cork", "iron", "gold")
    assert loaded["math500"].questions[0].options == ()
    assert [question.stratum for question in loaded["math500"].questions[:3]] == ["1", "2", "3"]
    assert loaded["mmlu_pro"].questions[0].stratum == "law"


def test_gpqa_marks_the_right_option(loaded: dict[str, LoadedTask]) -> None:
    for i, question in enumerate(loaded["gpqa_diamond"].questions):
        assert question.options["ABCD".index(question.target)] == str(i)
        assert sorted(map(int, question.options)) == [i, i + 1, i + 2, i + 3]
        assert question.messages[0]["content"].startswith(f"Which is {i}?\n\n(A) {question.options[0]}\n(B) ")
    assert [question.synthetic for question in loaded["gpqa_diamond"].questions[:2]] == [True, False]


def test_gpqa_order_is_spread_and_depends_on_the_row_alone() -> None:
    rows = [
        {"Question": f"q{i}", "Correct Answer": "r", **{f"Incorrect Answer {k}": f"w{k}" for k in (1, 2, 3)}}
        for i in range(4000)
    ]
    letters = Counter(order_options(row)[1] for row in rows)
    assert all(890 < letters[letter] < 1110 for letter in "ABCD")  # four standard deviations are 110
    assert order_options({**rows[0], "Record ID": "other"}) == order_options(rows[0])
    assert order_options(rows[0]) == (["w1", "w2", "r", "w3"], "C")  # a changed order is a new exam: raise its version


def test_ids_count_rows_as_published(loaded: dict[str, LoadedTask]) -> None:
    every = {question.target: question.id for question in loaded["math500"].questions}
    hard = {question.target: question.id for question in loaded["math500_l5"].questions}
    assert hard.items() <= every.items()
    assert [question.id.split("-")[0] for question in loaded["math500_l5"].questions] == ["4", "9"]
    assert loaded["math500"].content_hash != loaded["math500_l5"].content_hash
    assert all(question.cluster == question.id for question in loaded["gsm8k"].questions)
    assert all(question.cluster == question.doc["unique_id"] for question in loaded["math500"].questions)


def test_commit_is_the_hubs_and_nothing_is_logged(loaded: dict[str, Any], hub: Hub) -> None:
    for name in HUB_TASKS:
        assert loaded[name].commit == hub.commit(loaded[name].description.dataset)
    assert loaded["stderr"] == ""


def test_two_fresh_caches_give_the_same_exam(loaded: dict[str, LoadedTask], hub: Hub, tmp_path: Path) -> None:
    again = load_in_new_process(["gpqa_diamond"], hub.url, tmp_path / "home")["gpqa_diamond"]
    assert again == loaded["gpqa_diamond"]


@pytest.mark.parametrize("name", POCKET_TASKS)
def test_pocket_prompts_are_the_questions_verbatim(name: str) -> None:
    task = load_task(load_catalogue(), name)
    assert len(task.questions) == 200
    assert task.commit is None
    for question in task.questions:
        assert question.messages == ({"role": "user", "content": question.doc["question"]},)
        assert question.target == question.doc["answer"]
        assert not question.synthetic
        assert question.options == (("T", "F") if name == "pocket_logic" else ())
    assert set(task.questions[0].doc) == {"question", "answer"}


LOCAL = """
task: mine
custom_dataset: !function raml_eval.tasks.docs.load_jsonl
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
doc_to_text: question
doc_to_target: answer
generation_kwargs: {until: []}
metadata:
  version: 1
  raml: {domain: in_domain, grader: GRADER, answer_format: any, source: mine, licence: MIT, revision: main}
"""
GRID = '{"header": ["House", "Name"], "rows": [["1", "Ann"]]}'


def load_own(folder: Path, grader: str, answer: str) -> LoadedTask:
    write_task(folder, "mine", LOCAL.replace("GRADER", grader))
    (folder / "rows.jsonl").write_text(json.dumps({"question": "Yes it is, or no?", "answer": answer}) + "\n", encoding="utf-8")
    return load_task(load_catalogue([folder], trust_tasks=True), "mine")


@pytest.mark.parametrize(
    ("grader", "answer", "options"),
    [
        ("label, options: [yes it is, 'no']", "yes it is", ("yes it is", "no")),
        ("bracket", "[[A];[B]]", ()),
        ("grid", GRID, ()),
        ("exact", "any", ()),
    ],
)
def test_every_grader_has_the_options_it_needs(tmp_path: Path, grader: str, answer: str, options: tuple[str, ...]) -> None:
    (question,) = load_own(tmp_path, grader, answer).questions
    assert (question.target, question.options, question.grader) == (answer, options, grader.partition(",")[0])


@pytest.mark.parametrize(
    ("grader", "answer", "message"),
    [
        ("label, options: column", "no", "there is no list of options in 'column'"),
        ("bracket", " ", "doc_to_target gives no target"),
    ],
)
def test_rows_without_options_or_target_are_refused(tmp_path: Path, grader: str, answer: str, message: str) -> None:
    with pytest.raises(TaskError, match=re.escape(message)):
        load_own(tmp_path, grader, answer)
