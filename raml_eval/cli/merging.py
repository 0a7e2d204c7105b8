"""`raml-eval merge`: joins the shards of a run into one run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.ending import stopping
from raml_eval.cli.options import place_option


def merge(
    runs: Annotated[list[Path], typer.Argument(help="The run directories of all shards, in any order.")],
    out: Annotated[Path, place_option("Run directory to write; must not exist.")],
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Merge shards that lack samples; the merged run owes them.")
    ] = False,
    quiet: Annotated[bool, typer.Option(help="No table.")] = False,
) -> None:
    """Join the shards of a run into one run.

    It is the run that one machine would have drawn. The shards (run --shard) stay as they are.
    """
    from raml_eval.merging import merge_runs

    with stopping("nothing was written"):
        merge_runs(runs, out, allow_partial)
    if quiet:
        print(out)
        return
    from raml_eval.api import summarize
    from raml_eval.reporting.report import render_report
    from raml_eval.tables import load_run

    run = load_run(out)
    print(render_report([run], format="terminal", allow_partial=True))
    print(summarize(run, timed=False))
