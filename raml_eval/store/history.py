"""One question of a run directory in full: its thinking, and every verdict that its samples ever had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raml_eval.store import lines
from raml_eval.store.grades import SampleId, Verdict, read_layers, verdict_history
from raml_eval.store.journal import corrupt, read_lines
from raml_eval.store.manifest import read_manifest, sittings
from raml_eval.types import Trajectory


@contextmanager
def _schema_of(path: Path, number: int) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise corrupt(path, number, f"is not of this file's schema ({type(error).__name__}: {error})") from error


def read_histories(directory: Path, task: str, question_id: str) -> dict[SampleId, list[Verdict]]:
    """The verdicts on each sample of a question, the oldest first. Raises StoreError, CorruptStore as read_run."""
    layers = read_layers(directory)
    sat = sittings(read_manifest(directory / "manifest.json"))
    histories: dict[SampleId, list[Verdict]] = {}
    path = directory / "samples.jsonl"
    for position, (number, line) in enumerate(read_lines(path)):
        if (line.get("task"), line.get("question_id")) == (task, question_id):
            with _schema_of(path, number):
                record = lines.read_sample(line, ids=False)
            histories[record.key, record.budget] = verdict_history(position, record, layers, sat)
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
