"""Means over few questions have no interval, unless it is one that needs no spread."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.diagnostics.few import if_enough, mean_with_enough
from raml_eval.intervals import GAFFKE, mean_interval
from raml_eval.types import Interval


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 9)), min_size=1, max_size=25))
def test_below_six_clusters_there_is_no_interval_and_from_six_on_it_is_the_usual_one(values: list[tuple[float, int]]) -> None:
    numbers, clusters = [value for value, _ in values], [str(cluster) for _, cluster in values]
    found, usual = mean_with_enough(numbers, clusters), mean_interval(numbers, clusters, bounds=None)
    assert found.value == usual.value
    if len({*clusters}) < 6:
        assert math.isnan(found.low)
        assert math.isnan(found.high)
        assert found.method.startswith("no interval")
    else:
        assert (found.low, found.high) == pytest.approx((usual.low, usual.high), nan_ok=True)


def test_an_interval_ends_at_least() -> None:
    values, clusters = [0.0, 0.0, 0.0, 0.0, 0.0, 3.0], list("abcdef")
    assert mean_interval(values, clusters, bounds=None).low < 0
    assert mean_with_enough(values, clusters, least=0.0).low == 0.0


def test_shares_of_few_questions_keep_gaffkes_interval() -> None:
    found = mean_with_enough([1.0, 0.0, 1.0], list("abc"), bounds=(0.0, 1.0))
    assert found.method == GAFFKE
    assert 0 < found.low < 2 / 3 < found.high < 1


def test_no_values_have_no_mean() -> None:
    assert math.isnan(mean_with_enough([], []).value)
    assert if_enough(Interval(1.0, math.nan, math.nan, "no interval: one cluster"), 1).method == "no interval: one cluster"
