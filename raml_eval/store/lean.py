"""Reads a run directory without its texts: each line is parsed once, and only what tables read of it is kept.

A line that the fast parser does not accept as this version writes it is read by raml_eval.store.lines, which decides.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np

from raml_eval.budgets import THINKING
from raml_eval.columns import COUNTED, Collector, IntArray, Samples
from raml_eval.manifest import Manifest
from raml_eval.reflection import count_reflections
from raml_eval.store import lines, schema_1
from raml_eval.store.grades import Layer, apply_layers, grader_versions, read_layers
from raml_eval.store.journal import corrupt, lacks_trajectories, parse_line, whole_lines
from raml_eval.types import Finish, QuestionKey, SampleId, SampleKey, SampleRecord, Status, ThinkingEnd

T = TypeVar("T")
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Said(msgspec.Struct):
    verdict: dict[str, float]
    of_question: bool
    n_tokens: int | None


class SampleLine(msgspec.Struct, gc=False):
    """A line of samples.jsonl. What tables do not read must be there, and stays text."""

    task: str
    question_id: str
    sample: _Count
    budget: int | str
    trajectory: str | None
    thinking_end: ThinkingEnd
    n_thinking_tokens: int | None
    answer: str
    answer_finish: Finish | None
    n_answer_tokens: int | None
    leak: bool
    target: msgspec.Raw
    extracted: str | None
    status: Status
    rule: msgspec.Raw
    detail: msgspec.Raw
    seed: int | None
    answer_ids: msgspec.Raw
    session: _Count | msgspec.UnsetType = msgspec.UNSET
    score: _Share | None = None
    imported: _Said | None = None


class TrajectoryLine(msgspec.Struct, gc=False):
    """A line of trajectories.jsonl."""

    task: str
    question_id: str
    sample: _Count
    limit: int | None
    token_ids: msgspec.Raw
    n_tokens: int | None
    end: ThinkingEnd
    end_ids: msgspec.Raw
    text: msgspec.Raw
    seed: int | None
    redrawn: bool
    prompt: str = THINKING
    extensions: list[int] = []


@dataclass(frozen=True)
class Lean:
    """A run directory's samples without their texts: the collected columns, and the words of reflection of each answer.

    words is -1 for a sample whose end is not COUNTED. grader_versions are those of the verdicts in force.
    """

    path: Path
    collector: Collector
    n_trajectories: int
    words: IntArray
    grader_versions: tuple[str, ...]

    def samples(self, classes: Mapping[QuestionKey, Mapping[str, int]]) -> Samples:
        """The columns, with the answers in these classes. Raises CorruptStore if a sample occurs twice."""
        samples = self.collector.finish(classes, self.n_trajectories, self.words.__getitem__)
        row = samples.first_repetition()
        if row is not None:
            repeated = samples.key(row), samples.budgets[int(samples.budget[row])]
            raise corrupt(self.path / "samples.jsonl", row + 1, f"repeats {repeated}, which is already on an earlier line")
        return samples


def read_lean(path: Path, manifest: Manifest) -> Lean:
    """The samples of the run directory with their last verdicts. Raises CorruptStore for the lines for which read_run does.

    Token ids are not unpacked: their numbers are those that the lines name.
    """
    layers, collector = read_layers(path), Collector()
    samples = _Samples(path / "samples.jsonl", manifest, layers, collector)
    n_trajectories = _read_trajectories(path / "trajectories.jsonl", collector)
    samples.read()
    _check_trajectories(path, collector)
    versions = grader_versions(samples.examples.values(), layers, manifest["sessions"])
    return Lean(path, collector, n_trajectories, np.array(samples.words, dtype=np.int64), versions)


def present(samples: Samples, wanted: Collection[SampleId]) -> set[SampleId]:
    """Those of the wanted samples that are there."""
    asked = {(key.task, key.question_id) for key, _ in wanted}
    rows = np.flatnonzero(samples.in_questions(asked.__contains__)).tolist()
    there = {(samples.key(row), samples.budgets[int(samples.budget[row])]) for row in rows}
    return there.intersection(wanted)


def decoded(path: Path, decoder: msgspec.json.Decoder[T]) -> Iterator[tuple[int, bytes, T | None]]:
    """The line numbers and lines of a file, each parsed, or None where the fast parser does not accept it."""
    decode = decoder.decode
    for number, text in whole_lines(path):
        parsed = None
        if text.isascii():  # as lines are written; it would not look into the rest of the others
            try:
                parsed = decode(text)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                parsed = None
        yield number, text, parsed


def read_slowly(path: Path, number: int, text: bytes, read: Callable[[Mapping[str, Any]], T]) -> T:
    """What read makes of the line. Raises CorruptStore where it fails."""
    line = parse_line(path, number, text)
    try:
        return read(line)
    except Exception as error:
        raise corrupt(path, number, f"is not of this file's schema ({type(error).__name__}: {error})") from error


def is_plain(t: TrajectoryLine) -> bool:
    """True if the line's thinking is a text, with a number of tokens where it has a limit, and neither it nor ids elsewhere."""
    counted = (t.n_tokens is None) != (t.limit is not None) and (t.limit is not None or bytes(t.token_ids) == b'""')
    return counted and _is_text(t.text)


