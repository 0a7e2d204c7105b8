"""The Python interface. evaluate() does what `raml-eval run` does, and returns the run."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.config import RunConfig, build_config, flags_layer, in_shard_folder, load_preset
from raml_eval.looks import KEY, Until
from raml_eval.matrix import Cell
from raml_eval.series import Outcome, run_series
from raml_eval.session import run_session
from raml_eval.store import read_manifest
from raml_eval.store.failures import tell_reasons
from raml_eval.tables import Run, as_run, load_run, missing_samples
from raml_eval.wording import count_noun


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a session: the run, the number of samples that are still owed, and a line for the user.

    exit_code is that of the look that ended a run with until, otherwise 0. failures tells the samples that failed, by key.
    """

    run: Run
    n_owed: int
    summary: str
    exit_code: int = 0
    failures: Sequence[str] = ()


def evaluate(preset: str | None = None, *, quiet: bool = True, **settings: Any) -> Run:
    """The run that `raml-eval run` draws with these settings (model, tasks, samples, thinking_budget, out, ...).

    A nested section may be given as a dict (sampling={"top_k": 20}). If out exists, that run is resumed. A script that calls
    this needs the usual `if __name__ == "__main__":` guard, because graders and engines run in processes of their own.
    Raises InputError if a setting, a task or the model cannot be used.

    Example: evaluate(model="pocket", backend="hf", tasks="pocket_chain", limit=5, out="runs/mine").table()
    """
    layers = [load_preset(preset) if preset else {}, {"out": f"runs/{preset}"} if preset else {}, flags_layer(**settings)]
    return run_config(build_config(layers), quiet=quiet).run


def run_config(
    config: RunConfig, quiet: bool = False, dry_run: bool = False, until: Until | None = None, live: bool = False
) -> Finished:
    """The configuration's run, with every sample that could be drawn; with until, up to the look that decides.

    With live, the progress says what is right so far, and how that is biased.

    A dry run draws two questions per task from a fake engine, takes no look, and writes nothing.
    """
    if dry_run:
        with tempfile.TemporaryDirectory() as folder:
            fake: dict[str, Any] = {
                "backend": "fake", "backend_args": {}, "base_url": (), "api_key_env": None, "out": Path(folder) / "dry-run",
                "limit": min(config.limit or 2, 2),
            }  # fmt: skip
            run = _run(config.model_copy(update=fake), quiet=True)
            names = ", ".join(run.tasks)
            return Finished(run, 0, f"dry run: {names} load, render and fit; nothing was written")
    config = in_shard_folder(config)
    before = _count_sessions(config.out)
    run = _run(config, quiet, until, live)
    summary = summarize(run, timed=len(run.manifest["sessions"]) > before)
    looks = run.manifest[KEY]["looks"] if until else []
    n_owed = sum(missing_samples(run).values())
    failures = tell_reasons(run.directory, {(record.key, record.budget) for record in run.records}) if n_owed else ()
    return Finished(run, n_owed, summary, looks[-1]["exit_code"] if looks else 0, failures)


@dataclass(frozen=True, slots=True)
class FinishedSeries:
    """The result of many runs: those with samples, in order, and what became of each."""

    runs: list[Run]
    outcomes: list[Outcome]

    @property
    def is_done(self) -> bool:
        return all(outcome.is_done for outcome in self.outcomes)


def run_matrix(cells: Sequence[Cell], quiet: bool = False) -> FinishedSeries:
    """The runs of a matrix (raml_eval.matrix.expand), drawn on one engine where that can be. See run_series for errors.

    Example: run_matrix(expand({"model": ["a", "b"], "backend": "hf", "tasks": ["pocket"], "out": "runs/both"})).runs
    """
    outcomes = asyncio.run(run_series(cells, quiet))
    begun = [one.directory for one in outcomes if (one.directory / "manifest.json").is_file()]
    return FinishedSeries([load_run(directory) for directory in begun], outcomes)


def summarize(run: Run, timed: bool = True) -> str:
    """A line with the run's directory and its number of samples; if timed, also with the seconds of its last session."""
    seconds = run.manifest["sessions"][-1]["seconds"] if timed else {}
    parts = ", ".join(f"{part} {took:.1f} s" for part, took in seconds.items())
    return f"{run.directory}: {count_noun(len(run.records), 'sample')}{'; ' if parts else ''}{parts}"


def _count_sessions(out: Path | None) -> int:
    path = out / "manifest.json" if out else None
    return len(read_manifest(path)["sessions"]) if path and path.exists() else 0


def _run(config: RunConfig, quiet: bool, until: Until | None = None, live: bool = False) -> Run:
    return as_run(asyncio.run(run_session(config, quiet, until=until, live=live)))
