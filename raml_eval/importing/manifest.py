"""The manifest of an imported run: the same shape as of one drawn here, with null for what a log does not say."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from raml_eval.errors import SourceError
from raml_eval.importing.samples import Source
from raml_eval.importing.settings import ImportSettings
from raml_eval.importing.survey import Survey, TaskSurvey
from raml_eval.provenance import git_commit, library_versions
from raml_eval.store import SCHEMA_VERSION, protocol_digest
from raml_eval.store.manifest import now
from raml_eval.types import TaskDescription


def build_manifest(source: Source, survey: Survey, settings: ImportSettings, out: Path) -> dict[str, Any]:
    """The manifest of the run that the survey describes (docs/run-directory.md, docs/importing.md)."""
    described = {task.grading.name: (describe_task(source, task), task) for task in survey.tasks.values()}
    protocol = _build_protocol(source, survey)
    return {
        "schema_version": SCHEMA_VERSION,
        "name": settings.name or out.name,
        "created": now(),
        "model": protocol["model"],
        "protocol": protocol,
        "protocol_digest": protocol_digest(protocol),
        "plan": {
            "tasks": list(described),
            "budgets": [survey.budget],
            "samples": survey.n_samples,
            "limit": settings.limit,
        },
        "config": {
            "model": survey.model,
            "sampling": survey.sampling,
            "samples": survey.n_samples,
            "limit": settings.limit,
            "k": [],
        },
        "engine": {"name": "imported", "version": f"{source.harness} {source.version}".strip()},
        "tasks": {
            name: {
                **asdict(about),
                "content_hash": None,
                "commit": None,
                "n_available": task.n_available,
                "questions": list(task.samples),
            }
            for name, (about, task) in described.items()
        },
        "imported": _build_imported(source, survey),
        "versions": library_versions(),
        "git_commit": git_commit(),
        "sessions": [],
    }


def describe_task(source: Source, task: TaskSurvey) -> TaskDescription:
    """The task as the log has it; with a task of ours that asks the same, all that is ours but version and YAML.

    Math counts as in-domain and everything else as cross-domain, as in the suites of this package.
    """
    facts, grading = task.facts, task.grading
    version = " ".join(filter(None, (source.harness, facts.name, facts.version)))
    if grading.ours is not None:
        return replace(grading.ours, grader=grading.kind, version=version, digest="", suites=())
    guessed = sum(task.guessing) / len(task.guessing) if task.guessing and grading.kind == "choice" else None
    return TaskDescription(
        name=grading.name,
        domain=facts.domain or ("in_domain" if grading.kind == "math" else "cross_domain"),
        grader=grading.kind,
        answer_format="",
        source=f"imported from {source.harness}",
        licence="",
        dataset=facts.dataset,
        config=facts.config,
        split=facts.split,
        revision="",
        version=version,
        digest="",
        chance=guessed if facts.chance is None else facts.chance,
    )


def _build_protocol(source: Source, survey: Survey) -> dict[str, Any]:
    return {
        "model": {"name": survey.model, "revision": None, "fingerprint": None},
        "imported": {"harness": source.harness, "version": source.version or None},
        "sampling": survey.sampling,
        "tasks": {
            task.grading.name: {
                "task": task.facts.name,
                "version": task.facts.version or None,
                "sampling": dict(task.facts.sampling),
            }
            for task in survey.tasks.values()
        },
    }


def _build_imported(source: Source, survey: Survey) -> dict[str, Any]:
    return {
        "harness": source.harness,
        "version": source.version or None,
        "files": [{"name": path.name, "sha256": _digest(path)} for path in source.files],
        "tasks": {task.grading.name: task.facts.name for task in survey.tasks.values()},
        "hides_thinking": source.hides_thinking,
        "opened": [survey.tasks[name].grading.name for name in survey.opened],
        "n_open": survey.n_open,
        "n_sealed": survey.n_sealed,
        "left_out": survey.left_out,
    }


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}. Make it readable.") from error
