"""A run in pieces, one per sample: what the log of another program carries beside a sample so that the run can be made again.

Each piece is JSON text in ASCII, so that no program alters it on the way: lone surrogates, long integers and nulls stay what
they are. A header holds what the samples of one task share. restore_pieces writes a run directory from both.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from raml_eval.errors import SourceError
from raml_eval.manifest import SCHEMA_VERSION
from raml_eval.store import lines
from raml_eval.store.grades import layer_lines, layer_name, read_layers
from raml_eval.store.journal import Journal
from raml_eval.store.judgements import FILE as JUDGEMENTS
from raml_eval.store.judgements import judgement_line
from raml_eval.store.manifest_file import write_json
from raml_eval.types import Grade, QuestionKey, SampleId, SampleRecord, Status, StoredRun

FORMAT = 2  # of the pieces; another number is refused
PREFIX = "raml_eval:"  # of the names under which a log holds the parts of a piece
# Inspect's letters, which other programs know too: correct, incorrect, no answer. None of the last three was judged.
LETTERS = MappingProxyType(
    {Status.CORRECT: "C", Status.INCORRECT: "I", Status.NO_ANSWER: "N", Status.UNFINISHED: "N", Status.TIMEOUT: "N"}
)
FLUSHED = 512  # lines that are written at a time
_FILES = ("questions", "trajectories", "samples", "errors")

Line = dict[str, Any]
Piece = Mapping[str, Line]  # sample; and where this piece carries it: trajectory, question, grades


def encode_text(value: Any) -> str:
    r"""The value as JSON text in ASCII.

    Example: encode_text({"a": "\ud800"}) == '{"a":"\\ud800"}'
    """
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def shown_text(text: str) -> str:
    r"""The text as any program can store it in UTF-8: lone surrogates are written as escapes, and nothing else is changed.

    Example: shown_text("a\ud800") == "a\\ud800"
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class RunPieces:
    """The pieces of a stored run. A piece holds the verdict that a sample was stored with, and what each regrading changed."""

    def __init__(self, run: StoredRun) -> None:
        self.run = run
        self.layers = read_layers(run.directory)
        self._headers: list[Line] = []
        self._grades: dict[SampleId, Line] = defaultdict(dict)
        for layer in self.layers:
            header, *entries = layer_lines(layer)
            self._headers.append({"number": layer.number, **header})
            for entry in entries:
                self._grades[lines.read_key(entry), entry["budget"]][str(layer.number)] = entry
        self._judgements: dict[QuestionKey, list[Line]] = defaultdict(list)
        for judgement in run.judgements:
            self._judgements[judgement.task, judgement.question_id].append(judgement_line(judgement))

    def header(self, task: str, n_samples: int, lacking: Iterable[QuestionKey] = ()) -> Line:
        """What the n_samples of a log share: the manifest with this task alone, and the headers of the layers of grades.

        lacking are the questions of which the log has no sample; it holds them too.
        """
        manifest = {**self.run.manifest, "schema_version": SCHEMA_VERSION}
        entry = dict(manifest["tasks"][task])
        if entry.get("prompts"):
            entry["prompts"] = {}  # each question has its own
        return {
            "format": FORMAT,
            "n_samples": n_samples,
            "manifest": {**manifest, "tasks": {task: entry}},
            "layers": self._headers,
            "questions": [self.question(key) for key in lacking],
        }

    def piece(self, record: SampleRecord, with_trajectory: bool, with_question: bool) -> Piece:
        """The piece of a sample, with its thinking and its question if they are asked for."""
        grades = self._grades.get((record.key, record.budget))
        trajectory = self.run.trajectories.get(record.trajectory or "") if with_trajectory else None
        asked = (record.key.task, record.key.question_id)
        return {
            "sample": {**lines.sample_line(record), **lines.grade_fields(self._stored_grade(record))},
            **({"grades": grades} if grades else {}),
            **({"trajectory": lines.trajectory_line(trajectory)} if trajectory else {}),
            **({"question": self.question(asked)} if with_question else {}),
        }

    def question(self, key: QuestionKey) -> Line:
        """A question with all that the run knows about it as a whole: prompts, classes of answers, judgements."""
        prompts = self.run.manifest["tasks"][key[0]].get("prompts") or {}
        return {
            "line": lines.question_line(self.run.questions[key]),
            "prompts": prompts.get(key[1]),
            "classes": dict(self.run.classes.get(key, {})),
            "judgements": self._judgements.get(key, []),
        }

    def _stored_grade(self, record: SampleRecord) -> Grade:
        changes = (change for layer in self.layers if (change := layer.change_for(record)))
        first = next(changes, None)
        return record.grade if first is None else first.was


def restore_pieces(folder: Path, headers: Sequence[Line], pieces: Iterable[Piece], more: Mapping[str, Any]) -> None:
    """The folder is the run directory of the pieces, which may come from several logs of one run.

    more is added to the manifest. Tasks and budgets that no piece has are no longer planned. Raises SourceError for pieces
    that contradict one another or lack a part, StoreError if the folder cannot be written.
    """
    writer = _Writer(folder)
    try:
        for question in (question for header in headers for question in header["questions"]):
            writer.add_question(question)
        for piece in pieces:
            writer.add(piece)
    finally:
        writer.close()
    writer.finish(headers, more)


