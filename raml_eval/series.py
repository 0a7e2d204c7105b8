"""Draws many runs one after another on one engine. A run that fails is told, and the others go on."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from raml_eval.backends import open_backend
from raml_eval.engines import Engines
from raml_eval.errors import GenerationError, InputError, RamlError
from raml_eval.matrix import Cell
from raml_eval.protocols import Backend
from raml_eval.session import run_session
from raml_eval.tables import missing_samples
from raml_eval.wording import one_line


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run: its directory and how many of its samples are owed, or the error that ended it."""

    name: str
    directory: Path
    n_owed: int = 0
    error: str = ""

    @property
    def is_done(self) -> bool:
        return not self.n_owed and not self.error


async def run_series(
    cells: Sequence[Cell], quiet: bool = False, opener: Callable[..., Awaitable[Backend]] = open_backend
) -> list[Outcome]:
    """The outcome of every run, in order. A run that is complete starts no engine, and one that was stopped goes on.

    One engine is kept from run to run (Engines). Raises InputError, the first run's own, if no run could be drawn.
    """
    engines, outcomes, first = Engines(opener), [], None
    try:
        for number, cell in enumerate(cells, 1):
            out = cell.config.out
            assert out is not None
            if not quiet:
                print(one_line(f"run {number} of {len(cells)}: {cell.name}"), file=sys.stderr)
            failed = False
            try:
                run = await run_session(cell.config, quiet, opener=engines.open)
                outcomes.append(Outcome(cell.name, out, sum(missing_samples(run).values())))
                del run  # its texts: the report reads what it needs
            except RamlError as error:
                first, failed = first or error, isinstance(error, GenerationError)
                print(one_line(f"error: run {cell.name}: {error}"), file=sys.stderr)
                outcomes.append(Outcome(cell.name, out, error=str(error)))
            if outcomes[-1].n_owed or failed:
                await engines.aclose()  # requests failed: the engine may be dead
    finally:
        await engines.aclose()
    if isinstance(first, InputError) and all(outcome.error for outcome in outcomes):
        raise first
    return outcomes
