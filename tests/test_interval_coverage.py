"""The coverage of the intervals, on a small part of the grid of benchmarks/interval_coverage.py."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RUNS = 600


@pytest.fixture(scope="module")
def grid() -> Iterator[ModuleType]:
    names = ("interval_coverage", "interval_methods")
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module(names[0])
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in names:
            sys.modules.pop(name, None)


# Each row is one where another rule fails: ten clusters' worth of value for means, ten clusters that differ for differences,
# the t-interval for everything, Gaffke's, or MOVER with the square of every distance.
ROWS = [
    ("avg@n", 8, 2, 2, 30, 1),
    ("mG-Pass@n", 8, 0.5, 0.5, 30, 1),
    ("pass@n/4", 32, 8, 2, 30, 1),
    ("pass@n", 32, 2, 2, 30, 1),
    ("pass@n", 8, 0.5, 0.5, 70, 1),
    ("mG-Pass@n", 32, 0.5, 0.5, 134, 4),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(map(str, row)))
def test_intervals_cover_and_are_not_too_wide_where_there_is_enough_value(grid: ModuleType, row: tuple[object, ...]) -> None:
    tally = grid.Tally()
    cells = grid.measure([grid.Task(*row)] * grid.TASKS, 7, RUNS, tally, compared=10)
    assert (tally.below, tally.above) == (0, 0), cells
    assert tally.compared == 120  # runs in which the public functions gave the same


def test_a_method_that_is_too_short_or_too_wide_is_noticed(grid: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain t-interval near a bound falls below, and Gaffke's for differences that many questions carry lies above."""
    monkeypatch.setattr(grid.many, "SKEWED", np.inf)
    near, far = grid.Task("pass@n/4", 32, 2, 2, 30, 1), grid.Task("avg@n", 8, 2, 2, 30, 1)
    base, new = far.draw(np.random.default_rng(1), RUNS)
    none, always = np.zeros(RUNS, dtype=bool), np.ones(RUNS, dtype=bool)
    short = grid.many.intervals(near.by_cluster(near.draw(np.random.default_rng(1), RUNS)[0]), near.sizes, (0, 1), always)
    wide = grid.many.intervals(far.by_cluster(new["no change"] - base), far.sizes, (-1, 1), none)
    tally = grid.Tally()
    assert tally.cell(short, near.truth(), near.has_enough()).endswith("BELOW")
    assert tally.cell(wide, 0.0, far.has_enough()).endswith("ABOVE")
    assert (tally.below, tally.above) == (1, 1)


@pytest.mark.parametrize("change", ["no change", "drop", "varied"])
def test_the_true_difference_is_that_of_many_draws(grid: ModuleType, change: str) -> None:
    task = grid.Task("pass@n/4", 8, 0.5, 0.5, 500, 4)
    base, new = task.draw(np.random.default_rng(2), 2000)
    drawn = (new[change] - base).mean(axis=1)
    assert drawn.mean() == pytest.approx(task.truth(change) - task.truth(), abs=4 * drawn.std() / 2000**0.5)
