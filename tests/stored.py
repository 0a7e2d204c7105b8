"""Run directories written by the store from samples spelled out, without an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raml_eval.store import RunDirectory
from raml_eval.types import Budget, Finish, Grade, Question, SampleKey, SampleRecord, Status, ThinkingEnd, Trajectory
from tests.test_store import manifest

WRONG = Grade(Status.INCORRECT, "7", "old rule", "old grader")


@dataclass(frozen=True)
class Drawn:
    """One stored sample: its answer and the verdict it was stored with."""

    answer: str
    grade: Grade = WRONG
    finish: Finish | None = Finish.STOP
    budget: Budget = 8
    question: int = 0
    thinking: str = "hmm"


def ask(row: int, target: str, kind: Any = "math", task: str = "sums", **more: Any) -> Question:
    message = {"role": "user", "content": f"What is question {row}?"}
    return Question(task, f"{row}-abcdef", f"{row}", {}, (message,), target, kind, **more)


def store_run(
    path: Path,
    questions: Sequence[Question],
    samples: Iterable[Drawn],
    *,
    version: str | None = "0",
    timeout_s: float = 10.0,
) -> Path:
    """A run directory of the samples; one session with the grader of that version stored them."""
    drawn = list(samples)
    base = manifest()
    tasks = list(dict.fromkeys(question.task for question in questions))
    budgets = list(dict.fromkeys(sample.budget for sample in drawn))
    directory = RunDirectory(path)
    before = len(_stored(path))
    session = {"samples_before": before, **({"grader_version": version} if version else {})}
    numbered = _numbered(drawn, questions)
    directory.open(
        {
            **base,
            "config": {"k": [], "grading": {"timeout_s": timeout_s}},
            "plan": {"tasks": tasks, "budgets": budgets, "samples": max(i for i, _, _ in numbered) + 1, "limit": None},
            "protocol": {**base["protocol"], "tasks": {task: {"version": "1"} for task in tasks}},
            "tasks": {
                task: {**base["tasks"]["sums"], "name": task, "questions": [q.id for q in questions if q.task == task]}
                for task in tasks
            },
            "sessions": [session],
        }
    )
    directory.add_questions(questions)
    asyncio.run(_append(directory, numbered))
    directory.close()
    return path


def _stored(path: Path) -> list[str]:
    samples = path / "samples.jsonl"
    return samples.read_text().splitlines() if samples.exists() else []


def _numbered(drawn: Sequence[Drawn], questions: Sequence[Question]) -> list[tuple[int, Question, Drawn]]:
    """The samples of one question at one budget, numbered from 0 in their order."""
    counts: dict[tuple[int, Budget], int] = {}
    numbered = []
    for sample in drawn:
        index = counts.get((sample.question, sample.budget), 0)
        counts[sample.question, sample.budget] = index + 1
        numbered.append((index, questions[sample.question], sample))
    return numbered


async def _append(directory: RunDirectory, numbered: Sequence[tuple[int, Question, Drawn]]) -> None:
    for index, question, sample in numbered:
        record = make_stored(index, question, sample)
        if (record.key, "thinking") not in directory.trajectories:
            text = sample.thinking
            ids = tuple(range(len(text)))
            trajectory = Trajectory(record.key, 64, ids, ThinkingEnd.NATURAL, (1,), text, index)
            await directory.append_trajectory(trajectory)
        await directory.append_sample(replace(record, trajectory=directory.trajectories.identity((record.key, "thinking"))))


def make_stored(index: int, question: Question, sample: Drawn) -> SampleRecord:
    return SampleRecord(
        key=SampleKey(question.task, question.id, index),
        budget=sample.budget,
        trajectory=None,
        thinking_end=ThinkingEnd.NATURAL if sample.finish else ThinkingEnd.EOS,
        n_thinking_tokens=len(sample.thinking),
        answer=sample.answer,
        answer_ids=(1, 2, 3),
        answer_finish=sample.finish,
        target=question.target,
        grade=sample.grade,
        seed=index,
    )
