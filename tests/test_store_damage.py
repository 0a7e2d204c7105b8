"""Stored lines that were damaged: each is used or refused by its place, by every command, and what a message advises works."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import raml_eval
from raml_eval.errors import CorruptStore, RamlError
from raml_eval.reporting.report import render_report
from raml_eval.store import RunDirectory
from raml_eval.store.seeking import RunReader
from tests.test_session import FEW
from tests.test_store import filled, manifest

WRONG: list[Any] = [None, True, -1, 1.5, "word", [], ["a"], [["a"]], {}, {"a": 1}]
ERROR = {"task": "sums", "question_id": "0-abcdef", "sample": 1, "budgets": [8], "error": "e", "message": "m"}
STARTED = {"task": "sums", "question_id": "0-abcdef", "sample": 1, "prompt": "hint:8"}
JUDGEMENT = {
    "task": "sums", "question_id": "0-abcdef", "candidate": "2", "model": "m", "prompt_version": "1",
    "verdict": "different", "reason": "r", "created": "2026-01-01",
}  # fmt: skip
MORE: Mapping[str, Mapping[str, Any]] = {"errors": ERROR, "started": STARTED, "judgements": JUDGEMENT}


def read_everything(path: Path) -> None:
    """What the commands do with a run directory, but for drawing."""
    render_report([raml_eval.load_run(path)], format="markdown", allow_partial=True)
    read_lines(path)


def read_lines(path: Path) -> None:
    raml_eval.load_run(path).table()
    with RunReader(path) as reader:
        for key in reader.questions:
            reader.records(key), reader.trajectories(key)


def resume(path: Path) -> None:
    directory = RunDirectory(path)
    try:
        directory.open(manifest())
    finally:
        directory.close()


@pytest.mark.parametrize("name", ["samples", "trajectories", "questions", "errors", "started", "judgements"])
def test_a_field_of_another_type_is_used_or_refused_by_its_place(name: str, tmp_path: Path) -> None:
    base = filled(tmp_path / "base")
    file = f"{name}.jsonl"
    if name in MORE:
        (base / file).write_text(json.dumps(MORE[name]) + "\n")
    first, *rest = (base / file).read_text().splitlines()
    n_refused = 0
    for field in json.loads(first):
        for value in WRONG:
            (base / file).write_text("\n".join([json.dumps({**json.loads(first), field: value}), *rest, ""]))
            for use in (read_lines, resume):
                n_refused += is_refused(base, use, name)
    assert n_refused > 20


def is_refused(path: Path, use: Callable[[Path], None], name: str) -> bool:
    """True if the file is refused by its name, False if it can be used."""
    try:
        use(path)
    except RamlError as error:
        told = str(error)
    else:
        return False
    assert name in told or "unknown grader" in told, told
    return True


@pytest.mark.parametrize("name", ["samples", "trajectories", "questions", "errors", "started", "judgements", "grades-0001"])
def test_json_that_nests_too_deeply_is_a_damaged_line(name: str, tmp_path: Path) -> None:
    (filled(tmp_path) / f"{name}.jsonl").write_text('{"task":' + "[" * 100_000 + "]" * 100_000 + "}\n")
    for use in (read_everything, resume):
        if name != "started" or use is resume:
            with pytest.raises(CorruptStore, match=rf"{name}\.jsonl"):
                use(tmp_path)


def test_a_manifest_that_nests_too_deeply(tmp_path: Path) -> None:
    (filled(tmp_path) / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(CorruptStore, match=r"manifest\.json cannot be read"):
        read_everything(tmp_path)


@pytest.mark.parametrize("extended", [False, True])
def test_a_deleted_trajectory_is_told_by_every_command_and_the_advice_works(extended: bool, tmp_path: Path) -> None:
    raml_eval.evaluate(**{**FEW, "thinking_budget": [0, 16]}, out=tmp_path)
    if extended:
        raml_eval.evaluate(**{**FEW, "thinking_budget": [0, 16, "unlimited"]}, out=tmp_path)
    asked = {**FEW, "thinking_budget": [0, 16, "unlimited"] if extended else [0, 16]}
    path = tmp_path / "trajectories.jsonl"
    gone, *kept = path.read_text().splitlines(keepends=True)
    path.write_text("".join(kept))
    lost = json.loads(gone)["id"]
    for use in (read_everything, lambda path: raml_eval.evaluate(**asked, out=path)):
        with pytest.raises(CorruptStore, match=f"lacks {lost}, which sample .* of these samples"):
            use(tmp_path)
    samples = tmp_path / "samples.jsonl"
    samples.write_text("".join(line for line in samples.read_text().splitlines(keepends=True) if f'"{lost}"' not in line))
    run = raml_eval.evaluate(**asked, out=tmp_path)
    assert len(run.records) == len(run.questions) * run.n_samples * len(run.budgets)
    read_everything(tmp_path)


@pytest.mark.parametrize("damage", ["garbage", "null", "twice", "another id"])
def test_a_deleted_question_is_added_again_as_the_message_says(damage: str, tmp_path: Path) -> None:
    run = raml_eval.evaluate(**FEW, out=tmp_path / "run")
    path = tmp_path / "run" / "questions.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    entry = json.loads(lines[1])
    bad = {
        "garbage": "garbage",
        "null": json.dumps(entry | {"target": None}),
        "twice": lines[2].strip(),
        "another id": json.dumps(entry | {"question_id": "99-abcdef"}),
    }[damage]
    path.write_text("".join([lines[0], f"{bad}\n", *lines[2:]]))
    if damage != "another id":
        with pytest.raises(CorruptStore, match=r"questions\.jsonl:[23] .*(delete it|its question is then added again)"):
            raml_eval.evaluate(**FEW, out=tmp_path / "run")
        path.write_text("".join([lines[0], *lines[2:]]))
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    assert raml_eval.evaluate(**FEW, out=tmp_path / "run").questions == run.questions
    more = raml_eval.evaluate(**{**FEW, "samples": 3}, out=tmp_path / "other")
    assert more.questions == run.questions
    read_everything(tmp_path / "other")
