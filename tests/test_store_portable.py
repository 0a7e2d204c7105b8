"""Runs in pieces: what comes back from them, and pieces that contradict one another."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import SourceError
from raml_eval.store import read_run
from raml_eval.store.portable import RunPieces, encode_text, restore_pieces, shown_text
from raml_eval.types import Grade, Status, StoredRun
from tests.stored import Drawn, ask, store_run

RIGHT = Grade(Status.CORRECT, "12", "boxed", "identical")
Parts = tuple[list[dict[str, Any]], list[dict[str, Any]]]


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    questions = [ask(0, "12", tests="assert \ud800"), ask(1, "3"), ask(0, "5", task="b")]
    drawn = [
        Drawn(f"\x00{row} {budget}", RIGHT, budget=budget, question=row) for row in range(3) for budget in (8, 16, "unlimited")
    ]
    return read_run(store_run(tmp_path / "run", questions, drawn))


def pieces(run: StoredRun) -> Parts:
    """The headers of the tasks, and each sample's piece with its thinking and question; all as they come back from JSON."""
    found = RunPieces(run)
    parts = [found.piece(record, with_trajectory=True, with_question=True) for record in run.records]
    return tuple(json.loads(encode_text([[found.header(task, 9) for task in run.tasks], parts])))  # type: ignore[return-value]


def restore(folder: Path, parts: Parts) -> StoredRun:
    folder.mkdir()
    restore_pieces(folder, *parts, {"told": 1})
    return read_run(folder)


def test_all_of_a_run_comes_back(run: StoredRun, tmp_path: Path) -> None:
    back = restore(tmp_path / "back", pieces(run))
    assert back.manifest == {**run.manifest, "told": 1}
    assert back.records == run.records
    assert (back.questions, back.trajectories, back.tasks) == (run.questions, run.trajectories, run.tasks)


def test_what_is_not_there_is_no_longer_planned(run: StoredRun, tmp_path: Path) -> None:
    headers, parts = pieces(run)
    kept = [piece for piece in parts if piece["sample"]["task"] == "b" and piece["sample"]["budget"] != 16]
    back = restore(tmp_path / "back", (headers, kept))
    assert (back.budgets, list(back.tasks), list(back.questions)) == ((8, "unlimited"), ["b"], [("b", "0-abcdef")])
    assert list(back.manifest["protocol"]["tasks"]) == ["b"]


def test_pieces_that_lack_a_thinking_or_contradict_one_another(run: StoredRun, tmp_path: Path) -> None:
    headers, parts = pieces(run)
    lacking = [{key: value for key, value in piece.items() if key != "trajectory"} for piece in parts]
    with pytest.raises(SourceError, match="lack 3 thinkings, such as sums/0-abcdef/0@64"):
        restore(tmp_path / "lacking", (headers, lacking))
    other = copy.deepcopy(parts)
    other[1]["question"]["line"]["target"] = "13"
    with pytest.raises(SourceError, match="question sums/0-abcdef differs between the logs"):
        restore(tmp_path / "other", (headers, other))


@given(st.text(st.characters(codec=None)))
def test_texts_are_safe_to_store_and_come_back(text: str) -> None:
    assert json.loads(encode_text(text).encode("ascii")) == text
    assert shown_text(text).encode("utf-8").decode() == shown_text(text)
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert shown_text(text) == text