class _Writer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journals = {name: Journal(folder / f"{name}.jsonl") for name in _FILES}
        self.waiting: dict[str, list[Mapping[str, Any]]] = {name: [] for name in _FILES}
        self.questions: dict[QuestionKey, Line] = {}
        self.cells: dict[tuple[str, Any], None] = {}
        self.trajectories: dict[str, bool] = {}  # by id: True if it is written, False if it is only named so far
        self.grades: dict[str, list[Line]] = defaultdict(list)

    def add(self, piece: Piece) -> None:
        sample = piece["sample"]
        self.cells[sample["task"], sample["budget"]] = None
        if sample["trajectory"] is not None:
            self.trajectories.setdefault(sample["trajectory"], False)
        if "question" in piece:
            self.add_question(piece["question"])
        if "trajectory" in piece and not self.trajectories.get(piece["trajectory"]["id"]):
            self.trajectories[piece["trajectory"]["id"]] = True
            self.waiting["trajectories"].append(piece["trajectory"])
        for number, entry in piece.get("grades", {}).items():
            self.grades[number].append(entry)
        self.waiting["samples"].append(sample)
        if len(self.waiting["samples"]) >= FLUSHED:
            self.flush()

    def add_question(self, question: Line) -> None:
        key = question["line"]["task"], question["line"]["question_id"]
        known = self.questions.setdefault(key, question)
        if known is question:
            self.waiting["questions"].append(question["line"])
        elif known != question:
            raise SourceError(
                f"question {'/'.join(key)} differs between the logs, wanted one run's. Name the logs of one run, as they were "
                f"exported."
            )

    def flush(self) -> None:
        for name, waiting in self.waiting.items():
            if waiting:
                self.journals[name].append_all(list(waiting))
                waiting.clear()

    def close(self) -> None:
        """All lines are on the disk."""
        try:
            self.flush()
        finally:
            for journal in self.journals.values():
                journal.close()

    def finish(self, headers: Sequence[Line], more: Mapping[str, Any]) -> None:
        """The manifest, the layers, the judgements and the classes are on the disk."""
        if lost := [one for one, written in self.trajectories.items() if not written]:
            raise SourceError(
                f"the logs lack {len(lost)} thinkings, such as {lost[0]}: each is in the log of its largest budget alone. Name "
                f"the whole folder that was exported, or export this budget by itself."
            )
        asked = {key: question for key, question in self.questions.items() if any(key[0] == task for task, _ in self.cells)}
        write_json(self.folder / "manifest.json", {**_merge(headers, asked, list(self.cells)), **more})
        write_json(self.folder / "classes.json", {"/".join(key): q["classes"] for key, q in asked.items() if q["classes"]})
        for header in headers[0]["layers"]:
            self._write_lines(layer_name(header["number"]), _layer(header, self.grades[str(header["number"])]))
        judgements = [line for question in asked.values() for line in question["judgements"]]
        if judgements:
            self._write_lines(JUDGEMENTS, judgements)

    def _write_lines(self, name: str, found: list[Line]) -> None:
        journal = Journal(self.folder / name)
        journal.append_all(list(found))
        journal.close()


def _layer(header: Line, entries: list[Line]) -> list[Line]:
    """The lines of a layer of grades, header first, then the changes, then what failed."""
    changes, failed = ([e for e in entries if ("error" in e) is wanted] for wanted in (False, True))
    told = {key: value for key, value in header.items() if key != "number"}
    return [{**told, "n_changed": len(changes), "n_failed": len(failed)}, *changes, *failed]


def _merge(headers: Sequence[Line], asked: Mapping[QuestionKey, Line], cells: Sequence[tuple[str, Any]]) -> Line:
    """One manifest for the tasks and budgets that are there, in the order of the original plan."""
    manifest = headers[0]["manifest"]
    entries = {name: entry for header in headers for name, entry in header["manifest"]["tasks"].items()}
    tasks = [name for name in manifest["plan"]["tasks"] if any(name == task for task, _ in cells)]
    budgets = [budget for budget in manifest["plan"]["budgets"] if any(_same(budget, other) for _, other in cells)]
    for name in tasks:
        prompts = {one: q["prompts"] for (task, one), q in asked.items() if task == name and q["prompts"] is not None}
        entries[name] = {**entries[name], **({"prompts": prompts} if prompts else {})}
    protocol = {**manifest["protocol"]}
    protocol["tasks"] = {name: value for name, value in protocol.get("tasks", {}).items() if name in tasks}
    suites = {name: suite for name, suite in manifest.get("suites", {}).items() if set(suite["tasks"]) <= set(tasks)}
    return {
        **manifest,
        "plan": {**manifest["plan"], "tasks": tasks, "budgets": budgets},
        "tasks": {name: entries[name] for name in tasks},
        "protocol": protocol,
        **({"suites": suites} if "suites" in manifest else {}),
    }


def _same(budget: Any, other: Any) -> bool:
    return type(budget) is type(other) and bool(budget == other)
