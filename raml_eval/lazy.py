"""Parts of a stored run that are read when somebody asks for them, because tables do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar, overload

from raml_eval.columns import Samples, columns_of
from raml_eval.types import QuestionKey, SampleRecord, StoredRun

K = TypeVar("K")
V = TypeVar("V")


class LazyRecords(Sequence[SampleRecord]):
    """Records that are read when one of them is asked for. Their number and their columns are known before."""

    def __init__(self, samples: Samples, load: Callable[[], Sequence[SampleRecord]]) -> None:
        self.samples = samples
        self._load = load

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, place: int) -> SampleRecord: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[SampleRecord]: ...
    def __getitem__(self, place: int | slice) -> SampleRecord | Sequence[SampleRecord]:
        return self._load()[place]

    def __iter__(self) -> Iterator[SampleRecord]:
        return iter(self._load())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


class LazyMapping(Mapping[K, V]):
    """A mapping that is read when it is first asked for anything."""

    def __init__(self, load: Callable[[], Mapping[K, V]]) -> None:
        self._load = load

    def __getitem__(self, key: K) -> V:
        return self._load()[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())


def records_of(run: StoredRun, wanted: Callable[[QuestionKey], bool]) -> Sequence[SampleRecord]:
    """The run's records of the questions that are wanted; not read yet if the run's are not."""
    records = run.records

    def load() -> tuple[SampleRecord, ...]:
        return tuple(record for record in records if wanted((record.key.task, record.key.question_id)))

    if not isinstance(records, LazyRecords):
        return load()
    return LazyRecords(records.samples.take(records.samples.in_questions(wanted)), load)


def samples_of(run: StoredRun) -> Samples:
    """The columns of the run's samples: those that were read, or those of its records."""
    if isinstance(run.records, LazyRecords):
        return run.records.samples
    return columns_of(run.records, run.classes, run.trajectories)
