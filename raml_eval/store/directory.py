"""A run directory. One writer at a time may open it; anybody may read it."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from raml_eval.budgets import THINKING
from raml_eval.errors import StoreError
from raml_eval.manifest import Manifest, name_model, printable
from raml_eval.plan import Plan
from raml_eval.store import lines
from raml_eval.store.failures import read_owed, read_started
from raml_eval.store.grades import Layer, apply_layers, grader_versions, read_layers
from raml_eval.store.journal import Journal, corrupt, count_lines, cut_torn_line, lacks_trajectories, read_lines
from raml_eval.store.judgements import read_judgements
from raml_eval.store.locking import try_lock
from raml_eval.store.manifest_file import check_prompts, check_protocol, check_resumable, read_manifest, write_json
from raml_eval.store.resuming import SampleSet, check_sessions, check_trajectories, read_samples, read_thinking
from raml_eval.store.schema_1 import sample_lines
from raml_eval.types import Budget, Draw, Question, QuestionKey, SampleId, SampleKey, SampleRecord, StoredRun, Trajectory

JOURNALS = ("questions", "trajectories", "samples", "errors", "started")
LOCK_WAIT_S = 10.0  # processes that a killed run left behind need some time to end
T = TypeVar("T")


class RunDirectory:
    """A run directory under its lock, for one writer. Opening an existing directory resumes it.

    stored is the manifest that was found, or None. After open(), done holds the samples that earlier sessions finished,
    trajectories finds all thinking that is stored, started holds the draws that began, and torn names the files whose last
    line had to be cut.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journals: dict[str, Journal] = {}
        self._loaded = False
        made = not path.exists()
        self._lock = _take_lock(path)
        self._made = made
        try:
            self.stored = self._find_manifest()
        except BaseException:
            os.close(self._lock)
            raise

    def _find_manifest(self) -> Manifest | None:
        if (self.path / "manifest.json").exists():
            return read_manifest(self.path / "manifest.json")
        if any((self.path / f"{name}.jsonl").exists() for name in JOURNALS):
            raise StoreError(
                f"{self.path} holds samples but no manifest.json, so what drew them is unknown. Choose another --out."
            )
        return None

    def open(self, manifest: Manifest) -> None:
        """The manifest on the disk covers both the stored one and this one, and lines can be appended to the files."""
        if self.stored is not None:
            check_resumable(self.stored, self.path)
            check_protocol(self.stored["protocol"], manifest["protocol"], self.path)
            check_prompts(self.stored["tasks"], manifest["tasks"], self.path)
            manifest = _grown(self.stored, manifest)
        if not self._loaded:
            self.load()
        self.started = SampleSet(read_started(self.path / "started.jsonl"))
        self.manifest = manifest
        self.write_manifest()
        self._journals = {name: Journal(self.path / f"{name}.jsonl") for name in JOURNALS}

    def load(self) -> None:
        """What earlier sessions stored is known, every line has been looked at, and torn last lines are cut."""
        self._loaded = True
        self.torn = [name for name in JOURNALS if cut_torn_line(self.path / f"{name}.jsonl")]
        self.questions = _read_file(self.path / "questions.jsonl", lines.read_question, lambda q: (q.task, q.id))
        self.trajectories = read_thinking(self.path / "trajectories.jsonl")
        samples = read_samples(self.path / "samples.jsonl", self.trajectories)
        check_trajectories(self.path, samples)
        check_sessions(self.path, samples.last_session, self.stored)
        # The session reads these files only at its end. A line that cannot be used must not wait until everything is drawn.
        read_owed(self.path)
        read_layers(self.path)
        read_judgements(self.path)
        read_started(self.path / "started.jsonl")
        self.done: Set[SampleId] = samples.done
        self.n_leaks = samples.n_leaks

    def read_done(self) -> None:
        """What this session has stored is known as what earlier ones have is."""
        samples = read_samples(self.path / "samples.jsonl", self.trajectories)
        self.done, self.n_leaks = samples.done, samples.n_leaks

    def begin_session(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The manifest on the disk lists a new session, and samples stored from now on carry its number.

        Returns the manifest's own entry, which may be completed before the next write_manifest.
        """
        session = dict(entry)
        self.manifest["sessions"].append(session)
        self.write_manifest()
        return session

    def write_manifest(self) -> None:
        """The manifest on the disk is the one in memory."""
        write_json(self.path / "manifest.json", self.manifest)

    def add_questions(self, questions: Iterable[Question]) -> None:
        """questions.jsonl holds every question. Questions that it held before are not written again."""
        new = [q for q in questions if (q.task, q.id) not in self.questions]
        self._journals["questions"].append_all([lines.question_line(q) for q in new])
        self.questions |= {(q.task, q.id): q for q in new}

    async def append_started(self, draw: Draw) -> None:
        """The start of a draw is on the disk, so that an interrupted draw can be told from one that never began."""
        key, prompt = draw
        told = {} if prompt == THINKING else {"prompt": prompt}
        await self._journals["started"].append({**lines.key_line(key), **told})

    async def append_trajectory(self, trajectory: Trajectory) -> None:
        """The trajectory is on the disk, and found among the directory's."""
        offset = await self._journals["trajectories"].append(lines.trajectory_line(trajectory))
        self.trajectories.add(trajectory.key, trajectory.prompt, trajectory.limit, offset)

    async def append_samples(self, records: Sequence[SampleRecord]) -> None:
        """The samples are on the disk, with the number of the present session."""
        session = max(0, len(self.manifest["sessions"]) - 1)
        found = [lines.sample_line(record) | {"session": session} for record in records]
        await self._journals["samples"].append(*found)

    async def append_sample(self, record: SampleRecord) -> None:
        """The sample is on the disk, with the number of the present session."""
        await self.append_samples([record])

    async def append_error(self, key: SampleKey, budgets: Iterable[Budget], error: BaseException) -> None:
        """The failure is on the disk, and the sample is still owed."""
        await self._journals["errors"].append(
            {
                **lines.key_line(key),
                "budgets": list(budgets),
                "error": type(error).__name__,
                "message": str(error),
            }
        )

    def count_samples(self) -> int:
        """The number of samples on the disk, once everything that was appended is there. Nothing can be appended after this."""
        self._close_journals()
        return count_lines(self.path / "samples.jsonl")

    def write_classes(self, classes: Mapping[tuple[str, str], Mapping[str, int]]) -> None:
        """The answer classes are on the disk (classes.json); they can be formed again from the samples."""
        write_json(self.path / "classes.json", {"/".join(key): dict(group) for key, group in classes.items()})

    def close(self) -> None:
        """All files are closed and the lock is free. If the run was refused, the folder that was made for it is removed."""
        self._close_journals()
        if self._made and [path.name for path in self.path.iterdir()] == ["lock"]:
            with contextlib.suppress(OSError):
                (self.path / "lock").unlink()
                self.path.rmdir()
        os.close(self._lock)

    def _close_journals(self) -> None:
        for journal in self._journals.values():
            journal.close()


def _take_lock(path: Path) -> int:
    """An open file that holds the lock of the directory, which is made if there is none."""
    while True:
        file = _lock_file(path)
        # A refused run removes the folder that it made. A lock on the removed file would not keep other processes out.
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(file), os.stat(path / "lock")):
                os.ftruncate(file, 0)
                os.write(file, str(os.getpid()).encode())
                return file
        os.close(file)


