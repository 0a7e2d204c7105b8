"""The answer classes of a stored run, question by question; those that the run does not hold yet are formed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType

from raml_eval.answer_classes import form_for, graded_answers, lacking_classes
from raml_eval.grading.pool import GradingPool
from raml_eval.store.directory import read_classes
from raml_eval.store.seeking import RunReader
from raml_eval.types import Question, SampleRecord


class AnswerClasses:
    """Reads the stored classes once, and starts a grading pool if some are missing, as in a run that is not finished.

    Use it in a with statement, which ends the pool.
    """

    def __init__(self, run: RunReader) -> None:
        self._stored = read_classes(run.directory)
        self._pool: GradingPool | None = None

    def __enter__(self) -> AnswerClasses:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.close()

    def of(self, question: Question, records: Iterable[SampleRecord]) -> Mapping[str, int]:
        """The class of every graded answer among the question's samples. Blocks while classes are formed."""
        key = question.task, question.id
        answers = graded_answers(records)
        if not lacking_classes(answers, self._stored):
            return self._stored.get(key, {})
        self._pool = self._pool or GradingPool(workers=1)
        own = {key: self._stored[key]} if key in self._stored else {}
        return form_for(answers, {key: question}, own, self._pool).get(key, {})
