"""Tells which checkpoints a training has written into a folder, and which of them are whole."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from raml_eval.backends.tensor_files import pickled_files, read_file, read_headers, read_tensors
from raml_eval.checkpoint import first_line, is_adapter_folder
from raml_eval.errors import ConfigError, ModelError
from raml_eval.fingerprint import is_training_state
from raml_eval.matrix import is_unfinished, models_below, step_of_name

PATIENCE = 10  # times settle: the files of a checkpoint that is not whole have not changed for so long, so it is broken
_NAME = re.compile(r".*\d")  # a number at the end
_WEIGHTS = (".safetensors", ".bin", ".pt", ".gguf")


class State(StrEnum):
    """What can be done with a checkpoint now."""

    WHOLE = "whole"
    WRITTEN = "written"  # it is still being written, as far as one can tell
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A checkpoint in the folder. model is where config.json is, in its subfolder or below; stamp changes with its files.

    why says what a checkpoint lacks that is not whole.
    """

    name: str
    step: int
    folder: Path
    model: Path
    stamp: str
    state: State
    why: str = ""

    @property
    def is_gone(self) -> bool:
        """True if the checkpoint has been deleted since."""
        return not self.model.is_dir()


class Arrivals:
    """The checkpoints in a folder, as often as one looks.

    With ready_file, a checkpoint is whole once it holds a file of that name. Otherwise it is whole once its files have not
    changed for settle seconds, as seen from here: a copy may keep older times. Either way its weights must be there, too.
    """

    def __init__(
        self,
        folder: Path,
        every: int = 1,
        ready_file: str | None = None,
        settle: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.ready_file, self.settle = folder, ready_file, settle
        self._every, self._clock = every, clock
        self._seen: dict[str, tuple[str, float]] = {}

    def look(self, settled: Collection[str] = ()) -> list[Arrival]:
        """What is there now, in the order of the steps, without the names in settled and what is no checkpoint yet."""
        found = []
        children = self.folder.iterdir() if self.folder.is_dir() else ()
        for child in children:
            if child.name in settled or not _NAME.fullmatch(child.name) or is_unfinished(child.name) or not child.is_dir():
                continue
            step = step_of_name(child.name)
            if step is not None and step % self._every == 0 and (arrival := self._look_at(child, step)):
                found.append(arrival)
        return sorted(found, key=lambda arrival: (arrival.step, arrival.name))

    def _look_at(self, child: Path, step: int) -> Arrival | None:
        model, problem, marked = child, "it has no config.json", False
        try:
            stamp = stamp_of(child)
            if models := models_below(child):
                model, problem = models[0], find_problem(models[0])
            marked = self.ready_file is not None and any((at / self.ready_file).exists() for at in (child, model))
            if not models and not marked:
                return None  # another folder with a number, or a checkpoint of which little is there
        except ConfigError as error:  # several models, none of which is named
            problem = str(error)
        except OSError:  # it is deleted, or renamed, while it is looked at
            return None
        still = self._still_for(child.name, stamp)
        state, why = self._judge(problem, marked, still)
        return Arrival(child.name, step, child, model, stamp, state, why)

    def _still_for(self, name: str, stamp: str) -> float:
        """Seconds since the files were seen to change."""
        now = self._clock()
        before, since = self._seen.get(name, ("", now))
        if before != stamp:
            since = now
        self._seen[name] = (stamp, since)
        return now - since

    def _judge(self, problem: str, marked: bool, still: float) -> tuple[State, str]:
        if self.ready_file is not None and not marked:
            return State.WRITTEN, f"it has no {self.ready_file} yet"
        patience = self.settle if self.ready_file is not None else PATIENCE * self.settle
        if problem:
            return (State.BROKEN if still >= patience else State.WRITTEN), problem
        if self.ready_file is None and still < self.settle:
            return State.WRITTEN, f"its files must not change for {self.settle:g} s"
        return State.WHOLE, ""


def stamp_of(folder: Path) -> str:
    """16 hex digits that change with the names, sizes and times of the files below a folder.

    Raises OSError if a file vanishes meanwhile.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        about = path.stat()
        if path.is_file():
            digest.update(
                f"{path.relative_to(folder)}\0{about.st_size}\0{about.st_mtime_ns}\0".encode(errors="surrogateescape")
            )
    return digest.hexdigest()[:16]


def written_since(folder: Path, at: float) -> bool:
    """True if a file of weights below the folder was written after that time, in seconds since the epoch."""
    try:
        weights = (path for path in folder.rglob("*") if path.suffix in _WEIGHTS and not is_training_state(path.name))
        return any(path.stat().st_mtime > at for path in weights)
    except OSError:  # it is deleted meanwhile
        return False


def find_problem(model: Path) -> str:
    """What the folder of a model or an adapter lacks, in words; empty if all weights are there. Reads headers, no weights.

    Raises OSError if a file vanishes meanwhile.
    """
    adapter = is_adapter_folder(model)
    try:
        config = "adapter_config.json" if adapter else "config.json"
        if not isinstance(json.loads((model / config).read_text(encoding="utf-8")), dict):
            return f"{config} holds no object"
    except ValueError as error:
        return f"{config} cannot be read ({first_line(error)})"
    try:
        if adapter:
            files = list(model.glob("adapter_model.*"))
            for path in files:
                if path.suffix == ".safetensors":
                    read_file(path)
            return "" if files else "it has no adapter_model file"
        if not read_headers(str(model), model) and not pickled_files(model):
            if any(model.glob("model-*-of-*.safetensors")):
                return "its shards have no index"
            read_tensors(model)
    except ModelError as error:
        return str(error)
    return ""
