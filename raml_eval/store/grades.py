"""Layers of grades: a regrading adds one and keeps what it replaces.

samples.jsonl keeps the verdict that a sample was stored with. grades-0001.jsonl and its followers each hold one
regrading: a first line that says by which grader and how many samples were graded, then a line for each verdict that
changed. Readers see the verdict of the last layer that names a sample, else the stored one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raml_eval.errors import StoreError
from raml_eval.store import lines
from raml_eval.store.journal import corrupt, encode_line, read_lines
from raml_eval.types import Budget, Grade, SampleKey, SampleRecord

SampleId = tuple[SampleKey, Budget]


@dataclass(frozen=True, slots=True)
class Layer:
    """One regrading. n_graded counts the samples it graded, which are the first of samples.jsonl; grades those that changed."""

    number: int
    grader_version: str
    created: str
    n_graded: int
    grades: Mapping[SampleId, Grade]


def layer_paths(directory: Path) -> list[Path]:
    """The files of the layers, the oldest first."""
    return sorted(directory.glob("grades-[0-9][0-9][0-9][0-9].jsonl"))


def write_layer(
    directory: Path, grader_version: str, created: str, n_graded: int, changes: Sequence[tuple[SampleRecord, Grade]]
) -> Path:
    """A new layer on the disk, whole or not at all; changes pair a record, with the grade it had, and its new grade.

    The caller holds the directory's lock. Raises StoreError where it cannot be written.
    """
    number = 1 + max((int(path.stem[-4:]) for path in layer_paths(directory)), default=0)
    header = {
        "schema_version": lines.SCHEMA_VERSION,
        "grader_version": grader_version,
        "created": created,
        "n_graded": n_graded,
        "n_changed": len(changes),
    }
    path = directory / f"grades-{number:04}.jsonl"
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            file.write(encode_line(header))
            file.writelines(encode_line(_change_line(record, grade)) for record, grade in changes)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}. Free the disk, and regrade again.") from error
    return path


def _change_line(record: SampleRecord, grade: Grade) -> dict[str, Any]:
    was = lines.grade_fields(record.grade)
    return {**lines.key_line(record.key), "budget": record.budget, **lines.grade_fields(grade), "was": was}


def read_layers(directory: Path) -> list[Layer]:
    """Every layer, the oldest first. Raises CorruptStore for a line that cannot be used and for a layer cut short."""
    return [_read_layer(path) for path in layer_paths(directory)]


def _read_layer(path: Path) -> Layer:
    numbered = list(read_lines(path))
    try:
        header = numbered[0][1]
        fields = str(header["grader_version"]), str(header["created"]), int(header["n_graded"])
        n_changed = int(header["n_changed"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise corrupt(path, 1, f"is no header of a layer of grades ({type(error).__name__}: {error})") from error
    grades: dict[SampleId, Grade] = {}
    for number, line in numbered[1:]:
        try:
            grades[lines.read_key(line), line["budget"]] = lines.read_grade(line)
        except (KeyError, TypeError, ValueError) as error:
            raise corrupt(path, number, f"is not of this file's schema ({type(error).__name__}: {error})") from error
    if len(grades) != n_changed:
        raise corrupt(path, 1, f"announces {n_changed} changed grades, and {len(grades)} follow")
    return Layer(int(path.stem[-4:]), *fields, grades)


def apply_layers(records: Iterable[SampleRecord], layers: Sequence[Layer]) -> tuple[SampleRecord, ...]:
    """The records with their last verdicts."""
    last: dict[SampleId, Grade] = {}
    for layer in layers:
        last |= layer.grades
    if not last:
        return tuple(records)
    return tuple(
        replace(record, grade=last[record.key, record.budget]) if (record.key, record.budget) in last else record
        for record in records
    )
