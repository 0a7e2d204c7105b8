"""Layers of grades: a regrading adds one and keeps what it replaces.

samples.jsonl keeps the verdict that a sample was stored with. grades-0001.jsonl and its followers each hold one
regrading: a first line that says by which grader, of which tasks and how many samples, then a line for each verdict that
changed and for each sample that could not be graded. Readers see the verdict of the last layer that changed a sample,
else the stored one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from raml_eval.errors import CorruptStore, StoreError
from raml_eval.store import lines
from raml_eval.store.journal import encode_line, read_lines
from raml_eval.types import Budget, Grade, SampleKey, SampleRecord

SampleId = tuple[SampleKey, Budget]
_NAME = re.compile(r"grades-(\d{4,})\.jsonl")


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict and the one it replaced. digest is that of the answer: an answer drawn anew has not been graded."""

    grade: Grade
    was: Grade
    digest: str


@dataclass(frozen=True, slots=True)
class Sitting:
    """The sitting that stored a sample: its number from 0, when it began, and its grader; "" and None where unknown."""

    number: int = 0
    started: str = ""
    grader_version: str | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One regrading. It covers the first n_graded samples of samples.jsonl, those of tasks alone where tasks are named.

    changes holds the verdicts that came out differently, failed why a sample kept the verdict it had. verified is when
    the same grader last came to the same verdicts, or None. n_sittings is how many sittings the run then had: what a later
    one stored is not of this layer, the same answer to the same question included. Layers of before know None, and go by time.
    """

    number: int
    grader_version: str
    created: str
    n_graded: int
    changes: Mapping[SampleId, Change]
    tasks: tuple[str, ...] | None = None
    timeout_s: float | None = None
    failed: Mapping[SampleId, str] | None = None
    verified: str | None = None
    n_sittings: int | None = None

    def covers(self, position: int, record: SampleRecord, sitting: Sitting) -> bool:
        """The record, the position-th of samples.jsonl from 0, has this layer's verdict, changed or confirmed."""
        within = position < self.n_graded and (self.tasks is None or record.key.task in self.tasks)
        if not within or (record.key, record.budget) in (self.failed or {}):
            return False
        if (record.key, record.budget) in self.changes:
            return self.change_for(record, sitting) is not None
        return self._saw(sitting, self.verified or self.created)

    def change_for(self, record: SampleRecord, sitting: Sitting) -> Change | None:
        """The change of the record's verdict; None where there is none, and where the record was drawn anew since."""
        change = self.changes.get((record.key, record.budget))
        # The same answer may have been drawn anew, and graded by a newer grader than this layer's.
        if change is None or change.digest != answer_digest(record.answer) or not self._saw(sitting, self.created):
            return None
        return change

    def _saw(self, sitting: Sitting, created: str) -> bool:
        return sitting.started <= created if self.n_sittings is None else sitting.number < self.n_sittings


def answer_digest(answer: str) -> str:
    """16 hex digits that tell one answer's text from another."""
    return hashlib.blake2b(answer.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def layer_paths(directory: Path) -> dict[int, Path]:
    """The files of the layers by number, the oldest first. Raises CorruptStore for a number written in another way."""
    found = {path: int(match[1]) for path in directory.iterdir() if (match := _NAME.fullmatch(path.name))}
    for path, number in found.items():
        if path.name != _name(number):  # its number is also that of another file, or will be
            raise CorruptStore(f"{path} is layer {number}, whose file is called {_name(number)}. Rename it, or move it away.")
    return {number: path for path, number in sorted(found.items(), key=lambda pair: pair[1])}


def _name(number: int) -> str:
    return f"grades-{number:04}.jsonl"


def change_of(record: SampleRecord, grade: Grade) -> Change:
    """The change from the verdict that the record has."""
    return Change(grade, record.grade, answer_digest(record.answer))


def write_layer(directory: Path, layer: Layer) -> Path:
    """The layer stands on the disk, whole or not at all, in place of the one of its number where there is one.

    The caller holds the directory's lock. Raises StoreError where it cannot be written.
    """
    path = directory / _name(layer.number)
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            file.writelines(map(encode_line, _layer_lines(layer)))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}. Free the disk, and regrade again.") from error
    return path


