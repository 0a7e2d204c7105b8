"""Our own simple format: every field, and every way to get it wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import SourceError
from raml_eval.importing.jsonl import KEYS
from raml_eval.types import Finish
from tests.imports import line, read, write_log

DOCUMENTED = Path(__file__).resolve().parents[1] / "docs" / "importing.md"


def test_every_key_is_documented() -> None:
    text = DOCUMENTED.read_text()
    for key in KEYS:
        assert f"`{key}`" in text, f"docs/importing.md does not explain {key}"


def test_a_line_with_every_field(tmp_path: Path) -> None:
    made = line(
        prompt=[{"role": "user", "content": "2+2?"}],
        options=["3", "4"],
        cluster="story",
        sampling={"temperature": 0.6, "max_tokens": 9},
        extra={"anything": 1},
        thinking="hm",
        sample=5,
        verdict={"acc": True, "f1": 0.5},
        finish="length",
        n_tokens=9,
        n_thinking_tokens=4,
        n_answer_tokens=5,
    )
    assert set(made) == set(KEYS) - {"completions"}
    (found,) = read("jsonl", write_log(tmp_path / "x.jsonl", [made]))
    assert (found.task.name, found.task.grader, found.task.sampling) == ("sums", "math", {"temperature": 0.6, "max_tokens": 9})
    assert (found.messages, found.targets, found.options) == (({"role": "user", "content": "2+2?"},), ("4",), ("3", "4"))
    assert (found.text, found.thinking, found.index, found.finish) == ("\\boxed{4}", "hm", 5, Finish.LENGTH)
    assert (found.verdict, found.model, found.cluster) == ({"acc": 1.0, "f1": 0.5}, "demo/m", "story")
    assert (found.n_tokens, found.n_thinking_tokens, found.n_answer_tokens) == (9, 4, 5)


def test_lines_of_one_question_are_its_samples_in_order(tmp_path: Path) -> None:
    made = [line(completion=text) for text in "ab"] + [line(question_id="b"), line(completion="c")]
    samples = read("jsonl", write_log(tmp_path / "x.jsonl", made))
    assert [(s.text, s.index) for s in samples if s.question_id.startswith("a-")] == [("a", 0), ("b", 1), ("c", 2)]
    assert len({s.question_id for s in samples}) == 2


def test_a_list_of_completions_is_the_same_as_lines(tmp_path: Path) -> None:
    objects = [{"completion": "a", "finish": "stop", "verdict": 1}, "b"]
    listed = read("jsonl", write_log(tmp_path / "x.jsonl", [line(completion=None, completions=objects)]))
    apart = [line(completion="a", finish="stop", verdict={"verdict": 1}), line(completion="b")]
    assert listed == read("jsonl", write_log(tmp_path / "y.jsonl", apart))


def test_a_prompt_names_its_question_where_there_is_no_id(tmp_path: Path) -> None:
    made = [line(question_id=None, prompt=text) for text in ("p", "q", "p")]
    samples = read("jsonl", write_log(tmp_path / "x.jsonl", made))
    assert [(s.question_id.partition("-")[0], s.index) for s in samples] == [("0", 0), ("1", 0), ("0", 1)]


def test_an_id_of_ours_is_kept_so_that_runs_pair(tmp_path: Path) -> None:
    samples = read("jsonl", write_log(tmp_path / "x.jsonl", [line(question_id="17-3fa9c1"), line(question_id="17-3fa9")]))
    assert samples[0].question_id == "17-3fa9c1"
    assert samples[1].question_id.startswith("17_3fa9-")


def test_all_files_of_a_folder_are_read(tmp_path: Path) -> None:
    write_log(tmp_path / "a.jsonl", [line()])
    write_log(tmp_path / "b.jsonl", [line(completion="second"), line(question_id="b")])
    assert [s.index for s in read("jsonl", tmp_path)] == [0, 1, 0]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"complettion": "x"}, r"the key 'complettion', which the format does not know\. Did you mean completion"),
        ({"task": None}, "task is None, wanted a text"),
        ({"target": None}, "has no target"),
        ({"question_id": None}, "has neither question_id nor prompt"),
        ({"completion": None}, "completion is None, wanted a text"),
        ({"completion": 4}, "completion is 4, wanted a text"),
        ({"completions": ["a"]}, "wanted either a completion or a list"),
        ({"completion": None, "completions": []}, "with at least one"),
        ({"completion": None, "completions": [3]}, "a completion is int, wanted a text or an object"),
        ({"completion": None, "completions": [{"text": "a"}]}, "the key 'text'"),
        ({"finish": "eos"}, "finish is 'eos'"),
        ({"finish": ["stop"]}, r"finish is \['stop'\]"),
        ({"verdict": {"acc": "yes"}}, "numbers by metric"),
        ({"sample": -1}, "sample -1"),
        ({"sampling": 0.6}, "sampling is 0.6"),
        ({"thinking": 1}, "thinking is 1, wanted a text"),
        ({"model": 1}, "model is 1, wanted a text"),
    ],
)
def test_a_line_that_is_wrong_names_its_place(fields: dict[str, Any], reason: str, tmp_path: Path) -> None:
    wrong = {key: value for key, value in (line(question_id="b") | fields).items() if value is not None}
    with pytest.raises(SourceError, match=rf"x\.jsonl:2.*{reason}"):
        read("jsonl", write_log(tmp_path / "x.jsonl", [line(), wrong]))


def test_one_question_with_two_prompts_and_one_task_with_two_graders(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"x\.jsonl:2: the question a-\w+ of task sums has another prompt"):
        read("jsonl", write_log(tmp_path / "x.jsonl", [line(), line(target="5")]))
    with pytest.raises(SourceError, match=r"has grader exact and sampling \{\}, on an earlier line math and \{\}"):
        read("jsonl", write_log(tmp_path / "x.jsonl", [line(), line(question_id="b", grader="exact")]))


def test_a_log_cut_short(tmp_path: Path) -> None:
    path = write_log(tmp_path / "x.jsonl", [line(), line()])
    path.write_text(path.read_text()[:-9])
    with pytest.raises(SourceError, match=r"x\.jsonl:2 is not complete JSON"):
        read("jsonl", path)


@pytest.mark.parametrize("text", ["\ud800 lone", "line\u2028break", "\x00\x1b[2J", "é漢🙂"])
def test_any_text_is_kept(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(line(completion=text, prompt=text, question_id=text)) + "\n")
    assert read("jsonl", path)[0].text == text
