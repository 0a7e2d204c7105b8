"""A thinking's path, its plane and its projection, against numpy's own linear algebra."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval.diagnostics.landscape.known import Known, find_path, finite, mean_of
from raml_eval.diagnostics.landscape.steps import gram_of, own_plane, path_of, project, share_in_plane, step_squares
from raml_eval.errors import MetricError

Array = npt.NDArray[np.float64]


def drawn(seed: int, n: int, n_weights: int = 30) -> tuple[list[float], Array]:
    rng = np.random.default_rng(seed)
    return rng.exponential(size=n).tolist(), rng.normal(size=(n, n_weights))


def kept(gradients: Array, keep: int) -> list[list[float]]:
    gram = gradients @ gradients.T
    return [gram[t, max(0, t - keep + 1) : t + 1].tolist() for t in range(len(gradients))]


@given(st.integers(0, 999), st.integers(2, 8))
@settings(max_examples=30)
def test_each_step_changes_the_loss_to_first_order_as_the_thinking_did(seed: int, n: int) -> None:
    losses, gradients = drawn(seed, n)
    places = path_of(losses, gram_of(kept(gradients, n))) @ gradients
    assert not places[0].any()
    for t, step in enumerate(np.diff(places, axis=0)):
        mean = (gradients[t] + gradients[t + 1]) / 2
        assert mean @ step == pytest.approx(losses[t + 1] - losses[t])
        assert np.linalg.norm(step) == pytest.approx(abs(losses[t + 1] - losses[t]) / np.linalg.norm(mean))


def test_on_a_linear_loss_the_path_has_exactly_the_losses_of_the_thinking() -> None:
    slope = np.array([1.0, -2.0, 2.0])
    losses, gradients = [3.0, 2.5, 2.75, 0.5], np.tile(slope, (4, 1))
    places = path_of(losses, gram_of(kept(gradients, 4))) @ gradients
    assert 3.0 + places @ slope == pytest.approx(losses)
    assert places[-1] == pytest.approx(-2.5 * slope / 9)


def test_the_path_needs_neighbours_only_and_turns_round_with_the_thinking() -> None:
    losses, gradients = drawn(3, 6)
    gram = gram_of(kept(gradients, 2))
    path = path_of(losses, gram)
    assert np.isnan(gram[0, 5])
    assert path == pytest.approx(path_of(losses, gradients @ gradients.T))
    assert step_squares(path, gram) == pytest.approx(np.square(np.diff(path @ gradients, axis=0)).sum(1))
    back = path_of(losses[::-1], gradients[::-1] @ gradients[::-1].T) @ gradients[::-1]
    assert np.diff(back, axis=0) == pytest.approx(-np.diff(path @ gradients, axis=0)[::-1])


def test_a_gradient_of_zero_moves_nothing() -> None:
    gradients = np.zeros((3, 4))
    assert not path_of([1.0, 1.0, 1.0], gram_of(kept(gradients, 3))).any()


@given(st.integers(0, 999))
@settings(max_examples=30)
def test_a_place_is_projected_to_the_nearest_point_of_a_plane_that_need_not_be_orthogonal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    directions, places = rng.normal(size=(2, 30)), rng.normal(size=(5, 30))
    directions[1] += 0.8 * directions[0]
    squares, inner = np.square(directions).sum(1), float(directions[0] @ directions[1])
    points = project(places @ directions.T, squares.tolist(), inner)
    wanted = np.linalg.lstsq(directions.T, places.T, rcond=None)[0].T
    assert points == pytest.approx(wanted)
    steps = np.diff(places, axis=0)
    within = np.square(np.diff(wanted @ directions, axis=0)).sum() / np.square(steps).sum()
    assert share_in_plane(points, squares.tolist(), inner, np.square(steps).sum(1)) == pytest.approx(within)


@given(st.integers(0, 999), st.integers(3, 8))
@settings(max_examples=30)
def test_the_own_plane_is_that_of_the_singular_vectors(seed: int, n: int) -> None:
    losses, gradients = drawn(seed, n)
    gram = gradients @ gradients.T
    path = path_of(losses, gram)
    coefficients, length = own_plane(path, gram)
    directions, places = coefficients @ gradients, path @ gradients
    assert directions @ directions.T == pytest.approx(np.eye(2) * length**2, abs=1e-6 * length**2)
    top = np.linalg.svd(places, full_matrices=False)[2][:2]
    assert np.abs(top @ directions.T / length) == pytest.approx(np.eye(2), abs=1e-5)
    points = project(places @ directions.T, [length**2, length**2], 0.0)
    assert np.hypot(*points.T).max() == pytest.approx(0.8)  # the path fills the figure, and has a margin
    for axis in points.T:
        assert axis[np.abs(axis).argmax()] > 0


def test_a_path_without_a_plane_is_refused() -> None:
    losses, gradients = drawn(1, 4)
    for same in (np.tile(gradients[0], (4, 1)), 0 * gradients):
        with pytest.raises(MetricError, match="a point or a straight line"):
            own_plane(path_of(losses, same @ same.T), same @ same.T)


def test_a_path_is_none_if_a_loss_is_not_finite_or_nothing_is_known() -> None:
    basis = {"is": "basis", "coefficients": None, "squares": [1.0, 1.0], "inner": 0.0}
    lines = [{"is": "gradient", "step": t, "losses": [1.0 - t], "kept": [1.0], "along": [1.0, 0.0]} for t in (0, 1)]
    lines[1]["kept"] = [1.0, 1.0]
    path = find_path(Known.of([basis, *lines]))
    assert path is not None
    assert path.points.tolist() == [[0, 0], [-1, 0]]
    assert path.lengths.tolist() == [1]
    assert find_path(Known.of([basis])) is None
    assert find_path(Known.of([basis, lines[0], {**lines[1], "losses": [None]}])) is None


def test_means_and_journals_hold_losses_that_are_not_finite() -> None:
    assert finite([1.0, float("nan"), float("-inf")]) == [1.0, None, None]
    assert mean_of([1.0, 2.0]) == 1.5
    assert np.isnan(mean_of([1.0, None]))
