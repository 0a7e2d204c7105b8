"""Areas, choices, wasted tokens and allocations against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from raml_eval import allocation as al
from raml_eval.errors import MetricError

RIGHT = arrays.arrays(np.bool_, st.tuples(st.integers(1, 8), st.integers(2, 5)))
SHARES = arrays.arrays(np.float64, (3, 4), elements=st.integers(0, 8).map(lambda c: c / 8))


@given(RIGHT, st.data())
def test_waste_is_what_a_walk_along_each_trajectory_counts(right: np.ndarray, data: st.DataObject) -> None:
    shape = right.shape
    steps = data.draw(arrays.arrays(np.int64, shape, elements=st.integers(0, 9)))
    tokens = np.cumsum(steps, axis=1).astype(float)
    late, futile = al.overthinking(right, tokens), al.futility(right, tokens)
    lost, won = al.flips(right)
    for t, row in enumerate(right.tolist()):
        settled = next((b for b in range(shape[1]) if all(row[b:])), shape[1])
        assert al.settled_from(right)[t] == settled
        assert late[t] == (tokens[t, -1] - tokens[t, settled] if settled < shape[1] else 0)
        assert futile[t] == (0 if any(row) else tokens[t, -1])
        assert al.starved(right)[t].tolist() == [row[-1] and not here for here in row]
        assert lost[t].tolist() == [a and not b for a, b in itertools.pairwise(row)]
        assert won[t].tolist() == [b and not a for a, b in itertools.pairwise(row)]
    assert (late + futile <= tokens[:, -1]).all()


@given(SHARES)
def test_an_area_is_a_mean_accuracy_on_the_log_axis(accuracy: np.ndarray) -> None:
    budgets = [16, 64, 128, 1024]
    areas = al.area_under_curve(accuracy, budgets)
    fine = np.linspace(4, 10, 6001)
    for row, area in zip(accuracy, areas, strict=True):
        heights = np.interp(fine, np.log2(budgets), row)
        assert area == pytest.approx(np.mean((heights[1:] + heights[:-1]) / 2))
    assert (accuracy.min(axis=1) - 1e-12 <= areas).all()
    assert (areas <= accuracy.max(axis=1) + 1e-12).all()


@pytest.mark.parametrize("budgets", [[16], [0, 16], [16, 16], [16, float("inf")]])
def test_budgets_without_a_place_on_the_axis_are_refused(budgets: list[float]) -> None:
    with pytest.raises(MetricError, match="ascending budgets above 0"):
        al.area_under_curve(np.ones((1, len(budgets))), budgets)


@given(SHARES, arrays.arrays(np.float64, 4, elements=st.integers(0, 30).map(float)), st.integers(0, 3))
def test_chosen_budgets_are_those_of_a_search(accuracy: np.ndarray, costs: np.ndarray, at: int) -> None:
    means = accuracy.mean(axis=0)
    top = max(means)
    assert al.best_budget(means) == next(b for b in range(4) if means[b] > top - 1e-9)
    assert al.enough_budget(means, 0.1) == next(b for b in range(4) if means[b] >= top - 0.1 - 1e-9)
    chosen = al.best_no_dearer(means, costs, at)
    assert costs[chosen] <= costs[at]
    assert means[chosen] == pytest.approx(max(m for m, c in zip(means, costs, strict=True) if c <= costs[at]), abs=1e-9)
    if means[chosen] == means[at]:
        assert chosen == at


@settings(max_examples=60)
@given(
    SHARES,
    arrays.arrays(np.float64, (3, 4), elements=st.integers(1, 40).map(float)),
    st.integers(1, 40),
    arrays.arrays(np.float64, 3, elements=st.integers(1, 5).map(float)),
)
def test_an_allocation_is_the_optimum_of_the_linear_programme(
    worth: np.ndarray, cost: np.ndarray, limit: int, weights: np.ndarray
) -> None:
    from scipy.optimize import linprog

    weights = weights / weights.sum()
    shares = al.allocate(worth, cost, limit, weights)
    assert (shares >= 0).all()
    assert shares.sum(axis=1) == pytest.approx(np.ones(3))
    spent = weights @ (shares * cost).sum(axis=1)
    if weights @ cost.min(axis=1) > limit:
        assert spent == pytest.approx(weights @ cost.min(axis=1))
        return
    assert spent <= limit + 1e-9
    one_each = np.kron(np.eye(3), np.ones(4))
    best = linprog(-(weights[:, None] * worth).ravel(), (weights[:, None] * cost).ravel()[None], [limit], one_each, np.ones(3))
    assert weights @ (shares * worth).sum(axis=1) == pytest.approx(-best.fun, abs=1e-7)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_the_front_holds_the_points_that_none_beats(points: list[tuple[int, int]]) -> None:
    cost, worth = (np.array(side, dtype=float) for side in zip(*points, strict=True))
    expected = [not any(d <= c and v >= w and (d, v) != (c, w) for d, v in points) for c, w in points]
    assert al.pareto_front(cost, worth).tolist() == expected


def test_a_linearised_ratio_has_the_mean_and_the_jackknife_error_of_the_ratio() -> None:
    drawn = np.random.default_rng(0)
    below = drawn.uniform(5, 10, 400)
    above = 0.3 * below + drawn.normal(0, 1, 400)
    values = al.linearised_ratio(above, below)
    assert values.mean() == pytest.approx(above.mean() / below.mean())
    left_out = np.array([(above.sum() - a) / (below.sum() - b) for a, b in zip(above, below, strict=True)])
    jackknife = np.sqrt(399 / 400 * ((left_out - left_out.mean()) ** 2).sum())
    assert values.std(ddof=1) / 20 == pytest.approx(jackknife, rel=0.01)
    assert np.isnan(al.linearised_ratio(above, np.zeros(400))).all()


@given(arrays.arrays(np.float64, (9, 2), elements=st.integers(0, 5).map(float)), arrays.arrays(np.bool_, (9, 2)))
def test_means_by_question_leave_out_what_does_not_count(values: np.ndarray, where: np.ndarray) -> None:
    question = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    means = al.mean_by_question(values, question, 4, where)
    for q, b in itertools.product(range(4), range(2)):
        kept = values[:, b][where[:, b] & (question == q)]
        assert means[q, b] == pytest.approx(kept.mean()) if len(kept) else np.isnan(means[q, b])


def test_differences_are_drawn_to_the_mean_if_they_are_noise_and_kept_if_they_are_not() -> None:
    drawn = np.random.default_rng(1)
    question = np.repeat(np.arange(200), 8)
    noise = drawn.random((1600, 2)) < 0.5  # every question has the same chances
    shrunk = al.shrunk_differences(noise, question, 200)
    raw = al.mean_by_question(noise[:, 0].astype(float) - noise[:, 1], question, 200)
    assert np.ptp(shrunk[:, 0]) < 0.3 * np.ptp(raw)
    assert shrunk[:, 0].mean() == pytest.approx(raw.mean())
    needs = np.repeat(np.arange(200) % 2 == 0, 8)  # half of the questions are right at the large budget only, without noise
    signal = np.stack([~needs, np.full(1600, True)], axis=1)
    assert al.shrunk_differences(signal, question, 200)[:, 0].tolist() == [-1.0, 0.0] * 100
    assert (al.shrunk_differences(noise, question, 200)[:, 1] == 0).all()


def test_shrinking_is_that_of_its_formula() -> None:
    drawn = np.random.default_rng(3)
    question = np.array([0, 0, 0, 1, 1, 3, 3, 3, 3])  # question 2 has no sample
    right = drawn.random((9, 2)) < np.array([[0.2, 0.9]])
    groups = [right[question == q, 0].astype(float) - right[question == q, 1] for q in (0, 1, 3)]
    means = [group.mean() for group in groups]
    within = np.mean([group.var(ddof=1) / len(group) for group in groups])
    kept = 1 - within / np.var(means, ddof=1)
    assert 0 < kept < 1
    expected = [np.mean(means) + kept * (mean - np.mean(means)) for mean in means]
    shrunk = al.shrunk_differences(right, question, 4)
    assert shrunk[[0, 1, 3], 0] == pytest.approx(expected)
    assert np.isnan(shrunk[2]).all()
    alone = al.shrunk_differences(right[[0, 3, 5]], np.array([0, 1, 2]), 3)
    assert np.ptp(alone[:, 0]) == 0  # one sample a question says nothing about noise
