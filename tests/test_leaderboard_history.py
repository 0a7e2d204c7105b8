"""The history of a board: what a build adds, and what it says has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raml_eval.errors import InputError
from raml_eval.reporting.boards.history import NAME, Held, add_build, changes, read_history, removed, write_history

FIRST = {"a": Held("1", 1, 0.5), "b": Held("2", 2, 0.25), "quoted": Held("3", None, None)}


def test_a_build_that_changes_nothing_is_no_build() -> None:
    first = add_build([], FIRST, "avg@n")
    assert len(first) == 1
    assert add_build(first, FIRST, "avg@n") == first
    assert add_build(first, {**FIRST, "a": Held("1", 1, 0.5 + 1e-12)}, "avg@n") == first  # another machine's last digit
    assert len(add_build(first, FIRST, "pass@8")) == 2
    assert len(add_build(first, {**FIRST, "a": Held("9", 1, 0.5)}, "avg@n")) == 2
    assert add_build([], {}, "avg@n") == []


def test_what_a_build_changed() -> None:
    first = add_build([], FIRST, "avg@n")
    assert changes(first) == {}
    assert removed(first) == []
    now = {"a": Held("4", 2, 0.375), "b": Held("2", 1, 0.25), "c": Held("5", 3, 0.1), "quoted": Held("3", None, None)}
    second = add_build(first, now, "avg@n")
    assert changes(second) == {"a": "-12.5, rank was 1", "b": "rank was 2", "c": "new", "quoted": "="}
    third = add_build(second, {"a": now["a"]}, "avg@n")
    assert changes(third) == {"a": "="}
    assert removed(third) == ["b", "c", "quoted"]
    assert changes(add_build(third, {"a": now["a"]}, "pass@8")) == {}  # points of another number


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_history(tmp_path) == []
    history = add_build([], FIRST, "avg@n")
    write_history(tmp_path, history)
    assert read_history(tmp_path) == history


@pytest.mark.parametrize(
    "line", ["{", "[]", "{}", '{"entries": {"a": {}}}', '{"entries": {"a": {"digest": "1", "rank": 1, "value": null}}}', "1"]
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    good = json.dumps(add_build([], FIRST, "avg@n")[0])
    (tmp_path / NAME).write_text(f"{good}\n{line}\n")
    with pytest.raises(InputError, match=r"history\.jsonl:2 is no build"):
        read_history(tmp_path)
