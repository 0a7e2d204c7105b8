"""The shards of a merge: read from their manifests, and checked to be the parts of one run, each of them once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.backends.server_probe import tell_servers
from raml_eval.errors import StoreError
from raml_eval.manifest import Manifest
from raml_eval.plan import Plan
from raml_eval.shards import Shard
from raml_eval.store import read_manifest
from raml_eval.store.manifest_file import differing_keys, tell_differing
from raml_eval.types import QuestionKey

GRADING = ("timeout_s", "test_timeout_s")  # settings of the grader that can alter a verdict
SHOWN = 8  # differing keys, shards or questions that an error names


@dataclass(frozen=True, slots=True)
class Part:
    """One shard: its run directory, its manifest, and the place of each of its questions in the whole task."""

    path: Path
    manifest: Manifest
    plan: Plan
    shard: Shard

    @property
    def questions(self) -> list[QuestionKey]:
        """The planned questions of the shard, task by task."""
        return [(task, one) for task, entry in self.manifest["tasks"].items() for one in entry["questions"]]

    def place(self, task: str, question_id: str) -> int:
        """The place of one of its questions among all questions of the task."""
        return int(self.manifest["tasks"][task]["places"][question_id])

    def __str__(self) -> str:
        return f"shard {self.shard} ({self.path})"


def read_parts(paths: Iterable[Path]) -> list[Part]:
    """The shards in these run directories, in the order of their numbers. Nothing but the manifests is read.

    Raises StoreError, naming what is wrong, unless they are all shards of one run: drawn under one protocol for one plan,
    none missing, none twice, and every question of the plan in exactly one of them.
    """
    parts = sorted(map(_read, paths), key=lambda part: part.shard)
    if not parts:
        raise StoreError("there is no run to merge. Name the run directories of all shards.")
    _check_numbers(parts)
    for part in parts[1:]:
        _check_alike(parts[0], part)
    _check_questions(parts)
    return parts


def _read(path: Path) -> Part:
    manifest = read_manifest(path / "manifest.json")
    plan = Plan.read(manifest["plan"])
    if plan.shard is None:
        raise StoreError(f"{path} is not a shard: it was not drawn with --shard. Name only run directories of shards.")
    if "restored" in manifest:
        raise StoreError(f"{path} was made again from an exported log. Merge the run directories that were drawn.")
    if "created" not in manifest:
        raise StoreError(f"{path / 'manifest.json'} lacks created. Restore it, or draw the shard again.")
    lacking = [
        name
        for name, entry in manifest["tasks"].items()
        if not all(type(entry.get("places", {}).get(one)) is int for one in entry["questions"])
    ]
    if lacking:
        raise StoreError(f"{path / 'manifest.json'} lacks the places of the questions of {lacking[0]}. Draw the shard again.")
    return Part(path, manifest, plan, plan.shard)


def _check_numbers(parts: Sequence[Part]) -> None:
    """Raises StoreError unless the parts are 1/n to n/n, each once."""
    first = parts[0]
    count = first.shard.count
    if other := next((part for part in parts if part.shard.count != count), None):
        raise StoreError(
            f"{first} and {other} are parts of runs in {count} and in {other.shard.count}. Merge shards of one run."
        )
    numbers = Counter(part.shard.index for part in parts)
    if twice := [part for part in parts if numbers[part.shard.index] > 1]:
        raise StoreError(f"{twice[0]} and {twice[1].path} are the same shard. Name each shard once.")
    missing = [str(Shard(index, count)) for index in range(1, count + 1) if index not in numbers]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise StoreError(
            f"{len(parts)} of {count} shards are named; missing: {', '.join(missing[:SHOWN])}{more}. Draw what is missing with "
            f"--shard, and name all {count}."
        )


def _check_alike(first: Part, part: Part) -> None:
    """Raises StoreError, naming the keys that differ, unless both were drawn in the same way for the same plan."""
    plans = [_comparable(one.plan) for one in (first, part)]
    suites = [one.manifest.get("suites", {}) for one in (first, part)]
    records = [one.manifest["model"].get("checkpoint") for one in (first, part)]
    differing = [
        *(f"plan.{key} is {old!r} there and {plans[1][key]!r} here" for key, old in plans[0].items() if old != plans[1][key]),
        *differing_keys(first.manifest["protocol"], part.manifest["protocol"]),
    ]
    limits = [{key: one.manifest["config"].get("grading", {}).get(key) for key in GRADING} for one in (first, part)]
    differing += tell_differing({"grading": limits[0]}, {"grading": limits[1]})
    differing += tell_servers(*(one.manifest["engine"].get("details", {}) for one in (first, part)))
    if suites[0] != suites[1]:
        differing.append(f"suites is {_told(suites[0])} there and {_told(suites[1])} here")
    if None not in records and records[0] != records[1]:
        differing.append(f"model.checkpoint is {records[0]!r} there and {records[1]!r} here")
    if differing:
        more = f"; and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        raise StoreError(
            f"{part} was not drawn as {first} was: {'; '.join(differing[:SHOWN])}{more}. Draw both with the same command, but "
            f"for --shard."
        )


def _told(suites: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} ({entry['primary'] or 'no primary endpoint'})" for name, entry in suites.items()) or "none"


def _comparable(plan: Plan) -> dict[str, Any]:
    """The plan without its shard. Sessions may have asked for the tasks in another order."""
    fields = plan.fields()
    return {**{key: value for key, value in fields.items() if key != "shard"}, "tasks": sorted(fields["tasks"])}


def _check_questions(parts: Sequence[Part]) -> None:
    """Raises StoreError unless every question of the plan is in one of the parts, and in no other."""
    owner: dict[QuestionKey, Part] = {}
    for part in parts:
        for key in part.questions:
            if key in owner:
                raise StoreError(f"question {'/'.join(key)} is in {owner[key]} and in {part}. Draw one of them again.")
            owner[key] = part
    limit, sizes = parts[0].plan.limit, Counter(task for task, _ in owner)
    for task, entry in parts[0].manifest["tasks"].items():
        available = int(entry["n_available"])
        wanted = available if limit is None else min(limit, available)
        if sizes[task] != wanted:
            raise StoreError(
                f"the shards hold {sizes[task]} questions of {task} together, wanted {wanted}. Draw all shards with one "
                f"version of raml-eval."
            )


def merged_manifest(parts: Sequence[Part], n_samples: Mapping[Shard, int], out: Path) -> Manifest:
    """The manifest of the whole run: that of the first shard, with the questions, sessions and origins of all.

    n_samples is the number of samples of each shard.
    """
    first = parts[0].manifest
    tasks = {task: _merged_task(task, parts) for task in first["tasks"]}
    names = {part.manifest["config"].get("name") for part in parts}
    name = names.pop() if len(names) == 1 else None
    k: list[int] = next((part.manifest["config"].get("k") for part in parts if part.manifest["config"].get("k")), [])
    records = (part.manifest["model"].get("checkpoint") for part in parts)
    record = next((found for found in records if found is not None), None)
    return {
        **first,
        "name": name or out.name.encode("utf-8", "replace").decode(),
        "created": min(part.manifest["created"] for part in parts),
        "model": {**first["model"], **({} if record is None else {"checkpoint": record})},
        "plan": {key: value for key, value in first["plan"].items() if key != "shard"},
        "config": {**first["config"], "shard": None, "out": str(out), "k": k},
        "tasks": tasks,
        "sessions": _merged_sessions(parts, n_samples),
        "merged": [_origin(part) for part in parts],
    }


def _origin(part: Part) -> dict[str, Any]:
    """Where a shard came from: its name, time, engine, versions and commit."""
    told = ("name", "created", "engine", "versions", "git_commit")
    return {"shard": str(part.shard), **{key: part.manifest[key] for key in told if key in part.manifest}}


def _merged_task(task: str, parts: Sequence[Part]) -> dict[str, Any]:
    """The entry of a task with the questions of all parts, in the order of the task."""
    entries = [part.manifest["tasks"][task] for part in parts]
    placed = sorted((part.place(task, one), one) for part in parts for one in part.manifest["tasks"][task]["questions"])
    questions = [one for _, one in placed]
    digests = {one: found for entry in entries for one, found in (entry.get("prompts") or {}).items()}
    full = max(entries, key=lambda entry: len(entry["overrides"]))  # a part without questions of the task has no overrides
    kept = {key: value for key, value in full.items() if key != "places"}
    return {**kept, "questions": questions, "prompts": {one: digests[one] for one in questions if one in digests}}


def _merged_sessions(parts: Sequence[Part], n_samples: Mapping[Shard, int]) -> list[dict[str, Any]]:
    """The sessions of all parts, part by part, each with the name of its shard."""
    sessions, before = [], 0
    for part in parts:
        for session in part.manifest["sessions"]:
            counts = {key: session[key] + before for key in ("samples_before", "samples_after") if key in session}
            sessions.append({**session, **counts, "shard": str(part.shard)})
        before += n_samples[part.shard]
    return sessions


def version_notes(parts: Sequence[Part]) -> list[str]:
    """For each library, the shards that were drawn with other versions of it than the first; empty if all are alike."""
    versions = [part.manifest.get("versions", {}) for part in parts]
    notes = []
    for library in dict.fromkeys(name for found in versions for name in found):
        shards: dict[str, list[str]] = {}
        for part, found in zip(parts, versions, strict=True):
            shards.setdefault(str(found.get(library, "none")), []).append(str(part.shard))
        if len(shards) > 1:
            listed = ", ".join(f"{version} ({', '.join(those[:SHOWN])})" for version, those in shards.items())
            notes.append(f"the shards were drawn with different versions of {library}: {listed}")
    return notes
