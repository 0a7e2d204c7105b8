"""Inspect's logs. Inspect wrote the fixtures; logs of other shapes are made from them."""

from __future__ import annotations

import copy
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import SourceError
from raml_eval.importing import open_source
from raml_eval.types import Finish
from tests.imports import FIXTURES, read

SUMS = FIXTURES / "inspect" / "toy_sums.eval"
PICK = FIXTURES / "inspect" / "toy_pick.json"


def changed(folder: Path, **fields: Any) -> Path:
    """The JSON log with its first sample's fields replaced, and no other sample."""
    log = json.loads(PICK.read_text())
    log["samples"] = [copy.deepcopy(log["samples"][0]) | fields]
    path = folder / "log.json"
    path.write_text(json.dumps(log))
    return path


def output(content: Any, stop: str = "stop", **usage: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {"choices": [{"message": message, "stop_reason": stop}], "usage": usage or None}


def test_an_eval_file_holds_epochs_with_thinking_and_counts() -> None:
    samples = read("inspect", SUMS)
    assert [(s.question_id.partition("-")[0], s.index) for s in samples] == [(str(q), e) for e in (0, 1) for q in range(1, 5)]
    first = samples[0]
    assert (first.thinking, first.text, first.finish) == ("17 and 25 make 42.", "The answer is 42.", Finish.STOP)
    assert (first.n_tokens, first.n_thinking_tokens, first.n_answer_tokens) == (9, 5, 4)
    assert first.messages == (
        {"role": "system", "content": "Think, then put the answer into a box."},
        {"role": "user", "content": "A shelf holds 17 books and 25 more arrive. How many books are there?"},
    )
    assert (first.model, first.targets, first.verdict) == ("mockllm/reasoner", ("42",), {"match": 1.0})
    assert first.task.grader == "math"  # match(numeric=True)
    assert first.task.sampling == {"temperature": 0.6, "top_p": 0.95, "max_tokens": 64}
    assert open_source("inspect", SUMS).version == "0.3.285"


def test_a_thinking_that_ran_out_of_tokens_has_no_answer() -> None:
    cut = read("inspect", SUMS)[2]
    assert (cut.text, cut.finish, cut.n_answer_tokens) == ("", Finish.LENGTH, 0)
    assert cut.thinking is not None
    assert cut.thinking.startswith("30 less 12")


def test_a_sample_that_failed_is_an_error_and_no_answer() -> None:
    failed = read("inspect", SUMS)[7]
    assert failed.error == "RuntimeError('the server went away')"
    assert failed.verdict == {}


def test_a_json_log_holds_choices_and_names() -> None:
    samples = {s.question_id.rpartition("-")[0]: s for s in read("inspect", PICK)}
    metal = samples["pick_metal"]
    assert (metal.options, metal.targets, metal.task.grader) == (("iron", "salt", "glass"), ("A",), "choice")
    assert metal.messages[0]["content"].startswith("Answer the following multiple choice question")
    assert (metal.thinking, metal.n_thinking_tokens, metal.n_answer_tokens) == (None, None, None)
    assert metal.n_tokens is not None


def test_a_folder_holds_both_and_other_json_is_passed_over(tmp_path: Path) -> None:
    for path in (SUMS, PICK):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "logs.json").write_text('{"a.eval": {"status": "success"}}')
    source = open_source("inspect", tmp_path)
    assert [file.name for file in source.files] == ["toy_pick.json", "toy_sums.eval"]
    assert {s.task.name for s in source.read()} == {"toy_pick", "toy_sums"}
    with pytest.raises(SourceError, match=r"has no 'eval', only a\.eval"):
        open_source("inspect", tmp_path / "logs.json")


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("C", {"s": 1.0}),
        ("I", {"s": 0.0}),
        ("P", {"s": 0.5}),
        ("N", {"s": 0.0}),
        (0.25, {"s": 0.25}),
        (True, {"s": 1.0}),
        ({"a": 1, "b": "I", "c": "text"}, {"s/a": 1.0, "s/b": 0.0}),
        ("a long judgement", {}),
        ([1, 2], {}),
    ],
)
def test_scores_become_numbers(value: Any, verdict: dict[str, float], tmp_path: Path) -> None:
    path = changed(tmp_path, scores={"s": {"value": value}})
    assert read("inspect", path)[0].verdict == verdict


