"""`raml-eval leaderboard`: boards of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    rich_markup_mode=None,
    help="Leaderboards of finished runs. A board is a folder with board.yaml and entries.",
    no_args_is_help=True,
)


@app.command("add")
def leaderboard_add(
    board: Annotated[Path, typer.Argument(help="Board folder, such as leaderboards/pocket.")],
    run_dir: Annotated[Path, typer.Argument(help="Run directory to enter.")],
) -> None:
    """Enter a finished run; the board's README is rendered again."""
    from raml_eval.reporting.leaderboard import add_entry, build_board
    from raml_eval.tables import load_run

    print(add_entry(board, load_run(run_dir)))
    print(build_board(board))


@app.command("build")
def leaderboard_build(board: Annotated[Path, typer.Argument(help="Board folder.")]) -> None:
    """Render the board's README from its entries."""
    from raml_eval.reporting.leaderboard import build_board

    print(build_board(board))
