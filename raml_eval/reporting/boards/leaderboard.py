"""What one does with a board: add an entry, check all entries, and build the pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from raml_eval.errors import InputError, RamlError
from raml_eval.manifest import flatten
from raml_eval.reporting.boards.board import Board, read_board
from raml_eval.reporting.boards.entering import entered_model, make_entry
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
from raml_eval.types import StoredRun


def add_entry(board_dir: Path | str, run: StoredRun) -> Path:
    """The file entries/<model>.json in the board's folder holds the run's counts, its numbers and their origin.

    An earlier entry of the same checkpoint is replaced by a run of the same backend and protocol. Raises InputError for a run
    that the board cannot rank, that cannot be ranked with its entries, or that may not replace the entry that is there;
    MetricError if planned samples are missing. The entries are then as they were.

    Example: add_entry("leaderboards/pocket", load_run("runs/pocket"))
    """
    folder = Path(board_dir)
    board = read_board(folder)
    return _add(folder, board, make_entry(run, board), f"run {run.name}")


def add_published(board_dir: Path | str, file: Path) -> Path:
    """The board has the published numbers of a JSON file: an entry of the kind "published", without its digest.

    Raises InputError if the file is none, or the board does not show what it gives.
    """
    folder = Path(board_dir)
    board = read_board(folder)
    content = read_content(file)
    if not isinstance(content, dict) or content.get("kind") != "published":
        raise InputError(f"{file} is no published entry: its kind is not 'published'. A run is added by its directory.")
    return _add(folder, board, seal({"schema_version": ENTRY_VERSION, **content}), str(file))


def _add(folder: Path, board: Board, content: Content, where: str) -> Path:
    entry = validate(content, where)
    check_entry(entry, board, where)
    path = folder / "entries" / f"{file_name(entry.model)}.json"
    for other_path, other in read_entries(folder):
        if isinstance(entry, RunEntry):
            if path == other_path and entry.model == other.model:
                check_replacement(entry, where, other, path)
            if isinstance(other, RunEntry):
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

    With runs, the entry of each run is made again and compared with the stored one. No problem holds a control character,
    whatever a file holds. Raises ConfigError for a broken board.yaml.
    """
    folder = Path(board_dir)
    board = read_board(folder)
    problems, sound = [], []
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
    for run in runs:
        try:
            _check_rebuilt(run, board, sound)
        except RamlError as error:
            problems.append(clean(str(error)))
    return problems


def not_rebuilt(board_dir: Path | str, runs: Sequence[StoredRun]) -> list[str]:
    """The models of the entries that none of the runs gives."""
    made = {entered_model(run) for run in runs}
    return [
        entry.model for _, entry in read_entries(Path(board_dir)) if isinstance(entry, RunEntry) and entry.model not in made
    ]


def _check_rebuilt(run: StoredRun, board: Board, entries: Sequence[Placed]) -> None:
    """Raises InputError if the board's entry of the run's model is not the one that the run gives."""
    made = validate(make_entry(run, board), f"run {run.name}")
    assert isinstance(made, RunEntry)
    found = [(path, entry) for path, entry in entries if entry.model == made.model and isinstance(entry, RunEntry)]
    if not found:
        raise InputError(
            f"run {run.name} has no sound entry on the board {board.title!r} ({made.model!r}). Add it, or leave it out."
        )
    path, entry = found[0]
    if difference := first_difference(entry, made):
        raise InputError(f"{path} is not what run {run.name} gives: {difference}. Delete it, and add the run again.")


def first_difference(entry: RunEntry, made: RunEntry) -> str:
    """What an entry says otherwise than that which was made again of its run; empty if nothing.

    The numbers are left out: they follow from the counts, and their last digits differ from machine to machine.
    """
    for name in ("backend", "grader_version", "n_samples", "limit", "run"):
        if (met := getattr(entry, name)) != (right := getattr(made, name)):
            return f"{name} is {met!r:.60}, and {right!r:.60} in the run"
    kept, new = flatten(entry.protocol), flatten(made.protocol)
    for key in sorted(kept.keys() | new.keys()):
        if kept.get(key) != new.get(key):
            return f"{key} is {kept.get(key)!r:.60}, and {new.get(key)!r:.60} in the run"
    if tasks := [task for task, asked in made.questions.items() if entry.questions.get(task) != asked]:
        return f"it has other questions of {', '.join(tasks)}"
    counts = {(cell.task, cell.budget): cell for cell in entry.counts}
    for right_cell in made.counts:
        met_cell = counts[right_cell.task, right_cell.budget]
        for name in type(right_cell).model_fields:
            met, right = getattr(met_cell, name), getattr(right_cell, name)
            if met != right:
                at = next(i for i, (one, other) in enumerate(zip(met, right, strict=True)) if one != other)
                asked = f"{right_cell.task}/{made.questions[right_cell.task].ids[at]} at {right_cell.budget}"
                return f"{name} of {asked} is {met[at]}, and {right[at]} in the run"
    others = [name for name in ("checkpoint", "engine", "caveats", "origin") if getattr(entry, name) != getattr(made, name)]
    return f"its {', '.join(others)} {'is' if len(others) == 1 else 'are'} not the run's" if others else ""


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
