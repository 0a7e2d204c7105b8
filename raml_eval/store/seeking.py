"""A run directory read question by question: only the places of its lines stay in memory, however many samples it holds."""

from __future__ import annotations

import json
import re
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from raml_eval.store import lines
from raml_eval.store.grades import Layer, apply_layers, read_layers
from raml_eval.store.journal import corrupt, read_lines
from raml_eval.store.manifest_file import read_manifest
from raml_eval.store.schema_1 import NUMBER, session_at
from raml_eval.types import Question, QuestionKey, SampleRecord, Trajectory

# A quotation mark within a JSON string is escaped, so these can only be a line's own two fields, one after the other.
_KEY = re.compile(rb'"task":("(?:[^"\\]|\\.)*"),"question_id":("(?:[^"\\]|\\.)*")')
_Places = dict[QuestionKey, "array[int]"]  # pairs: the offset of a line, and the number of lines before it


class RunReader:
    """Reads the samples and the thinking of one question at a time, with their last verdicts. Writes nothing.

    Raises StoreError if the folder is not a run directory, CorruptStore for a line that cannot be read. Use it in a with
    statement, which closes its files.

    Example: with RunReader(Path("runs/mine")) as run: records = run.records(("gsm8k", "0-1a2b3c"))
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.manifest = read_manifest(directory / "manifest.json")
        self.questions = self._read_questions()
        self.layers: Sequence[Layer] = read_layers(directory)
        self._old = self.manifest["schema_version"] == NUMBER
        self._paths = {name: directory / f"{name}.jsonl" for name in ("samples", "trajectories")}
        self._places = {name: _find_places(path) for name, path in self._paths.items()}
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> RunReader:
        self._files = {name: path.open("rb") for name, path in self._paths.items() if path.exists()}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for file in self._files.values():
            file.close()

    def _read_questions(self) -> dict[QuestionKey, Question]:
        """Every planned question that the directory holds, in the order of the plan."""
        path = self.directory / "questions.jsonl"
        found: dict[QuestionKey, Question] = {}
        for number, line in read_lines(path):
            with _schema_of(path, number):
                question = lines.read_question(line)
            found[question.task, question.id] = question
        wanted = [(task, one) for task, entry in self.manifest["tasks"].items() for one in entry["questions"]]
        return {key: found[key] for key in wanted if key in found}

    def records(self, key: QuestionKey, ids: bool = True) -> list[tuple[SampleRecord, SampleRecord]]:
        """The question's samples in the order of the lines: each with its last verdict, and as it was stored.

        If ids is False, their answer_ids are empty, which saves time.
        """
        stored = []
        for text, place in self._lines("samples", key):
            with _schema_of(self._paths["samples"], place + 1):
                line = json.loads(text)
                if self._old:
                    line["session"] = session_at(place, self.manifest["sessions"])
                stored.append(lines.read_sample(line, ids))
        return list(zip(apply_layers(stored, self.layers), stored, strict=True))

    def trajectories(self, key: QuestionKey) -> dict[str, Trajectory]:
        """The question's thinking by id."""
        found = {}
        for text, place in self._lines("trajectories", key):
            with _schema_of(self._paths["trajectories"], place + 1):
                trajectory = lines.read_trajectory(json.loads(text))
            found[trajectory.id] = trajectory
        return found

    def _lines(self, name: str, key: QuestionKey) -> Iterator[tuple[bytes, int]]:
        places = self._places[name].get(key, array("q"))
        for at in range(0, len(places), 2):
            self._files[name].seek(places[at])
            yield self._files[name].readline(), places[at + 1]


def _find_places(path: Path) -> _Places:
    """Where each question's lines begin. A torn last line is left out; a missing file has no lines."""
    places: _Places = defaultdict(lambda: array("q"))
    if not path.exists():
        return places
    offset = 0
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if text.endswith(b"\n"):
                with _schema_of(path, number):
                    key = _read_key(text)
                places[key].extend((offset, number - 1))
            offset += len(text)
    return places


def _read_key(text: bytes) -> QuestionKey:
    found = _KEY.search(text)
    fields = map(json.loads, found.groups()) if found else (json.loads(text)[name] for name in ("task", "question_id"))
    task, question = fields
    return str(task), str(question)


@contextmanager
def _schema_of(path: Path, number: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise corrupt(path, number, f"is not of this file's schema ({type(error).__name__}: {error})") from error
