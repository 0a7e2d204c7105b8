"""`raml-eval leaderboard`: boards of runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from raml_eval.exits import ExitCode

if TYPE_CHECKING:
    from raml_eval.tables import Run

app = typer.Typer(
    rich_markup_mode=None,
    help="Leaderboards of finished runs. A board is a folder with board.yaml and entries.",
    no_args_is_help=True,
)
Board = Annotated[Path, typer.Argument(help="Board folder, such as leaderboards/pocket.")]


@app.command("add")
def leaderboard_add(
    board: Board,
    run_dir: Annotated[Path, typer.Argument(help="Run directory to enter, or a JSON file with published numbers.")],
) -> None:
    """Enter a finished run; the board's pages are rendered again."""
    from raml_eval.reporting.boards.leaderboard import add_entry, add_published, build_board
    from raml_eval.tables import load_run

    is_file = run_dir.suffix == ".json" and not run_dir.is_dir()
    print(add_published(board, run_dir) if is_file else add_entry(board, load_run(run_dir)))
    for path in build_board(board):
        print(path)


@app.command("check")
def leaderboard_check(
    board: Board,
    runs: Annotated[
        list[Path] | None,
        typer.Option("--runs", help="Run directory, or a folder of them, whose entry is made again and compared. Repeatable."),
    ] = None,
) -> None:
    """Check the entries against the board and their own counts."""
    from raml_eval.reporting.boards.leaderboard import find_problems, not_rebuilt, read_entries
    from raml_eval.wording import count_noun, one_line

    found = _load_runs(runs or [])
    problems = find_problems(board, found)
    for problem in problems:
        print(one_line(str(problem)), file=sys.stderr)
    if problems:
        raise typer.Exit(ExitCode.UNUSABLE)
    rebuilt = f", {count_noun(len(found), 'run')} rebuilt" if runs else ""
    n_entries = len(read_entries(board))
    print(f"{board}: {n_entries} {'entry' if n_entries == 1 else 'entries'}{rebuilt}, no problems")
    if runs and (without := not_rebuilt(board, found)):
        print(f"not rebuilt, because no run gives them: {', '.join(without)}")


@app.command("build")
def leaderboard_build(board: Board) -> None:
    """Render the board's README.md and index.html from its entries."""
    from raml_eval.reporting.boards.leaderboard import build_board

    for path in build_board(board):
        print(path)


def _load_runs(places: list[Path]) -> list[Run]:
    """The runs of these directories; a folder that is no run stands for the runs in it."""
    from raml_eval.tables import load_run

    found: list[Run] = []
    for place in places:
        below = sorted(path.parent for path in place.glob("*/manifest.json"))
        found += [load_run(path) for path in ([place] if (place / "manifest.json").exists() or not below else below)]
    return found
