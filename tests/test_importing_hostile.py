"""Logs that no harness should have written: each is one clear error, or a run that every report can print."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import SourceError
from raml_eval.importing import FORMATS, open_source
from raml_eval.importing.writer import import_run
from raml_eval.reporting.report import render_report
from raml_eval.tables import load_run
from tests.imports import import_lines, line, read, write_log
from tests.test_cli import cli


def refused(tmp_path: Path, entry: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        import_run(open_source("jsonl", write_log(tmp_path / "log.jsonl", [entry])), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("grader", [1.5, ["math"], {"math": 1}, True])
def test_a_grader_that_is_no_text(grader: Any, tmp_path: Path) -> None:
    refused(tmp_path, line(grader=grader), "task 'sums' has the grader .*, wanted a text")


@pytest.mark.parametrize("field", ["task", "model", "cluster"])
def test_a_name_that_is_no_unicode_is_refused(field: str, tmp_path: Path) -> None:
    refused(tmp_path, line(**{field: "a\ud800"}), rf"{field} .*'a\\ud800', which is no valid Unicode")


def test_a_metric_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, line(verdict={"a\ud800": 1}), "metric is called .* no valid Unicode")


def test_the_name_of_a_run_may_be_any_bytes(tmp_path: Path) -> None:
    out = tmp_path / os.fsdecode(b"a\xff")
    run = load_run(import_run(open_source("jsonl", write_log(tmp_path / "log.jsonl", [line()])), out, quiet=True))
    for form in ("terminal", "markdown", "latex", "csv", "json"):
        (tmp_path / form).write_text(render_report([run], format=form, allow_partial=True), encoding="utf-8")
    assert run.name.encode()


def test_nulls_are_no_words(tmp_path: Path) -> None:
    prompt = [{"role": None, "content": None}, None, {"role": "user", "content": "4?"}]
    run = import_lines(tmp_path, [line(prompt=prompt, target=["4", None]) | {"cluster": None}])
    (question,) = run.questions.values()
    assert [message["content"] for message in question.messages] == ["", "", "4?"]
    assert question.target == "4"
    assert "None" not in (tmp_path / "run" / "questions.jsonl").read_text()


def test_a_null_alone_is_no_target(tmp_path: Path) -> None:
    refused(tmp_path, line(target=[None]), "has no target in the log")


def test_a_null_among_options_would_move_the_letters(tmp_path: Path) -> None:
    refused(tmp_path, line(grader="choice", options=["a", None, "b"], target="b"), "hold a null, wanted texts")


@pytest.mark.parametrize("depth", [900, 960, 980, 985, 990, 100_000])
@pytest.mark.parametrize("field", ["prompt", "target", "options", "question_id", "extra", "verdict"])
def test_deep_json_is_read_or_refused(field: str, depth: int, tmp_path: Path) -> None:
    entry = {key: value for key, value in line().items() if key != field}
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(entry)[:-1] + f',"{field}":' + "[" * depth + "]" * depth + "}\n")
    try:
        import_run(open_source("jsonl", path), tmp_path / "run", quiet=True)
    except SourceError as error:
        told = str(error)
    else:
        told = render_report([load_run(tmp_path / "run")], format="csv", allow_partial=True)
    assert all(len(row) < 2000 for row in told.splitlines())


def test_a_count_that_no_float_holds_is_not_known(tmp_path: Path) -> None:
    assert import_lines(tmp_path, [line(n_tokens=1e300)]).records[0].n_answer_tokens is None


@pytest.mark.parametrize("format", FORMATS)
def test_a_pipe_is_refused_and_not_waited_for(format: str, tmp_path: Path) -> None:
    pipe = tmp_path / "samples_sums_2025-01-01T00-00-00.json"
    os.mkfifo(pipe)
    done = cli("import", format, pipe, "--out", tmp_path / "run")
    assert (done.returncode, "is a pipe, wanted a file" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("format", "name"),
    [
        ("lm-eval", "samples_sums_2025-01-01T00-00-00.jsonl"),
        ("lighteval", "details_sums_2025-01-01T00-00-00.parquet"),
        ("opencompass", "predictions/m/sums.json"),
        ("inspect", "a.eval"),
        ("inspect", "a.json"),
        ("jsonl", "a.jsonl"),
    ],
)
def test_a_pipe_in_a_folder_is_refused_too(format: str, name: str, tmp_path: Path) -> None:
    pipe = tmp_path / name
    pipe.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(pipe)
    with pytest.raises(SourceError, match="is a pipe"):
        read(format, tmp_path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("damage", ["encrypted", "flipped", "cut", "another method"])
def test_a_member_of_a_zip_that_cannot_be_unpacked(method: int, damage: str, tmp_path: Path) -> None:
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w", method) as written:
        written.writestr("header.json", json.dumps({"eval": {"task": "sums"}, "fill": list(range(500))}))
        (info,) = written.infolist()
    content = bytearray(path.read_bytes())
    central = content.rfind(b"PK\x01\x02")
    if damage == "encrypted":
        content[6] |= 1
        content[central + 8] |= 1
    elif damage == "flipped":
        for at in range(60, 60 + info.compress_size // 2):
            content[at] ^= 0x5A
    elif damage == "cut":
        content[60:central] = bytes(central - 60)
    else:
        content[8], content[central + 10] = 97, 97
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.eval: header\.json (is encrypted|cannot be unpacked)"):
        read("inspect", path)
