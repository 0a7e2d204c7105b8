"""Lines of a landscape's journal: what is read, and what is one error."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.landscape.choices import Choices
from raml_eval.diagnostics.landscape.lines import read_known, read_line
from raml_eval.errors import CorruptStore
from raml_eval.store.journal import encode_line

CHOICES = Choices(n_questions=1, points=2, steps=2)
ENGINE = {"is": "engine", "weights": "0f", "backend": "hf 1", "dtype": "float32", "device": "cpu"}
CENTRE = {"is": "centre", "losses": [1.0]}
BASIS = {"is": "basis", "coefficients": None, "squares": [1.0, 2.0], "inner": 0.0, "details": {"norm": 3.0}}
POINT: dict[str, Any] = {"is": "point", "i": 0, "j": 1, "losses": [1.0, None]}
GRADIENT: dict[str, Any] = {"is": "gradient", "step": 1, "losses": [1.0], "kept": [0.5, 2.0], "along": [0.1, 0.2]}
GRADIENTS = [{**GRADIENT, "step": step, "kept": [1.0, 2.0][: step + 1]} for step in range(3)]
POINTS = [{**POINT, "i": i, "j": j} for i in range(2) for j in range(2)]
ON_PATH = [{"is": "on_path", "step": step, "losses": [1.0]} for step in range(3)]
WHOLE = [ENGINE, CENTRE, *GRADIENTS, BASIS, *POINTS, *ON_PATH, {"is": "end", "losses": [1.0]}]


@pytest.mark.parametrize("line", [*WHOLE, {**BASIS, "coefficients": [[1.0], [2.0]]}, {**GRADIENT, "along": []}])
def test_what_a_landscape_writes_is_read(line: dict[str, Any]) -> None:
    assert read_line(line) == line


@pytest.mark.parametrize(
    "line",
    [
        {"is": "dot"}, {"is": 7}, {**ENGINE, "dtype": None}, {**POINT, "i": -1}, {**POINT, "j": "1"}, {**POINT, "losses": []},
        {**POINT, "losses": [math.nan]}, {**POINT, "losses": 1.0}, {**GRADIENT, "kept": [1.0] * 3}, {**GRADIENT, "kept": []},
        {**GRADIENT, "along": [1.0]}, {**BASIS, "squares": [1.0]}, {**BASIS, "details": {"norm": "1"}},
        {**BASIS, "inner": None}, {**BASIS, "coefficients": [[1.0]]}, {**BASIS, "coefficients": [[1.0], ["2"]]},
    ],
)  # fmt: skip
def test_lines_of_another_shape_are_refused(line: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match="wanted"):
        read_line(line)


@pytest.mark.parametrize("line", [{}, {"is": "point"}, {"is": "engine"}, {"is": "gradient", "losses": [1.0], "step": 0}])
def test_fields_that_are_missing_are_named(line: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        read_line(line)


def known_of(path: Path, lines: list[dict[str, Any]]) -> object:
    folder = DiagnosisFolder(path, "landscape", {})
    (folder.path / "journal.jsonl").write_bytes(b"".join(map(encode_line, lines)))
    return read_known(folder, CHOICES)


def test_whole_and_unfinished_journals_are_read(tmp_path: Path) -> None:
    assert known_of(tmp_path / "whole", WHOLE)
    for n in range(len(WHOLE)):
        assert known_of(tmp_path / f"first{n}", WHOLE[:n])
    assert known_of(tmp_path / "holes", [*WHOLE[:6], WHOLE[8]])  # points may be computed in any order


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        (ENGINE, "its line engine"), (CENTRE, "its line centre"), (BASIS, "its line basis"), (POINTS[2], "1 point"),
        (GRADIENTS[1], "the gradient of step 1"), (GRADIENTS[2], "1 gradient"), (ON_PATH[0], "1 point of the path"),
    ],
)  # fmt: skip
def test_a_line_that_was_deleted_is_missed(tmp_path: Path, gone: dict[str, Any], told: str) -> None:
    with pytest.raises(CorruptStore, match=rf"journal.jsonl lacks {told}\. Restore the line, or delete the folder"):
        known_of(tmp_path, [line for line in WHOLE if line != gone])


def test_a_damaged_line_costs_the_folder(tmp_path: Path) -> None:
    with pytest.raises(
        CorruptStore, match=r"journal.jsonl:3 lacks the field 'is'\. Repair the line, or delete the folder, and"
    ):
        known_of(tmp_path, [ENGINE, CENTRE, {"losses": [1.0]}])
