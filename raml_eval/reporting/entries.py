"""Turns one run into an entry of a leaderboard: checked against the board, cut to what the board ranks, fit to be published."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from raml_eval.errors import InputError
from raml_eval.manifest import flatten
from raml_eval.reporting.board import Board
from raml_eval.reporting.looked import stopped_early
from raml_eval.tables import budget_label, build_frame, describe_engine, frame_rows
from raml_eval.types import StoredRun
from raml_eval.wording import count_noun

ENTRY_VERSION = 1
FACTS = ("created", "engine", "versions", "git_commit", "protocol", "protocol_digest", "plan")
# The columns that differ from row to row. The entry stores the others once.
KEPT = ("task", "domain", "budget", "metric", "k", "tau", "value", "low", "high", "n_questions", "method")
Entry = dict[str, Any]


def make_entry(run: StoredRun, board: Board) -> Entry:
    """The run as an entry of the board: numbers with intervals and their origin, without any path of this machine.

    Raises InputError for a run that the board cannot rank, MetricError if planned samples are missing.
    """
    if stopped_early(run):
        raise InputError(
            f"run {run.name} holds only the questions up to a look (--until-decided), so its means are biased and cannot be "
            f"ranked. Run again without the option and with the same --out, which draws the rest."
        )
    _check_settings(run, board)
    run = _restrict(run, board)
    ids = {task: sorted(q for owner, q in run.questions if owner == task) for task in board.tasks}
    facts = {key: run.manifest[key] for key in FACTS if key in run.manifest}
    if run.grader_versions:
        facts["grader_version"] = ", ".join(run.grader_versions)
    rows = [{name: row[name] for name in KEPT} for row in frame_rows(build_frame([run], k=[board.k]))]
    return {
        "schema_version": ENTRY_VERSION,
        "model": without_paths(run.model),
        "checkpoint": without_paths(run.manifest.get("model", {})),
        "run": run.name,
        "engine": describe_engine(run),
        "n_samples": run.n_samples,
        # Question ids carry a hash of their row, so equal digests mean that two entries had the same questions.
        "questions": {task: hashlib.sha256("\n".join(of).encode()).hexdigest()[:16] for task, of in ids.items()},
        "manifest": without_paths(facts),
        "rows": rows,
    }


def entry_text(entry: Entry) -> str:
    """The entry as JSON with one row per line, so that a diff shows each changed number as a changed line."""
    head = json.dumps({key: value for key, value in entry.items() if key != "rows"}, indent=1, ensure_ascii=False)
    rows = ",\n  ".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in entry["rows"])
    return f'{head[:-2]},\n "rows": [\n  {rows}\n ]\n}}\n'


def _check_settings(run: StoredRun, board: Board) -> None:
    limit = run.manifest.get("plan", {}).get("limit")
    settings = flatten(run.manifest.get("config", {}))
    differing = [f"limit is {limit}, wanted {board.limit}"] if limit != board.limit else []
    differing += [
        f"{key} is {settings.get(key)!r}, wanted {wanted!r}"
        for key, wanted in board.settings.items()
        if settings.get(key) != wanted
    ]
    if differing:
        raise InputError(
            f"run {run.name} was drawn under another protocol than the board {board.title!r} ranks: {'; '.join(differing)}. "
            f"Run again with the board's settings."
        )


def _restrict(run: StoredRun, board: Board) -> StoredRun:
    """The run with only the board's tasks and budgets."""
    budgets = [budget_label(budget) for budget in run.budgets]
    lacking = [f"task {t}" for t in board.tasks if t not in run.tasks]
    lacking += [f"budget {b}" for b in map(budget_label, board.budgets) if b not in budgets]
    if lacking:
        raise InputError(
            f"run {run.name} lacks {', '.join(lacking)}, which the board {board.title!r} ranks. Run again with them."
        )
    if run.n_samples < board.k:
        raise InputError(
            f"run {run.name} has {count_noun(run.n_samples, 'sample')} per question, the board {board.title!r} needs "
            f"{board.k}. Run again with --samples {board.k} and the same --out."
        )
    tasks = {name: run.tasks[name] for name in board.tasks}
    return replace(
        run,
        tasks=tasks,
        budgets=tuple(board.budgets),
        questions={key: q for key, q in run.questions.items() if key[0] in tasks},
        records=tuple(r for r in run.records if r.key.task in tasks),
    )


def without_paths(value: Any) -> Any:
    """The value with every absolute path in it cut to its last part, because an entry is published.

    Example: without_paths({"model": "/home/me/ckpt"}) == {"model": "ckpt"}
    """
    if isinstance(value, Mapping):
        return {key: without_paths(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(inner) for inner in value]
    if isinstance(value, str):
        for kind in (PurePosixPath, PureWindowsPath):
            if kind(value).is_absolute() or value.startswith("~"):
                return kind(value).name
    return value


def file_name(model: str) -> str:
    """The model's name as a file name that any file system accepts and that cannot leave its folder.

    Example: file_name("org/model") == "org--model"
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "--", model).strip(".-_")[:100]
    return safe or "model"


def check_against(entry: Entry, path: Path, other: Entry, other_path: Path) -> None:
    """Raises InputError if an entry cannot be ranked beside another, or cannot replace it."""
    if path == other_path:
        if entry["checkpoint"] != other["checkpoint"]:
            raise InputError(
                f"{path} holds another checkpoint with the name {entry['model']!r}. Delete that entry, or give the "
                f"checkpoint another name, and add it again."
            )
        return
    differing = [task for task, digest in entry["questions"].items() if other["questions"].get(task) != digest]
    if differing:
        raise InputError(
            f"run {entry['run']} has other questions than {other_path} in {', '.join(differing)}, so the two cannot be "
            f"ranked together. Run again on the same data, or delete the older entry."
        )


def read_entry(path: Path) -> Entry:
    """The entry of a file. Raises InputError if it cannot be read, or was written in another schema."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}. Repair or delete it.") from error
    if not isinstance(entry, dict) or entry.get("schema_version") != ENTRY_VERSION:
        raise InputError(f"{path} has no schema_version {ENTRY_VERSION}. Add its run again, or delete it.")
    return entry


def write_atomically(path: Path, text: str) -> None:
    """path holds the whole text, or is unchanged. Raises InputError if the folder cannot be written."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}. Make the folder writable.") from error
