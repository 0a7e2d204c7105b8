"""The history file of a watched training: one line for each checkpoint that needs no more work, and what all have alike."""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raml_eval.config import RunConfig
from raml_eval.errors import CorruptStore, StoreError
from raml_eval.manifest import engine_protocol
from raml_eval.store.journal import corrupt, cut_torn_line, encode_line, read_lines
from raml_eval.store.locking import try_lock
from raml_eval.store.manifest_file import tell_differing, write_json
from raml_eval.types import BackendDescription

NAME, ALIKE = "history.jsonl", "watch.json"
# What may differ from checkpoint to checkpoint: it alters no sample, or it is another run's business.
_FREE = frozenset(
    {
        *("model", "revision", "adapter", "out", "name", "k", "concurrency", "grading"),
        *("backend_args", "base_url", "api_key_env", "task_path", "trust_tasks", "data_dir"),
    }
)
DONE, SKIPPED, GONE, BROKEN, OWED = "done", "skipped", "gone", "broken", "owed"
_MORE = {DONE: "run", SKIPPED: "why", GONE: "why", BROKEN: "why", OWED: "why"}  # what a line of each status must have besides
_LOCK_WAIT_S = 10.0  # worker processes of a killed watch hold the lock until they notice the kill


class History:
    """The lines of the file, the last one for each checkpoint. While it is open, no other process can open it.

    A line is on the disk as a whole or not at all. Raises StoreError if the file is in use, cannot be written, or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._unwritable(error) from error
        self._lock()
        cut_torn_line(self.path)
        self.lines: dict[str, Mapping[str, Any]] = {}
        for number, line in read_lines(self.path):
            name, step = line.get("name"), line.get("step")
            if not isinstance(name, str) or type(step) is not int or line.get("status") not in _MORE:
                raise corrupt(self.path, number, "has no name, step and status")
            if not isinstance(line.get(more := _MORE[line["status"]]), str):
                raise corrupt(self.path, number, f"has no {more}")
            self.lines[name] = line

    def append(self, name: str, step: int, status: str, **more: Any) -> Mapping[str, Any]:
        """The line is on the disk, with the present time."""
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")  # compared with the times of files
        line = {"name": name, "step": step, "status": status, **more, "time": at}
        try:
            os.write(self._file, encode_line(line))
            os.fsync(self._file)
        except OSError as error:
            raise self._unwritable(error) from error
        self.lines[name] = line
        return line

    def of(self, *status: str) -> list[Mapping[str, Any]]:
        """The lines of the checkpoints that ended so, in the order in which they did."""
        return [line for line in self.lines.values() if line["status"] in status]

    def keep_settings(self, config: RunConfig, tasks: Sequence[str]) -> None:
        """The settings of every run stand beside the history. StoreError, naming each key that differs, if others do.

        tasks are all that are asked for. Engine arguments are not compared: keep_engine compares what they lead to.
        """
        if self.lines and "samples" not in self._read_alike():
            raise StoreError(
                f"{self.path} was written by an earlier version, which did not store the settings of its runs, so nobody can "
                f"tell whether new ones would be drawn alike. Choose another --out."
            )
        self._keep({**config.model_dump(mode="json", exclude=set(_FREE)), "tasks": sorted(tasks)})

    def keep_engine(self, engine: BackendDescription) -> None:
        """The engine of every run stands beside the history. StoreError, naming each key that differs, if another does."""
        self._keep({"engine": engine_protocol(engine)})

    def _keep(self, asked: Mapping[str, Any]) -> None:
        stored = self._read_alike()
        there, here = ({key: side[key] for key in asked if key in stored} for side in (stored, asked))
        if told := tell_differing(there, here):
            raise StoreError(
                f"the runs of {self.path.parent} have another configuration: {'; '.join(told)}. Choose another --out, or ask "
                f"for what they have."
            )
        if not asked.keys() <= stored.keys():
            write_json(self.path.with_name(ALIKE), {**stored, **asked})

    def _read_alike(self) -> Mapping[str, Any]:
        path = self.path.with_name(ALIKE)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise CorruptStore(f"{path} cannot be read ({error}). Restore it, or choose another --out.") from error
        if not isinstance(stored, dict):
            raise CorruptStore(f"{path} holds {type(stored).__name__}, wanted an object. Restore it, or choose another --out.")
        return stored

    def close(self) -> None:
        """The file is closed, and another process can open it."""
        os.close(self._file)

    def _lock(self) -> None:
        deadline = time.monotonic() + _LOCK_WAIT_S
        while not try_lock(self._file):
            if time.monotonic() >= deadline:
                os.close(self._file)
                raise StoreError(
                    f"{self.path} is in use by another raml-eval watch. Wait for it or stop it, or choose another --out."
                )
            time.sleep(0.05)

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(f"cannot write {self.path}: {error.strerror or error}. Make room, or choose a writable --out.")
