"""Draws many runs one after another on one engine. A run that fails is told, and the others go on."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from raml_eval.backends import open_backend
from raml_eval.config import in_shard_folder
from raml_eval.engines import Engines
from raml_eval.errors import GenerationError, InputError, RamlError
from raml_eval.matrix import Cell
from raml_eval.progress import notes_once
from raml_eval.protocols import Backend
from raml_eval.session import check_run, run_session
from raml_eval.tables import missing_samples
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.wording import one_line


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run: its directory and how many of its samples are owed, or the error that ended it."""

    name: str
    directory: Path
    n_owed: int = 0
    error: RamlError | None = None

    @property
    def is_done(self) -> bool:
        return not self.n_owed and not self.error


async def run_series(
    cells: Sequence[Cell], quiet: bool = False, opener: Callable[..., Awaitable[Backend]] = open_backend
) -> list[Outcome]:
    """The outcome of every run, in order. A run that is complete starts no engine, and one that was stopped goes on.

    One engine is kept from run to run (Engines). Raises InputError before the first draw if any run has settings that no model
    could be drawn with, and the first run's own if no run could be drawn.
    """
    load = cache(load_catalogue)
    for cell in cells:
        check_run(cell.config, load(cell.config.task_path, cell.config.data_dir, cell.config.trust_tasks))
    engines, outcomes = Engines(opener), []
    try:
        with notes_once():
            for number, cell in enumerate(cells, 1):
                if not quiet:
                    print(one_line(f"run {number} of {len(cells)}: {cell.name}"), file=sys.stderr)
                outcomes.append(await run_cell(cell, engines, quiet))
    finally:
        await engines.aclose()
    first = outcomes[0].error if outcomes else None
    if isinstance(first, InputError) and all(outcome.error for outcome in outcomes):
        raise first
    return outcomes


async def run_cell(cell: Cell, engines: Engines, quiet: bool = False) -> Outcome:
    """The outcome of one run on the engine that is kept. An error that a user can meet is told on stderr, and not raised."""
    out = cell.config.out
    assert out is not None
    try:
        out = in_shard_folder(cell.config).out or out
        run = await run_session(cell.config, quiet, opener=engines.open)
    except RamlError as error:
        if isinstance(error, GenerationError):
            await engines.aclose()  # request after request failed: the engine may be dead
        print(one_line(f"error: run {cell.name}: {error}"), file=sys.stderr)
        return Outcome(cell.name, out, error=error)
    n_owed = sum(missing_samples(run).values())
    if n_owed:
        await engines.aclose()
    return Outcome(cell.name, out, n_owed)
