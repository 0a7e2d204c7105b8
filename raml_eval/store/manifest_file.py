"""Reads manifest.json, writes it whole, and checks it before a resume. raml_eval.manifest builds its content."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raml_eval.errors import CorruptStore, StoreError
from raml_eval.manifest import SCHEMA_VERSION, Manifest, flatten
from raml_eval.plan import Plan
from raml_eval.store import schema_1
from raml_eval.store.lines import read_suite, read_task
from raml_eval.wording import list_some

REQUIRED = {"name": str, "model": dict, "protocol": dict, "plan": dict, "config": dict, "tasks": dict, "sessions": list}
_TASK_DIGESTS = {
    "data": "the rows of {task} have changed",
    "questions": "the questions that {task} makes of its rows have changed",
    "yaml": "the YAML of {task} has changed",
}
NAMES = {str: "a string", dict: "an object", list: "a list"}


def check_protocol(stored: Mapping[str, Any], wanted: Mapping[str, Any], directory: Path) -> None:
    """Raises StoreError, naming each key that differs. A task that only one side has is allowed, because tasks may be added."""
    if "end_of_turn" not in stored and "imported" not in stored:
        raise StoreError(
            f"run directory {directory} was drawn by an earlier version, which did not store the digests of its prompts nor "
            f"what ends a turn, so nobody can tell whether new samples would be drawn in the same way. Choose another --out; "
            f"`raml-eval report`, `compare` and `regrade` still read this one."
        )
    differing = differing_keys(stored, wanted)
    if differing:
        raise StoreError(
            f"run directory {directory} holds another configuration: {list_some(differing, 8, '; ')}. Choose another --out, "
            f"or ask for what it holds."
        )


def differing_keys(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What differs between two protocols, one text for each key: the value there (stored) and the value here (wanted).

    A task that only one side has is left out.
    """
    old = {**stored, "tasks": {k: v for k, v in stored["tasks"].items() if k in wanted["tasks"]}}
    new = {**wanted, "tasks": {k: v for k, v in wanted["tasks"].items() if k in stored["tasks"]}}
    return tell_differing(old, new)


def tell_differing(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """One text for each key, dotted where mappings nest, whose two values differ.

    Example: tell_differing({"a": {"b": 1}}, {"a": {"b": 2}}) == ["a.b is 1 there and 2 here"]
    """
    old, new = flatten(there), flatten(here)
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return [_difference(key, old.get(key), new.get(key)) for key in keys]


def _difference(key: str, there: Any, here: Any) -> str:
    """What one key of the protocol says of the two runs. A digest by itself would tell a reader nothing."""
    task, _, field = key.removeprefix("tasks.").rpartition(".")
    changed = _TASK_DIGESTS.get(field) if key.startswith("tasks.") else None
    digests = f"{str(there)[:12]} there and {str(here)[:12]} here"
    return f"{changed.format(task=task)} (digest {digests})" if changed else f"{key} is {there!r} there and {here!r} here"


def check_prompts(stored: Mapping[str, Any], wanted: Mapping[str, Any], directory: Path) -> None:
    """Raises StoreError if a question that was asked before would now be asked with other tokens."""
    for task in stored.keys() & wanted.keys():
        before, now = stored[task].get("prompts") or {}, wanted[task].get("prompts") or {}
        shared = [(one, prompt) for one in before.keys() & now.keys() for prompt in before[one].keys() & now[one].keys()]
        differing = sorted((one, prompt) for one, prompt in shared if before[one][prompt] != now[one][prompt])
        if differing:
            question_id, prompt = differing[0]
            raise StoreError(
                f"run directory {directory} asked {task}/{question_id} with another prompt ({prompt}: digest "
                f"{before[question_id][prompt]} there and {now[question_id][prompt]} here), so the chat template, the "
                f"tokenizer or a library renders it otherwise now. Choose another --out, or restore what was used then."
            )


def check_resumable(manifest: Mapping[str, Any], directory: Path) -> None:
    """Raises StoreError if no more samples can be drawn into the directory that has this manifest."""
    imported, version = manifest.get("imported"), manifest["schema_version"]
    if imported is not None:
        raise StoreError(
            f"run directory {directory} was imported from {imported['harness']}, so its engine, prompts and seeds are not here "
            f"and it cannot be resumed. Choose another --out; `raml-eval compare` sets the two runs side by side."
        )
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"run directory {directory} has schema_version {version}, but new samples are stored with {SCHEMA_VERSION}; one "
            f"directory never holds both, so it cannot be resumed. Choose another --out. `raml-eval report`, `compare`, "
            f"`regrade` and `leaderboard add` still read the old one."
        )


