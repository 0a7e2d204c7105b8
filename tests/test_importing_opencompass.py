"""OpenCompass's predictions. OpenCompass wrote the fixtures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import SourceError
from raml_eval.importing import open_source
from tests.imports import FIXTURES, read

FOLDER = FIXTURES / "opencompass"
FILE = FOLDER / "predictions" / "demo-reasoner" / "toy_sums.json"


def write(folder: Path, entries: list[dict[str, Any]], name: str = "d.json") -> Path:
    path = folder / "predictions" / "m" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({str(number): entry for number, entry in enumerate(entries)}))
    return path


def entry(question: str = "1+1?", **fields: Any) -> dict[str, Any]:
    return {"origin_prompt": question, "prediction": "2", "gold": "2", **fields}


def write_results(folder: Path, details: Any) -> None:
    path = folder / "results" / "m" / "d.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"accuracy": 50.0, "details": details}))


def test_replicas_of_the_data_set_are_samples_of_its_questions() -> None:
    samples = read("opencompass", FOLDER)
    assert [(s.question_id.partition("-")[0], s.index) for s in samples] == [(str(q), r) for r in (0, 1) for q in range(4)]
    assert len({s.question_id for s in samples}) == 4
    assert [s.verdict["correct"] for s in samples] == [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    first = samples[0]
    assert first.text == "<think>\n17 and 25 make 42.\n</think>\n\nThe answer is 42."
    assert (first.task.name, first.model, first.targets, first.n_tokens) == ("toy_sums", "demo-reasoner", ("42",), 11)
    question = "A shelf holds 17 books and 25 more arrive. How many books are there?\nPut the answer into a box."
    assert first.messages == ({"role": "user", "content": question},)


@pytest.mark.parametrize("path", [FOLDER, FOLDER / "predictions", FILE.parent, FILE])
def test_a_run_its_predictions_a_model_and_a_file_open_the_same_log(path: Path) -> None:
    assert read("opencompass", path) == read("opencompass", FOLDER)
    assert open_source("opencompass", path).files == (FILE, FOLDER / "results" / "demo-reasoner" / "toy_sums.json")


def test_parts_of_a_split_data_set_are_joined_in_order(tmp_path: Path) -> None:
    for part in range(11):
        write(tmp_path, [entry(f"{part}+{row}?") for row in range(2)], f"d_{part}.json")
    write(tmp_path, [entry()], "e_1.json")  # ends in a number, and is no part
    samples = read("opencompass", tmp_path)
    assert [s.messages[0]["content"] for s in samples if s.task.name == "d"] == [
        f"{p}+{r}?" for p in range(11) for r in range(2)
    ]
    assert [s.task.name for s in samples if s.task.name != "d"] == ["e_1"]


def test_rows_that_repeat_by_chance_are_questions_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, [entry("a"), entry("a"), entry("b")])
    samples = read("opencompass", tmp_path)
    assert [s.index for s in samples] == [0, 0, 0]
    assert len({s.question_id for s in samples}) == 3


def test_several_sequences_of_one_request_are_samples(tmp_path: Path) -> None:
    write(
        tmp_path, [entry("a", prediction=["1", "2"], res_length=[3, 4]), entry("b", prediction=["5", "6"], res_length=[1, 1])]
    )
    write_results(tmp_path, [{"correct": [True]}, {"correct": [False]}])
    samples = read("opencompass", tmp_path)
    assert [(s.index, s.text, s.n_tokens, s.verdict) for s in samples[:2]] == [(0, "1", 3, {}), (1, "2", 4, {})]


@pytest.mark.parametrize(
    ("details", "verdicts"),
    [
        ([{"correct": [True]}, {"correct": [False]}], [{"correct": 1.0}, {"correct": 0.0}]),
        ([{"is_correct": True}, {"is_correct": None}], [{"is_correct": 1.0}, {}]),
        ({"type": "GEN", "0": {"correct": True}, "1": {"correct": False}}, [{"correct": 1.0}, {"correct": 0.0}]),
        ({"type": "GEN", "0": {"predictions": "2"}, "1": {}}, [{}, {}]),
        ([{"correct": [True]}], [{}, {}]),  # of another number of questions
        (None, [{}, {}]),
    ],
)
def test_verdicts_stand_in_the_details_in_several_shapes(details: Any, verdicts: list[Any], tmp_path: Path) -> None:
    write(tmp_path, [entry("a"), entry("b")])
    write_results(tmp_path, details)
    assert [s.verdict for s in read("opencompass", tmp_path)] == verdicts


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"label: A": {"PPL": 1.0}}, "holds scored continuations"),
        ({"prediction": ["a", "b"], "gold": ["x", "y"]}, "is a dialogue or a rollout"),
        ({"prediction": {"rollout": {}}}, "is a dialogue or a rollout"),
        ({"prediction": []}, "is a dialogue or a rollout"),
    ],
)
def test_what_is_no_drawn_answer_is_refused(fields: dict[str, Any], reason: str, tmp_path: Path) -> None:
    write(tmp_path, [entry(**fields)])
    with pytest.raises(SourceError, match=reason):
        read("opencompass", tmp_path)


def test_files_that_are_no_predictions(tmp_path: Path) -> None:
    path = write(tmp_path, [])
    with pytest.raises(SourceError, match="holds no samples"):
        read("opencompass", path)
    path.write_text(json.dumps({"1": entry()}))
    with pytest.raises(SourceError, match=r"has no '0', only 1: OpenCompass logs it otherwise"):
        read("opencompass", path)
    path.write_text(json.dumps({"0": {"gold": "2"}}))
    with pytest.raises(SourceError, match="has no 'prediction', only gold"):
        read("opencompass", path)


def test_an_answer_of_0_is_not_in_opencompass_logs(tmp_path: Path) -> None:
    """OpenCompass leaves out a gold that is falsy; the question then has no target, which is not the answer ''."""
    made = entry()
    del made["gold"]
    write(tmp_path, [made])
    assert read("opencompass", tmp_path)[0].targets == ()
