"""Where a curve is measured."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.diagnostics.curves.positions import Positions
from raml_eval.errors import ConfigError


def measure(positions: Positions, length: int, curve: Callable[[int], float]) -> dict[int, float]:
    found: dict[int, float] = {}
    asked = positions.first(length)
    while asked:
        assert not set(asked) & found.keys()
        found |= {at: curve(at) for at in asked}
        asked = positions.next(found)
    return found


@given(st.integers(0, 500), st.integers(1, 60), st.lists(st.integers(0, 500), max_size=5))
def test_strides_have_both_ends_and_the_marks(length: int, stride: int, marks: list[int]) -> None:
    within = [mark for mark in marks if mark <= length]
    found = Positions(stride).first(length, within)
    assert found == sorted({*found})
    assert {0, length, *within, *range(0, length, stride)} == {*found}
    assert Positions(stride).next({0: 1.0, 100: 9.0}) == []


@given(st.integers(1, 400), st.integers(0, 2**32), st.floats(0.01, 5))
def test_neighbours_of_an_adaptive_curve_are_near_in_value_or_in_place(length: int, seed: int, tol: float) -> None:
    values = np.random.default_rng(seed).uniform(0, 10, 401).tolist()
    found = measure(Positions(8, tol), length, values.__getitem__)
    for a, b in itertools.pairwise(sorted(found)):
        assert b - a == 1 or abs(found[a] - found[b]) <= tol


@given(st.integers(1, 400), st.integers(0, 2**32), st.floats(0.05, 5))
def test_the_error_on_a_monotone_curve_is_within_the_tolerance(length: int, seed: int, tol: float) -> None:
    curve = (50 - np.random.default_rng(seed).exponential(0.1, 401).cumsum()).tolist()
    found = measure(Positions(8, tol), length, curve.__getitem__)
    at = sorted(found)
    for a, b in itertools.pairwise(at):
        for between in range(a, b):
            line = found[a] + (found[b] - found[a]) * (between - a) / (b - a)
            assert abs(line - curve[between]) <= tol + 1e-9


def test_a_step_is_found_with_few_positions() -> None:
    found = measure(Positions(8, 0.1), 1600, lambda at: 5.0 if at < 777 else 0.1)
    assert 776 in found
    assert 777 in found
    assert len(found) < 30


@pytest.mark.parametrize(("stride", "tolerance"), [(0, None), (8, 0.0), (8, -1.0), (8, float("nan"))])
def test_senseless_choices_are_refused(stride: int, tolerance: float | None) -> None:
    with pytest.raises(ConfigError, match="Pass one"):
        Positions(stride, tolerance)
