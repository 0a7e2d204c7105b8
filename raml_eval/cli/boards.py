"""`raml-eval leaderboard`: boards of runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.options import Text
from raml_eval.exits import ExitCode

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
    *,
    name: Annotated[Text, typer.Option(metavar="<name>", help="The model's name on the board; without it, its own.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of whatever entry has the name.")] = False,
) -> None:
    """Enter a finished run; the board's pages are rendered again."""
    from raml_eval.reporting.boards.leaderboard import add_entry, add_published, build_board
    from raml_eval.tables import load_run

    is_file = run_dir.suffix == ".json" and not run_dir.is_dir()
    if name is not None and (is_file or not name.strip()):
        why = "--name is for runs: published numbers have their name in the file" if is_file else "it is empty. Give a name"
        raise typer.BadParameter(f"{why}.", param_hint="--name")
    path = add_published(board, run_dir, replace) if is_file else add_entry(board, load_run(run_dir), name, replace)
    print(path)
    for path in build_board(board):
        print(path)


@app.command("check")
def leaderboard_check(
    board: Board,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            "--runs", help="Run directory, or a folder of those of all entries, that are made again and compared. Repeatable."
        ),
    ] = None,
) -> None:
    """Check the entries against the board and their own counts."""
    from raml_eval.reporting.boards.leaderboard import find_problems, not_rebuilt, read_entries
    from raml_eval.tables import load_run
    from raml_eval.wording import count_noun, one_line

    entered, skipped, is_whole = _find_runs(board, runs or [])
    found = [load_run(path) for path in entered]
    problems = find_problems(board, found)
    without = sorted(set(not_rebuilt(board, found)) - set(entered.values())) if runs and not problems else []
    if is_whole:  # a folder of runs should hold those of all entries
        problems += [f"the run of the entry of {model} is not there. Add its folder with --runs." for model in without]
    for problem in problems:
        print(one_line(str(problem)), file=sys.stderr)
    _note_tasks(board)
    others = f", {count_noun(skipped, 'run')} without an entry skipped" if skipped else ""
    if problems:
        raise typer.Exit(ExitCode.UNUSABLE)
    rebuilt = f", {count_noun(len(found), 'run')} rebuilt{others}" if runs else ""
    n_entries = len(read_entries(board))
    print(f"{board}: {n_entries} {'entry' if n_entries == 1 else 'entries'}{rebuilt}, no problems")
    if without:
        print(f"not rebuilt, because no run gives them: {', '.join(without)}")


@app.command("build")
def leaderboard_build(board: Board) -> None:
    """Render the board's README.md and index.html from its entries."""
    from raml_eval.reporting.boards.leaderboard import build_board

    for path in build_board(board):
        print(path)
    _note_tasks(board)


def _note_tasks(board: Path) -> None:
    from raml_eval.reporting.boards.leaderboard import unknown_tasks
    from raml_eval.wording import one_line

    for note in unknown_tasks(board):
        print(f"note: {one_line(note)}", file=sys.stderr)


def _find_runs(board: Path, places: list[Path]) -> tuple[dict[Path, str], int, bool]:
    """The runs in these places that are behind entries, with the models of these; the number of others; whether a place is a
    folder of runs rather than a run.

    Only manifests are read, so that a large run without an entry costs nothing.
    """
    from raml_eval.errors import StoreError
    from raml_eval.reporting.boards.rebuilding import Origin, match_origins, read_sound
    from raml_eval.store import read_manifest

    found: dict[Path, Origin | None] = {}
    is_whole = False
    for place in places:
        below = sorted(path.parent for path in place.glob("*/manifest.json"))
        is_run = (place / "manifest.json").exists() or not below
        is_whole |= not is_run
        for path in [place] if is_run else below:
            try:
                found[path] = Origin.of(read_manifest(path / "manifest.json"))
            except StoreError:
                if is_run:
                    raise
                found[path] = None  # if an entry was made of it, that is told
    origins = {path: origin for path, origin in found.items() if origin is not None}
    matched = match_origins(read_sound(board), list(origins.values()))
    entered = {list(origins)[place]: entry.model for place, (_, entry) in matched.items()}
    return entered, len(found) - len(entered), is_whole
