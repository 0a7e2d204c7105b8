"""Leaderboards: which runs may enter, how they are ranked, and what is published."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import ConfigError, InputError, MetricError
from raml_eval.reporting.board import read_board
from raml_eval.reporting.entries import file_name, without_paths
from raml_eval.reporting.leaderboard import add_entry, build_board
from raml_eval.types import StoredRun
from tests.factory import by_row, make_run

BOARD = """
title: Tiny | board
description: For tests.
tasks: [pocket_chain, pocket_sort]
budgets: [16, 64]
k: 4
rank_by: {budget: 64}
settings: {sampling.temperature: 1.0}
"""
Entrant = Callable[..., StoredRun]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    (tmp_path / "board.yaml").write_text(BOARD, encoding="utf-8")
    return tmp_path


def entrant(model: str, hits: int = 2, fingerprint: str = "f", **settings: object) -> StoredRun:
    run = make_run(by_row(lambda row: hits), name=f"run of {model}", model=model, n_questions=30, **settings)  # type: ignore[arg-type]
    return replace(run, manifest={**run.manifest, "model": {"name": model, "fingerprint": fingerprint}})


def test_an_entry_holds_numbers_with_intervals_and_where_they_came_from(board: Path) -> None:
    path = add_entry(board, entrant("org/model", engine={"details": {"cache": "/root/.cache/x"}}))
    assert path == board / "entries" / "org--model.json"
    entry = json.loads(path.read_text(encoding="utf-8"))
    assert (entry["model"], entry["checkpoint"]["fingerprint"]) == ("org/model", "f")
    average = [r for r in entry["rows"] if (r["task"], r["budget"], r["metric"]) == ("pocket_chain", "64", "avg@n")]
    assert [(r["value"], r["n_questions"]) for r in average] == [(0.5, 30)]
    assert average[0]["low"] < 0.5 < average[0]["high"]
    assert entry["manifest"]["engine"]["name"] == "fake"
    assert "/root" not in path.read_text(encoding="utf-8")
    assert list(path.parent.iterdir()) == [path]  # no draft stays


def test_an_entry_names_the_graders_whose_verdicts_it_holds(board: Path) -> None:
    regraded = replace(entrant("org/model"), grader_versions=("2", "3"))
    regraded = replace(regraded, manifest={**regraded.manifest, "grader_version": "1"})
    entry = json.loads(add_entry(board, regraded).read_text(encoding="utf-8"))
    assert entry["manifest"]["grader_version"] == "2, 3"


def test_the_readme_ranks_entries_and_breaks_ties_by_name(board: Path) -> None:
    for model, hits in (("b", 2), ("a", 2), ("best", 4), ("worst", 0)):
        add_entry(board, entrant(model, hits))
    text = build_board(board).read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in text.splitlines() if line.startswith("|")]
    assert rows[2:6] == [["1", "best"], ["2 to 3", "a"], ["2 to 3", "b"], ["4", "worst"]]
    assert "Tiny \\| board" in text
    assert "50.0 [" in text
    assert build_board(board).read_text(encoding="utf-8") == text


def test_a_board_without_entries_is_rendered(board: Path) -> None:
    assert "rank" in build_board(board).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (entrant("m", tasks={"pocket_chain": "in_domain"}), "lacks task pocket_sort"),
        (entrant("m", budgets=(16,)), "lacks budget 64"),
        (entrant("m", n_samples=3), "has 3 samples per question, the board 'Tiny | board' needs 4"),
        (entrant("m", temperature=0.5), "sampling.temperature is 0.5, wanted 1.0"),
        (entrant("m", limit=10), "limit is 10, wanted None"),
    ],
)
def test_a_run_that_the_board_cannot_rank_is_refused(board: Path, run: StoredRun, message: str) -> None:
    with pytest.raises(InputError, match=r"^run ") as error:
        add_entry(board, run)
    assert message in str(error.value)
    assert not (board / "entries").exists()


def test_missing_samples_are_refused(board: Path) -> None:
    run = entrant("m")
    with pytest.raises(MetricError, match="lacks 1 of its"):
        add_entry(board, replace(run, records=run.records[1:]))


def test_more_than_the_board_asks_for_does_not_change_an_entry(board: Path) -> None:
    exact = json.loads(add_entry(board, entrant("m")).read_text(encoding="utf-8"))["rows"]
    tasks = {"pocket_chain": "in_domain", "pocket_sort": "cross_domain", "extra": "in_domain"}
    more = entrant("m", tasks=tasks, budgets=(16, 64, "unlimited"))
    assert json.loads(add_entry(board, more).read_text(encoding="utf-8"))["rows"] == exact


def test_a_checkpoint_replaces_its_own_entry_but_no_other(board: Path) -> None:
    add_entry(board, entrant("m", hits=1))
    path = add_entry(board, entrant("m", hits=3))
    assert '"value": 0.75' in path.read_text(encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(InputError, match="holds another checkpoint with the name 'm'"):
        add_entry(board, entrant("m", hits=4, fingerprint="other"))
    assert path.read_bytes() == before


def test_entries_on_other_questions_are_refused(board: Path) -> None:
    add_entry(board, entrant("m"))
    with pytest.raises(InputError, match=r"has other questions than .*m\.json in pocket_chain, pocket_sort"):
        add_entry(board, entrant("n", content="bbbbbb"))


def test_a_bad_entry_is_named(board: Path) -> None:
    path = add_entry(board, entrant("m"))
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"m\.json cannot be read"):
        build_board(board)
    path.write_text('{"schema_version": 99}', encoding="utf-8")
    with pytest.raises(InputError, match="has no schema_version 1"):
        build_board(board)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOARD + "tassk: 1\n", "tassk: Extra inputs are not permitted"),
        (BOARD.replace("budget: 64", "budget: 65"), "rank_by.budget 65 is not among budgets"),
        ("title: [", "is not YAML"),
        ("- 1", "is not a board"),
    ],
)
def test_a_wrong_board_is_refused_by_name(board: Path, text: str, message: str) -> None:
    (board / "board.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"board\.yaml") as error:
        build_board(board)
    assert message in str(error.value)


def test_a_folder_without_a_board_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Name a folder with a board\.yaml"):
        build_board(tmp_path)


def test_the_shipped_board_can_be_read() -> None:
    board = read_board(Path(__file__).resolve().parents[1] / "leaderboards" / "pocket")
    assert set(board.tasks) == {"pocket_chain", "pocket_chain_long", "pocket_sort", "pocket_logic"}


@given(st.text(max_size=200))
def test_any_model_name_is_a_file_of_the_folder(model: str) -> None:
    name = file_name(model)
    assert Path("entries", f"{name}.json").parent == Path("entries")
    assert name.strip(".") == name != ""
    assert name.isascii()
    assert len(name) <= 100


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": ["/home/me/ckpt", 1, None]}, {"a": ["ckpt", 1, None]}),
        ("C:\\models\\mine", "mine"),
        ("~/ckpt", "ckpt"),
        ("org/model", "org/model"),
        ("</think>", "</think>"),
    ],
)
def test_absolute_paths_are_cut_down(value: object, expected: object) -> None:
    assert without_paths(value) == expected
