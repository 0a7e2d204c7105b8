"""`raml-eval diagnose`: what happens along the trajectories of a stored run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.curving import pseudo_gradient
from raml_eval.cli.landscape import landscape
from raml_eval.cli.options import Place, Texts, place_option
from raml_eval.cli.pruning import pruning
from raml_eval.cli.roles import token_roles

app = typer.Typer(
    rich_markup_mode=None,
    help="Analyse what happens along the trajectories of a stored run.",
    no_args_is_help=True,
)
app.command()(pruning)
app.command()(landscape)


@app.callback()
def _diagnose() -> None:
    """Analyse what happens along the trajectories of a stored run."""  # a callback keeps a single command's name


@app.command()
def statistics(
    run: Annotated[Path, typer.Argument(help="Run directory, drawn or imported.")],
    out: Annotated[Place, place_option("Folder for the diagnoses; RUN/diagnostics, which reports read, if not given.")] = None,
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Only this task; repeatable.")] = None,
) -> None:
    """What the stored thinking shows, without an engine.

    Lengths by verdict and within questions, where the gold first stands, changes of the answer, loops and scripts.
    """
    from raml_eval.diagnostics.folder import PLACE
    from raml_eval.diagnostics.statistics import diagnose_statistics

    print(_shown(diagnose_statistics(run, out or run / PLACE, tuple(task or ()))))


def _shown(folder: Path) -> str:
    """What a terminal shows of a diagnosis that was made, and where it lies."""
    from raml_eval.reporting.diagnosed import render_diagnosis

    return f"{render_diagnosis(folder)}\n{folder}"


app.command("pseudo-gradient")(pseudo_gradient)
app.command("token-roles")(token_roles)
