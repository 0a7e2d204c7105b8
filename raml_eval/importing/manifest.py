"""The part of an imported run's manifest that describes its log.

raml_eval.manifest builds the rest, and writer.py adds the session.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from raml_eval.importing.files import digest_files
from raml_eval.importing.samples import Source
from raml_eval.importing.settings import ImportSettings
from raml_eval.importing.survey import Survey, TaskSurvey
from raml_eval.manifest import Manifest, build_manifest, task_entry
from raml_eval.plan import Plan
from raml_eval.types import TaskDescription


def import_manifest(source: Source, found: Survey, settings: ImportSettings, out: Path) -> Manifest:
    """The manifest of the run that the survey describes. It has null for whatever the log does not say (docs/importing.md)."""
    described = {task.grading.name: (describe_task(source, task), task) for task in found.tasks.values()}
    manifest = build_manifest(
        name=settings.name or out.name,
        plan=Plan(tuple(described), (found.budget,), found.n_samples, settings.limit),
        model={"name": found.model, "revision": None, "fingerprint": None},
        protocol=_build_protocol(source, found),
        config={
            "model": found.model,
            "sampling": found.sampling,
            "samples": found.n_samples,
            "limit": settings.limit,
            "k": [],
        },
        engine={"name": "imported", "version": f"{source.harness} {source.version}".strip()},
        tasks={name: task_entry(about, list(task.samples), task.n_available) for name, (about, task) in described.items()},
    )
    return {**manifest, "imported": _build_imported(source, found)}


def describe_task(source: Source, task: TaskSurvey) -> TaskDescription:
    """The task as the log describes it. If it is mapped to a task of ours, everything but version and YAML is taken from ours.

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


def _build_protocol(source: Source, found: Survey) -> dict[str, Any]:
    return {
        "imported": {"harness": source.harness, "version": source.version or None},
        "sampling": found.sampling,
        "tasks": {
            task.grading.name: {
                "task": task.facts.name,
                "version": task.facts.version or None,
                "sampling": dict(task.facts.sampling),
            }
            for task in found.tasks.values()
        },
    }


def _build_imported(source: Source, found: Survey) -> dict[str, Any]:
    return {
        "harness": source.harness,
        "version": source.version or None,
        "files": digest_files(source.files),
        "tasks": {task.grading.name: task.facts.name for task in found.tasks.values()},
        "hides_thinking": source.hides_thinking,
        "opened": [found.tasks[name].grading.name for name in found.opened],
        "n_open": found.n_open,
        "n_sealed": found.n_sealed,
        "left_out": found.left_out,
    }
