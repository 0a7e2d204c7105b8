"""A run merged from shards is the run that would have been drawn whole; and what cannot be merged is refused by name."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

import raml_eval
from raml_eval.errors import StoreError
from raml_eval.grading import GRADER_VERSION
from raml_eval.merging import merge_runs
from raml_eval.merging.parts import read_parts, version_notes
from raml_eval.regrade.regrading import regrade_run
from raml_eval.reporting.report import render_report
from raml_eval.store import RunDirectory, read_run
from raml_eval.store.grades import read_layers
from raml_eval.store.history import read_histories
from raml_eval.types import Judgement, StoredRun
from tests.test_cli import cli, fails
from tests.test_session import FEW

N = 3


def draw(folder: Path, settings: dict[str, Any], n: int = N) -> list[Path]:
    return [raml_eval.evaluate(**settings, shard=f"{i}/{n}", out=folder / "x").directory for i in range(1, n + 1)]


def without_session(run: StoredRun) -> dict[Any, Any]:
    return {(record.key, record.budget): replace(record, session=0) for record in run.records}


def tables(path: Path) -> list[str]:
    """Every table of the run, under one name."""
    run = replace(raml_eval.load_run(path), name="run")
    return [render_report([run], format=form, full=form == "markdown") for form in ("terminal", "markdown", "csv")]


def assert_equal(merged: Path, whole: Path) -> None:
    one, other = read_run(merged), read_run(whole)
    assert without_session(one) == without_session(other)
    assert dict(one.trajectories) == dict(other.trajectories)
    assert list(one.questions.items()) == list(other.questions.items())
    assert (one.classes, one.grader_versions) == (other.classes, other.grader_versions)
    assert tables(merged) == tables(whole)
    left = {"name", "created", "config", "sessions", "merged"}
    assert {k: v for k, v in one.manifest.items() if k not in left} == {
        k: v for k, v in other.manifest.items() if k not in left
    }


HF = {**FEW, "backend": "hf", "backend_args": {"dtype": "float32"}, "limit": 4, "thinking_budget": [0, 16, "unlimited"]}


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({**FEW, "limit": 7, "thinking_budget": [0, 16, "unlimited", "off"]}, id="fake, sampled"),
        pytest.param({**FEW, "limit": 7, "temperature": 0.0}, id="fake, greedy"),
        pytest.param({**HF, "max_total_tokens": 256}, id="hf, sampled"),
        pytest.param({**HF, "max_total_tokens": 256, "temperature": 0.0, "samples": 1}, id="hf, greedy"),
    ],
)
def test_three_shards_are_the_whole_record_by_record_and_table_by_table(settings: dict[str, Any], tmp_path: Path) -> None:
    merged = merge_runs(reversed(draw(tmp_path, settings)), tmp_path / "merged")
    assert_equal(merged, raml_eval.evaluate(**settings, out=tmp_path / "whole").directory)
    assert not list(tmp_path.glob(".*"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw(tmp_path_factory.mktemp("runs"), FEW)


@pytest.fixture
def parts(drawn: list[Path], tmp_path: Path) -> list[Path]:
    """Shards of its own for a test that changes them."""
    return [Path(shutil.copytree(path, tmp_path / path.name)) for path in drawn]


def change(path: Path, name: str, edit: Callable[[Any], Any]) -> None:
    """The file after the edit: of its object for JSON, of its list of lines for JSON lines."""
    file = path / name
    if file.suffix == ".json":
        content = json.loads(file.read_text())
        edit(content)
        file.write_text(json.dumps(content))
    else:
        file.write_text("".join(edit(file.read_text().splitlines(keepends=True))))


def test_a_merged_run_is_complete_is_extended_and_lists_all_sessions(drawn: list[Path], tmp_path: Path) -> None:
    merged = merge_runs(drawn, tmp_path / "merged")
    manifest = read_run(merged).manifest
    assert [(s["shard"], s["samples_before"], s["samples_after"]) for s in manifest["sessions"]] == [
        ("1/3", 0, 8), ("2/3", 8, 16), ("3/3", 16, 24),
    ]  # fmt: skip
    assert [(one["shard"], one["name"]) for one in manifest["merged"]] == [(f"{i}/3", f"x-shard-{i}-of-3") for i in (1, 2, 3)]
    assert manifest["name"] == "merged"
    before = (merged / "samples.jsonl").read_bytes()
    raml_eval.evaluate(**FEW, out=merged)
    assert (merged / "samples.jsonl").read_bytes() == before
    more = {**FEW, "samples": 3, "limit": 5}
    extended, whole = raml_eval.evaluate(**more, out=merged), raml_eval.evaluate(**more, out=tmp_path / "whole")
    assert without_session(extended) == without_session(whole)
    assert {record.session for record in extended.records} == {0, 1, 2, 3}


def test_shards_that_were_extended_merge_into_the_extended_run(parts: list[Path], tmp_path: Path) -> None:
    more = {**FEW, "samples": 3, "limit": 6}
    merged = merge_runs(draw(tmp_path, more), tmp_path / "merged")
    assert_equal(merged, raml_eval.evaluate(**more, out=tmp_path / "whole").directory)
    assert len(read_run(merged).manifest["sessions"]) == 6


def other_grader(manifest: dict[str, Any]) -> None:
    for session in manifest["sessions"]:
        session["grader_version"] = "0"


def other_verdict(lines: list[str]) -> list[str]:
    """The lines, of which the first was graded otherwise."""
    first = json.loads(lines[0])
    return [json.dumps({**first, "status": "correct", "rule": "old", "detail": "old"}) + "\n", *lines[1:]]


def test_layers_of_grades_go_with_their_shard(parts: list[Path], tmp_path: Path) -> None:
    for path in parts[1:]:
        change(path, "manifest.json", other_grader)
        change(path, "samples.jsonl", other_verdict)
    with pytest.raises(StoreError, match=rf"grader {GRADER_VERSION} gave .*1/3.* and grader 0 gave .*2/3.*regrade"):
        merge_runs(parts, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    for path in parts[1:]:
        assert len(regrade_run(path).changes) == 1
    merged = merge_runs(parts, tmp_path / "merged")
    run = read_run(merged)
    assert run.grader_versions == (GRADER_VERSION,)
    assert [(layer.number, layer.first_session, layer.n_sessions) for layer in read_layers(merged)] == [(1, 1, 2), (2, 2, 3)]
    for path in parts:
        for record in read_run(path).records:
            assert without_session(run)[record.key, record.budget] == replace(record, session=0)
            question = record.key.task, record.key.question_id
            assert read_histories(merged, *question) == read_histories(path, *question)
    assert regrade_run(merged).changes == ()
    assert read_run(merged).grader_versions == (GRADER_VERSION,)


def test_errors_and_judgements_come_along(parts: list[Path], tmp_path: Path) -> None:
    judged = dict.fromkeys((field.name for field in fields(Judgement)), "x")
    for path in parts[:2]:
        line = {**judged, "question_id": path.name, "verdict": "different", "schema_version": 2}
        (path / "judgements.jsonl").write_text(json.dumps(line) + "\n")
    change(parts[2], "samples.jsonl", lambda lines: lines[:-1])
    lost = json.loads((parts[2] / "samples.jsonl").read_text().splitlines()[-1])
    failed = {key: lost[key] for key in ("task", "question_id", "sample")} | {"budgets": [99], "error": "E", "message": "m"}
    (parts[2] / "errors.jsonl").write_text(json.dumps(failed) + "\n")
    merged = merge_runs(parts, tmp_path / "merged", allow_partial=True)
    run = read_run(merged)
    assert ([j.question_id for j in run.judgements], run.n_errors) == ([path.name for path in parts[:2]], 1)
    assert len(run.records) == 23
    raml_eval.evaluate(**FEW, out=merged)
    assert len(read_run(merged).records) == 24


def engine_version(manifest: dict[str, Any]) -> None:
    manifest["protocol"]["engine"]["version"] = "2"


def drop_question(manifest: dict[str, Any]) -> None:
    manifest["tasks"]["pocket_sort"]["questions"].pop()


def no_places(manifest: dict[str, Any]) -> None:
    del manifest["tasks"]["pocket_sort"]["places"]


def odd_place(manifest: dict[str, Any]) -> None:
    places = manifest["tasks"]["pocket_sort"]["places"]
    places[next(iter(places))] = "a"


def odd_prompts(manifest: dict[str, Any]) -> None:
    manifest["tasks"]["pocket_sort"]["prompts"] = [1]


def no_time(manifest: dict[str, Any]) -> None:
    del manifest["created"]


def other_limit(manifest: dict[str, Any]) -> None:
    manifest["config"]["grading"]["timeout_s"] = 99.0


def in_line(**changes: Any) -> Callable[[list[str]], list[str]]:
    """The first line with other values."""
    return lambda lines: [json.dumps(json.loads(lines[0]) | changes) + "\n", *lines[1:]]


def served(name: str) -> Callable[[dict[str, Any]], None]:
    """Drawn from completion servers, by a model of this name."""
    return lambda manifest: manifest["engine"].update(name="openai_server", details={"served_model": name})


def one_more(manifest: dict[str, Any]) -> None:
    manifest["plan"]["samples"] = 3


def other_step(manifest: dict[str, Any]) -> None:
    manifest["model"]["checkpoint"] = {"step": manifest["name"]}


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        (
            {1: ("manifest.json", engine_version)},
            r"shard 2/3 .* as shard 1/3 .*protocol|engine.version is '1' there and '2' here",
        ),
        (
            {0: ("manifest.json", served("a")), 1: ("manifest.json", served("b"))},
            "served_model is 'a' there and 'b' here",
        ),
        ({1: ("manifest.json", one_more)}, "plan.samples is 2 there and 3 here"),
        ({1: ("manifest.json", drop_question)}, "hold 2 questions of pocket_sort together, wanted 3"),
        ({1: ("manifest.json", no_places)}, "lacks the places"),
        ({1: ("manifest.json", odd_place)}, "lacks the places"),
        ({1: ("manifest.json", odd_prompts)}, "tasks.pocket_sort.prompts is"),
        ({1: ("manifest.json", no_time)}, "lacks created"),
        ({1: ("manifest.json", other_limit)}, r"grading.timeout_s is .* there and 99.0 here"),
        ({1: ("samples.jsonl", in_line(session=1))}, r"samples.jsonl:1 is of session 1, and the manifest lists 1"),
        ({1: ("samples.jsonl", in_line(session=True))}, r"samples.jsonl:1 is not of this file's schema"),
        ({1: ("samples.jsonl", in_line(sample=True))}, r"samples.jsonl:1 is not of this file's schema"),
        ({1: ("samples.jsonl", in_line(trajectory="pocket_sort/other/0@99"))}, r"samples.jsonl:1 names the thinking"),
        ({0: ("manifest.json", other_step), 1: ("manifest.json", other_step)}, "model.checkpoint is"),
        ({1: ("samples.jsonl", lambda lines: lines[1:])}, "shard 2/3 .*lacks 1 of 8 planned samples, such as pocket_.*/0 at 0"),
        ({1: ("samples.jsonl", lambda lines: [*lines, lines[0]])}, "samples.jsonl:9 repeats pocket_"),
        ({1: ("samples.jsonl", lambda lines: [*lines, "{}\n"])}, "samples.jsonl:9 is not of this file's schema"),
        ({1: ("trajectories.jsonl", lambda lines: lines[1:])}, "lacks the trajectories that 2 samples"),
        ({1: ("trajectories.jsonl", lambda lines: [*lines, lines[0]])}, "repeats trajectories on 1 line"),
        ({1: ("questions.jsonl", lambda lines: lines[1:])}, "lacks 1 of 2 planned questions"),
        ({1: ("errors.jsonl", lambda lines: ["[]\n"])}, "errors.jsonl:1 is"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(
    edits: dict[int, tuple[str, Any]], said: str, parts: list[Path], tmp_path: Path
) -> None:
    for index, (name, edit) in edits.items():
        change(parts[index], name, edit)
    with pytest.raises(StoreError, match=said):
        merge_runs(parts, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    assert not list(tmp_path.glob(".*"))


def test_shards_that_are_missing_or_named_twice_or_of_other_runs_are_refused(drawn: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "merged"
    for paths, said in (
        (drawn[1:], "2 of 3 shards are named; missing: 1/3"),
        (drawn[:1], "missing: 2/3, 3/3"),
        ([*drawn, drawn[1]], "are the same shard"),
        ([], "no run to merge"),
        ([tmp_path], "no manifest.json"),
    ):
        with pytest.raises(StoreError, match=said):
            merge_runs(paths, out)
    whole = raml_eval.evaluate(**FEW, out=tmp_path / "whole").directory
    with pytest.raises(StoreError, match="is not a shard"):
        merge_runs([*drawn[:2], whole], out)
    half = raml_eval.evaluate(**FEW, shard="2/2", out=tmp_path / "half").directory
    with pytest.raises(StoreError, match="are parts of runs in 3 and in 2"):
        merge_runs([drawn[0], half], out)
    with pytest.raises(StoreError, match="exists, but a merge writes a new"):
        merge_runs(drawn, whole)
    with pytest.raises(StoreError, match=r"sampling\.seed is 0 there and 1 here"):
        merge_runs([drawn[0], raml_eval.evaluate(**FEW, seed=1, shard="2/3", out=tmp_path / "y").directory, drawn[2]], out)


def test_a_shard_that_is_being_drawn_is_not_merged(drawn: list[Path], tmp_path: Path) -> None:
    with closing(RunDirectory(drawn[1])), pytest.raises(StoreError, match="is locked by process"):
        merge_runs(drawn, tmp_path / "merged")
    assert len(read_run(merge_runs(drawn, tmp_path / "merged")).records) == 24


def test_libraries_that_differ_are_told(parts: list[Path]) -> None:
    assert version_notes(read_parts(parts)) == []
    change(parts[2], "manifest.json", lambda manifest: manifest["versions"].update(torch="1.0"))
    (note,) = version_notes(read_parts(parts))
    assert note.endswith("1.0 (3/3)")
    assert "different versions of torch" in note


KILLED = """
import os, signal, sys
from pathlib import Path
from raml_eval.merging import merge, merge_runs
write = merge.write_json
def stop(path, content):
    if path.name == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, content)
