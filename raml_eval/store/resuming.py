"""What a resumed session must know of the samples and the thinking that are stored: their names and places, not their texts."""

from __future__ import annotations

import binascii
import json
import zlib
from array import array
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from raml_eval.budgets import THINKING
from raml_eval.errors import CorruptStore
from raml_eval.manifest import Manifest
from raml_eval.store import lines
from raml_eval.store.journal import corrupt, lacks_trajectories
from raml_eval.store.lean import SampleLine, TrajectoryLine, decoded, has_texts, is_plain, read_slowly
from raml_eval.types import Budget, Draw, QuestionKey, SampleId, SampleKey, SampleRecord, ThinkingEnd, Trajectory

T = TypeVar("T")
_FAR = 1 << 16  # a sample's index from here on is kept on its own: the bits of a question reach up to its largest index
_ROW = 4  # numbers kept of a trajectory: the sample's index, its prompt, its limit, and where its line begins


class SampleSet(Set[tuple[SampleKey, Budget]]):
    """Samples, each with a budget or the name of a prompt: a bit for each, and some hundred bytes for a question."""

    def __init__(self, pairs: Iterable[tuple[SampleKey, Budget]] = ()) -> None:
        self._bits: dict[QuestionKey, dict[Budget, int]] = {}
        self._far: set[tuple[SampleKey, Budget]] = set()
        self._n = 0
        for key, word in pairs:
            self.add((key, word))

    @classmethod
    def _from_iterable(cls, it: Iterable[T]) -> Set[T]:
        return frozenset(it)

    def add(self, pair: tuple[SampleKey, Budget]) -> bool:
        """The pair is in the set. Returns False if it was before."""
        key, word = pair
        if pair in self:
            return False
        if 0 <= key.index < _FAR:
            of_question = self._bits.setdefault((key.task, key.question_id), {})
            of_question[word] = of_question.get(word, 0) | 1 << key.index
        else:
            self._far.add(pair)
        self._n += 1
        return True

    def __contains__(self, pair: object) -> bool:
        if not isinstance(pair, tuple):
            return False
        key, word = pair
        if not 0 <= key.index < _FAR:
            return pair in self._far
        of_question = self._bits.get((key.task, key.question_id))
        return of_question is not None and bool(of_question.get(word, 0) >> key.index & 1)

    def __iter__(self) -> Iterator[tuple[SampleKey, Budget]]:
        for (task, question_id), of_question in self._bits.items():
            for word, bits in of_question.items():
                for index in range(bits.bit_length()):
                    if bits >> index & 1:
                        yield SampleKey(task, question_id, index), word
        yield from self._far

    def __len__(self) -> int:
        return self._n


class StoredThinking:
    """The trajectories of a directory: the places of their lines are in memory, and each is read when it is asked for.

    Where a draw has several, the one that was drawn the furthest counts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[QuestionKey, array[int]] = {}
        self._prompts: dict[str, int] = {}

    def add(self, key: SampleKey, prompt: str, limit: int | None, offset: int) -> None:
        """The trajectory whose line begins at that offset is known."""
        rows = self._rows.setdefault((key.task, key.question_id), array("q"))
        code = self._prompts.setdefault(prompt, len(self._prompts))
        rows.extend((key.index, code, -1 if limit is None else limit, offset))

    def __contains__(self, draw: Draw) -> bool:
        return self._furthest(draw) is not None

    def get(self, draw: Draw) -> Trajectory | None:
        """The draw's trajectory; None if there is none."""
        found = self._furthest(draw)
        return None if found is None else self._read(found[1])

    def identity(self, draw: Draw) -> str:
        """The id of the draw's trajectory. Raises KeyError if there is none."""
        found = self._furthest(draw)
        if found is None:
            raise KeyError(draw)
        return _identity(*draw, found[0])

    def at_limit(self, key: SampleKey, limit: int) -> Trajectory | None:
        """The sample's trajectory that was drawn up to this limit; None if there is none."""
        return next((self._read(offset) for told, offset in self._of((key, THINKING)) if told == limit), None)

    def holds(self, key: SampleKey, identity: str) -> bool:
        """True if the sample has a trajectory of this id."""
        prompts = tuple(self._prompts)
        rows = self._rows.get((key.task, key.question_id), array("q"))
        return any(
            rows[at] == key.index and _identity(key, prompts[rows[at + 1]], rows[at + 2]) == identity
            for at in range(0, len(rows), _ROW)
        )

    @cached_property
    def identities(self) -> frozenset[str]:
        """The ids of all trajectories that are known at the first use. A sample may name another sample's thinking."""
        prompts = tuple(self._prompts)
        return frozenset(
            _identity(SampleKey(*question, rows[at]), prompts[rows[at + 1]], rows[at + 2])
            for question, rows in self._rows.items()
            for at in range(0, len(rows), _ROW)
        )

    def first_repetition(self) -> tuple[int, str] | None:
        """The offset and the id of a trajectory whose id an earlier one has; None if there is none."""
        again: list[tuple[int, QuestionKey, tuple[int, int, int]]] = []
        for question, rows in self._rows.items():
            seen: set[tuple[int, int, int]] = set()
            for at in range(0, len(rows), _ROW):
                named = (rows[at], rows[at + 1], rows[at + 2])
                if named in seen:
                    again.append((rows[at + 3], question, named))
                seen.add(named)
        if not again:
            return None
        offset, (task, question_id), (index, code, limit) = min(again)
        return offset, _identity(SampleKey(task, question_id, index), tuple(self._prompts)[code], limit)

    def _of(self, draw: Draw) -> Iterator[tuple[int, int]]:
        """The limit and the offset of each of the draw's trajectories."""
        key, prompt = draw
        rows, code = self._rows.get((key.task, key.question_id)), self._prompts.get(prompt)
        for at in range(0, len(rows) if rows else 0, _ROW):
            if rows and rows[at] == key.index and rows[at + 1] == code:
                yield rows[at + 2], rows[at + 3]

    def _furthest(self, draw: Draw) -> tuple[int, int] | None:
        return max(self._of(draw), key=lambda found: found[0], default=None)

    def _read(self, offset: int) -> Trajectory:
        with self.path.open("rb") as file:
            file.seek(offset)
            text = file.readline()
        try:
            return lines.read_trajectory(json.loads(text))
        except Exception as error:
            number = line_number(self.path, offset)
            raise corrupt(
                self.path, number, f"has changed since the session began ({type(error).__name__}: {error})"
            ) from error


