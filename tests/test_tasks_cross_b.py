"""The tasks of tests/hub_cross_b.py: joined rules, options and letters, clusters, and rows that are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from raml_eval.errors import TaskError
from raml_eval.tasks import instruction_rows, logic_rows
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.load import load_task
from raml_eval.types import LoadedTask
from tests import hub_cross_b
from tests.test_tasks_download import write_mirror


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mirror(tmp_path_factory.mktemp("mirror"))


def load(mirror: Path, name: str) -> LoadedTask:
    return load_task(load_catalogue(data_dir=mirror), name)


def prompt(task: LoadedTask, index: int) -> str:
    return str(task.questions[index].messages[-1]["content"])


def test_kor_bench_joins_each_sample_with_its_rule(mirror: Path) -> None:
    task = load(mirror, "kor_bench_logic")
    assert [question.cluster for question in task.questions] == ["logic-2", "logic-1", "logic-2"]
    assert [question.stratum for question in task.questions] == ["logic 2", "logic 1", "logic 2"]
    assert "### Rule: logic 2\nAdd 2 to all.\n\n### Question\nWhat is 0 logic?" in prompt(task, 0)
    assert task.questions[1].target == "[[4]]"


def test_a_sample_without_its_rule_is_refused(tmp_path: Path) -> None:
    mirror = write_mirror(tmp_path)
    rules = mirror / "m-a-p/KOR-Bench/cipher/rule.jsonl"
    rules.write_text(rules.read_text().splitlines()[0] + "\n", encoding="utf-8")
    with pytest.raises(TaskError, match=r"names rule 2, and cipher/rule\.jsonl of m-a-p/KOR-Bench has no such idx"):
        load(mirror, "kor_bench_cipher")


def test_zebralogic_shows_the_houses_without_their_cells(mirror: Path) -> None:
    task = load(mirror, "zebralogic_grid")
    assert '"House 2": {\n    "Name": "___",\n    "Pet": "___"' in prompt(task, 0)
    assert json.loads(task.questions[0].gold)["rows"] == [["1", "Ann", "cat"], ["2", "Bo", "dog"]]
    cells = load(mirror, "zebralogic_mc")
    assert [question.target for question in cells.questions] == ["A", "B", "A", "B"]
    assert len({question.cluster for question in cells.questions}) == 2
    assert "Who lives in house 1?\n\n(A) Ann\n(B) Bo" in prompt(cells, 0)


def test_a_blanked_solution_is_refused_with_what_to_do() -> None:
    row = hub_cross_b.zebra(7)
    row["solution"]["rows"][1][2] = "___"
    with pytest.raises(TaskError, match=r"lgp-made-up-7 is blanked out .*allenai/ZebraLogicBench-private, set HF_TOKEN"):
        logic_rows.zebralogic_grid(Dataset.from_list([row]))
    for answer, said in (("___", "blanked out"), ("Cy", r"'Cy' to the row lgp-made-up-0#mc must be one of its choices")):
        with pytest.raises(TaskError, match=said):
            logic_rows.zebralogic_mc(Dataset.from_list([hub_cross_b.ZEBRA_MC[0] | {"answer": answer}]))


def test_musr_reads_the_options_of_a_python_list_and_nothing_else(mirror: Path) -> None:
    task = load(mirror, "musr_object_placements")
    assert task.questions[1].options == ("desk", "Bo's box", "shelf")
    assert [question.target for question in task.questions] == ["A", "B", "A", "B"]
    first, second, third, fourth = (question.cluster for question in task.questions)
    assert (first == second, second == third, third == fourth) == (True, False, True)
    row = hub_cross_b.musr("x")[0]
    for wrong, said in (
        ({"choices": "__import__('os').getcwd()"}, "no list in Python's spelling"),
        ({"choices": "{'a': 1}"}, "no list in Python's spelling"),
        ({"answer_index": 3}, "answer_index 3"),
        ({"answer_choice": "shelf"}, "is not the answer_choice 'shelf'"),
    ):
        with pytest.raises(TaskError, match=said):
            logic_rows.musr(Dataset.from_list([row | wrong]))


def test_labels_and_their_clusters(mirror: Path) -> None:
    asked = load(mirror, "strategyqa")
    assert [question.target for question in asked.questions] == ["yes", "no", "yes", "no"]
    assert [question.cluster for question in asked.questions] == ["Ice", "Iron", "Ice", "Iron"]
    told = load(mirror, "folio")
    assert [question.target for question in told.questions] == ["true", "false", "uncertain", "uncertain"]
    assert len({question.cluster for question in told.questions}) == 2
    assert "Premises:\nAll 0 cats purr.\nTom is a cat.\n\nConclusion: Tom purrs, 0." in prompt(told, 0)
    as_list = [hub_cross_b.FOLIO[0] | {"premises": ["All 0 cats purr.", "Tom is a cat."]}]
    assert logic_rows.folio(Dataset.from_list(as_list))["story"][0] == told.questions[0].cluster
    with pytest.raises(TaskError, match="the label 'maybe' is none of true, false, uncertain, unknown"):
        logic_rows.folio(Dataset.from_list([hub_cross_b.FOLIO[0] | {"label": "Maybe"}]))


def test_logiqa2_leaves_out_a_row_with_two_right_options(mirror: Path) -> None:
    task = load(mirror, "logiqa2")
    assert [question.target for question in task.questions] == ["A", "B", "C", "D"]
    assert len({question.cluster for question in task.questions}) == 2
    one = hub_cross_b.LOGIQA[0]
    rows = [one | {"options": options} for options in (["a", "a", "b", "c"], ["a", "b", "b", "c"])]
    assert logic_rows.logiqa2(Dataset.from_list(rows))["options"] == [["a", "b", "b", "c"]]


@pytest.mark.parametrize("name", ["ifeval", "ifbench"])
def test_instructions_have_their_own_arguments_and_no_nulls(mirror: Path, name: str) -> None:
    task = load(mirror, name)
    tests: dict[str, Any] = json.loads(task.questions[0].tests)
    assert (tests["rule"], tests["read"], tests["prompt"]) == (name, "whole", prompt(task, 0))
    assert [one["kwargs"] for one in tests["instructions"]] == {
        "ifeval": [{}, {"relation": "at least", "num_words": 5}],
        "ifbench": [{"min_words": 4, "max_words": 6}],
    }[name]


def test_zero_is_an_argument_and_a_row_without_arguments_is_refused() -> None:
    row = hub_cross_b.told("9", "p", ("repeat:repeat_span", {"n_start": 0, "n_end": None}))
    assert instruction_rows.ifbench_tests(row)["instructions"] == [{"id": "repeat:repeat_span", "kwargs": {"n_start": 0}}]
    with pytest.raises(TaskError, match="row 9 has 1 instructions and 0 sets of arguments"):
        instruction_rows.ifbench_tests(row | {"kwargs": []})
