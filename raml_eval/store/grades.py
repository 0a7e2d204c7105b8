"""Layers of grades: each regrading adds one, and keeps the verdicts that it replaces.

samples.jsonl keeps the verdict that a sample was stored with. Each of grades-0001.jsonl and the files after it holds one
regrading: a header that says which grader graded which tasks and how many samples, then a line for each verdict that changed
and for each sample that could not be graded. Readers see the verdict of the last layer that changed a sample, or the stored
one if no layer did.
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
from raml_eval.manifest import SCHEMA_VERSION
from raml_eval.store import lines, schema_1
from raml_eval.store.journal import encode_line, read_lines
from raml_eval.store.manifest_file import read_manifest
from raml_eval.types import Grade, SampleId, SampleRecord

_NAME = re.compile(r"grades-(\d{4,})\.jsonl")


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict and the one it replaced. It belongs to the draw that digest and session name, and to no later one."""

    grade: Grade
    was: Grade
    digest: str
    session: int


@dataclass(frozen=True, slots=True)
class Layer:
    """One regrading. It covers the n_graded samples that the sessions from first_session up to n_sessions drew.

    tasks names the tasks that were graded, or is None if all of them were. changes holds the verdicts that came out
    differently. failed says why a sample kept its verdict. verified is when the same grader last confirmed the verdicts, or
    None. The layer does not cover a sample that a later session drew, even if it is the same answer to the same question.
    """

    number: int
    grader_version: str
    created: str
    n_graded: int
    n_sessions: int
    changes: Mapping[SampleId, Change]
    tasks: tuple[str, ...] | None = None
    timeout_s: float | None = None
    failed: Mapping[SampleId, str] | None = None
    verified: str | None = None
    first_session: int = 0  # of a merged run: where the shard's sessions begin that was regraded

    def covers(self, record: SampleRecord) -> bool:
        """True if the record has this layer's verdict, changed or confirmed."""
        within = self.first_session <= record.session < self.n_sessions and (
            self.tasks is None or record.key.task in self.tasks
        )
        if not within or (record.key, record.budget) in (self.failed or {}):
            return False
        return (record.key, record.budget) not in self.changes or self.change_for(record) is not None

    def change_for(self, record: SampleRecord) -> Change | None:
        """The change of the record's verdict; None if there is none, or if the sample has been drawn again since."""
        change = self.changes.get((record.key, record.budget))
        # A sample that was drawn again may have the same answer, but a verdict from a newer grader than this layer's.
        if change is None or (change.digest, change.session) != (answer_digest(record.answer), record.session):
            return None
        return change


def answer_digest(answer: str) -> str:
    """16 hex digits that identify an answer's text."""
    return hashlib.blake2b(answer.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def layer_paths(directory: Path) -> dict[int, Path]:
    """The files of the layers by number, the oldest first. Raises CorruptStore if a number is not written in four digits."""
    found = {path: int(match[1]) for path in directory.iterdir() if (match := _NAME.fullmatch(path.name))}
    for path, number in found.items():
        if path.name != layer_name(number):  # another file has the same number, or will get it
            raise CorruptStore(
                f"{path} is layer {number}, whose name must be {layer_name(number)}. Rename it, or move it away."
            )
    return {number: path for path, number in sorted(found.items(), key=lambda pair: pair[1])}


def layer_name(number: int) -> str:
    """The name of a layer's file.

    Example: layer_name(1) == "grades-0001.jsonl"
    """
    return f"grades-{number:04}.jsonl"


def change_of(record: SampleRecord, grade: Grade) -> Change:
    """The change from the record's present verdict to the new grade."""
    return Change(grade, record.grade, answer_digest(record.answer), record.session)


def write_layer(directory: Path, layer: Layer) -> Path:
    """The layer is on the disk, whole or not at all, and replaces a layer of the same number.

    The caller holds the directory's lock. Raises StoreError if it cannot be written.
    """
    path = directory / layer_name(layer.number)
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            file.writelines(map(encode_line, layer_lines(layer)))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}. Free disk space, and regrade again.") from error
    return path


def layer_lines(layer: Layer) -> Iterator[dict[str, Any]]:
    """The lines of a layer's file: the header, the changes, and the samples that could not be graded."""
    failed = layer.failed or {}
    yield {
        "schema_version": SCHEMA_VERSION,
        "grader_version": layer.grader_version,
        "created": layer.created,
        "verified": layer.verified,
        "tasks": layer.tasks,
        "timeout_s": layer.timeout_s,
        "n_graded": layer.n_graded,
        "n_sessions": layer.n_sessions,
        **({"first_session": layer.first_session} if layer.first_session else {}),
        "n_changed": len(layer.changes),
        "n_failed": len(failed),
    }
    for (key, budget), change in layer.changes.items():
        was = lines.grade_fields(change.was)
        draw = {"answer_digest": change.digest, "session": change.session}
        named = {**lines.key_line(key), "budget": budget, **draw}
        yield {**named, **lines.grade_fields(change.grade), "was": was}
    for (key, budget), reason in failed.items():
        yield {**lines.key_line(key), "budget": budget, "error": reason}


