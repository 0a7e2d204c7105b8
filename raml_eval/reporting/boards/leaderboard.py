"""What one does with a board: add an entry, check all entries, and build the pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from raml_eval.errors import InputError, RamlError, near_names
from raml_eval.redaction import public_model
from raml_eval.reporting.boards.board import Board, read_board
from raml_eval.reporting.boards.entering import make_entry
from raml_eval.reporting.boards.entry import (
    ENTRY_VERSION,
    Content,
    Entry,
    PublishedEntry,
    RunEntry,
    entry_text,
    file_name,
    read_content,
    read_entry,
    seal,
    validate,
    write_atomically,
)
from raml_eval.reporting.boards.history import Held, add_build, read_history, write_history
from raml_eval.reporting.boards.page import board_page
from raml_eval.reporting.boards.rebuilding import Origin, check_rebuilt, match_origins, read_sound
from raml_eval.reporting.boards.rules import (
    Placed,
    check_alike,
    check_apart,
    check_entry,
    check_replacement,
    check_together,
)
from raml_eval.reporting.boards.standings import rank_entries
from raml_eval.reporting.boards.tables import Marks, board_lines, board_notes, board_tables
from raml_eval.reporting.render import clean, render
from raml_eval.tables import budget_label
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.types import StoredRun


def add_entry(board_dir: Path | str, run: StoredRun, name: str | None = None, replace: bool = False) -> Path:
    """The file entries/<model>.json in the board's folder holds the run's counts, its numbers and their origin.

    name stands for the model's own. An earlier entry of the same checkpoint is replaced by a run of the same backend and
    protocol; with replace, whatever entry has the name. Raises InputError for a run that the board cannot rank, that cannot be
    ranked with its entries, or that may not replace the entry that is there; MetricError if planned samples are missing. The
    entries are then as they were.

    Example: add_entry("leaderboards/pocket", load_run("runs/pocket"))
    """
    folder = Path(board_dir)
    board = read_board(folder)
    return _add(folder, board, make_entry(run, board, name), f"run {run.name}", replace)


def add_published(board_dir: Path | str, file: Path, replace: bool = False) -> Path:
    """The board has the published numbers of a JSON file: an entry of the kind "published", without its digest.

    An earlier entry of the same name is replaced if it has published numbers too, or with replace. Raises InputError if the
    file is none, or the board does not show what it gives.
    """
    folder = Path(board_dir)
    board = read_board(folder)
    content = read_content(file, CORRECT)
    if not isinstance(content, dict) or content.get("kind") != "published":
        raise InputError(f"{file} is no published entry: its kind is not 'published'. A run is added by its directory.")
    return _add(folder, board, seal({"schema_version": ENTRY_VERSION, **content}), str(file), replace)


CORRECT = "Correct it there, and add it again."


def _add(folder: Path, board: Board, content: Content, where: str, replace: bool) -> Path:
    entry = validate(content, where, CORRECT if content["kind"] == "published" else "")
    check_entry(entry, board, where)
    path = folder / "entries" / f"{file_name(entry.model)}.json"
    for other_path, other in read_entries(folder):
        if replace and path == other_path and entry.model == other.model:
            continue  # as if it had been deleted before
        if path == other_path and entry.model == other.model:
            check_replacement(entry, where, other, path)
        if isinstance(entry, RunEntry) and isinstance(other, RunEntry):
            check_alike(entry, where, other, other_path, board)
        if path == other_path and entry.model != other.model:
            raise InputError(
                f"{path} holds the entry of {other.model!r}, and {entry.model!r} would have the same file. Give the model "
                f"another name."
            )
        if path != other_path:
            check_apart(entry, where, other, other_path)
    write_atomically(path, entry_text(content))
    return path


def read_entries(folder: Path) -> list[Placed]:
    """Every entry of a board's folder with its file. Raises InputError for the first that cannot be read."""
    return [(path, read_entry(path)) for path in sorted((folder / "entries").glob("*.json"))]


def find_problems(board_dir: Path | str, runs: Sequence[StoredRun] = ()) -> list[str]:
    """What is wrong with a board's entries, a line for each; empty if every number follows from its counts and all rules hold.

    With runs, each entry that one of them is behind is made again and compared; a run that was never entered is no problem.
    No problem holds a control character, whatever a file holds. Raises ConfigError for a broken board.yaml.
    """
    folder = Path(board_dir)
    board = read_board(folder)
    problems: list[str] = []
    sound: list[Placed] = []
    for path in sorted((folder / "entries").glob("*.json")):
        try:
            entry = read_entry(path)
            check_entry(entry, board, path)
            sound.append((path, entry))
        except InputError as error:
            problems.append(clean(str(error)))
    try:
        check_together(sound, board)
        read_history(folder)
    except InputError as error:
        problems.append(clean(str(error)))
    matched = match_origins(sound, [Origin.of_run(run) for run in runs])
    for place, (path, entry) in matched.items():
        try:
            check_rebuilt(runs[place], board, path, entry)
        except RamlError as error:
            problems.append(clean(str(error)))
    return problems


def unknown_tasks(board_dir: Path | str) -> list[str]:
    """What is to be said of tasks of the board that no entry has and that do not ship: a line for each.

    They may be somebody's own, so they are no problem of the board.
    """
    board = read_board(Path(board_dir))
    held = {task for _, entry in read_sound(Path(board_dir)) if isinstance(entry, RunEntry) for task in entry.questions}
    known = load_catalogue()
    return [
        f"board.yaml names the task {task!r}, which does not ship.{near_names(task, known.tasks)} Correct it there, unless "
        f"it is a task of your own that the runs have."
        for task in board.tasks
        if task not in held and task not in known.tasks
    ]


def not_rebuilt(board_dir: Path | str, runs: Sequence[StoredRun]) -> list[str]:
    """The models of the entries that none of the runs gives."""
    made = {public_model(run.manifest["model"]) for run in runs}
    return [
        entry.model for _, entry in read_entries(Path(board_dir)) if isinstance(entry, RunEntry) and entry.model not in made
    ]


def build_board(board_dir: Path | str) -> list[Path]:
    """The board's README.md and index.html hold its tables, and history.jsonl this build, if it changed anything.

    A second build changes no file. Raises InputError for the first problem of find_problems.
    """
    folder = Path(board_dir)
    if problems := find_problems(folder):
        more = f" ({len(problems) - 1} more: `raml-eval leaderboard check` lists them)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}")
    board = read_board(folder)
    entries: list[Entry] = [entry for _, entry in read_entries(folder)]
    standings = rank_entries([entry for entry in entries if isinstance(entry, RunEntry)], board)
    published = [entry for entry in entries if isinstance(entry, PublishedEntry)]
    held = {one.entry.model: Held(one.entry.digest, one.rank, one.value) for one in standings}
    held |= {entry.model: Held(entry.digest, None, None) for entry in published}
    rank_by = board.rank_by
    history = add_build(read_history(folder), held, f"{rank_by.metric} {rank_by.domain} {budget_label(rank_by.budget)}")
    marks = Marks()
    lines = board_lines(standings, published, board, marks)
    tables, notes = board_tables(lines, board, history), board_notes(lines, board, history)
    numbered = [f"Mark {number}: {text}" for number, text in enumerate(marks.texts, start=1)]
    text = render("_leaderboard.markdown.jinja", "markdown", board=board, tables=tables, notes=[*numbered, *notes])
    write_atomically(folder / "README.md", text)
    write_atomically(folder / "index.html", board_page(board, tables, marks.texts, notes))
    if history:
        write_history(folder, history)
    return [folder / "README.md", folder / "index.html"]
