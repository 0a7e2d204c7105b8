"""Builds StoredRun objects in memory. Every sample is written out, and nothing is random."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from raml_eval.types import (
    Budget,
    Domain,
    Finish,
    Grade,
    Question,
    SampleKey,
    SampleRecord,
    Status,
    StoredRun,
    TaskDescription,
    ThinkingEnd,
    Trajectory,
)

Outcome = Callable[[str, int, int, Budget], Status]  # task, question's row, sample index, budget

TASKS: Mapping[str, Domain] = {"pocket_chain": "in_domain", "pocket_sort": "cross_domain"}
ENGINE = {"name": "fake", "version": "0", "device": "cpu", "dtype": "float32", "context": 8192, "reproducible": True}


def describe_task(name: str, domain: Domain, chance: float | None = None) -> TaskDescription:
    return TaskDescription(
        name=name,
        domain=domain,
        grader="exact",
        answer_format="boxed",
        source="made up",
        licence="Apache-2.0",
        dataset="json",
        config=None,
        split="test",
        revision="main",
        version="1",
        digest="0" * 64,
        chance=chance,
        suites=("pocket",),
    )


def make_question(task: str, row: int, content: str = "aaaaaa", cluster: str | None = None, **more: Any) -> Question:
    identity = f"{row}-{content}"
    return Question(
        task=task,
        id=identity,
        cluster=cluster or identity,
        doc={},
        messages=({"role": "user", "content": f"{task} {row}?"},),
        target="1",
        grader="exact",
        **more,
    )


def make_record(task: str, row: int, index: int, budget: Budget, status: Status, content: str = "aaaaaa") -> SampleRecord:
    key = SampleKey(task, f"{row}-{content}", index)
    end = ThinkingEnd.OFF if budget == "off" else ThinkingEnd.NATURAL
    if isinstance(budget, int) and budget < 40:
        end = ThinkingEnd.FORCED
    extracted = {Status.CORRECT: "1", Status.INCORRECT: f"{2 + index % 2}"}.get(status)
    return SampleRecord(
        key=key,
        budget=budget,
        trajectory=None if budget == "off" else f"{key}@64",
        thinking_end=end,
        n_thinking_tokens=0 if budget == "off" else min(40, budget) if isinstance(budget, int) else 40,
        answer=f"\\boxed{{{extracted}}}",
        answer_ids=tuple(range(5 + index)),
        answer_finish=Finish.STOP,
        target="1",
        grade=Grade(status, extracted),
        seed=index,
    )


def by_row(hits: Mapping[int, int] | Callable[[int], int]) -> Outcome:
    """The first hits(row) samples of each question are right, the others wrong."""
    count = hits if callable(hits) else hits.__getitem__
    return lambda task, row, index, budget: Status.CORRECT if index < count(row) else Status.INCORRECT


def make_run(
    outcome: Outcome,
    *,
    name: str = "mine",
    model: str = "tiny",
    tasks: Mapping[str, Domain] = TASKS,
    n_questions: int = 10,
    n_samples: int = 4,
    budgets: tuple[Budget, ...] = (16, 64),
    k: list[int] | None = None,
    temperature: float = 1.0,
    chance: float | None = None,
    content: str = "aaaaaa",
    limit: int | None = None,
    protocol: Mapping[str, Any] | None = None,
    engine: Mapping[str, Any] | None = None,
    synthetic: Mapping[str, int] | None = None,
    per_cluster: int = 1,
) -> StoredRun:
    """A finished run whose samples have the statuses that outcome gives them."""
    questions = {
        (task, f"{row}-{content}"): make_question(
            task, row, content, f"c{row // per_cluster}", synthetic=row < (synthetic or {}).get(task, 0)
        )
        for task in tasks
        for row in range(n_questions)
    }
    records = tuple(
        make_record(task, row, index, budget, outcome(task, row, index, budget), content)
        for task in tasks
        for row in range(n_questions)
        for index in range(n_samples)
        for budget in budgets
    )
    drawn = {
        r.trajectory: Trajectory(r.key, 64, tuple(range(40)), ThinkingEnd.NATURAL, (1,), "x" * 40, r.seed)
        for r in records
        if r.trajectory
    }
    config: dict[str, Any] = {"sampling": {"temperature": temperature, "top_p": 1.0}}
    settings = {"tasks": {}, "sampling": {"temperature": temperature}} | dict(protocol or {})
    return StoredRun(
        directory=Path("runs") / name,
        name=name,
        model=model,
        manifest={
            "config": config | ({"k": k} if k else {}),
            "engine": dict(ENGINE) | dict(engine or {}),
            "model": {"name": model},
            "plan": {"tasks": list(tasks), "budgets": list(budgets), "samples": n_samples, "limit": limit},
            "protocol": settings,
        },
        tasks={task: describe_task(task, domain, chance) for task, domain in tasks.items()},
        questions=questions,
        budgets=budgets,
        n_samples=n_samples,
        records=records,
        trajectories=drawn,
        classes={key: {"1": 0, "2": 1, "3": 2} for key in questions},
    )