def test_a_score_that_is_no_number_is_no_verdict(tmp_path: Path) -> None:
    path = changed(tmp_path, scores={"s": {"value": "NAN"}})
    path.write_text(path.read_text().replace('"NAN"', "NaN"))  # as Inspect writes it
    assert read("inspect", path)[0].verdict == {}


def test_content_in_parts_and_by_reference(tmp_path: Path) -> None:
    content = [
        {"type": "reasoning", "reasoning": "first"},
        {"type": "reasoning", "reasoning": "sealed", "redacted": True},
        {"type": "reasoning", "reasoning": "attachment://k"},
        {"type": "text", "text": "a"},
        {"type": "image", "image": "x"},
        {"type": "text", "text": "b"},
    ]
    messages = [
        {"role": "user", "content": "attachment://k"},
        {"role": "assistant", "content": "call"},
        {"role": "tool", "content": [{"type": "text", "text": "42"}]},
        {"role": "assistant", "content": "final"},
    ]
    path = changed(tmp_path, output=output(content), messages=messages, attachments={"k": "long"})
    (found,) = read("inspect", path)
    assert (found.thinking, found.text) == ("first\n\nlong", "a\nb")
    assert found.messages == (
        {"role": "user", "content": "long"},
        {"role": "assistant", "content": "call"},
        {"role": "tool", "content": "42"},
    )


def test_sealed_reasoning_is_counted_and_not_shown(tmp_path: Path) -> None:
    content = [{"type": "reasoning", "reasoning": "AbC=", "redacted": True}, {"type": "text", "text": "B"}]
    path = changed(tmp_path, output=output(content, output_tokens=50, reasoning_tokens=49))
    (found,) = read("inspect", path)
    assert (found.thinking, found.text, found.n_thinking_tokens, found.n_answer_tokens) == (None, "B", 49, 1)
    assert found.sealed
    (counted,) = read("inspect", changed(tmp_path, output=output("B", output_tokens=50, reasoning_tokens=49)))
    assert (counted.thinking, counted.sealed) == (None, True)
    assert not read("inspect", changed(tmp_path, output=output("B", output_tokens=50, reasoning_tokens=0)))[0].sealed


@pytest.mark.parametrize(
    ("stop", "finish"),
    [("stop", Finish.STOP), ("max_tokens", Finish.LENGTH), ("model_length", Finish.LENGTH), ("content_filter", Finish.UNKNOWN)],
)
def test_stop_reasons(stop: str, finish: Finish, tmp_path: Path) -> None:
    assert read("inspect", changed(tmp_path, output=output("B", stop)))[0].finish is finish


def test_a_sample_without_output_failed(tmp_path: Path) -> None:
    assert read("inspect", changed(tmp_path, output={"choices": []}))[0].error == "there is no output"


def test_several_targets_are_kept_apart(tmp_path: Path) -> None:
    assert read("inspect", changed(tmp_path, target=["A", "B"]))[0].targets == ("A", "B")


def test_a_log_cut_short_is_read_as_far_as_it_goes_or_is_an_error(tmp_path: Path) -> None:
    whole = SUMS.read_bytes()
    path = tmp_path / "cut.eval"
    path.write_bytes(whole[:-100])
    with pytest.raises(SourceError, match=r"cut\.eval is not a complete \.eval file"):
        read("inspect", path)
    path.write_bytes(whole)
    flipped = bytearray(whole)
    with zipfile.ZipFile(SUMS) as archive:
        member = archive.getinfo("samples/1_epoch_1.json")
    flipped[member.header_offset + 200] ^= 0xFF
    path.write_bytes(flipped)
    with pytest.raises(SourceError, match=r"samples/1_epoch_1\.json (cannot be unpacked|is not complete JSON)"):
        read("inspect", path)


def test_a_log_without_samples(tmp_path: Path) -> None:
    log = json.loads(PICK.read_text())
    del log["samples"]
    (tmp_path / "log.json").write_text(json.dumps(log))
    with pytest.raises(SourceError, match="holds no samples"):
        read("inspect", tmp_path)
