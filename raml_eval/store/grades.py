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
class Layer:
    """One regrading. It covers the first n_graded samples of samples.jsonl, those of tasks alone where tasks are named.

    changes holds the verdicts that came out differently, failed why a sample kept the verdict it had. verified is when
    the same grader last came to the same verdicts, or None.
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

    def covers(self, position: int, record: SampleRecord) -> bool:
        """The record, the position-th of samples.jsonl from 0, has this layer's verdict, changed or confirmed."""
        within = position < self.n_graded and (self.tasks is None or record.key.task in self.tasks)
        if not within or (record.key, record.budget) in (self.failed or {}):
            return False
        change = self.changes.get((record.key, record.budget))
        return change is None or change.digest == answer_digest(record.answer)


def answer_digest(answer: str) -> str:
    """16 hex digits that tell one answer's text from another."""
    return hashlib.blake2b(answer.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def layer_paths(directory: Path) -> dict[int, Path]:
    """The files of the layers by number, the oldest first."""
    found = {int(match[1]): path for path in directory.iterdir() if (match := _NAME.fullmatch(path.name))}
    return dict(sorted(found.items()))


def change_of(record: SampleRecord, grade: Grade) -> Change:
    """The change from the verdict that the record has."""
    return Change(grade, record.grade, answer_digest(record.answer))


def write_layer(directory: Path, layer: Layer) -> Path:
    """The layer stands on the disk, whole or not at all, in place of the one of its number where there is one.

    The caller holds the directory's lock. Raises StoreError where it cannot be written.
    """
    path = directory / f"grades-{layer.number:04}.jsonl"
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
    )


def _spoilt(path: Path, reason: str) -> CorruptStore:
    return CorruptStore(
        f"{path} {reason}. Restore the file, or delete it and run `raml-eval regrade` again: the stored answers are in "
        f"samples.jsonl."
    )


def apply_layers(records: Iterable[SampleRecord], layers: Sequence[Layer]) -> tuple[SampleRecord, ...]:
    """The records with their last verdicts. A change of an answer that has been drawn anew since is left out."""
    last: dict[SampleId, Change] = {}
    for layer in layers:
        last |= layer.changes
    if not last:
        return tuple(records)
    return tuple(_applied(record, last.get((record.key, record.budget))) for record in records)


def _applied(record: SampleRecord, change: Change | None) -> SampleRecord:
    if change is None or change.digest != answer_digest(record.answer):
        return record
    return replace(record, grade=change.grade)


def grader_versions(
    records: Sequence[SampleRecord], layers: Sequence[Layer], sittings: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    """The graders whose verdicts stand, as far as they are known, sorted; records are in the order of samples.jsonl."""
    found: set[str] = set()
    newest = list(reversed(layers))
    stored = _stored_by(sittings, len(records))
    for position, record in enumerate(records):
        layer = next((layer for layer in newest if layer.covers(position, record)), None)
        version = layer.grader_version if layer else stored[position]
        if version is not None:
            found.add(version)
    return tuple(sorted(found))


def _stored_by(sittings: Sequence[Mapping[str, Any]], n_records: int) -> list[str | None]:
    """The grader version of the sitting that stored each record; sittings store one after the other."""
    versions: list[str | None] = [None] * n_records
    for sitting in sittings:  # a later sitting overwrites the rest that an earlier, killed one left open
        before = sitting.get("samples_before", 0)
        if "grader_version" in sitting:
            versions[before:] = [str(sitting["grader_version"])] * max(0, n_records - before)
    return versions


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict in the history of a sample: by which grader, when (None: when it was stored), and what it said."""

    grader_version: str | None
    created: str | None
    grade: Grade
    error: str = ""


def verdict_history(
    position: int, record: SampleRecord, layers: Sequence[Layer], sittings: Sequence[Mapping[str, Any]]
) -> list[Verdict]:
    """Every verdict on a record of samples.jsonl, the oldest first; its own is the one that it was stored with."""
    version = _stored_by(sittings, position + 1)[position]
    history = [Verdict(version, None, record.grade)]
    for layer in layers:
        sample = (record.key, record.budget)
        if reason := (layer.failed or {}).get(sample):
            history.append(Verdict(layer.grader_version, layer.created, history[-1].grade, reason))
        elif layer.covers(position, record):
            grade = layer.changes[sample].grade if sample in layer.changes else history[-1].grade
            history.append(Verdict(layer.grader_version, layer.created, grade))
    return history