def _identity(key: SampleKey, prompt: str, limit: int | None) -> str:
    told = None if limit is None or limit < 0 else limit
    return Trajectory(key, told, (), ThinkingEnd.UNKNOWN, (), "", None, prompt=prompt).id


def line_number(path: Path, offset: int) -> int:
    """The number (from 1) of the line that begins at the offset."""
    with path.open("rb") as file:
        number = 1
        while offset > 0 and (part := file.read(min(offset, 1 << 20))):
            number += part.count(b"\n")
            offset -= len(part)
    return number


def read_thinking(path: Path) -> StoredThinking:
    """The trajectories of a file. Each line is looked at, with its token ids. CorruptStore for one that cannot be used."""
    found, offset = StoredThinking(path), 0
    for number, text, t in decoded(path, msgspec.json.Decoder(TrajectoryLine)):
        if t is None or not is_plain(t) or not (_unpacks(t.token_ids) and _unpacks(t.end_ids)):
            drawn = read_slowly(path, number, text, _whole_trajectory)
            found.add(drawn.key, drawn.prompt, drawn.limit, offset)
        else:
            found.add(SampleKey(t.task, t.question_id, t.sample), t.prompt, t.limit, offset)
        offset += len(text)
    if repeated := found.first_repetition():
        place, identity = repeated
        raise corrupt(path, line_number(path, place), f"repeats {identity}, which is already on an earlier line")
    return found


def _whole_trajectory(line: Mapping[str, Any]) -> Trajectory:
    drawn = lines.read_trajectory(line)
    hash((drawn.key, drawn.prompt))
    return drawn


def _unpacks(packed: msgspec.Raw) -> bool:
    """True if these are token ids, packed."""
    text = bytes(packed)
    if text == b'""':
        return True
    try:
        return len(zlib.decompress(b64decode(text[1:-1], validate=True))) % 4 == 0
    except (binascii.Error, zlib.error):
        return False


@dataclass(slots=True)
class StoredSamples:
    """The names of the stored samples, and what is counted of them.

    last_session is -1 if there is none. lacking are the first sample whose trajectory is not stored, and the number of all.
    """

    done: SampleSet
    n_leaks: int = 0
    last_session: int = -1
    lacking: tuple[SampleKey, str] | None = None
    n_lacking: int = 0


def read_samples(path: Path, thinking: StoredThinking) -> StoredSamples:
    """The samples of a file. Raises CorruptStore for a line that cannot be used and for a sample that stands twice."""
    found = StoredSamples(SampleSet())
    for number, text, s in decoded(path, msgspec.json.Decoder(SampleLine)):
        if s is None or not isinstance(s.session, int) or not has_texts(s):
            record = read_slowly(path, number, text, _whole_record)
            key, budget, trajectory = record.key, record.budget, record.trajectory
            leak, session = record.leak, record.session
        else:
            key, budget, trajectory = SampleKey(s.task, s.question_id, s.sample), s.budget, s.trajectory
            leak, session = s.leak, s.session
        one: SampleId = (key, budget)
        if not found.done.add(one):
            raise corrupt(path, number, f"repeats {one}, which is already on an earlier line")
        found.n_leaks += leak
        found.last_session = max(found.last_session, session)
        if trajectory is not None and not thinking.holds(key, trajectory) and trajectory not in thinking.identities:
            found.lacking = found.lacking or (key, trajectory)
            found.n_lacking += 1
    return found


def _whole_record(line: Mapping[str, Any]) -> SampleRecord:
    record = lines.read_sample(line, ids=False)
    hash((record.key, record.budget))
    return record


def check_trajectories(path: Path, samples: StoredSamples) -> None:
    """Raises CorruptStore if a sample of the directory names thinking that is not stored."""
    if samples.lacking is not None:
        key, trajectory = samples.lacking
        told = f"{key.index} of {key.task}/{key.question_id}"
        raise lacks_trajectories(path, trajectory, told, samples.n_lacking - 1)


def check_sessions(path: Path, last: int, manifest: Manifest | None) -> None:
    """Raises CorruptStore if a sample is of a session that the manifest does not list."""
    n_sessions = len(manifest["sessions"]) if manifest else 0
    if last >= n_sessions:
        raise CorruptStore(
            f"{path / 'manifest.json'} lists {n_sessions} sessions, but samples.jsonl holds a sample of session {last} "
            f"(counted from 0). The manifest is an older one: restore the newer one, or choose another --out."
        )
