"""The noise of a mean, split into what the questions add and what redrawing adds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import MetricError
from raml_eval.intervals import NoiseSplit, Part, mean_interval, pooled_difference, split_noise
from raml_eval.intervals.components import grouped_jackknife, jackknife_variance, mean_variance, share_variance
from raml_eval.metrics import pass_at_k


def jackknife(samples: Sequence[int], value: object) -> float:
    """The delete-one jackknife by its definition: every sample is left out once."""
    n = len(samples)
    without = np.array([value([*samples[:i], *samples[i + 1 :]]) for i in range(n)])  # type: ignore[operator]
    return float((n - 1) / n * np.sum((without - without.mean()) ** 2))


@given(st.lists(st.integers(0, 1), min_size=2, max_size=9), st.integers(1, 6))
def test_the_closed_form_leaves_out_every_sample_once(samples: list[int], k: int) -> None:
    n, c = len(samples), sum(samples)

    def value(left: Sequence[int]) -> float:
        return pass_at_k(len(left), sum(left), k)

    at = [np.array([pass_at_k(n - 1, max(c - 1, 0), k)]), np.array([pass_at_k(n - 1, min(c, n - 1), k)])]
    found = jackknife_variance(np.array([n]), np.array([c]), *at)[0]
    assert found == pytest.approx(jackknife(samples, value), abs=1e-12, nan_ok=True)
    assert math.isnan(found) == (n <= k)


@given(st.lists(st.integers(0, 1), min_size=2, max_size=9))
def test_a_share_has_the_textbook_variance(samples: list[int]) -> None:
    n, c = np.array([len(samples)]), np.array([sum(samples)])
    wanted = np.var(samples, ddof=1) / len(samples)
    assert share_variance(n, c)[0] == pytest.approx(wanted, abs=1e-12)
    assert mean_variance(samples) == pytest.approx(wanted, abs=1e-12)
    assert jackknife(samples, np.mean) == pytest.approx(wanted, abs=1e-12)
    assert grouped_jackknife([1] * len(samples), [np.mean(samples[:i] + samples[i + 1 :]) for i in range(len(samples))]) == (
        pytest.approx(wanted, abs=1e-12)
    )


@given(st.integers(2, 12), st.floats(0, 1))
def test_a_shares_variance_is_unbiased(n: int, p: float) -> None:
    c = np.arange(n + 1)
    chances = np.array([math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in c])
    assert share_variance(np.full(n + 1, n), c) @ chances == pytest.approx(p * (1 - p) / n, abs=1e-12)


def test_one_sample_does_not_tell() -> None:
    assert np.isnan(share_variance(np.array([1, 0]), np.array([1, 0]))).all()
    assert math.isnan(mean_variance([3.0]))
    assert math.isnan(mean_variance([3.0, None]))
    assert math.isnan(grouped_jackknife([1], [0.5]))


def draw(rng: np.random.Generator, n_questions: int, n: int = 8, per_cluster: int = 1) -> tuple[Part, np.ndarray]:
    p = np.repeat(rng.beta(2, 2, n_questions // per_cluster), per_cluster)
    c = rng.binomial(n, p)
    names = [f"c{row // per_cluster}" for row in range(n_questions)]
    return Part(np.zeros(n_questions), c / n, names), share_variance(np.full(n_questions, n), c)


def test_the_parts_are_those_of_the_distribution() -> None:
    """Beta(2, 2) at n = 8: 0.05 / Q from the questions and 0.025 / Q from redrawing."""
    rng = np.random.default_rng(11)
    splits = [split_noise([part], [redraw]) for part, redraw in (draw(rng, 100) for _ in range(600))]
    assert 100 * np.mean([one.from_questions for one in splits]) == pytest.approx(0.05, abs=0.0015)  # four standard errors
    assert 100 * np.mean([one.from_redraw for one in splits]) == pytest.approx(0.025, abs=0.0003)
    assert np.var([one.value for one in splits]) * 100 == pytest.approx(0.075, abs=0.018)


@pytest.mark.parametrize("per_cluster", [1, 4])
def test_the_total_is_that_of_the_interval(per_cluster: int) -> None:
    part, redraw = draw(np.random.default_rng(2), 160, per_cluster=per_cluster)
    found = split_noise([part], [redraw])
    from scipy.stats import t

    interval = mean_interval(part.new, part.clusters)
    half = t.ppf(0.975, 160 // per_cluster - 1) * found.standard_error
    assert interval.high - interval.value == pytest.approx(half, rel=1e-9)
    assert found.standard_error**2 == pytest.approx(found.from_questions + found.from_redraw, rel=1e-12)
    assert found.questions_share + found.redraw_share == pytest.approx(1)
    assert (found.n_questions, found.n_clusters, found.freedom) == (160, 160 // per_cluster, 160 // per_cluster - 1)


def test_the_total_over_tasks_is_that_of_the_pooled_difference() -> None:
    rng = np.random.default_rng(3)
    (one, noise_1), (two, noise_2) = draw(rng, 60), draw(rng, 40)
    other = Part(two.base, two.new, [f"d{row}" for row in range(40)])
    found, wanted = split_noise([one, other], [noise_1, noise_2]), pooled_difference([one, other], bounds=None)
    from scipy.stats import t

    assert found.value == pytest.approx(wanted.value)
    assert wanted.high - wanted.value == pytest.approx(t.ppf(0.975, found.freedom) * found.standard_error, rel=1e-9)
    shared = split_noise([one, two], [noise_1, noise_2])  # the 40 questions of two are among those of one
    assert shared.n_clusters == 60
    assert shared.from_redraw == pytest.approx(found.from_redraw)
    assert shared.standard_error != pytest.approx(found.standard_error, rel=1e-3)


def test_a_pooled_split_is_right_when_tasks_share_questions() -> None:
    """Two tasks of the same 50 questions, each drawn by itself: the questions do not average out, the draws do."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(400):
        p = rng.beta(2, 2, 50)
        c = [rng.binomial(8, p) for _ in range(2)]
        names = [str(row) for row in range(50)]
        parts = [Part(np.zeros(50), of / 8, names) for of in c]
        found.append(split_noise(parts, [share_variance(np.full(50, 8), of) for of in c]))
    assert 50 * np.mean([one.from_questions for one in found]) == pytest.approx(0.05, abs=0.002)
    assert 50 * np.mean([one.from_redraw for one in found]) == pytest.approx(0.0125, abs=0.0002)


