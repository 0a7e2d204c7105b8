"""What a run asks: tasks, budgets, samples and a limit; a nested subset of each task's questions; what is still owed."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from raml_eval.types import Budget, Question, QuestionKey, SampleId, SampleKey


@dataclass(frozen=True, slots=True)
class Owed:
    """One sample and the budgets at which it is still to be finished."""

    key: SampleKey
    budgets: tuple[Budget, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run directory holds once it is complete.

    samples is the number of draws per question; limit is the number of questions per task, None for all. Budgets are kept
    without repeats, in the order of tables.
    """

    tasks: tuple[str, ...]
    budgets: tuple[Budget, ...]
    samples: int
    limit: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "budgets", sort_budgets(self.budgets))

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Plan:
        """The plan that a manifest holds."""
        return cls(tuple(stored["tasks"]), tuple(stored["budgets"]), stored["samples"], stored["limit"])

    def fields(self) -> dict[str, Any]:
        """The plan as a manifest holds it."""
        return {**asdict(self), "tasks": list(self.tasks), "budgets": list(self.budgets)}

    def grow(self, other: Plan) -> Plan:
        """The plan that covers both: tasks and budgets united, the larger number of samples, the larger limit."""
        return Plan(
            tasks=tuple(dict.fromkeys([*self.tasks, *other.tasks])),
            budgets=(*self.budgets, *other.budgets),
            samples=max(self.samples, other.samples),
            limit=None if self.limit is None or other.limit is None else max(self.limit, other.limit),
        )

    def count(self, n_questions: int) -> int:
        """How many samples so many questions have at all budgets together."""
        return n_questions * self.samples * len(self.budgets)

    def owed(self, questions: Iterable[QuestionKey], done: Collection[SampleId]) -> Iterator[Owed]:
        """The samples that are not done, question by question, so that a question's draws share the engine's prefix cache."""
        for task, question_id in questions:
            for index in range(self.samples):
                key = SampleKey(task, question_id, index)
                budgets = tuple(budget for budget in self.budgets if (key, budget) not in done)
                if budgets:
                    yield Owed(key, budgets)


def select_questions(questions: Sequence[Question], limit: int | None) -> tuple[Question, ...]:
    """At most limit questions, in the order of the task; all of them if limit is None.

    The subset is the same for every run and every seed, spreads over the strata in proportion, and grows: the questions
    of a smaller limit are among those of a larger one. Within a stratum the order is that of a hash.
    """
    if limit is None or limit >= len(questions):
        return tuple(questions)
    sizes = Counter(question.stratum for question in questions)
    by_stratum: dict[str, list[Question]] = defaultdict(list)
    for question in sorted(questions, key=_hash):
        by_stratum[question.stratum].append(question)
    ranked = [
        ((rank + 0.5) / sizes[stratum], _hash(question), question.id)
        for stratum, members in by_stratum.items()
        for rank, question in enumerate(members)
    ]
    chosen = {question_id for _, _, question_id in sorted(ranked)[:limit]}
    return tuple(question for question in questions if question.id in chosen)


def _hash(question: Question) -> str:
    return hashlib.sha256(f"limit/{question.task}/{question.id}".encode()).hexdigest()


def sort_budgets(budgets: Iterable[Budget]) -> tuple[Budget, ...]:
    """Budgets without repeats in the order of tables: off, numbers ascending, unlimited."""
    return tuple(sorted(set(budgets), key=budget_rank))


def budget_rank(budget: Budget) -> float:
    """The number by which budgets are sorted."""
    if budget == "off":
        return -1.0
    return math.inf if budget == "unlimited" else float(budget)