def _lock_file(path: Path) -> int:
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            f"cannot write to run directory {path}: {error.strerror or error}. Choose a writable --out."
        ) from error
    deadline = time.monotonic() + LOCK_WAIT_S
    while not try_lock(file):
        holder = os.pread(file, 32, 0).decode(errors="replace").strip()
        # The engine of a killed run holds the lock until it notices the kill, within a second.
        if _is_alive(holder) or time.monotonic() > deadline:
            os.close(file)
            raise StoreError(
                f"run directory {path} is locked by process {holder or 'unknown'}, which is still writing to it. Wait for "
                f"it, or choose another --out."
            )
        time.sleep(0.05)
    return file


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _grown(stored: Manifest, wanted: Manifest) -> Manifest:
    protocol = {**stored["protocol"], "tasks": {**stored["protocol"]["tasks"], **wanted["protocol"]["tasks"]}}
    tasks = {**stored["tasks"], **wanted["tasks"]}
    for name in stored["tasks"].keys() & wanted["tasks"].keys():
        questions = dict.fromkeys([*stored["tasks"][name]["questions"], *wanted["tasks"][name]["questions"]])
        tasks[name] = {**tasks[name], "questions": list(questions), "prompts": _grown_prompts(name, stored, wanted)}
    return {
        **stored,
        "plan": Plan.read(stored["plan"]).grow(Plan.read(wanted["plan"])).fields(),
        "protocol": protocol,
        "tasks": tasks,
        "model": _grown_model(stored["model"], wanted["model"]),
        "suites": _grown_suites(stored.get("suites", {}), wanted.get("suites", {})),
        "config": {**stored["config"], "k": wanted["config"]["k"] or stored["config"]["k"]},
        "sessions": [*stored["sessions"], *wanted["sessions"]],
    }


