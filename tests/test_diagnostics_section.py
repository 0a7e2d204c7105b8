"""A section's files are those that section.json names, and a kill between them leaves an incomplete diagnosis."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.section import Column, SectionFigure, SectionTable, write_section
from raml_eval.drawing import new_figure
from raml_eval.errors import RamlError

COLUMNS = (Column("task", "task"), Column("mean", "mean", "number", low="low", high="high"))


def test_the_files_are_those_that_are_named(tmp_path: Path) -> None:
    folder = DiagnosisFolder(tmp_path, "pruning", {"a": 1})
    with new_figure(3, 2) as figure:
        figure.subplots().plot([1, 2])
    tables = [
        SectionTable("full", "Full", COLUMNS, [{"task": "x", "mean": 1.5, "low": None, "high": None, "more": True}]),
        SectionTable("empty", "Empty", COLUMNS, []),
    ]
    write_section(folder, "Title", "Lead.", tables, [SectionFigure("curve", "Curve", "about", figure)], ["note"])
    content = json.loads((folder.path / "section.json").read_text())
    assert [one["file"] for one in content["tables"]] == ["full.parquet", "empty.parquet"]
    assert content["tables"][0]["columns"][1] == {
        "name": "mean", "heading": "mean", "form": "number", "digits": 1, "signed": False, "low": "low", "high": "high",
    }  # fmt: skip
    assert list(pd.read_parquet(folder.path / "full.parquet")) == ["task", "mean", "low", "high", "more"]
    assert list(pd.read_parquet(folder.path / "empty.parquet")) == ["task", "mean", "low", "high"]
    assert {path.name for path in folder.path.glob("curve.*")} == {"curve.svg", "curve.pdf", "curve.png"}


def test_a_section_that_is_written_again_is_incomplete_until_it_is_finished(tmp_path: Path) -> None:
    folder = DiagnosisFolder(tmp_path, "pruning", {})
    write_section(folder, "Title", "Lead.")
    folder.finish({"reason": 2}, samples={"n_samples": 1})
    assert DiagnosisFolder(tmp_path, "pruning", {}).complete
    write_section(DiagnosisFolder(tmp_path, "pruning", {}), "Title", "Lead.")
    assert not DiagnosisFolder(tmp_path, "pruning", {}).complete


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    folder = DiagnosisFolder(tmp_path, "pruning", {})
    (folder.path / "full.parquet").mkdir()
    with pytest.raises(RamlError, match=r"full\.parquet"):
        write_section(folder, "Title", "Lead.", [SectionTable("full", "Full", COLUMNS, [])])
