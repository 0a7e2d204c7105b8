"""The power of a paired t-test, and what it takes to find a wanted difference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from raml_eval.errors import MetricError
from raml_eval.intervals import NoiseSplit, paired_difference
from raml_eval.intervals.power import (
    detectable_difference,
    power_at,
    questions_needed,
    samples_needed,
)

SPLIT = NoiseSplit(0.0, 0.02, 1e-4, 3e-4, 100, 100, 99.0)


@given(st.floats(0.001, 0.3), st.floats(0.005, 0.1), st.integers(3, 2000), st.sampled_from([0.9, 0.95, 0.98, 0.9975]))
def test_power_is_that_of_the_noncentral_t(difference: float, error: float, freedom: int, level: float) -> None:
    critical, shift = stats.t.ppf((1 + level) / 2, freedom), difference / error
    wanted = 1 - stats.nct.cdf(critical, freedom, shift) + np.nan_to_num(stats.nct.cdf(-critical, freedom, shift))
    if np.isnan(wanted):  # far out scipy gives no number, where the power is 1
        assert shift > critical + 20
        wanted = 1.0
    assert power_at(difference, error, freedom, level) == pytest.approx(wanted, abs=1e-9)
    assert power_at(-difference, error, freedom, level) == power_at(difference, error, freedom, level)


@given(st.floats(0.005, 0.1), st.floats(3, 3000), st.sampled_from([0.9, 0.95, 0.98, 0.9975]), st.sampled_from([0.5, 0.8, 0.95]))
def test_the_detectable_difference_has_the_power(error: float, freedom: float, level: float, power: float) -> None:
    found = detectable_difference(error, freedom, level, power)
    assert power_at(found, error, freedom, level) == pytest.approx(power, abs=1e-6)
    if freedom > 60:  # the usual form, which leaves out the far tail and the skew of the noncentral t
        usual = (stats.t.ppf((1 + level) / 2, freedom) + stats.t.ppf(power, freedom)) * error
        assert found == pytest.approx(usual, rel=0.01)


def test_power_is_how_often_the_test_finds_it() -> None:
    rng = np.random.default_rng(7)
    found = 0
    for _ in range(1000):
        base = rng.normal(0, 1, 40)
        found += paired_difference(base, base + rng.normal(0.4, 1, 40), [str(i) for i in range(40)], bounds=None).p_value < 0.05
    assert found / 1000 == pytest.approx(power_at(0.4, 1 / math.sqrt(40), 39), abs=0.03)


def test_the_questions_needed_are_the_least_that_are_enough() -> None:
    n = questions_needed(SPLIT, 0.05)
    assert n is not None
    at = [power_at(0.05, SPLIT.standard_error * math.sqrt(100 / size), size - 1) for size in (n - 1, n)]
    assert at[0] < 0.8 <= at[1]


def test_the_samples_needed_are_the_least_that_are_enough() -> None:
    n = samples_needed(SPLIT, 8, 0.05)
    assert n is not None
    at = [power_at(0.05, math.sqrt(1e-4 + 3e-4 * 8 / size), 99) for size in (n - 1, n)]
    assert at[0] < 0.8 <= at[1]


def test_no_n_is_enough_if_the_questions_are_too_few() -> None:
    assert samples_needed(SPLIT, 8, 0.02) == math.inf
    assert questions_needed(SPLIT, 0.02) == pytest.approx(100 * (0.02 * 2.8016 / 0.02) ** 2, rel=0.01)


def test_what_is_not_known_is_not_told() -> None:
    nan = math.nan
    unknown = NoiseSplit(0.0, 0.02, nan, nan, 100, 100, 99.0)
    assert samples_needed(unknown, 1, 0.05) is None
    assert questions_needed(unknown, 0.05) == questions_needed(SPLIT, 0.05)
    assert questions_needed(NoiseSplit(0.0, nan, nan, nan, 4, 1, 0.0), 0.05) is None
    assert math.isnan(power_at(0.05, nan, 9))
    assert math.isnan(detectable_difference(nan, 9))


def test_without_noise_everything_is_found() -> None:
    assert (power_at(0.05, 0.0, 9), power_at(0.0, 0.0, 9), detectable_difference(0.0, 9)) == (1.0, pytest.approx(0.05), 0.0)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(MetricError, match="a difference of 0"):
        questions_needed(SPLIT, 0.0)
    with pytest.raises(MetricError, match=r"power must lie above 0\.05"):
        detectable_difference(0.1, 9, power=0.05)
    with pytest.raises(MetricError, match="level must lie"):
        power_at(0.1, 0.1, 9, level=1.0)