def read_layers(directory: Path) -> list[Layer]:
    """Every layer, the oldest first. Raises CorruptStore for a line that cannot be used and for a layer that was cut short."""
    return [_read_layer(number, path) for number, path in layer_paths(directory).items()]


def _read_layer(number: int, path: Path) -> Layer:
    at = 1  # the line that is being read
    changes: dict[SampleId, Change] = {}
    failed: dict[SampleId, str] = {}
    try:
        header, *entries = _present_lines(path)
        announced = int(header["n_changed"]), int(header["n_failed"])
        for at, line in enumerate(entries, 2):  # noqa: B007
            if "error" in line:
                failed[lines.read_key(line), lines.read_budget(line)] = str(line["error"])
                continue
            grades = lines.read_grade(line), lines.read_grade(line["was"])
            draw = str(line["answer_digest"]), int(line["session"])
            changes[lines.read_key(line), lines.read_budget(line)] = Change(*grades, *draw)
        at = 1
        layer = _read_header(number, header, changes, failed)
    except CorruptStore as error:
        raise _spoilt(path, f"cannot be read: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _spoilt(path, f"line {at} is not of a layer's schema ({type(error).__name__}: {error})") from error
    if (len(changes), len(failed)) != announced:
        raise _spoilt(path, f"announces {sum(announced)} samples, and {len(changes) + len(failed)} follow")
    return layer


def _present_lines(path: Path) -> list[lines.Line]:
    """The layer's lines, header first, in the present schema."""
    found = [line for _, line in read_lines(path)]
    if not found or found[0].get("schema_version") != schema_1.NUMBER:
        return found
    sessions = read_manifest(path.parent / "manifest.json")["sessions"]
    return schema_1.upgrade_layer(found, path.parent / "samples.jsonl", sessions)


def _read_header(number: int, header: Mapping[str, Any], changes: dict[SampleId, Change], failed: dict[SampleId, str]) -> Layer:
    return Layer(
        number=number,
        grader_version=str(header["grader_version"]),
        created=str(header["created"]),
        n_graded=int(header["n_graded"]),
        n_sessions=int(header["n_sessions"]),
        changes=changes,
        tasks=None if header["tasks"] is None else tuple(header["tasks"]),
        timeout_s=None if header["timeout_s"] is None else float(header["timeout_s"]),
        failed=failed,
        verified=header["verified"],
        first_session=int(header.get("first_session", 0)),
    )


def _spoilt(path: Path, reason: str) -> CorruptStore:
    return CorruptStore(
        f"{path} {reason}. Restore the file, or delete it and run `raml-eval regrade` again: the stored answers are in "
        f"samples.jsonl."
    )


def apply_layers(records: Iterable[SampleRecord], layers: Sequence[Layer]) -> tuple[SampleRecord, ...]:
    """The records with their last verdicts. A sample that was drawn again keeps the verdict that it was stored with."""
    newest = [layer for layer in reversed(layers) if layer.changes]
    return tuple(_with_last_verdict(record, newest) for record in records)


def _with_last_verdict(record: SampleRecord, newest: Sequence[Layer]) -> SampleRecord:
    change = next((change for layer in newest if (change := layer.change_for(record))), None)
    return record if change is None else replace(record, grade=change.grade)


def grader_versions(
    records: Iterable[SampleRecord], layers: Sequence[Layer], sessions: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    """The known versions of the graders whose verdicts are in force, sorted."""
    newest = list(reversed(layers))
    found = {_grader_of(record, newest, sessions) for record in records}
    return tuple(sorted(version for version in found if version is not None))


def _grader_of(record: SampleRecord, newest: Sequence[Layer], sessions: Sequence[Mapping[str, Any]]) -> str | None:
    layer = next((layer for layer in newest if layer.covers(record)), None)
    return layer.grader_version if layer else storing_grader(record, sessions)


def storing_grader(record: SampleRecord, sessions: Sequence[Mapping[str, Any]]) -> str | None:
    """The version of the grader whose verdict the record was stored with, or None if that is not known."""
    version = sessions[record.session].get("grader_version") if record.session < len(sessions) else None
    return None if version is None else str(version)
