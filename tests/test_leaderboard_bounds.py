"""What bounds the tokens of an entry: its budget and what the cut allows, where the harness counted them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import InputError
from raml_eval.reporting.boards.board import read_board
from raml_eval.reporting.boards.bounds import check_bounds, check_engine
from raml_eval.reporting.boards.entering import make_entry
from raml_eval.reporting.boards.entry import RunEntry, validate
from tests.boards import entrant, write_board


def entry_with(folder: Path, tokens: int, protocol: Mapping[str, Any], engine: Mapping[str, Any]) -> RunEntry:
    content = make_entry(entrant("m"), read_board(write_board(folder)))
    content["protocol"] |= protocol
    content["origin"]["engine"] |= engine
    content["counts"][0]["thinking_tokens"][0] = tokens
    entry = validate(content, "entry")
    assert isinstance(entry, RunEntry)
    assert (entry.counts[0].budget, entry.counts[0].n[0]) == ("16", 4)
    return entry


@pytest.mark.parametrize(
    ("tokens", "protocol", "engine", "fits"),
    [
        (64, {}, {}, True),
        (65, {}, {}, False),
        (64 + 4 * 10, {"thinking": {"cut": "newline", "grace": 10}}, {}, True),
        (65 + 4 * 10, {"thinking": {"cut": "newline", "grace": 10}}, {}, False),
        (65, {}, {"ids_exact": False}, True),  # a server's texts, counted by another tokenizer
        (65, {"imported": {"harness": "lm_eval"}}, {}, True),
    ],
)
def test_thinking_is_bounded_by_the_budget_and_the_grace(
    tmp_path: Path, tokens: int, protocol: Mapping[str, Any], engine: Mapping[str, Any], fits: bool
) -> None:
    entry = entry_with(tmp_path, tokens, protocol, engine)
    if fits:
        check_bounds(entry, "entry")
        return
    with pytest.raises(InputError, match="at 16 has thinking_tokens"):
        check_bounds(entry, "entry")


def test_the_shipped_entries_are_within_their_bounds() -> None:
    for path in sorted((Path(__file__).resolve().parents[1] / "leaderboards").glob("*/entries/*.json")):
        entry = validate(json.loads(path.read_text(encoding="utf-8")), path)
        if isinstance(entry, RunEntry):
            check_bounds(entry, path)
            check_engine(entry, path)
