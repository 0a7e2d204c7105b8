"""What a run was asked for, the nested subset of each task's questions that --limit takes, and the samples still owed."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raml_eval.budgets import sort_budgets
from raml_eval.errors import ConfigError
from raml_eval.shards import Shard, read_shard
from raml_eval.types import Budget, Question, QuestionKey, SampleId, SampleKey


@dataclass(frozen=True, slots=True)
class Owed:
    """One sample, and the budgets at which it still has to be finished."""

    key: SampleKey
    budgets: tuple[Budget, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The content of a run directory that is complete.

    samples is the number of draws per question. limit is the number of questions per task; None means all of them. With a
    shard, the directory holds that part of them. Budgets are kept without repeats, in the order that tables use.
    """

    tasks: tuple[str, ...]
    budgets: tuple[Budget, ...]
    samples: int
    limit: int | None = None
    shard: Shard | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "budgets", sort_budgets(self.budgets))

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Plan:
        """The plan from the fields that a manifest stores."""
        shard = stored.get("shard")
        part = None if shard is None else read_shard(shard)
        return cls(tuple(stored["tasks"]), tuple(stored["budgets"]), stored["samples"], stored["limit"], part)

    def fields(self) -> dict[str, Any]:
        """The plan as the fields that a manifest stores."""
        fields = {"tasks": list(self.tasks), "budgets": list(self.budgets), "samples": self.samples, "limit": self.limit}
        return fields if self.shard is None else {**fields, "shard": str(self.shard)}

    def grow(self, other: Plan) -> Plan:
        """The plan that covers both: the union of tasks and of budgets, and the larger number of samples and of questions.

        Raises ConfigError for two plans of different shards, which no directory covers.

        Example: Plan(("a",), (64,), 2, 5).grow(Plan(("b",), (64,), 4)) == Plan(("a", "b"), (64,), 4)
        """
        if self.shard != other.shard:
            raise ConfigError(f"the shards {self.shard} and {other.shard} are parts of a run that no single plan covers.")
        return Plan(
            tasks=tuple(dict.fromkeys([*self.tasks, *other.tasks])),
            budgets=(*self.budgets, *other.budgets),
            samples=max(self.samples, other.samples),
            limit=None if self.limit is None or other.limit is None else max(self.limit, other.limit),
            shard=self.shard,
        )

    def count(self, n_questions: int) -> int:
        """The number of samples that n_questions have at all budgets together."""
        return n_questions * self.samples * len(self.budgets)

    def owed(self, questions: Iterable[QuestionKey], done: Collection[SampleId]) -> Iterator[Owed]:
        """The samples that are not done, question by question, so that one question's draws share the engine's prefix cache."""
        for task, question_id in questions:
            for index in range(self.samples):
                key = SampleKey(task, question_id, index)
                budgets = tuple(budget for budget in self.budgets if (key, budget) not in done)
                if budgets:
                    yield Owed(key, budgets)


def select_questions(questions: Sequence[Question], limit: int | None, shard: Shard | None = None) -> tuple[Question, ...]:
    """At most limit questions, in the order of the task, or those of them that lie in the shard; None means all of them.

    The subset is the same for every run and every seed, and covers the strata in proportion. Subsets are nested: a larger
    limit keeps the questions of a smaller one, in every shard. The shards of one task are disjoint, together hold the whole
    subset, and differ in size by one question at most; other tasks do not matter.
    """
    if shard is None and (limit is None or limit >= len(questions)):
        return tuple(questions)
    ranked = _rank(questions)[:limit]
    if shard is not None:
        turn = _turn(questions[0].task, shard.count) if questions else 0
        ranked = [name for place, name in enumerate(ranked) if (place + turn) % shard.count == shard.index - 1]
    chosen = set(ranked)
    return tuple(question for question in questions if question.id in chosen)


def _rank(questions: Sequence[Question]) -> list[str]:
    """The ids of a task's questions in the order in which a limit takes them. Within a stratum, a hash orders them."""
    sizes = Counter(question.stratum for question in questions)
    by_stratum: dict[str, list[Question]] = defaultdict(list)
    for question in sorted(questions, key=_hash):
        by_stratum[question.stratum].append(question)
    ranked = [
        ((rank + 0.5) / sizes[stratum], _hash(question), question.id)
        for stratum, members in by_stratum.items()
        for rank, question in enumerate(members)
    ]
    return [question_id for _, _, question_id in sorted(ranked)]


def _turn(task: str, count: int) -> int:
    """Where the dealing of a task's questions to the shards begins, so that not every task gives one more to shard 1."""
    return int(hashlib.sha256(f"shard/{task}".encode()).hexdigest(), 16) % count


def _hash(question: Question) -> str:
    return hashlib.sha256(f"limit/{question.task}/{question.id}".encode()).hexdigest()