merge.write_json = stop
merge_runs([Path(one) for one in sys.argv[3:]], Path(sys.argv[2]))
"""


@pytest.mark.parametrize("at", ["classes.json", "manifest.json"])
def test_a_merge_that_is_killed_leaves_nothing_that_reads_as_a_run(at: str, drawn: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "merged"
    done = subprocess.run([sys.executable, "-c", KILLED, at, out, *drawn], env=os.environ, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    assert list(tmp_path.rglob("manifest.json")) == []
    assert len(read_run(merge_runs(drawn, out)).records) == 24


def test_the_command_prints_the_table_and_refuses_in_one_line(drawn: list[Path], tmp_path: Path) -> None:
    done = cli("merge", *drawn, "--out", tmp_path / "merged")
    assert done.returncode == 0, done.stderr
    assert "pocket_sort" in done.stdout
    assert "shard" not in done.stdout
    assert done.stdout.endswith("merged: 24 samples\n")
    fails(cli("merge", *drawn, "--out", tmp_path / "merged"), "exists")
    fails(cli("merge", *drawn[:2], "--out", tmp_path / "other"), "missing: 3/3")
    assert cli("merge", *drawn, "--out", tmp_path / "quiet", "--quiet").stdout == f"{tmp_path / 'quiet'}\n"
