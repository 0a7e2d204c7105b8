"""The part of `raml-eval run` that draws many runs: several models, the checkpoints of a folder, or a matrix."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from raml_eval.cli.ending import stopping
from raml_eval.exits import ExitCode

GOES_ON = "finished samples are stored, and the same command continues from there"
BY_STEP = "by_step.csv"


def run_many(settings: Mapping[str, Any], quiet: bool, unfit: Mapping[str, Any]) -> None:
    """Every run of the settings is drawn, and one table of all is printed. unfit are options that only a single run takes.

    Raises ConfigError for such an option, typer.Exit with code 4 if a run failed or owes samples.
    """
    from raml_eval.api import run_matrix
    from raml_eval.errors import ConfigError
    from raml_eval.matrix import expand

    if given := [name for name, value in unfit.items() if value is not None]:
        raise ConfigError(f"{given[0]} is for one run, and several are asked for. Leave it out, or name one model.")
    cells, out = expand(settings), Path(settings["out"])
    if (out / "manifest.json").is_file():
        raise ConfigError(f"--out {out} is a run directory, and {len(cells)} runs need a folder above theirs. Choose another.")
    with stopping(GOES_ON):
        finished = run_matrix(cells, quiet)
    if finished.runs:
        show_runs(finished.runs, out, quiet)
    failed = [one for one in finished.outcomes if not one.is_done]
    if failed:
        told = "; ".join(f"{one.name}: {f'{one.n_owed} samples owed' if one.n_owed else one.error}" for one in failed)
        print(f"{len(failed)} of {len(cells)} runs are owed; run the same command again to retry ({told}).", file=sys.stderr)
        raise typer.Exit(ExitCode.OWED)


def show_runs(runs: Sequence[Any], out: Path, quiet: bool) -> None:
    """The table of all runs and the one by step are printed, and the numbers by step are written to a file."""
    from raml_eval.reporting.by_step import by_step_csv, render_by_step
    from raml_eval.tables import build_frame

    frame = build_frame(runs, allow_partial=True)
    path = out / BY_STEP
    path.write_text(by_step_csv(runs, frame), encoding="utf-8")
    if quiet:
        return
    print_report(runs)
    if lines := render_by_step(runs, frame):
        print(f"{lines}\n")
    print(f"{out}: {len(runs)} runs; every number by step is in {path}")


def print_report(runs: Sequence[Any]) -> None:
    """The report of the runs is printed."""
    from raml_eval.reporting.report import render_report

    print(render_report(runs, format="terminal", allow_partial=True))
