"""What a run asks: a nested subset of each task's questions, and the samples that are still owed."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from raml_eval.types import Budget, Question, SampleKey


@dataclass(frozen=True, slots=True)
class Owed:
    """One sample and the budgets at which it is still to be finished."""

    key: SampleKey
    budgets: tuple[Budget, ...]


def select_questions(questions: Sequence[Question], limit: int | None) -> tuple[Question, ...]:
    """At most limit questions, in the order of the task; all for None.

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


def plan_samples(
    questions: Iterable[tuple[str, str]],
    n_samples: int,
    budgets: Sequence[Budget],
    done: set[tuple[SampleKey, Budget]],
) -> Iterator[Owed]:
    """The samples that are owed, question by question, so that one question's draws share the engine's prefix cache."""
    for task, question_id in questions:
        for index in range(n_samples):
            key = SampleKey(task, question_id, index)
            owed = tuple(budget for budget in budgets if (key, budget) not in done)
            if owed:
                yield Owed(key, owed)
