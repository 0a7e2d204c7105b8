"""The numbers of an entry: those of the frame of its run, and exact rational values of its counts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import comb
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval.reporting.boards.board import Board, read_board
from raml_eval.reporting.boards.entering import make_entry
from raml_eval.reporting.boards.entry import RunEntry, validate
from raml_eval.reporting.boards.numbers import check_counts, check_numbers
from raml_eval.reporting.boards.rules import check_entry
from raml_eval.reporting.boards.standings import rank_entries
from raml_eval.reporting.boards.tables import Marks, board_lines
from raml_eval.tables import build_frame, frame_rows
from raml_eval.types import Status, StoredRun
from tests.boards import BOARD, entrant, write_board
from tests.factory import make_run

KEY = ("task", "domain", "budget", "metric", "k", "tau")
STATUSES = (Status.CORRECT, Status.INCORRECT, Status.NO_ANSWER, Status.UNFINISHED)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return read_board(write_board(tmp_path_factory.mktemp("board"), BOARD.replace("avg@n, pass@4", "avg@n, pass@4, pass@3")))


def entry_of(run: StoredRun, board: Board) -> RunEntry:
    entry = validate(make_entry(run, board), "run")
    assert isinstance(entry, RunEntry)
    return entry


@given(st.lists(st.lists(st.sampled_from(STATUSES), min_size=4, max_size=4), min_size=3, max_size=8), st.integers(1, 3))
@settings(max_examples=25)
def test_the_numbers_are_those_of_the_frame(board: Board, drawn: list[list[Status]], per_cluster: int) -> None:
    run = make_run(
        lambda task, row, index, budget: drawn[row][(index + int(budget)) % 4],
        n_questions=len(drawn),
        per_cluster=per_cluster,
        protocol={"engine": {"name": "hf"}},
        engine={"name": "hf"},
    )
    run = replace(run, grader_versions=("4",))
    entry = entry_of(run, board)
    check_counts(entry, "entry")
    check_numbers(entry, "entry")
    frame = {tuple(row[name] for name in KEY): row for row in frame_rows(build_frame([run], k=[3, 4]))}
    left = {"leak_rate", "thinking_tokens_median", "thinking_tokens_p95", "answer_tokens_median", "answer_tokens_p95"}
    assert {key[3] for key in frame} - {row.metric for row in entry.rows} == left
    for row in entry.rows:
        expected = frame[tuple(getattr(row, name) for name in KEY)]
        for name in ("value", "low", "high"):
            assert getattr(row, name) == pytest.approx(expected[name], abs=1e-12), row
        assert (row.n_questions, row.method) == (expected["n_questions"], expected["method"])


def exact(c: int, k: int, least: int) -> Fraction:
    """The chance of at least so many correct ones among k of 4 samples, c of them correct."""
    return Fraction(sum(comb(c, j) * comb(4 - c, k - j) for j in range(least, k + 1)), comb(4, k))


@pytest.mark.parametrize(
    ("metric", "k", "tau", "least"),
    [("pass@k", 3, None, 1), ("g_pass@k", 3, 0.5, 2), ("g_pass@k", 4, 0.75, 3), ("g_pass@k", 4, 1.0, 4)],
)
def test_values_are_exact(board: Board, metric: str, k: int, tau: float | None, least: int) -> None:
    entry = entry_of(entrant("m", lambda row: row % 5), board)
    (row,) = [
        row for row in entry.rows if (row.task, row.budget, row.metric, row.k, row.tau) == ("pocket_sort", "16", metric, k, tau)
    ]
    assert row.value == float(sum(exact(c, k, least) for c in range(5)) * 6 / 30)


def test_tokens_that_are_not_all_counted_are_no_number(board: Board) -> None:
    run = entrant("m")
    records = tuple(replace(r, n_thinking_tokens=None) if i == 0 else r for i, r in enumerate(run.records))
    entry = entry_of(replace(run, records=records), board)
    (row,) = [row for row in entry.rows if (row.task, row.budget, row.metric) == ("pocket_chain", "16", "thinking_tokens_mean")]
    assert (row.value, row.n_questions) == (None, 29)
    assert "not all counted" in row.method
    check_numbers(entry, "entry")


def test_a_board_s_own_k_may_change_without_the_runs(board: Board, tmp_path: Path) -> None:
    """An entry stays sound if the board shows another k: its own numbers still follow from its counts."""
    other = read_board(write_board(tmp_path, BOARD.replace("avg@n, pass@4", "avg@n, pass@2")))
    entry = entry_of(entrant("m"), board)
    check_entry(entry, other, "entry")
    (line,) = board_lines(rank_entries([entry], other), [], other, Marks())
    assert {(key[3], key[4]) for key in line.numbers if key[4]} == {("pass@k", 2), ("g_pass@k", 4), ("maj@k", 4)}
