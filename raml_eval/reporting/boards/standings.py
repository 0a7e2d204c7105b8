"""Who is better than whom: paired tests of all pairs of entries, and what ranks and letters follow from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from string import ascii_lowercase

from raml_eval.errors import InputError
from raml_eval.intervals import holm, pooled_difference
from raml_eval.reporting.boards.board import Board
from raml_eval.reporting.boards.entry import RunEntry
from raml_eval.reporting.boards.numbers import compute_numbers, domain_tasks, paired_parts
from raml_eval.tables import MACRO, budget_label

ALPHA = 0.05  # the chance that any of a board's differences is shown wrongly
Pair = tuple[int, int]
Relation = frozenset[Pair]  # (i, j): i is better than j


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry's place. rank is 1 + the entries shown to be better; no rank after last is possible, nor one before rank.

    Entries that share one of letters cannot be told apart.
    """

    entry: RunEntry
    value: float
    rank: int
    last: int
    letters: str


def rank_entries(entries: Sequence[RunEntry], board: Board) -> list[Standing]:
    """The standings, by rank, then by value, then by name. Raises InputError if an entry has not the number that ranks."""
    values = [rank_value(entry, board) for entry in entries]
    better = close(find_better(values, p_values_of(entries, board)))
    n = len(entries)
    ranks = [1 + sum((j, i) in better for j in range(n)) for i in range(n)]
    lasts = [n - sum((i, j) in better for j in range(n)) for i in range(n)]
    order = sorted(range(n), key=lambda i: (ranks[i], -values[i], entries[i].model))
    letters = letter(order, better)
    return [Standing(entries[i], values[i], ranks[i], lasts[i], letters[i]) for i in order]


def rank_value(entry: RunEntry, board: Board) -> float:
    """The number that ranks an entry: a mean over the tasks of a domain."""
    wanted, budget = board.rank_measure, budget_label(board.rank_by.budget)
    cells = [cell for cell in entry.counts if cell.budget == budget]
    for row in compute_numbers(entry.questions, cells, [wanted], entry.greedy):
        if (row.task, row.domain) == (MACRO, board.rank_by.domain) and row.value is not None:
            return row.value
    raise InputError(
        f"the entry of {entry.model!r} has no {wanted.name} over the {board.rank_by.domain} tasks at budget {budget}, which "
        f"the board {board.title!r} ranks by. Delete the entry, and add its run again."
    )


def p_values_of(entries: Sequence[RunEntry], board: Board) -> dict[Pair, float]:
    """The p-value of each pair's difference, paired by question; NaN where there is no test."""
    budget = budget_label(board.rank_by.budget)
    found = {}
    for i, j in combinations(range(len(entries)), 2):
        tasks = domain_tasks(entries[i], board.rank_by.domain)
        parts = paired_parts(entries[i], entries[j], tasks, budget, board.rank_measure)
        found[i, j] = pooled_difference(parts, 1 - ALPHA, board.rank_measure.bounds).p_value
    return found


def find_better(values: Sequence[float], p_values: Mapping[Pair, float]) -> Relation:
    """The pairs (i, j) in which i is shown to be better, with Holm's correction over all pairs that were tested.

    Example: find_better([0.9, 0.1], {(0, 1): 0.01}) == {(0, 1)}
    """
    tested = [pair for pair, p in p_values.items() if not math.isnan(p)]
    adjusted = holm([p_values[pair] for pair in tested])
    shown = [pair for pair, p in zip(tested, adjusted, strict=True) if p <= ALPHA]
    return frozenset((i, j) if values[i] > values[j] else (j, i) for i, j in shown)


def close(better: Relation) -> Relation:
    """The relation with everything that follows from it: if a is better than b, and b than c, then a is better than c.

    All that Holm's procedure rejects holds together with the chance 1 - ALPHA, and then this holds too, so it costs nothing.

    Example: close(frozenset({(0, 1), (1, 2)})) == {(0, 1), (1, 2), (0, 2)}
    """
    found = set(better)
    for middle in {i for pair in better for i in pair}:
        above = {i for i, j in found if j == middle}
        below = {j for i, j in found if i == middle}
        found |= {(i, j) for i in above for j in below}
    return frozenset(found)


def letter(order: Sequence[int], better: Relation) -> list[str]:
    """The letters of each entry, by number: two entries share a letter exactly if neither is better than the other.

    order lists the entries as the table does. This is a compact letter display (Piepho 2004, Journal of Computational and
    Graphical Statistics 13). Each letter is a greatest set of entries that cannot be told apart, and none is superfluous.

    Example: letter([0, 1, 2], frozenset({(0, 2)})) == ["a", "ab", "b"]
    """
    place = {i: number for number, i in enumerate(order)}
    groups = _sweep(list(_groups(order, better)))
    groups.sort(key=lambda group: sorted(place[i] for i in group))
    letters = [""] * len(order)
    for number, group in enumerate(groups):
        for i in group:
            letters[i] += _nth(number)
    return letters


def _groups(order: Sequence[int], better: Relation) -> Iterator[frozenset[int]]:
    """Greatest sets of entries that cannot be told apart, until each such pair is in one, and each entry."""
    apart = better | {(j, i) for i, j in better}
    covered: set[Pair] = set()
    for i in order:
        for j in order:
            if (i, j) in covered or (i, j) in apart:
                continue
            group = [i, j] if i != j else [i]
            for other in order:
                if other not in group and not any((other, one) in apart for one in group):
                    group.append(other)
            covered |= {(a, b) for a in group for b in group}
            yield frozenset(group)


def _sweep(groups: list[frozenset[int]]) -> list[frozenset[int]]:
    """The groups without those whose every pair, and every member, is in another one."""
    kept = list(groups)
    for group in reversed(groups):
        rest = [other for other in kept if other is not group]
        if all(any({a, b} <= other for other in rest) for a in group for b in group):
            kept = rest
    return kept


def _nth(number: int) -> str:
    """The number-th letter: a to z, then a', b' and so on, which cannot be taken for two letters."""
    tens, ones = divmod(number, len(ascii_lowercase))
    return ascii_lowercase[ones] + "'" * tens