def _grown_model(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What both know of the model. The same checkpoint may bear another name now, and the stored name has not its origin."""
    known = wanted if wanted["name"] == stored["name"] else {key: wanted[key] for key in wanted if key != "origin"}
    return {**known, **stored}


def _grown_suites(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The suites of both. A primary endpoint stays what it was declared to be first, before anybody could look."""
    declared = {name: entry["primary"] for name, entry in stored.items() if entry["primary"] is not None}
    grown = {**stored, **wanted}
    return {name: {**entry, "primary": declared.get(name, entry["primary"])} for name, entry in grown.items()}


def _grown_prompts(task: str, stored: Manifest, wanted: Manifest) -> dict[str, Any] | None:
    """The digests of both manifests' prompts of a task, by question and by what they are drawn for."""
    before: Mapping[str, Any] = stored["tasks"][task].get("prompts") or {}
    now: Mapping[str, Any] | None = wanted["tasks"][task].get("prompts")
    if now is None:
        return None
    return {one: {**before.get(one, {}), **now.get(one, {})} for one in dict.fromkeys([*before, *now])}


def _read_file(path: Path, read: Callable[[Mapping[str, Any]], T], key: Callable[[T], Any]) -> dict[Any, T]:
    return _read_all(path, read_lines(path), read, key)


def _read_all(
    path: Path,
    numbered: Iterable[tuple[int, Mapping[str, Any]]],
    read: Callable[[Mapping[str, Any]], T],
    key: Callable[[T], Any],
) -> dict[Any, T]:
    """All entries of a file by key. Raises CorruptStore for a line with another shape, and for a key that occurs twice."""
    entries: dict[Any, T] = {}
    for number, line in numbered:
        try:
            entry = read(line)
            repeated = key(entry) in entries
        except Exception as error:
            raise corrupt(path, number, f"is not of this file's schema ({type(error).__name__}: {error})") from error
        if repeated:
            raise corrupt(path, number, f"repeats {key(entry)}, which is already on an earlier line")
        entries[key(entry)] = entry
    return entries


@dataclass(frozen=True, slots=True)
class ReadState:
    """A directory at one moment: its files only grow, so that their first lines are what it held then."""

    n_samples: int
    n_trajectories: int
    layers: Sequence[Layer]


def _check_trajectories(path: Path, records: Iterable[SampleRecord], trajectories: Container[str]) -> None:
    lacking = [r for r in records if r.trajectory is not None and r.trajectory not in trajectories]
    if lacking:
        key = lacking[0].key
        raise lacks_trajectories(path, str(lacking[0].trajectory), _told(key), len(lacking) - 1)


def _told(key: SampleKey) -> str:
    return f"{key.index} of {key.task}/{key.question_id}"


def read_run(path: Path | str, drawn: bool = True, state: ReadState | None = None) -> StoredRun:
    """A run directory read back: every planned question and every finished sample. This needs no lock and writes nothing.

    If drawn is False, trajectories and token ids are left out, which are most of a large run. With a state, samples and
    trajectories are those of that moment. Raises StoreError if the folder is not a run directory, CorruptStore if a line
    other than a torn last one cannot be read.

    Example: read_run("runs/mine").records[0].grade
    """
    path = Path(path)
    manifest = read_manifest(path / "manifest.json")
    questions = read_questions(path, manifest)
    samples, read_sample = path / "samples.jsonl", partial(lines.read_sample, ids=drawn)
    n_samples, n_trajectories = (state.n_samples, state.n_trajectories) if state else (None, None)
    sampled = islice(sample_lines(samples, manifest), n_samples)
    records = _read_all(samples, sampled, read_sample, lambda r: (r.key, r.budget))
    thinking = path / "trajectories.jsonl"
    thought = islice(read_lines(thinking), n_trajectories) if drawn else ()
    trajectories = _read_all(thinking, thought, lines.read_trajectory, lambda t: t.id)
    if drawn:
        _check_trajectories(path, records.values(), trajectories)
    layers = state.layers if state else read_layers(path)
    return build_run(
        path,
        manifest,
        questions=questions,
        records=apply_layers(records.values(), layers),
        trajectories=trajectories,
        classes=read_classes(path),
        n_errors=len(read_owed(path) - records.keys()),
        grader_versions=grader_versions(records.values(), layers, manifest["sessions"]),
    )


def build_run(path: Path, manifest: Manifest, **parts: Any) -> StoredRun:
    """The run of a directory: what its manifest and its judgements say, with the other parts as they are given."""
    return StoredRun(
        directory=path,
        name=printable(manifest["name"]),
        model=name_model(manifest["model"]),
        manifest=manifest,
        tasks={name: lines.read_task(entry) for name, entry in manifest["tasks"].items()},
        budgets=tuple(manifest["plan"]["budgets"]),
        n_samples=manifest["plan"]["samples"],
        judgements=tuple(read_judgements(path)),
        **parts,
    )


def read_questions(path: Path, manifest: Manifest) -> dict[QuestionKey, Question]:
    """Every planned question, in the order of the plan. Raises StoreError if one is missing, CorruptStore as read_run does."""
    return _planned(path, _read_file(path / "questions.jsonl", lines.read_question, lambda q: (q.task, q.id)), manifest)


def _planned(path: Path, questions: Mapping[tuple[str, str], Question], manifest: Manifest) -> dict[tuple[str, str], Question]:
    wanted = [(task, qid) for task, entry in manifest["tasks"].items() for qid in entry["questions"]]
    if missing := [key for key in wanted if key not in questions]:
        raise StoreError(
            f"{path / 'questions.jsonl'} lacks {len(missing)} of {len(wanted)} planned questions, such as "
            f"{'/'.join(missing[0])}: a session has just begun, or was cut short. If none is running, run again with the same "
            f"--out."
        )
    return {key: questions[key] for key in wanted}


def read_classes(path: Path) -> dict[QuestionKey, dict[str, int]]:
    """The answer classes that are stored; none if they cannot be read, because they can be formed again."""
    path = path / "classes.json"
    if not path.exists():
        return {}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        # A task's name may contain a slash; a question's id never does.
        return {(key.rpartition("/")[0], key.rpartition("/")[2]): _read_class_ids(group) for key, group in stored.items()}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return {}  # the caller forms them again from the samples


def _read_class_ids(group: Mapping[str, Any]) -> dict[str, int]:
    return {answer: int(number) for answer, number in group.items()}
