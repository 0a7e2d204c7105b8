"""One question of a run directory in full: its thinking, and every verdict that its samples ever had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.store import lines
from raml_eval.store.grades import Layer, read_layers, storing_grader
from raml_eval.store.journal import corrupt, read_lines
from raml_eval.store.manifest_file import read_manifest
from raml_eval.store.schema_1 import sample_lines
from raml_eval.types import Grade, SampleId, SampleRecord, Trajectory


@dataclass(frozen=True, slots=True)
class PastVerdict:
    """One verdict in the history of a sample: its grader, its time (None: when the sample was stored), and the grade."""

    grader_version: str | None
    created: str | None
    grade: Grade
    error: str = ""


def verdict_history(record: SampleRecord, layers: Sequence[Layer], sessions: Sequence[Mapping[str, Any]]) -> list[PastVerdict]:
    """Every verdict on a record of samples.jsonl, the oldest first. The record's own verdict is the one it was stored with."""
    history = [PastVerdict(storing_grader(record, sessions), None, record.grade)]
    for layer in layers:
        sample = (record.key, record.budget)
        if reason := (layer.failed or {}).get(sample):
            history.append(PastVerdict(layer.grader_version, layer.created, history[-1].grade, reason))
        elif layer.covers(record):
            grade = layer.changes[sample].grade if sample in layer.changes else history[-1].grade
            history.append(PastVerdict(layer.grader_version, layer.created, grade))
    return history


@contextmanager
def _schema_of(path: Path, number: int) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise corrupt(path, number, f"is not of this file's schema ({type(error).__name__}: {error})") from error


def read_histories(directory: Path, task: str, question_id: str) -> dict[SampleId, list[PastVerdict]]:
    """The verdicts on each sample of a question, the oldest first. Raises StoreError and CorruptStore as read_run does."""
    layers = read_layers(directory)
    manifest = read_manifest(directory / "manifest.json")
    histories: dict[SampleId, list[PastVerdict]] = {}
    path = directory / "samples.jsonl"
    for number, line in sample_lines(path, manifest):
        if (line.get("task"), line.get("question_id")) == (task, question_id):
            with _schema_of(path, number):
                record = lines.read_sample(line, ids=False)
            histories[record.key, record.budget] = verdict_history(record, layers, manifest["sessions"])
    return histories


def read_trajectories(directory: Path, task: str, question_id: str) -> dict[str, Trajectory]:
    """The thinking of a question by id, as StoredRun.trajectories holds it. Raises CorruptStore."""
    path = directory / "trajectories.jsonl"
    found: dict[str, Trajectory] = {}
    for number, line in read_lines(path):
        if (line.get("task"), line.get("question_id")) == (task, question_id):
            with _schema_of(path, number):
                trajectory = lines.read_trajectory(line)
            found[trajectory.id] = trajectory
    return found
