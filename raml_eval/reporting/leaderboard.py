"""Leaderboards in a repository: one JSON entry for each model, and a README table made from the entries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from raml_eval.errors import InputError
from raml_eval.reporting.board import Board, read_board
from raml_eval.reporting.entries import Entry, check_against, entry_text, file_name, make_entry, read_entry, write_atomically
from raml_eval.reporting.render import Cell, Table, percent, render
from raml_eval.tables import DOMAINS, MACRO, Row, budget_label
from raml_eval.types import StoredRun
from raml_eval.wording import count_noun

What = tuple[str, str, str, int | None, float | None]  # domain, budget, metric, k, tau


def add_entry(board_dir: Path | str, run: StoredRun) -> Path:
    """The file entries/<model>.json in the board's folder holds the run's numbers and their origin.

    An earlier entry of the same checkpoint is replaced. Raises InputError for a run that the board cannot rank: a task or
    budget is missing, n is too small, the questions or the settings are not the board's, or another checkpoint has the same
    name. Raises MetricError if planned samples are missing.

    Example: add_entry("leaderboards/pocket", load_run("runs/pocket"))
    """
    folder = Path(board_dir)
    entry = make_entry(run, read_board(folder))
    path = folder / "entries" / f"{file_name(entry['model'])}.json"
    for other in sorted((folder / "entries").glob("*.json")):
        check_against(entry, path, read_entry(other), other)
    write_atomically(path, entry_text(entry))
    return path


def build_board(board_dir: Path | str) -> Path:
    """The board's README.md holds the table of its entries, the best first, equal ones by name. InputError for a bad entry."""
    folder = Path(board_dir)
    board = read_board(folder)
    entries = [read_entry(path) for path in sorted((folder / "entries").glob("*.json"))]
    ranked = sorted(entries, key=lambda entry: (-_score(entry, board)["value"], entry["model"]))
    path = folder / "README.md"
    text = render("_leaderboard.markdown.jinja", "markdown", board=board, tables=_tables(ranked, board), notes=_notes(board))
    write_atomically(path, text)
    return path


def _number(entry: Entry, domain: str, budget: str, metric: str, k: int | None, tau: float | None) -> Row:
    """The macro mean of a domain in an entry, or a row without values if the entry has none."""
    wanted = {"task": MACRO, "domain": domain, "budget": budget, "metric": metric, "k": k, "tau": tau}
    for row in entry["rows"]:
        if all(row[key] == value for key, value in wanted.items()):
            return dict(row)
    return {"value": None, "low": None, "high": None}


def _score(entry: Entry, board: Board) -> Row:
    rank_by = board.rank_by
    k = None if board.metric == "avg@n" else board.k
    score = _number(entry, rank_by.domain, budget_label(rank_by.budget), board.metric, k, None)
    if score["value"] is None:
        raise InputError(
            f"the entry of {entry['model']!r} has no {board.metric} over the {rank_by.domain} tasks at budget "
            f"{rank_by.budget}, which the board {board.title!r} ranks by. Add its run again, or delete the entry."
        )
    return score


def _places(ranked: Sequence[Entry], board: Board) -> list[str]:
    """The ranks that each entry could have: after those whose intervals lie wholly above, before those wholly below."""
    scores = [_score(entry, board) for entry in ranked]
    ends = [(s["value"] if s["low"] is None else s["low"], s["value"] if s["high"] is None else s["high"]) for s in scores]
    places = []
    for low, high in ends:
        first = 1 + sum(other > high for other, _ in ends)
        last = len(ends) - sum(other < low for _, other in ends)
        places.append(f"{first}" if first == last else f"{first} to {last}")
    return places


def _tables(ranked: Sequence[Entry], board: Board) -> list[Table]:
    """The ranking at the board's budget over both domains, then accuracy at all budgets in the domain that it ranks by."""
    at = budget_label(board.rank_by.budget)
    k = None if board.metric == "avg@n" else board.k
    metric = board.metric.replace("@k", f"@{board.k}")
    first = board.rank_by.domain
    domains = [first, *(domain for domain in DOMAINS if domain != first and any(_has(entry, domain) for entry in ranked))]
    main: list[tuple[str, What]] = [(f"{_title(domain)} {metric}", (domain, at, board.metric, k, None)) for domain in domains]
    main += [(f"{_title(domain)} G-Pass@{board.k} τ=1", (domain, at, "g_pass@k", board.k, 1.0)) for domain in domains]
    sweep: list[tuple[str, What]] = [(budget_label(b), (first, budget_label(b), board.metric, k, None)) for b in board.budgets]
    places = _places(ranked, board)
    ranking, curve = [], []
    for place, entry in zip(places, ranked, strict=True):
        name = Cell(entry["model"])
        facts = (str(entry["n_samples"]), entry["engine"])
        ranking.append((Cell(place), name, *_shares(entry, main), *map(Cell, facts)))
        curve.append((name, *_shares(entry, sweep)))
    head = tuple(Cell(text) for text in ("rank", "model", *(text for text, _ in main), "n", "engine"))
    return [
        Table(f"At budget {at}, in percent [95 % interval]", head, tuple(ranking), 2),
        Table(
            f"{_title(first)} {metric} over thinking budgets, in percent [95 % interval]",
            tuple(Cell(text) for text in ("model", *(text for text, _ in sweep))),
            tuple(curve),
        ),
    ]


def _has(entry: Entry, domain: str) -> bool:
    return any(row["domain"] == domain for row in entry["rows"])


def _title(domain: str) -> str:
    return domain.replace("_", "-").capitalize()


def _shares(entry: Entry, columns: Sequence[tuple[str, What]]) -> list[Cell]:
    rows = [_number(entry, *what) for _, what in columns]
    return [Cell(percent(row["value"], row["low"], row["high"])) for row in rows]


def _notes(board: Board) -> list[str]:
    notes = [
        "Numbers are means over the tasks of a domain, with equal weights: "
        f"{', '.join(board.tasks)}. n is the number of samples per question.",
        "A range of ranks means that an entry's interval overlaps those of its neighbours: it could have any of these ranks. "
        "raml-eval compare tests two runs question by question, which says more than two intervals.",
    ]
    if board.limit is not None:
        notes.append(f"Each task is a seeded subset of at most {count_noun(board.limit, 'question')} (--limit {board.limit}).")
    return notes
