"""`raml-eval export`: writes stored runs in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.ending import stopping
from raml_eval.cli.options import Texts, place_option
from raml_eval.cli.sharing import add_commands

app = typer.Typer(
    rich_markup_mode=None,
    help="Write runs in the formats of other programs.",
    no_args_is_help=True,
)


@app.command("inspect")
def export_inspect_(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    out: Annotated[Path, place_option("A folder, which gets one log for each task at each budget; or LOG.eval, LOG.json.")],
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Only this task; repeatable.")] = None,
    budget: Annotated[Texts, typer.Option(metavar="<budget>", help="Only this thinking budget; repeatable.")] = None,
    allow_partial: Annotated[bool, typer.Option(help="Export a run that is not finished; the logs say cancelled.")] = False,
) -> None:
    """Logs that `inspect view` opens.

    They need the package inspect_ai. `raml-eval import inspect` makes the run from them again.
    """
    from raml_eval.exporting.inspect_log import export_inspect
    from raml_eval.exporting.inspect_samples import INSPECT
    from raml_eval.exporting.libraries import need
    from raml_eval.store import read_manifest
    from raml_eval.tables import load_run

    read_manifest(run / "manifest.json")
    need("inspect_ai.log", *INSPECT)  # before the whole run is read, which may take long
    with stopping("the logs written so far are whole"):
        export_inspect(
            load_run(run),
            out,
            tasks=task or (),
            budgets=budget or (),
            allow_partial=allow_partial,
            told=lambda path: print(path),
        )


add_commands(app)
