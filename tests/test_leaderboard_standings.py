"""Ranks, possible ranks and letters: by hand, by brute force, and from whole entries."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.comparison import compare_runs
from raml_eval.intervals import Part, pooled_difference
from raml_eval.reporting.boards.board import Board, read_board
from raml_eval.reporting.boards.entering import make_entry
from raml_eval.reporting.boards.entry import RunEntry, validate
from raml_eval.reporting.boards.standings import Relation, close, find_better, letter, p_values_of, rank_entries
from raml_eval.types import StoredRun
from tests.boards import entrant, write_board


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return read_board(write_board(tmp_path))


def entry_of(run: StoredRun, board: Board) -> RunEntry:
    entry = validate(make_entry(run, board), "run")
    assert isinstance(entry, RunEntry)
    return entry


def test_holm_by_hand() -> None:
    """Three pairs: 0.01 x 3, 0.03 x 2 and 0.04 x 1, each at least the one before: only the first is below 0.05."""
    p_values = {(0, 1): 0.01, (0, 2): 0.03, (1, 2): 0.04}
    assert find_better([0.9, 0.5, 0.6], p_values) == {(0, 1)}
    assert find_better([0.9, 0.5, 0.6], {**p_values, (0, 2): 0.02}) == {(0, 1), (0, 2), (2, 1)}
    assert find_better([0.5, 0.9], {(0, 1): 0.05}) == {(1, 0)}
    assert find_better([0.5, 0.9, 0.1], {(0, 1): 0.02, (0, 2): math.nan, (1, 2): math.nan}) == {(1, 0)}  # one test, not three
    assert find_better([0.5], {}) == frozenset()


def test_letters_by_hand() -> None:
    assert letter([0, 1, 2], frozenset()) == ["a", "a", "a"]
    assert letter([0, 1, 2], frozenset({(0, 1), (0, 2), (1, 2)})) == ["a", "b", "c"]
    assert letter([0, 2, 1], frozenset({(0, 1)})) == ["a", "b", "ab"]
    # 0 is better than 3 only; 1 and 2 cannot be told from anybody.
    assert letter([0, 1, 2, 3], frozenset({(0, 3)})) == ["a", "ab", "ab", "b"]
    assert letter([], frozenset()) == []


def test_what_follows_is_added() -> None:
    assert close(frozenset({(0, 1), (1, 2), (2, 3)})) == {(i, j) for i, j in combinations(range(4), 2)}
    assert close(frozenset({(3, 1), (1, 0)})) == {(3, 1), (1, 0), (3, 0)}


@st.composite
def relations(draw: st.DrawFn) -> tuple[int, Relation]:
    """Entries numbered from the best to the worst, and which differences are shown."""
    n = draw(st.integers(1, 9))
    pairs = list(combinations(range(n), 2))
    return n, close(frozenset(pair for pair in pairs if draw(st.booleans())))


@given(relations())
def test_letters_are_shared_exactly_by_those_that_cannot_be_told_apart(drawn: tuple[int, Relation]) -> None:
    n, better = drawn
    order = sorted(range(n), key=lambda i: sum((j, i) in better for j in range(n)))
    letters = [set(text) for text in letter(order, better)]
    assert all(letters)
    for i, j in combinations(range(n), 2):
        assert bool(letters[i] & letters[j]) == ((i, j) not in better)
    every = sorted(set().union(*letters))
    assert every == [chr(ord("a") + number) for number in range(len(every))]
    groups = [{i for i in range(n) if one in letters[i]} for one in every]
    for one, other in combinations(groups, 2):
        assert not one <= other
        assert not other <= one


@given(relations())
def test_closing_twice_is_closing_once_and_ranks_agree_with_it(drawn: tuple[int, Relation]) -> None:
    n, better = drawn
    assert close(better) == better
    ranks = [1 + sum((j, i) in better for j in range(n)) for i in range(n)]
    lasts = [n - sum((i, j) in better for j in range(n)) for i in range(n)]
    assert min(ranks) == 1
    assert max(lasts) == n
    for i in range(n):
        assert ranks[i] <= lasts[i]
        for j in range(n):
            if (i, j) in better:
                assert ranks[i] < ranks[j]
                assert lasts[i] < lasts[j]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6, unique=True), st.data())
def test_nobody_is_better_than_one_with_a_higher_value(values: list[float], data: st.DataObject) -> None:
    p_values = {pair: data.draw(st.one_of(st.floats(0, 1), st.just(math.nan))) for pair in combinations(range(len(values)), 2)}
    for i, j in close(find_better(values, p_values)):
        assert values[i] > values[j]


def test_whole_entries_are_ranked_by_paired_tests(board: Board) -> None:
    """Two runs whose intervals overlap, of which one is better on nearly each question, are told apart."""
    low = entrant("low", lambda row: 0 if row < 12 else 3)
    high = entrant("high", lambda row: 1 if row < 12 else 4 if row % 3 else 3)
    middle = entrant("middle", lambda row: 3 if row < 12 else 2 if row % 2 else 1)
    entries = [entry_of(run, board) for run in (low, high, middle)]
    found = {one.entry.model: one for one in rank_entries(entries, board)}
    p_values = p_values_of(entries, board)
    compared = compare_runs(low, high, metric="avg@n", budget="64")
    assert p_values[0, 1] == pytest.approx(next(cell.p for cell in compared.family("primary") if cell.domain == "in_domain"))
    assert p_values[0, 1] < 0.01 < 0.1 < min(p_values[0, 2], p_values[1, 2])
    assert {name: (one.rank, one.last, one.letters) for name, one in found.items()} == {
        "high": (1, 2, "a"),
        "middle": (1, 3, "ab"),
        "low": (2, 3, "b"),
    }
    assert found["high"].value == pytest.approx((12 * 1 + 12 * 4 + 6 * 3) / 120)
    assert list(found) == ["high", "middle", "low"]


def test_equal_entries_share_their_rank_in_the_order_of_their_names(board: Board) -> None:
    found = rank_entries([entry_of(entrant(name, 2), board) for name in ("b", "a")], board)
    assert [(one.entry.model, one.rank, one.last, one.letters) for one in found] == [("a", 1, 2, "a"), ("b", 1, 2, "a")]


def test_equal_entries_are_seldom_told_apart() -> None:
    """Boards of five equally good entries on two tasks: in at most 5 % of them, any difference is shown (200 boards)."""
    rng = np.random.default_rng(0)
    names = [[f"{task}/{row}" for row in range(40)] for task in range(2)]
    shown = 0
    for _ in range(200):
        chances = rng.beta(2, 2, (2, 40))
        values = rng.binomial(8, chances, (5, 2, 40)) / 8
        pairs = list(combinations(range(5), 2))
        parts = {(i, j): [Part(values[i, t], values[j, t], names[t]) for t in range(2)] for i, j in pairs}
        p_values = {pair: pooled_difference(of).p_value for pair, of in parts.items()}
        shown += bool(find_better(values.mean(axis=(1, 2)).tolist(), p_values))
    assert shown <= 0.05 * 200 + 2 * math.sqrt(0.05 * 0.95 * 200)  # two standard errors of the simulation
