"""`raml-eval diagnose`: what happens along the trajectories of a stored run."""

from __future__ import annotations

import typer

from raml_eval.cli.landscape import landscape

app = typer.Typer(
    rich_markup_mode=None,
    help="Analyse what happens along the trajectories of a stored run.",
    no_args_is_help=True,
)
app.command()(landscape)
