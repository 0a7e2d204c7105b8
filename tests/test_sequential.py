"""The bounds of several looks: published constants, what the levels promise, and a simulation."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from raml_eval.errors import MetricError
from raml_eval.intervals.sequential import leave_chances, look_levels, spend_bounds, spent_by

FIFTHS = [0.2, 0.4, 0.6, 0.8, 1.0]
GRIDS = st.lists(st.integers(1, 39), min_size=1, max_size=8, unique=True).map(lambda n: [*(i / 40 for i in sorted(n)), 1.0])
LEVELS = st.sampled_from([0.9, 0.95, 0.96, 0.99])


def total(fractions: list[float], bounds: list[float]) -> float:
    return sum(map(sum, leave_chances(fractions, bounds)))


@pytest.mark.parametrize(("looks", "constant", "power"), [(5, 2.040, 0.5), (8, 2.072, 0.5), (5, 2.413, 0.0), (10, 2.555, 0.0)])
def test_the_constants_of_jennison_and_turnbull_spend_five_percent(looks: int, constant: float, power: float) -> None:
    """Tables 2.1 and 2.3 of their book (2000), to the three decimals printed there."""
    fractions = [(i + 1) / looks for i in range(looks)]
    assert total(fractions, [constant * t**-power for t in fractions]) == pytest.approx(0.05, abs=6e-5)


@pytest.mark.parametrize(
    ("spent", "published"),
    [
        ([4 * norm.sf(norm.isf(0.0125) / t**0.5) for t in FIFTHS], [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ([0.05 * math.log(1 + (math.e - 1) * t) for t in FIFTHS], [2.4380, 2.4268, 2.4102, 2.3966, 2.3860]),
    ],
    ids=["O'Brien-Fleming", "Pocock"],
)
def test_the_bounds_of_lan_and_demets(spent: list[float], published: list[float]) -> None:
    assert spend_bounds(FIFTHS, spent) == pytest.approx(published, abs=2e-4)


def test_the_bounds_of_hwang_shih_and_decani() -> None:
    """The default design of the R package gsDesign."""
    thirds = [1 / 3, 2 / 3, 1.0]
    assert spend_bounds(thirds, [spent_by(t) for t in thirds]) == pytest.approx([3.0107, 2.5465, 1.9992], abs=1e-4)


@settings(max_examples=40)
@given(GRIDS, LEVELS)
def test_all_looks_together_spend_the_level(fractions: list[float], level: float) -> None:
    bounds = [float(norm.ppf((1 + each) / 2)) for each in look_levels(fractions, level)]
    assert total(fractions, bounds) == pytest.approx(1 - level, abs=1e-7)
    spent = np.cumsum([sum(pair) for pair in leave_chances(fractions, bounds)])
    assert spent == pytest.approx([spent_by(t, level) for t in fractions], abs=1e-7)


@settings(max_examples=40)
@given(GRIDS, LEVELS)
def test_a_level_depends_on_no_later_look(fractions: list[float], level: float) -> None:
    levels = look_levels(fractions, level)
    assert all(level <= each < 1 for each in levels)
    assert look_levels(fractions[:-1], level) == pytest.approx(levels[:-1], abs=1e-12)


@pytest.mark.parametrize("looks", range(2, 20))
def test_even_looks_are_held_to_a_falling_level(looks: int) -> None:
    levels = look_levels([(i + 1) / looks for i in range(looks)])
    assert all(low < high for high, low in pairwise(levels))


def test_one_look_at_the_end_has_the_ordinary_level() -> None:
    assert look_levels([1.0], 0.96) == [0.96]
    assert look_levels([0.999], 0.96)[0] == pytest.approx(0.96, abs=2e-4)


def test_a_drift_leaves_on_its_own_side() -> None:
    (below, above), (later_below, later_above) = leave_chances([0.5, 1.0], [2.0, 2.0], drift=4.0)
    assert above == pytest.approx(norm.sf(2 - 4 * 0.5**0.5))
    assert below == pytest.approx(norm.cdf(-2 - 4 * 0.5**0.5))
    assert above + later_above == pytest.approx(norm.sf(2 - 4), abs=0.02)
    assert later_below < below


def test_a_simulated_motion_leaves_as_often_as_computed() -> None:
    fractions = [0.3, 0.5, 0.55, 1.0]
    bounds = [float(norm.ppf((1 + level) / 2)) for level in look_levels(fractions)]
    steps = np.random.default_rng(3).normal(size=(200_000, 4)) * np.sqrt(np.diff([0.0, *fractions]))
    scores = np.cumsum(steps + 1.5 * np.diff([0.0, *fractions]), axis=1) / np.sqrt(fractions)
    out = np.abs(scores) > bounds
    first = np.where(out.any(axis=1), out.argmax(axis=1), 4)
    for look, (below, above) in enumerate(leave_chances(fractions, bounds, drift=1.5)):
        at = scores[first == look, look]
        assert np.mean(first == look) * np.mean(at > 0) == pytest.approx(above, abs=0.003)
        assert np.mean(first == look) * np.mean(at < 0) == pytest.approx(below, abs=0.003)


@pytest.mark.parametrize("fractions", [[], [0.0, 1.0], [0.5, 0.5], [0.5, 0.501], [0.6, 0.5], [0.5, 1.1]])
def test_looks_that_cannot_be_are_refused(fractions: list[float]) -> None:
    with pytest.raises(MetricError, match="ascending shares"):
        look_levels(fractions)


def test_chances_that_do_not_ascend_are_refused() -> None:
    with pytest.raises(MetricError, match="must ascend"):
        spend_bounds([0.5, 1.0], [0.02, 0.02])
    with pytest.raises(MetricError, match="level"):
        look_levels([1.0], 1.0)
