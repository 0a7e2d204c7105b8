"""Whole runs and what their manifests say of tasks and engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raml_eval.types import Budget, Domain, GraderKind, Question, SampleRecord, Trajectory


@dataclass(frozen=True, slots=True)
class TaskDescription:
    """What the catalogue knows of a task without loading its data; stands in the manifest of every run.

    chance is the accuracy of guessing (0.25 for four options), None where guessing is hopeless. suites are the groups that
    list the task. dataset, config, split and revision name the data on its hub; digest is the SHA-256 of the task's YAML
    with everything it includes.
    """

    name: str
    domain: Domain
    grader: GraderKind
    answer_format: str
    source: str
    licence: str
    dataset: str
    config: str | None
    split: str
    revision: str
    version: str
    digest: str
    chance: float | None = None
    suites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """A task with its questions. content_hash is the SHA-256 over the rows; commit the hub's, None when offline."""

    description: TaskDescription
    questions: tuple[Question, ...]
    content_hash: str
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class BackendDescription:
    """What the manifest stores of an engine. context is its longest sequence in tokens.

    reproducible: a seeded draw comes out the same whatever else is in the batch.
    """

    name: str
    version: str
    device: str
    dtype: str
    context: int
    reproducible: bool
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge model said of one candidate answer to one question; asked once, whatever samples gave it.

    verdict is equivalent, different, unclear, or unavailable (the reply could not be read); reason is the model's own, or
    what stood in its place.
    """

    task: str
    question_id: str
    candidate: str
    model: str
    prompt_version: str
    verdict: str
    reason: str
    created: str


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run directory read back. records are the finished samples; planned ones that are missing are simply not there.

    questions holds every planned question by (task, question id), in the order of the plan.
    classes groups equal answers: (task, question id) -> extracted answer -> class number.
    """

    directory: Path
    name: str
    model: str
    manifest: Mapping[str, Any]
    tasks: Mapping[str, TaskDescription]
    questions: Mapping[tuple[str, str], Question]
    budgets: tuple[Budget, ...]
    n_samples: int
    records: tuple[SampleRecord, ...]
    trajectories: Mapping[str, Trajectory]
    classes: Mapping[tuple[str, str], Mapping[str, int]]
    n_errors: int = 0  # samples that failed and are owed
    grader_versions: tuple[str, ...] = ()  # whose verdicts the records hold; several: regrade to compare them
    judgements: tuple[Judgement, ...] = ()  # second opinions; the records' own verdicts do not know them

    @property
    def imported(self) -> Mapping[str, Any] | None:
        """Which harness's log the run was imported from (docs/importing.md); None for a run that was drawn here."""
        return self.manifest.get("imported")