def _layer_lines(layer: Layer) -> Iterator[dict[str, Any]]:
    failed = layer.failed or {}
    yield {
        "schema_version": lines.SCHEMA_VERSION,
        "grader_version": layer.grader_version,
        "created": layer.created,
        "verified": layer.verified,
        "tasks": layer.tasks,
        "timeout_s": layer.timeout_s,
        "n_graded": layer.n_graded,
        "n_sittings": layer.n_sittings,
        "n_changed": len(layer.changes),
        "n_failed": len(failed),
    }
    for (key, budget), change in layer.changes.items():
        was = lines.grade_fields(change.was)
        named = {**lines.key_line(key), "budget": budget, "answer_digest": change.digest}
        yield {**named, **lines.grade_fields(change.grade), "was": was}
    for (key, budget), reason in failed.items():
        yield {**lines.key_line(key), "budget": budget, "error": reason}


def read_layers(directory: Path) -> list[Layer]:
    """Every layer, the oldest first. Raises CorruptStore for a line that cannot be used and for a layer cut short."""
    return [_read_layer(number, path) for number, path in layer_paths(directory).items()]


def _read_layer(number: int, path: Path) -> Layer:
    at = 1  # the line that is being read
    changes: dict[SampleId, Change] = {}
    failed: dict[SampleId, str] = {}
    try:
        entries = read_lines(path)
        _, header = next(entries)
        announced = int(header["n_changed"]), int(header["n_failed"])
        for at, line in entries:  # noqa: B007
            if "error" in line:
                failed[lines.read_key(line), line["budget"]] = str(line["error"])
                continue
            grades = lines.read_grade(line), lines.read_grade(line["was"])
            changes[lines.read_key(line), line["budget"]] = Change(*grades, str(line["answer_digest"]))
        at = 1
        layer = _read_header(number, header, changes, failed)
    except CorruptStore as error:
        raise _spoilt(path, f"cannot be read: {error}") from error
    except (StopIteration, KeyError, TypeError, ValueError) as error:
        raise _spoilt(path, f"line {at} is not of a layer's schema ({type(error).__name__}: {error})") from error
    if (len(changes), len(failed)) != announced:
        raise _spoilt(path, f"announces {sum(announced)} samples, and {len(changes) + len(failed)} follow")
    return layer


def _read_header(number: int, header: Mapping[str, Any], changes: dict[SampleId, Change], failed: dict[SampleId, str]) -> Layer:
    return Layer(
        number=number,
        grader_version=str(header["grader_version"]),
        created=str(header["created"]),
        n_graded=int(header["n_graded"]),
        changes=changes,
        tasks=None if header["tasks"] is None else tuple(header["tasks"]),
        timeout_s=None if header["timeout_s"] is None else float(header["timeout_s"]),
        failed=failed,
        verified=header["verified"],
        n_sittings=None if header.get("n_sittings") is None else int(header["n_sittings"]),
    )


def _spoilt(path: Path, reason: str) -> CorruptStore:
    return CorruptStore(
        f"{path} {reason}. Restore the file, or delete it and run `raml-eval regrade` again: the stored answers are in "
        f"samples.jsonl."
    )


def apply_layers(
    records: Iterable[SampleRecord], layers: Sequence[Layer], sittings: Sequence[Mapping[str, Any]]
) -> tuple[SampleRecord, ...]:
    """The records, in the order of samples.jsonl, with their last verdicts. One drawn anew keeps what it was stored with."""
    records = tuple(records)
    newest = [layer for layer in reversed(layers) if layer.changes]
    if not newest:
        return records
    return tuple(map(partial(_applied, newest), records, stored_by(sittings, len(records))))


def _applied(newest: Sequence[Layer], record: SampleRecord, sitting: Sitting) -> SampleRecord:
    change = next((change for layer in newest if (change := layer.change_for(record, sitting))), None)
    return record if change is None else replace(record, grade=change.grade)


def grader_versions(
    records: Sequence[SampleRecord], layers: Sequence[Layer], sittings: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    """The graders whose verdicts stand, as far as they are known, sorted; records are in the order of samples.jsonl."""
    found: set[str] = set()
    newest = list(reversed(layers))
    for position, (record, sitting) in enumerate(zip(records, stored_by(sittings, len(records)), strict=True)):
        layer = next((layer for layer in newest if layer.covers(position, record, sitting)), None)
        version = layer.grader_version if layer else sitting.grader_version
        if version is not None:
            found.add(version)
    return tuple(sorted(found))


def stored_by(sittings: Sequence[Mapping[str, Any]], n_records: int) -> list[Sitting]:
    """The sitting that stored each record; sittings store one after the other."""
    found = [Sitting()] * n_records
    for number, sitting in enumerate(sittings):  # a later sitting overwrites the rest that an earlier, killed one left open
        before, version = sitting.get("samples_before", 0), sitting.get("grader_version")
        stored = Sitting(number, str(sitting.get("started", "")), None if version is None else str(version))
        found[before:] = [stored] * max(0, n_records - before)
    return found