def check_shard(manifest: Mapping[str, Any], shard: str | None, directory: Path) -> None:
    """Raises StoreError if the directory that has this manifest holds another part of the questions than is asked for."""
    stored = manifest["plan"].get("shard")
    if stored != shard:
        there, here = (f"shard {one}" if one else "the whole run" for one in (stored, shard))
        advice = f"Pass --shard {stored}, or choose" if stored else "Choose"
        raise StoreError(f"run directory {directory} holds {there}, but {here} is asked for. {advice} another --out.")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """The file at path holds the whole object. A reader sees the old file or the new one, never half of one."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, allow_nan=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}. Free disk space or choose a writable --out."
        ) from error


def no_run_directory(directory: Path) -> StoreError:
    """The error about a folder that is no run directory, or is not there."""
    return StoreError(
        f"{directory} is not a run directory: it has no manifest.json. Name a folder that `raml-eval run --out` wrote."
    )


def read_manifest(path: Path) -> Manifest:
    """The manifest at path, in the present schema. Its schema_version is still that of the files.

    Raises StoreError if there is none or if its schema is unknown, CorruptStore if it cannot be read.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise no_run_directory(path.parent) from None
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptStore(f"{path} cannot be read: {error}. Restore it, or run again with another --out.") from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if type(version) is not int or version not in (schema_1.NUMBER, SCHEMA_VERSION):
        raise CorruptStore(
            f"{path} has schema_version {version!r}, and this raml-eval reads {schema_1.NUMBER} and {SCHEMA_VERSION}. It was "
            f"written by another program or by a later version: install that version to read it."
        )
    lacking = [key for key in REQUIRED if key not in manifest]
    if lacking:
        raise CorruptStore(f"{path} lacks {', '.join(lacking)}. Restore it, or run again with another --out.")
    try:
        _check_content(manifest)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"is not of this file's schema ({type(error).__name__}: {error})"
        raise CorruptStore(f"{path} {reason}. Restore it, or run again with another --out.") from error
    return schema_1.upgrade_manifest(manifest) if version == schema_1.NUMBER else manifest


def _check_content(manifest: Mapping[str, Any]) -> None:
    """Raises AttributeError, KeyError, TypeError or ValueError if a part that readers rely on has another shape."""
    parts = {
        **{key: (manifest[key], wanted) for key, wanted in REQUIRED.items()},
        "model.name": (manifest["model"]["name"], str),
        "model.checkpoint": (manifest["model"].get("checkpoint", {}), dict),
        "model.adapter": (manifest["model"].get("adapter", {}), dict),
        "suites": (manifest.get("suites", {}), dict),
        "protocol.engine": (manifest["protocol"].get("engine", {}), dict),
        "protocol.tasks": (manifest["protocol"].get("tasks", {}), dict),
        "config.sampling": (manifest["config"].get("sampling") or {}, dict),
        **{f"sessions[{number}]": (session, dict) for number, session in enumerate(manifest["sessions"])},
        "created": (manifest.get("created", ""), str),
        **{f"tasks.{name}.questions": (entry["questions"], list) for name, entry in manifest["tasks"].items()},
        **{f"tasks.{name}.prompts": (entry.get("prompts") or {}, dict) for name, entry in manifest["tasks"].items()},
        **{f"tasks.{name}.places": (entry.get("places", {}), dict) for name, entry in manifest["tasks"].items()},
    }
    for name, (value, wanted) in parts.items():
        if not isinstance(value, wanted):
            raise TypeError(f"{name} is {value!r:.60}, wanted {NAMES[wanted]}")
    Plan.read(manifest["plan"])
    for name, entry in manifest["tasks"].items():
        name.encode()  # UnicodeEncodeError: an import of an earlier version took any name, and no report could print it
        read_task(entry)
    for entry in manifest.get("suites", {}).values():
        read_suite(entry)
