"""A run's samples as columns: what tables read of them, in some fifty bytes a sample and without any text."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from raml_eval.reflection import count_reflections
from raml_eval.types import (
    Budget,
    Finish,
    QuestionKey,
    SampleKey,
    SampleRecord,
    Status,
    ThinkingEnd,
    Trajectory,
)

T = TypeVar("T")
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Answers = Mapping[QuestionKey, Mapping[str, int]]  # by question: the graded answers, each with the number of its code
STATUSES, ENDS = tuple(Status), tuple(ThinkingEnd)
GRADED = (Status.CORRECT, Status.INCORRECT)
_STATUS = {status: code for code, status in enumerate(STATUSES)}
_END = {end: code for code, end in enumerate(ENDS)}
COUNTED = (ThinkingEnd.FORCED, ThinkingEnd.NATURAL)  # of the answers after these ends, tables count words of reflection
NONE = -1


@dataclass(frozen=True)
class Samples:
    """N samples, each column of shape (N,), in the order in which they were stored.

    question and budget are places in questions and budgets; status and end in STATUSES and ENDS. answer_class is equal for
    two graded answers to one question if and only if they are in one class, NONE for a sample that was not graded. thinking
    and answer are tokens; full_length holds those of the whole trajectory if it ended by itself; NaN stands for what is not
    known, and for no score. trajectory is equal for samples of one trajectory, NONE without thinking. verdicts are another
    harness's numbers of single samples by metric, NaN where it gave none.
    """

    questions: Sequence[QuestionKey]
    budgets: Sequence[Budget]
    question: IntArray
    index: IntArray
    budget: IntArray
    status: IntArray
    end: IntArray
    thinking: FloatArray
    answer: FloatArray
    leak: BoolArray
    answer_class: IntArray
    score: FloatArray
    trajectory: IntArray
    full_length: FloatArray
    ending_unknown: BoolArray
    verdicts: Mapping[str, FloatArray]
    n_trajectories: int  # of the whole run
    n_redrawn: int
    reflections: Callable[[IntArray], IntArray] = field(compare=False)  # of the answers in these rows, whose end is COUNTED

    def __len__(self) -> int:
        return len(self.question)

    def take(self, rows: NDArray[Any]) -> Samples:
        """The samples of these rows: their numbers, or a mask (N,)."""
        where = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        columns = {f.name: getattr(self, f.name)[where] for f in fields(self) if isinstance(getattr(self, f.name), np.ndarray)}
        verdicts = {metric: values[where] for metric, values in self.verdicts.items()}
        return replace(self, **columns, verdicts=verdicts, reflections=lambda chosen: self.reflections(where[chosen]))

    def is_status(self, status: Status) -> BoolArray:
        found: BoolArray = self.status == _STATUS[status]
        return found

    def is_end(self, end: ThinkingEnd) -> BoolArray:
        found: BoolArray = self.end == _END[end]
        return found

    def key(self, row: int) -> SampleKey:
        """The key of the sample in that row."""
        task, question_id = self.questions[int(self.question[row])]
        return SampleKey(task, question_id, int(self.index[row]))

    def in_questions(self, wanted: Callable[[QuestionKey], bool]) -> BoolArray:
        """True for the samples of a question that is wanted, (N,)."""
        return np.array([wanted(question) for question in self.questions], dtype=np.bool_)[self.question]

    def in_budgets(self, wanted: Callable[[Budget], bool]) -> BoolArray:
        """True for the samples at a budget that is wanted, (N,)."""
        return np.array([wanted(budget) for budget in self.budgets], dtype=np.bool_)[self.budget]

    def draws(self, with_budget: bool = False) -> IntArray:
        """A number for each sample, equal for those of one question and index (and budget), (N,)."""
        low = int(self.index.min(initial=0))
        key = self.question * (int(self.index.max(initial=0)) - low + 1) + (self.index - low)
        return key * len(self.budgets) + self.budget if with_budget else key

    def first_repetition(self) -> int | None:
        """The first row whose question, index and budget an earlier row has too; None if there is none."""
        keys = self.draws(with_budget=True)
        if np.diff(np.sort(keys)).all():
            return None
        _, first = np.unique(keys, return_index=True)
        again = np.ones(len(self), dtype=np.bool_)
        again[first] = False
        return int(np.argmax(again))


def take_batches(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """The rows in order, so many at a time; the last batch may be shorter.

    Example: list(take_batches([1, 2, 3], 2)) == [[1, 2], [3]]
    """
    left = iter(rows)
    while batch := list(islice(left, size)):
        yield batch


def group_rows(keys: NDArray[Any]) -> list[tuple[int, IntArray]]:
    """(key, its rows in order) for each distinct key, (N,), in the order in which the keys first occur."""
    distinct, first, counts = np.unique(keys, return_index=True, return_counts=True)
    rows = np.split(np.argsort(keys, kind="stable"), np.cumsum(counts)[:-1]) if len(keys) else []
    return [(int(distinct[place]), rows[place]) for place in np.argsort(first)]


class Collector:
    """Samples that are added one by one."""

    def __init__(self) -> None:
        self._questions: dict[QuestionKey, int] = {}
        self._budgets: dict[Budget, int] = {}
        self._trajectories: dict[str, int] = {}
        self._full = array("d")
        self.unknown: dict[str, tuple[str, str, int]] = {}  # trajectories that were not added, each with a sample that names it
        self.n_unknown: Counter[str] = Counter()  # the number of samples that name them
        self._answers: dict[QuestionKey, dict[str, int]] = {}
        self._n_answers = self._n = self._n_redrawn = 0
        self._verdicts: dict[str, tuple[array[int], array[float]]] = {}
        ints = ("question", "index", "budget", "status", "end", "code", "trajectory")
        flags, floats = ("leak", "ending_unknown"), ("thinking", "answer", "score")
        kinds = {**dict.fromkeys(ints, "q"), **dict.fromkeys(floats, "d"), **dict.fromkeys(flags, "b")}
        self._columns: dict[str, array[Any]] = {name: array(kind) for name, kind in kinds.items()}
        self._append = {name: column.append for name, column in self._columns.items()}

    @property
    def answers(self) -> Answers:
        """The graded answers so far."""
        return self._answers

    def add_trajectory(self, identity: str, n_tokens: int, end: ThinkingEnd, redrawn: bool) -> bool:
        """The trajectory is known to later samples. Returns False if it was before."""
        if identity in self._trajectories:
            return False
        self._trajectories[identity] = len(self._trajectories)
        self._full.append(n_tokens if n_tokens and end is not ThinkingEnd.LENGTH else np.nan)
        self._n_redrawn += redrawn
        return True

    def add(
        self,
        key: tuple[str, str, int],
        budget: Budget,
        grade: tuple[Status, str | None, float | None],
        tokens: tuple[int | None, int | None],
        end: ThinkingEnd,
        trajectory: str | None,
        leak: bool,
        ending_unknown: bool,
        verdict: Mapping[str, float] | None = None,
    ) -> None:
        """The sample is added. grade is its status, extracted answer and score; tokens are those of thinking and answer."""
        put, nan = self._append, np.nan
        question = key[0], key[1]
        status, extracted, score = grade
        place = self._questions.setdefault(question, len(self._questions))
        put["question"](place)
        put["index"](key[2])
        put["budget"](self._budgets.setdefault(budget, len(self._budgets)))
        put["status"](_STATUS[status])
        put["end"](_END[end])
        thinking, answer = tokens
        put["thinking"](nan if thinking is None else thinking)
        put["answer"](nan if answer is None else answer)
        put["score"](nan if score is None else score)
        put["leak"](leak)
        put["ending_unknown"](ending_unknown)
        put["code"](NONE if extracted is None or status not in GRADED else self._code(question, extracted))
        put["trajectory"](NONE if trajectory is None else self._known(trajectory, key))
        for metric, value in (verdict or {}).items():
            rows, values = self._verdicts.setdefault(metric, (array("q"), array("d")))
            rows.append(self._n)
            values.append(value)
        self._n += 1

    def add_record(self, record: SampleRecord) -> None:
        """The sample is added."""
        key, grade, said = record.key, record.grade, record.imported
        self.add(
            (key.task, key.question_id, key.index),
            record.budget,
            (grade.status, grade.answer, grade.score),
            (record.n_thinking_tokens, record.n_answer_tokens),
            record.thinking_end,
            record.trajectory,
            record.leak,
            record.answer_finish is Finish.UNKNOWN,
            None if said is None or said.of_question else said.verdict,
        )

    def _code(self, question: QuestionKey, extracted: str) -> int:
        of_question = self._answers.setdefault(question, {})
        code = of_question.get(extracted)
        if code is None:
            code = of_question[extracted] = self._n_answers
            self._n_answers += 1
        return code

    def knows(self, identity: str) -> bool:
        """True if the trajectory was added, or a sample named it."""
        return identity in self._trajectories

    def _known(self, identity: str, sample: tuple[str, str, int]) -> int:
        if identity not in self._trajectories:  # a sample may name a trajectory that is not stored
            self._trajectories[identity] = len(self._trajectories)
            self._full.append(np.nan)
            self.unknown[identity] = sample
        if self.unknown and identity in self.unknown:
            self.n_unknown[identity] += 1
        return self._trajectories[identity]

    def finish(
        self,
        classes: Mapping[QuestionKey, Mapping[str, int]],
        n_trajectories: int,
        reflections: Callable[[IntArray], IntArray],
    ) -> Samples:
        """Everything that was added. An answer that has no class forms one by its exact text."""
        arrays: dict[str, Any] = {name: np.array(column) for name, column in self._columns.items()}
        code, trajectory = arrays.pop("code"), arrays["trajectory"]
        full, of_code = np.append(np.array(self._full), np.nan), np.append(self._classes(classes), NONE)  # last: that of NONE
        flags = {name: arrays.pop(name).astype(np.bool_) for name in ("leak", "ending_unknown")}
        verdicts = {}
        for metric, (rows, values) in self._verdicts.items():
            verdicts[metric] = np.full(self._n, np.nan)
            verdicts[metric][np.array(rows)] = np.array(values)
        return Samples(
            questions=list(self._questions),
            budgets=list(self._budgets),
            answer_class=of_code[code],
            full_length=full[trajectory],
            verdicts=verdicts,
            n_trajectories=n_trajectories,
            n_redrawn=self._n_redrawn,
            reflections=reflections,
            **arrays,
            **flags,
        )

    def _classes(self, classes: Mapping[QuestionKey, Mapping[str, int]]) -> IntArray:
        found = np.empty(self._n_answers, dtype=np.int64)
        for question, codes in self._answers.items():
            own: Mapping[str, int] = classes.get(question, {})
            places: dict[int | str, int] = {}
            for text, code in codes.items():
                found[code] = places.setdefault(own.get(text, text), code)
        return found


def columns_of(
    records: Iterable[SampleRecord],
    classes: Mapping[QuestionKey, Mapping[str, int]],
    trajectories: Mapping[str, Trajectory] | None = None,
) -> Samples:
    """The columns of records that are in memory."""
    collector, rows = Collector(), list(records)
    for identity, drawn in (trajectories or {}).items():
        collector.add_trajectory(identity, len(drawn.token_ids), drawn.end, drawn.redrawn)
    for record in rows:
        collector.add_record(record)

    def reflections(chosen: IntArray) -> IntArray:
        return np.array([count_reflections(rows[row].answer) for row in chosen], dtype=np.int64)

    return collector.finish(classes, len(trajectories or {}), reflections)
