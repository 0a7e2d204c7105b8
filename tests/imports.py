"""Logs to import: the fixtures, and JSON lines that a test writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raml_eval.importing import open_source
from raml_eval.importing.samples import ImportedSample
from raml_eval.importing.settings import ImportSettings
from raml_eval.importing.writer import import_run
from raml_eval.tables import Run, load_run

FIXTURES = Path(__file__).parent / "fixtures" / "import"


def read(format: str, path: Path) -> list[ImportedSample]:
    """Every sample of a log."""
    return list(open_source(format, path).read())


def line(**fields: Any) -> dict[str, Any]:
    """One line of a jsonl log. Its fields may be replaced; None removes a field."""
    made = {"task": "sums", "question_id": "a", "target": "4", "grader": "math", "completion": "\\boxed{4}", "model": "demo/m"}
    return {key: value for key, value in {**made, **fields}.items() if value is not None}


def write_log(path: Path, lines: Sequence[Mapping[str, Any]]) -> Path:
    """The lines as a jsonl log at path."""
    path.write_text("".join(json.dumps(entry) + "\n" for entry in lines), encoding="utf-8")
    return path


def import_lines(tmp_path: Path, lines: Sequence[Mapping[str, Any]], settings: ImportSettings | None = None) -> Run:
    """The run that the lines are imported as."""
    source = open_source("jsonl", write_log(tmp_path / "log.jsonl", lines))
    return load_run(import_run(source, tmp_path / "run", settings, quiet=True))
