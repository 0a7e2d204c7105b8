"""The part of `raml-eval run` that draws many runs: several models, the checkpoints of a folder, or a matrix."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from raml_eval.cli.ending import stopping
from raml_eval.exits import ExitCode
from raml_eval.wording import count_noun, one_line

if TYPE_CHECKING:
    from raml_eval.series import Outcome

GOES_ON = "finished samples are stored, and the same command continues from there"


def run_many(settings: Mapping[str, Any], quiet: bool, unfit: Mapping[str, Any]) -> None:
    """Every run of the settings is drawn, and one table of all is printed. unfit are options that only a single run takes.

    Raises ConfigError for such an option, typer.Exit with code 4 if a run failed or owes samples.
    """
    from raml_eval.api import run_matrix
    from raml_eval.config import shard_of
    from raml_eval.errors import ConfigError
    from raml_eval.matrix import expand

    if given := [name for name, value in unfit.items() if value is not None]:
        raise ConfigError(
            f"{given[0]} is for one run, and a folder, a matrix or several models are asked for. Leave it out, or name one "
            f"model with --model."
        )
    cells, out = expand(settings), Path(settings["out"])
    if (out / "manifest.json").is_file():
        raise ConfigError(f"--out {out} is a run directory, and {len(cells)} runs need a folder above theirs. Choose another.")
    with stopping(GOES_ON):
        finished = run_matrix(cells, quiet)
    if finished.runs:
        shard = shard_of(cells[0].config)
        show_runs(finished.runs, out, quiet, shard.suffix if shard else "")
    failed = [one for one in finished.outcomes if not one.is_done]
    if failed:
        _tell_failed(failed, len(cells))
        raise typer.Exit(ExitCode.OWED)


def _tell_failed(failed: Sequence[Outcome], n_runs: int) -> None:
    """Two lines on stderr say which runs owe samples, and which could not be drawn and why, each reason once."""
    owed = [f"{one.name}: {count_noun(one.n_owed, 'sample')}" for one in failed if one.error is None]
    if owed:
        say = f"{len(owed)} of {count_noun(n_runs, 'run')} {'owes' if len(owed) == 1 else 'owe'} samples ({'; '.join(owed)})"
        print(f"{say}; run the same command again to retry.", file=sys.stderr)
    names: dict[str, list[str]] = {}
    for one in failed:
        if one.error is not None:
            names.setdefault(str(one.error).rstrip("."), []).append(one.name)
    if names:
        told = "; ".join(f"{', '.join(of_reason)}: {reason}" for reason, of_reason in names.items())
        say = f"{len(failed) - len(owed)} of {count_noun(n_runs, 'run')} could not be drawn ({told})"
        print(one_line(f"{say}. Correct that, and run the same command again."), file=sys.stderr)


def show_runs(runs: Sequence[Any], out: Path, quiet: bool, suffix: str = "") -> None:
    """The table of all runs and the one by step are printed, and the numbers by step are written to a file.

    suffix is that of the runs' shard: each shard writes a file of its own.
    """
    from raml_eval.reporting.by_step import by_step_csv, render_by_step
    from raml_eval.tables import build_frame

    frame = build_frame(runs, allow_partial=True)
    path = out / f"by_step{suffix}.csv"
    path.write_text(by_step_csv(runs, frame), encoding="utf-8")
    if quiet:
        return
    print_report(runs)
    if lines := render_by_step(runs, frame):
        print(f"{lines}\n")
    print(f"{out}: {count_noun(len(runs), 'run')}; every number by step is in {path}")


def print_report(runs: Sequence[Any]) -> None:
    """The report of the runs is printed."""
    from raml_eval.reporting.report import render_report

    print(render_report(runs, format="terminal", allow_partial=True))
