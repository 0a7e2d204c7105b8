"""`raml-eval export`: writes stored runs in the formats of other programs."""

from __future__ import annotations

import typer

from raml_eval.cli.sharing import add_commands

app = typer.Typer(
    rich_markup_mode=None,
    help="Write runs in the formats of other programs.",
    no_args_is_help=True,
)
add_commands(app)