def _read_trajectories(path: Path, collector: Collector) -> int:
    """Every trajectory is known to the collector. Returns their number."""
    n_read = 0
    for number, text, t in decoded(path, msgspec.json.Decoder(TrajectoryLine)):
        if t is None or not is_plain(t):
            drawn = read_slowly(path, number, text, lines.read_trajectory)
            identity, n_tokens, end, redrawn = drawn.id, len(drawn.token_ids), drawn.end, drawn.redrawn
        else:
            told = "" if t.prompt == THINKING else f"@{t.prompt}"
            identity = f"{t.task}/{t.question_id}/{t.sample}{told}@{'imported' if t.limit is None else t.limit}"
            n_tokens, end, redrawn = t.n_tokens or 0, t.end, t.redrawn
        if not collector.add_trajectory(identity, n_tokens, end, redrawn):
            raise corrupt(path, number, f"repeats {identity}, which is already on an earlier line")
        n_read += 1
    return n_read


def _check_trajectories(path: Path, collector: Collector) -> None:
    """Raises CorruptStore if a sample names a trajectory that is not stored, as read_run does."""
    if not collector.unknown:
        return
    again = Collector()  # a run that is being drawn may have stored it since
    _read_trajectories(path / "trajectories.jsonl", again)
    lacking = {identity: told for identity, told in collector.unknown.items() if not again.knows(identity)}
    if lacking:
        identity, (task, question_id, index) = next(iter(lacking.items()))
        n_more = sum(collector.n_unknown[one] for one in lacking) - 1
        raise lacks_trajectories(path, identity, f"{index} of {task}/{question_id}", n_more)


def has_texts(s: SampleLine) -> bool:
    """True if what should be texts of a sample are texts."""
    return all(map(_is_text, (s.target, s.rule, s.detail)))


def _is_text(raw: msgspec.Raw) -> bool:
    return memoryview(raw)[0] == ord('"')


class _Samples:
    """The lines of samples.jsonl while they are read.

    words are the words of reflection of each answer. examples holds a sample for each set of samples that have one grader.
    """

    def __init__(self, path: Path, manifest: Manifest, layers: Sequence[Layer], collector: Collector) -> None:
        self.path, self.layers, self.collector = path, layers, collector
        self.sessions: Sequence[Mapping[str, Any]] = manifest["sessions"]
        self.old = manifest["schema_version"] == schema_1.NUMBER
        self.named: Collection[SampleId] = {one for layer in layers for one in (*layer.changes, *(layer.failed or ()))}
        self.words = array("q")
        self.count_words = lru_cache(maxsize=1024)(count_reflections)  # larger budgets repeat the answers of a natural end
        self.examples: dict[Any, SampleRecord] = {}

    def read(self) -> None:
        for position, (number, text, s) in enumerate(decoded(self.path, msgspec.json.Decoder(SampleLine))):
            session = schema_1.session_at(position, self.sessions) if self.old else None if s is None else s.session
            if s is None or not isinstance(session, int) or self.must_be_looked_at(s):
                self.add_record(self.read_record(number, text, session))
                continue
            if (s.task, session) not in self.examples:
                self.examples[s.task, session] = self.read_record(number, text, session)
            self.add_line(s)

    def must_be_looked_at(self, s: SampleLine) -> bool:
        """True if a layer names the sample, and if it does not tell how many tokens its answer has."""
        if (s.n_answer_tokens is None and s.imported is None) or not has_texts(s):
            return True
        return bool(self.named) and (SampleKey(s.task, s.question_id, s.sample), s.budget) in self.named

    def add_line(self, s: SampleLine) -> None:
        said = s.imported
        self.words.append(self.count_words(s.answer) if s.thinking_end in COUNTED else -1)
        self.collector.add(
            (s.task, s.question_id, s.sample),
            s.budget,
            (s.status, s.extracted, s.score),
            (s.n_thinking_tokens, s.n_answer_tokens),
            s.thinking_end,
            s.trajectory,
            s.leak,
            s.answer_finish is Finish.UNKNOWN,
            None if said is None or said.of_question else said.verdict,
        )

    def read_record(self, number: int, text: bytes, session: object) -> SampleRecord:
        """The sample as read_run reads it, with the verdict that it was stored with."""

        def read(line: Mapping[str, Any]) -> SampleRecord:
            record = lines.read_sample({**line, "session": session} if self.old else line)
            numbers = (record.grade.score or 0.0, *(record.imported.verdict.values() if record.imported else ()))
            if not all(map(math.isfinite, numbers)):
                raise ValueError(f"a number of {numbers} is not finite")
            hash((record.key, record.budget))
            return record

        return read_slowly(self.path, number, text, read)

    def add_record(self, stored: SampleRecord) -> None:
        """The sample is added with its last verdict."""
        if self.named:
            covering = tuple(layer.covers(stored) for layer in self.layers)
            self.examples.setdefault((covering, stored.session), stored)
        else:
            self.examples.setdefault((stored.key.task, stored.session), stored)
        (record,) = apply_layers([stored], self.layers)
        self.words.append(count_reflections(record.answer) if record.thinking_end in COUNTED else -1)
        self.collector.add_record(record)
