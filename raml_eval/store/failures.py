"""errors.jsonl and started.jsonl: the samples that failed, and the draws that began."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from raml_eval.store import lines
from raml_eval.store.journal import corrupt, read_lines
from raml_eval.types import Budget, Draw, SampleId, SampleKey

T = TypeVar("T")


def read_owed(directory: Path) -> set[SampleId]:
    """The samples that failed, whether or not they were drawn since. Raises CorruptStore for a line that cannot be used."""
    return set(read_reasons(directory))


def read_reasons(directory: Path) -> dict[SampleId, str]:
    """Why each sample failed the last time, whether or not it was drawn since. Raises CorruptStore as read_owed does."""
    failed = _read_each(directory / "errors.jsonl", lines.read_failed)
    return {(key, budget): reason for key, budgets, reason in failed for budget in budgets}


def tell_reasons(directory: Path, done: Container[SampleId], most: int = 20) -> list[str]:
    """A line for each sample that failed and is not done: its key, its budgets and why; at most so many, and what is left."""
    found: dict[tuple[SampleKey, str], list[Budget]] = {}
    for (key, budget), reason in read_reasons(directory).items():
        if (key, budget) not in done:
            found.setdefault((key, reason), []).append(budget)
    told = [
        f"{key.task}/{key.question_id}, sample {key.index} at {', '.join(map(str, budgets))}: {reason}"
        for (key, reason), budgets in found.items()
    ]
    return [*told[:most], *([f"and {len(told) - most} more in {directory / 'errors.jsonl'}"] if len(told) > most else [])]


def read_started(path: Path) -> set[Draw]:
    """The draws that began. Raises CorruptStore for a line that cannot be used."""
    return set(_read_each(path, lines.read_started))


def _read_each(path: Path, read: Callable[[Mapping[str, Any]], T]) -> Iterator[T]:
    for number, line in read_lines(path):
        try:
            entry = read(line)
        except Exception as error:
            raise corrupt(path, number, f"is not of this file's schema ({type(error).__name__}: {error})") from error
        yield entry
