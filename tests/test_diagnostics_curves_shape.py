"""The numbers of one curve: by hand, against brute force, and properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.diagnostics.curves.shape import (
    area_of,
    count_crossings,
    decided_at,
    normalised,
    resampled,
    shape_of,
    slope_of,
    smoothed,
)

POSITIONS = st.lists(st.integers(1, 400), min_size=1, max_size=30, unique=True).map(lambda found: [0, *sorted(found)])
VALUES = st.floats(0, 50)


@st.composite
def curves(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    positions = draw(POSITIONS)
    return positions, draw(st.lists(VALUES, min_size=len(positions), max_size=len(positions)))


def nats(*probabilities: float) -> list[float]:
    return [-math.log(p) for p in probabilities]


def test_a_curve_by_hand() -> None:
    shape = shape_of([0, 10, 20], [3.0, 2.0, 0.0])
    assert (shape.start, shape.half, shape.final, shape.drop) == (3.0, 2.0, 0.0, 3.0)
    assert shape.area == pytest.approx((2.5 + 1.0) / 2)
    # 12 times the integral of (x - 1/2) f(x): f is 3 - 2x, then 4 - 4x.
    assert shape.slope == pytest.approx(12 * (-7 / 24 + 1 / 24))
    assert (shape.decided_at, shape.commitments, shape.reversals) == (20, 1, 0)


def test_a_single_position_has_a_level_and_no_change() -> None:
    shape = shape_of([0], [1.5])
    assert (shape.start, shape.final, shape.area) == (1.5, 1.5, 1.5)
    assert math.isnan(shape.slope)
    assert math.isnan(shape.drop)
    assert shape.decided_at is None


@pytest.mark.parametrize("positions", [[], [0, 0], [3, 2]])
def test_positions_must_ascend(positions: list[int]) -> None:
    with pytest.raises(ValueError, match="ascend strictly"):
        normalised(positions)


@given(POSITIONS, st.floats(-5, 5), st.floats(-5, 5))
def test_a_line_has_its_own_slope_and_level(positions: list[int], level: float, slope: float) -> None:
    share = normalised(positions)
    values = level + slope * share
    assert slope_of(share, values) == pytest.approx(slope, abs=1e-9)
    assert area_of(share, values) == pytest.approx(level + slope / 2, abs=1e-9)


@given(curves())
def test_slope_and_area_are_those_of_the_line_through_very_many_points(curve: tuple[list[int], list[float]]) -> None:
    positions, values = curve
    share, fine = normalised(positions), (np.arange(200_000) + 0.5) / 200_000
    dense = np.interp(fine, share, values)
    assert slope_of(share, np.array(values)) == pytest.approx(np.polyfit(fine, dense, 1)[0], abs=1e-3)
    assert area_of(share, np.array(values)) == pytest.approx(dense.mean(), abs=1e-3)


@given(curves(), st.integers(1, 399))
def test_a_position_on_the_line_changes_nothing(curve: tuple[list[int], list[float]], at: int) -> None:
    positions, values = curve
    if at in positions or at > positions[-1]:
        return
    more = sorted([*positions, at])
    filled = np.interp(more, positions, values)
    before, after = shape_of(positions, values), shape_of(more, filled)
    assert after.slope == pytest.approx(before.slope, abs=1e-9)
    assert after.area == pytest.approx(before.area, abs=1e-9)


@given(curves(), st.floats(0.001, 1))
def test_the_moving_average_stays_within_what_it_has_seen(curve: tuple[list[int], list[float]], alpha: float) -> None:
    positions, values = curve
    found = smoothed(positions, values, alpha)
    assert found[0] == values[0]
    assert all(min(values[: i + 1]) - 1e-9 <= one <= max(values[: i + 1]) + 1e-9 for i, one in enumerate(found))


def test_the_moving_average_at_every_token_is_the_papers() -> None:
    values = [3.0, 1.0, 4.0, 1.0, 5.0]
    expected = [values[0]]
    for value in values[1:]:
        expected.append(0.01 * value + 0.99 * expected[-1])
    assert smoothed(range(5), values).tolist() == pytest.approx(expected)


def test_a_level_curve_forgets_as_much_at_a_wider_stride() -> None:
    every = smoothed(range(41), [5.0] + [1.0] * 40)
    wide = smoothed([0, 8, 40], [5.0, 1.0, 1.0])
    assert wide.tolist() == pytest.approx([every[0], every[8], every[40]])


@given(curves())
def test_resampled_curves_keep_their_ends(curve: tuple[list[int], list[float]]) -> None:
    found = resampled(*curve, np.linspace(0, 1, 11))
    assert (found[0], found[-1]) == (curve[1][0], curve[1][-1])


@given(st.lists(st.sampled_from(nats(0.1, 0.45, 0.5, 0.55, 0.9)), min_size=1, max_size=12))
def test_decided_at_is_the_first_of_a_tail_that_is_all_below(values: list[float]) -> None:
    tails = [i for i in range(len(values)) if all(value < math.log(2) for value in values[i:])]
    assert decided_at(range(len(values)), values) == (tails[0] if tails else None)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([0.1, 0.9], (1, 0)),
        ([0.9, 0.9], (1, 0)),
        ([0.1, 0.55, 0.45], (0, 0)),
        ([0.9, 0.45, 0.55, 0.45], (1, 0)),
        ([0.9, 0.3], (1, 1)),
        ([0.9, 0.3, 0.55, 0.7, 0.1], (2, 2)),
    ],
)
def test_crossings_by_hand(probabilities: list[float], expected: tuple[int, int]) -> None:
    assert count_crossings(nats(*probabilities)) == expected


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=30))
def test_commitments_and_reversals_take_turns(probabilities: list[float]) -> None:
    commitments, reversals = count_crossings(nats(*probabilities))
    assert commitments - reversals in (0, 1)
    if probabilities[-1] > 0.61:
        assert commitments - reversals == 1
    if probabilities[-1] < 0.39:
        assert commitments == reversals
