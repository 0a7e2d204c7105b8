"""What the counts of a drawn and graded run cannot exceed, whoever wrote them into an entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from raml_eval.comparison.pairs import TIMEOUTS_ALLOWED
from raml_eval.errors import InputError
from raml_eval.reporting.boards.entry import REPAIR, Counted, RunEntry
from raml_eval.tables import engine_words


def check_bounds(entry: RunEntry, where: object) -> None:
    """Raises InputError if the grader was stopped too often, or a question has more tokens than its budget can give.

    The protocol bounds the tokens of a run that was drawn here, on an engine that returned tokens; a log of another harness
    may count them in its own way.
    """
    for cell in entry.counts:
        stopped, drawn = sum(cell.timeout), sum(cell.n)
        if stopped > TIMEOUTS_ALLOWED * drawn:
            raise InputError(
                f"the grader was stopped on {stopped} of {drawn} samples of {cell.task} at {cell.budget} in {where}, wanted at "
                f"most {TIMEOUTS_ALLOWED:.0%}. Grade the run again with more time: `raml-eval regrade --timeout SECONDS`."
            )
        for name, most in _bounds(entry, cell):
            for i, met in enumerate(getattr(cell, name)):
                if met is not None and met > cell.n[i] * most:
                    question = entry.questions[cell.task].ids[i]
                    raise InputError(
                        f"{where}: {cell.task}/{question} at {cell.budget} has {name} {met:,}, wanted at most "
                        f"{cell.n[i] * most:,}: {most:,} for each of n = {cell.n[i]}. {REPAIR}"
                    )


def _bounds(entry: RunEntry, cell: Counted) -> Iterator[tuple[str, int]]:
    """The most tokens that a sample of the cell can have, by the name of their sums, as far as the protocol tells."""
    if "imported" in entry.protocol or _engine(entry).get("ids_exact") is False:
        return
    thinking = entry.protocol.get("thinking")
    grace = thinking.get("grace", 0) if isinstance(thinking, Mapping) else 0
    if cell.budget.isdecimal() and type(grace) is int:
        budget = int(cell.budget)
        yield "thinking_tokens", budget + grace if budget else 0
    if type(allowed := entry.protocol.get("answer_tokens")) is int:
        yield "answer_tokens", allowed


def check_engine(entry: RunEntry, where: object) -> None:
    """Raises InputError unless the backend, the engine's text and the origin's engine are one."""
    engine = _engine(entry)
    for name, met, wanted in (
        ("backend", entry.backend, str(engine.get("name"))),
        ("engine", entry.engine, engine_words(engine)),
    ):
        if met != wanted:
            raise InputError(f"{where} has the {name} {met!r}, and its origin has {wanted!r}. {REPAIR}")


def _engine(entry: RunEntry) -> Mapping[str, Any]:
    engine = entry.origin.get("engine", {})
    return engine if isinstance(engine, Mapping) else {}
