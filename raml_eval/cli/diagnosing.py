"""`raml-eval diagnose`: what happens along the trajectories of a stored run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from raml_eval.cli.curving import pseudo_gradient
from raml_eval.cli.landscape import landscape
from raml_eval.cli.options import Count, Place, Text, Texts, place_option
from raml_eval.cli.pruning import pruning
from raml_eval.cli.roles import token_roles
from raml_eval.exits import ExitCode
from raml_eval.progress import note
from raml_eval.wording import one_line

app = typer.Typer(
    rich_markup_mode=None,
    help="Analyse what happens along the trajectories of a stored run.",
    no_args_is_help=True,
)


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
app.command()(pruning)
app.command()(landscape)


@app.command("all")
def diagnose_all(
    run: Annotated[Path, typer.Argument(help="Run directory, drawn or imported.")],
    by: Annotated[
        Texts, typer.Option(metavar="<rule>", help="A rule of pruning; no-reflections and no-repeats if none is.")
    ] = None,
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Only this task; repeatable.")] = None,
    limit: Annotated[Count, typer.Option(min=1, help="With an engine, at most this many questions of each task.")] = None,
    model: Annotated[Text, typer.Option(help="Where the checkpoint that drew the run lies now.")] = None,
    backend: Annotated[Text, typer.Option(help="The engine; the run's own if not given. The landscape takes hf.")] = None,
    backend_arg: Annotated[Texts, typer.Option(metavar="<key=value>", help="An argument of the engine; repeatable.")] = None,
    out: Annotated[Place, place_option("Folder for the diagnoses; RUN/diagnostics, which reports read, if not given.")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
) -> None:
    """Each of them in turn, by its defaults.

    An imported run has only statistics. Exit code 2 if one was refused and 4 if one owes something; the others are made.
    """
    from raml_eval.store import read_manifest

    shared: dict[str, Any] = {"model": model, "out": out, "quiet": quiet}
    engine: dict[str, Any] = {"backend": backend, "backend_arg": backend_arg}
    chosen: dict[str, Any] = {"task": task, "limit": limit}
    on_hf: dict[str, Any] = {"backend": "hf", "backend_arg": backend_arg if backend in (None, "hf") else None}
    statistics(run, out, task)
    if read_manifest(run / "manifest.json").get("imported"):
        note(f"{run} was imported, so its model is not known: statistics are all that can be diagnosed")
        return
    codes = {
        _try("pseudo-gradient", partial(pseudo_gradient, run, **shared, **engine, **chosen)),
        _try("token-roles", partial(token_roles, run, **shared, **engine, **chosen)),
        _try("pruning", partial(pruning, run, by or ["no-reflections", "no-repeats"], **shared, **engine, **chosen)),
        _try("landscape", partial(landscape, run, **shared, **on_hf)),
    }
    if worst := codes & {ExitCode.UNUSABLE, ExitCode.OWED}:
        raise typer.Exit(min(worst))


def _try(kind: str, diagnose: Callable[[], object]) -> ExitCode:
    """How the diagnosis would end as a command of its own; why it was refused is told."""
    from raml_eval.errors import InputError

    try:
        diagnose()
    except InputError as error:
        print(one_line(f"error: {kind} is left out: {error}"), file=sys.stderr)
        return ExitCode.UNUSABLE
    except typer.Exit as leaving:
        return ExitCode(leaving.exit_code)
    return ExitCode.DONE