def test_redrawing_is_the_whole_if_it_exceeds_the_total() -> None:
    part = Part(np.zeros(4), np.array([0.5, 0.5, 0.5, 0.25]), list("abcd"))
    found = split_noise([part], [np.full(4, 0.1)])
    assert (found.from_questions, found.redraw_share, found.questions_share) == (0, 1, 0)
    assert found.error_at(samples=4) == pytest.approx(found.standard_error / 2)


def test_more_samples_lower_one_part_and_more_questions_both() -> None:
    split = NoiseSplit(0.5, 0.05, 0.0016, 0.0009, 30, 30, 29.0)
    assert split.error_at() == split.standard_error
    assert split.error_at(samples=4) == pytest.approx(math.sqrt(0.0016 + 0.0009 / 4))
    assert split.error_at(questions=4) == pytest.approx(0.025)
    assert split.error_at(samples=9, questions=4) == pytest.approx(math.sqrt((0.0016 + 0.0001) / 4))
    assert split.redraw_error == pytest.approx(0.03)
    assert split.freedom_at(2) == 59


def test_what_is_not_known_is_nan_and_never_0() -> None:
    part = Part(np.zeros(3), np.array([0.0, 0.5, 1.0]), list("abc"))
    unknown = split_noise([part], [np.array([0.1, math.nan, 0.1])])
    assert unknown.standard_error > 0
    assert all(math.isnan(of) for of in (unknown.redraw_share, unknown.questions_share, unknown.error_at(samples=4)))
    assert unknown.error_at(questions=4) == pytest.approx(unknown.standard_error / 2)
    alone = split_noise([Part(np.zeros(2), np.array([0.0, 1.0]), ["a", "a"])], [np.zeros(2)])
    assert math.isnan(alone.standard_error)
    assert math.isnan(alone.redraw_share)
    same = split_noise([Part(np.zeros(2), np.ones(2), ["a", "b"])], [np.zeros(2)])
    assert same.standard_error == 0
    assert math.isnan(same.redraw_share)


def test_nothing_to_split_is_refused() -> None:
    with pytest.raises(MetricError, match="met none"):
        split_noise([], [])
    with pytest.raises(MetricError, match="met none"):
        split_noise([Part(np.zeros(0), np.zeros(0), [])], [np.zeros(0)])
    with pytest.raises(MetricError, match="met 1 values and 2 clusters"):
        split_noise([Part(np.zeros(2), np.zeros(2), ["a", "b"])], [np.zeros(1)])
