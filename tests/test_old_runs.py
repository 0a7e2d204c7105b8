"""Run directories of schema 1 (tests/fixtures/runs_v1) stay readable, and nothing new is drawn into them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from raml_eval.grading import GRADER_VERSION
from raml_eval.store import read_run
from raml_eval.store.grades import answer_digest, read_layers
from tests.test_cli import cli, fails

OLD = Path(__file__).resolve().parent / "fixtures" / "runs_v1"
ASKED = [
    "run", "--model", "pocket", "--backend", "fake", "--tasks", "pocket_chain,pocket_sort", "--samples", "2", "--limit", "3",
    "--thinking-budget", "0,16,unlimited", "--answer-tokens", "48", "--temperature", "1", "--quiet",
]  # fmt: skip


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD, tmp_path / "old"))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rewrite(path: Path, new: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in new))


def test_a_drawn_run_reads_as_it_did() -> None:
    run = read_run(OLD / "drawn")
    assert len(run.records) == 2 * 3 * 2 * 3
    assert [record.session for record in run.records] == [0] * 18 + [1] * 18
    assert run.grader_versions == ("2",)
    assert sum(record.grade.correct for record in run.records) == 13
    assert not any(record.grade.detail == "made wrong by hand" for record in run.records)  # the regrading took it back
    assert len(run.judgements) == 3
    assert len(run.trajectories) == 12


def test_it_reports_the_same_numbers() -> None:
    done = cli("report", OLD / "drawn", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = {
        (row["task"], row["budget"]): row["value"]
        for row in json.loads(done.stdout)["rows"]
        if row["metric"] == "avg@n" and row["task"] != "macro"
    }
    expected = {
        ("pocket_chain", "0"): 0, ("pocket_chain", "16"): 0, ("pocket_chain", "unlimited"): 5 / 6,
        ("pocket_sort", "0"): 2 / 6, ("pocket_sort", "16"): 2 / 6, ("pocket_sort", "unlimited"): 4 / 6,
    }  # fmt: skip
    assert found == pytest.approx(expected)


def test_an_imported_run_reports() -> None:
    run = read_run(OLD / "imported")
    assert run.imported is not None
    assert run.grader_versions == ("2",)
    assert "toy_sums" in cli("report", OLD / "imported", "--allow-partial").stdout


def test_it_compares_with_itself_and_with_a_new_run(tmp_path: Path, old: Path) -> None:
    assert cli(*ASKED, "--out", tmp_path / "new").returncode == 0
    refused = cli("compare", OLD / "drawn", tmp_path / "new")
    assert refused.returncode == 2
    assert "sampling.top_p 1.0, then 0.95" in refused.stderr
    allowed = [word for key in ("engine", "prompt", "sampling", "grader") for word in ("--allow-different", key)]
    for base, new in ((OLD / "drawn", old / "drawn"), (OLD / "drawn", tmp_path / "new"), (tmp_path / "new", OLD / "drawn")):
        done = cli("compare", base, new, *allowed)
        assert done.returncode in (0, 1), done.stderr
        assert "pocket_chain" in done.stdout


def test_it_regrades(old: Path) -> None:
    before = read_run(old / "drawn")
    done = cli("regrade", old / "drawn", "--quiet")
    assert done.returncode == 0, done.stderr
    after = read_run(old / "drawn")
    assert after.grader_versions == (GRADER_VERSION,)
    assert [record.answer for record in after.records] == [record.answer for record in before.records]
    for layer in (old / "drawn").glob("grades-*.jsonl"):  # takes both regradings back, the old one and that of just now
        layer.unlink()
    (old / "drawn" / "classes.json").unlink()
    assert sum(record.grade.detail == "made wrong by hand" for record in read_run(old / "drawn").records) == 2
    assert cli("regrade", old / "drawn", "--quiet").returncode == 0
    assert lines(old / "drawn" / "grades-0001.jsonl")[0]["n_sessions"] == 2
    assert [record.grade for record in read_run(old / "drawn").records] == [record.grade for record in after.records]


BOARD = """
title: Stored board
description: Two pocket tasks, entered by schema 1.
tasks: [pocket_chain, pocket_sort]
budgets: [0, 16, unlimited]
samples: 2
columns: [avg@n, pass@2, maj@2]
rank_by: {budget: unlimited}
limit: 3
rules: {protocol: {answer_tokens: 48, sampling: {temperature: 1.0}}}
"""


def test_it_enters_a_board_whose_old_entry_is_refused(old: Path) -> None:
    """An entry of schema 1 holds no counts, so nobody can tell whether its numbers follow from the samples."""
    board, entry = old / "board", old / "board" / "entries" / "pocket.json"
    before = json.loads(entry.read_text())
    fails(cli("leaderboard", "build", board), "settings is now rules.protocol", "k is now samples")
    (board / "board.yaml").write_text(BOARD)
    for words in (["build", board], ["add", board, old / "drawn"]):
        fails(cli("leaderboard", *words), "pocket.json has schema_version 1, wanted 2", "Delete it, and add its run again")
    entry.unlink()
    done = cli("leaderboard", "add", board, old / "drawn")
    assert done.returncode == 0, done.stderr
    added = numbers(json.loads(entry.read_text())["rows"])
    same = [key for key in numbers(before["rows"]) if key in added]
    assert {(key[3], key[0]) for key in same} >= {
        ("avg@n", "macro"),
        ("g_pass@k", "pocket_sort"),
        ("answer_tokens_mean", "macro"),
    }
    assert {key: added[key] for key in same} == {key: numbers(before["rows"])[key] for key in same}


def numbers(rows: list[dict[str, Any]]) -> dict[tuple[object, ...], object]:
    """The values without their intervals, whose methods have changed since."""
    return {tuple(row[name] for name in ("task", "domain", "budget", "metric", "k", "tau")): row["value"] for row in rows}


@pytest.mark.parametrize("name", ["drawn", "imported"])
def test_it_is_not_resumed_and_stays_as_it_is(old: Path, name: str) -> None:
    before = files(old / name)
    done = cli(*ASKED, "--samples", "3", "--out", old / name)
    fails(done, str(old / name), "cannot be resumed", "Choose another --out")
    if name == "drawn":
        fails(done, "has schema_version 1, but new samples are stored with 2")
    assert files(old / name) == before


def test_a_change_of_a_sample_drawn_again_since_is_not_given_to_it(old: Path) -> None:
    """In schema 1, the place of a line gave its session. Here a sample's line was deleted, and a later session redrew it."""
    path = old / "drawn"
    (layer,) = read_layers(path)
    (changed, change), _ = layer.changes.items()
    stored = lines(path / "samples.jsonl")
    key = ("task", "question_id", "sample", "budget")
    (place,) = [i for i, line in enumerate(stored) if tuple(line[k] for k in key) == (*_parts(changed[0]), changed[1])]
    assert answer_digest(stored[place]["answer"]) == change.digest
    rewrite(path / "samples.jsonl", [*stored[:place], *stored[place + 1 :], stored[place]])
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["sessions"][1]["samples_before"] = 17
    later = {**manifest["sessions"][1], "started": "2030-01-01T00:00:00+00:00", "samples_before": 35, "grader_version": "3"}
    manifest["sessions"].append(later)
    (path / "manifest.json").write_text(json.dumps(manifest))
    for by_time in (False, True):  # the oldest layers did not count the sessions
        if by_time:
            header, *rest = lines(path / "grades-0001.jsonl")
            del header["n_sittings"]
            rewrite(path / "grades-0001.jsonl", [header, *rest])
        run = read_run(path)
        assert run.records[-1].grade.detail == "made wrong by hand"
        assert run.grader_versions == ("2", "3")
        assert len(read_layers(path)[0].changes) == 1


def _parts(key: Any) -> tuple[str, str, int]:
    return key.task, key.question_id, key.index
