"""Which runs are behind which entries, and that others are left out of the comparison."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from raml_eval.errors import InputError
from raml_eval.reporting.boards.leaderboard import add_entry, find_problems
from raml_eval.reporting.boards.rebuilding import Origin, match_origins, read_sound
from raml_eval.types import StoredRun
from tests.boards import BOARD, entrant, tamper, write_board
from tests.test_cli import FAKE, cli


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return write_board(tmp_path / "board")


def matched(board: Path, *runs: StoredRun) -> dict[int, str]:
    found = match_origins(read_sound(board), [Origin.of_run(run) for run in runs])
    return {place: path.stem for place, (path, _) in found.items()}


def named(run: StoredRun, name: str) -> StoredRun:
    return replace(run, name=name, manifest={**run.manifest, "name": name})


def test_only_runs_of_entries_are_made_again(board: Path) -> None:
    run, other = entrant("m"), entrant("other")
    add_entry(board, run)
    again = named(entrant("m", hits=4), "a later run")
    assert matched(board, other, run, again) == {1: "m"}
    assert find_problems(board, [other, again, run]) == []


def test_an_entry_cannot_hide_behind_the_name_of_another_run(board: Path) -> None:
    run = named(entrant("m"), "mine")
    path = add_entry(board, run)
    tamper(path, lambda entry: entry.update(run="another"))
    assert find_problems(board) == []
    (problem,) = find_problems(board, [run])
    assert "run is 'another', and 'mine' in the run" in problem


def test_a_run_is_found_by_its_checkpoint_under_a_name_of_its_own(board: Path) -> None:
    run = entrant("m")
    path = add_entry(board, run, name="mine, step 100")
    assert path.name == "mine--step--100.json"
    assert matched(board, run) == {0: "mine--step--100"}
    assert find_problems(board, [run]) == []
    tamper(path, lambda entry: entry["counts"][0]["thinking_tokens"].__setitem__(0, 1))
    assert "thinking_tokens of pocket_chain" in find_problems(board)[0] or "follows" in find_problems(board)[0]


def without_fingerprint(run: StoredRun) -> StoredRun:
    return replace(run, manifest={**run.manifest, "model": {"name": run.model}})


def test_equal_names_do_not_make_one_model(board: Path) -> None:
    """Many checkpoints lie in a folder called final, and a path is cut to its last part."""
    write_board(board, BOARD.replace("rules:", "rules:\n  imported: true"))
    first = without_fingerprint(named(entrant("/a/final", hits=1), "first"))
    second = without_fingerprint(named(entrant("/b/final", hits=4), "second"))
    path = add_entry(board, first)
    before = path.read_bytes()
    for run, told in (
        (second, "nothing shows that run second is of the same model, because the run has no fingerprint"),
        (entrant("/b/final", hits=4), "nothing shows that run of /b/final is of the same model, because that entry has no"),
    ):
        with pytest.raises(InputError, match="--name NAME to keep both, or with --replace") as error:
            add_entry(board, run)
        assert told in str(error.value)
    assert path.read_bytes() == before
    add_entry(board, first)  # the same run again
    assert add_entry(board, second, name="final-b").name == "final-b.json"
    assert path.read_bytes() == before
    assert add_entry(board, second, replace=True) == path
    assert path.read_bytes() != before


def test_replace_puts_another_checkpoint_in_the_place_of_the_old_one(board: Path) -> None:
    add_entry(board, entrant("m", hits=1))
    new = entrant("m", hits=4, fingerprint="other")
    with pytest.raises(InputError, match="holds another checkpoint with the name 'm'"):
        add_entry(board, new)
    add_entry(board, new, replace=True)
    assert find_problems(board, [new]) == []


def test_check_skips_runs_without_an_entry_and_misses_those_with_one(tmp_path: Path) -> None:
    board, runs = write_board(tmp_path / "board", COMMANDS_BOARD), tmp_path / "runs"
    assert cli(*FAKE, "--out", runs / "entered").returncode == 0
    assert cli("leaderboard", "add", board, runs / "entered").returncode == 0
    shutil.copytree(runs / "entered", runs / "other")
    manifest = runs / "other" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"name": "entered"', '"name": "other"'))
    (runs / "broken").mkdir()
    (runs / "broken" / "manifest.json").write_text("{")
    done = cli("leaderboard", "check", board, "--runs", runs)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{board}: 1 entry, 1 run rebuilt, 2 runs without an entry skipped, no problems\n"
    shutil.move(runs / "entered", tmp_path / "away")
    shutil.rmtree(runs / "other")
    shutil.move(runs / "broken", runs / "still")
    done = cli("leaderboard", "check", board, "--runs", runs)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "the run of the entry of pocket is not there. Add its folder with --runs.\n"


COMMANDS_BOARD = """
title: Fake
description: ""
tasks: [pocket_chain]
budgets: [0, unlimited]
samples: 2
limit: 3
rank_by: {budget: unlimited}
rules: {backends: [fake]}
"""
