"""The band for a curve of pooled differences."""

from __future__ import annotations

import numpy as np
import pytest

from raml_eval.intervals import Part, pooled_difference, simultaneous_band
from raml_eval.metrics import pass_at_k

N = 8


def curve(seed: int, questions: int, tasks: int = 1, drop: float = 0.0) -> list[list[Part]]:
    """pass@k over k of two models on the same questions of several tasks."""
    rng = np.random.default_rng(seed)
    drawn = []
    for task in range(tasks):
        p = rng.beta(2, 2, questions)
        counts = [rng.binomial(N, np.clip(p - move, 0, 1)) for move in (0.0, drop)]
        drawn.append((*counts, [f"{task}-{row}" for row in range(questions)]))
    return [
        [Part(*(pass_at_k(N, side, k) for side in (base, new)), clusters) for base, new, clusters in drawn]
        for k in range(1, N + 1)
    ]


def test_a_band_is_wider_than_its_points_and_narrower_than_bonferronis() -> None:
    parts = curve(1, 134)
    band = simultaneous_band(parts)
    for one, point in zip(band, parts, strict=True):
        alone, bonferroni = pooled_difference(point), pooled_difference(point, 1 - 0.05 / N)
        assert one.value == alone.value
        assert alone.high < one.high < bonferroni.high


def test_a_band_of_one_point_is_its_interval() -> None:
    parts = curve(2, 60)[:1]
    assert simultaneous_band(parts) == [pooled_difference(parts[0])]


def test_points_that_are_the_same_need_no_wider_band() -> None:
    parts = curve(3, 60)[:1] * 5
    (first, *_), alone = simultaneous_band(parts), pooled_difference(parts[0])
    assert first.high - first.low == pytest.approx(alone.high - alone.low, rel=0.01)


def test_a_point_without_variance_does_not_spoil_the_others() -> None:
    same = [Part(np.ones(60), np.ones(60), [f"0-{row}" for row in range(60)])]
    band = simultaneous_band([*curve(4, 60), same])
    assert all(one.low < one.high for one in band)


def test_the_same_seed_gives_the_same_band() -> None:
    parts = curve(5, 40)
    assert [(one.low, one.high) for one in simultaneous_band(parts)] == [
        (one.low, one.high) for one in simultaneous_band(parts)
    ]


@pytest.mark.parametrize("tasks", [1, 3])
def test_the_whole_curve_is_covered_as_often_as_the_level_says(tasks: int) -> None:
    """Without a difference, every point of the true curve is 0."""
    runs = 200
    held = sum(
        all(one.low <= 0 <= one.high for one in simultaneous_band(curve(100 + seed, 134, tasks))) for seed in range(runs)
    )
    assert held / runs >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / runs)
