"""The command line. Everything heavy is imported inside the commands, so that --help stays instant."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from raml_eval.cli import boards, diagnosing, exporting, formats, grading, results, tasks
from raml_eval.cli.comparing import compare
from raml_eval.cli.doctoring import doctor
from raml_eval.cli.ending import run_app
from raml_eval.cli.evaluate import run
from raml_eval.cli.importing import import_
from raml_eval.cli.lm_eval import PASS_ON, lm_eval
from raml_eval.cli.merging import merge
from raml_eval.cli.planning import noise, power
from raml_eval.cli.sweeping import sweep
from raml_eval.cli.viewing import view
from raml_eval.cli.watching import watch

_YOUNG = 50_000  # objects that are made before the garbage collector looks through them; 700 by default

app = typer.Typer(
    name="raml-eval",
    help="Evaluate reasoning models under exact thinking budgets, with error bars.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rendering help with rich takes longer than everything else at the start
)
for command in (
    run,
    watch,
    results.report,
    compare,
    power,
    noise,
    sweep,
    grading.regrade,
    grading.audit,
    grading.show,
    grading.judge,
):
    app.command()(command)
app.command()(view)
app.command()(merge)
app.command()(doctor)
app.command("import")(import_)
app.command("lm-eval", context_settings=PASS_ON)(lm_eval)
app.add_typer(tasks.app, name="tasks")
app.add_typer(formats.app, name="formats")
app.add_typer(boards.app, name="leaderboard")
app.add_typer(diagnosing.app, name="diagnose")
app.add_typer(exporting.app, name="export")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(version("raml-eval"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Evaluate reasoning models under exact thinking budgets, with error bars."""


def main() -> None:
    """The entry point of the command. raml_eval/exits.py has every exit code; an error of the user's is one line on stderr."""
    # Engines and data sets import a million objects, which stay. By default, the collector looks through them a hundred times
    # while they are imported and again when the interpreter ends: a fifth of the seconds of a short run.
    gc.set_threshold(_YOUNG, 20, 20)
    code = run_app(app)
    gc.freeze()
    raise SystemExit(int(code))
