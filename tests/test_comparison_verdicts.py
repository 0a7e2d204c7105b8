"""The words of an interval, and how the error rate is shared out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from raml_eval.comparison.verdicts import Verdict, detectable, findable, holm_shares, judge, overall, split_alpha
from raml_eval.intervals import holm


@pytest.mark.parametrize(
    ("low", "high", "verdict", "turned"),
    [
        (0.001, 0.05, "better", "worse"),
        (-0.05, -0.001, "worse", "better"),
        (0.001, 0.015, "better", "worse"),  # within the margin, and still shown
        (-0.019, 0.019, "equivalent", "equivalent"),
        (-0.02, 0.019, "inconclusive", "inconclusive"),  # the margin itself is not within it
        (-0.019, 0.02, "inconclusive", "inconclusive"),
        (0.0, 0.03, "inconclusive", "inconclusive"),
        (-0.3, 0.2, "inconclusive", "inconclusive"),
        (math.nan, math.nan, "inconclusive", "inconclusive"),
    ],
)
def test_every_interval_has_one_word(low: float, high: float, verdict: str, turned: str) -> None:
    assert judge(low, high, 0.02) == verdict
    assert judge(low, high, 0.02, lower_is_better=True) == turned


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        (["better", "better"], "better"),
        (["better", "equivalent"], "better"),
        (["better", "inconclusive"], "inconclusive"),
        (["better", "worse"], "worse"),
        (["inconclusive", "worse"], "worse"),
        (["equivalent", "inconclusive"], "inconclusive"),
        (["equivalent", "equivalent"], "equivalent"),
        ([], "inconclusive"),
    ],
)
def test_the_whole_is_never_better_than_its_weakest_part(verdicts: list[str], whole: str) -> None:
    assert overall([Verdict(one) for one in verdicts]) == whole


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.2))
def test_holms_levels_reject_what_holms_p_values_reject(p_values: list[float], alpha: float) -> None:
    shares = holm_shares(p_values, alpha)
    for p, share, adjusted in zip(p_values, shares, holm(p_values), strict=True):
        assert share.p_adjusted == pytest.approx(adjusted)
        if abs(adjusted - alpha) > 1e-9:
            assert (p <= 1 - share.level) == (adjusted <= alpha)


def test_a_family_with_a_part_of_the_error_rate_is_read_on_the_whole_scale() -> None:
    (share,) = holm_shares([0.004], 0.01, whole=0.05)
    assert share.p_adjusted == pytest.approx(0.02)
    assert share.level == pytest.approx(0.99)


def test_what_was_not_tested_takes_no_part() -> None:
    shares = holm_shares([math.nan, 0.2, 0.3], 0.05)
    assert math.isnan(shares[0].p_adjusted)
    assert shares[1].level == pytest.approx(0.975)


@pytest.mark.parametrize(("rejected", "whole"), [(False, 0.01), (True, 0.05)])
def test_the_families_share_their_part_and_get_the_rest_when_all_primaries_are_decided(rejected: bool, whole: float) -> None:
    parts = split_alpha(0.05, ["tasks", "budgets"], rejected)
    assert parts == pytest.approx({"tasks": whole / 2, "budgets": whole / 2})


def test_the_error_rate_holds_over_everything_when_nothing_differs() -> None:
    """Two primary endpoints and eight tasks without a difference: at most alpha of the comparisons reject anything."""
    rng = np.random.default_rng(1)
    p_values = 2 * norm.sf(np.abs(rng.standard_normal((4000, 10))))
    alarms = 0
    for row in p_values:
        first = [p <= 1 - share.level for p, share in zip(row[:2], holm_shares(row[:2], 0.04), strict=True)]
        part = split_alpha(0.05, ["tasks"], all(first))["tasks"]
        rest = [p <= 1 - share.level for p, share in zip(row[2:], holm_shares(row[2:], part), strict=True)]
        alarms += any(first) or any(rest)
    assert alarms / 4000 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 4000)


def test_no_difference_of_shares_is_larger_than_1() -> None:
    assert findable(0.3, 0.95) == detectable(0.3, 0.95)
    assert findable(0.69, 0.95) < 1 < detectable(0.71, 0.95)
    assert findable(0.71, 0.95) == math.inf
    assert math.isnan(findable(math.nan, 0.95))


@pytest.mark.parametrize("level", [0.95, 0.98])
def test_four_of_five_intervals_exclude_0_at_the_detectable_difference(level: float) -> None:
    half = float(norm.ppf((1 + level) / 2)) * 0.01
    found = detectable(half, level)
    drawn = np.random.default_rng(2).normal(found, 0.01, 100_000)
    assert np.mean(drawn - half > 0) == pytest.approx(0.8, abs=0.005)
