"""A thinking as a path of steps in the space of weights, from losses, gradients' inner products, and nothing else.

The RaML paper (arXiv 2505.19815) reads a thinking as pseudo-gradient steps: its tokens act on the answer as an update of the
weights would. It does not say which update. Here, the update between two prefixes of the thinking is the shortest one that
changes the loss, to first order, by as much as the tokens between them did: it lies along the mean of the loss's gradients
after either prefix, taken at the model's own weights. This choice is ours; docs/landscape.md states its limits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from raml_eval.errors import MetricError

Array = npt.NDArray[np.float64]
_MARGIN = 1.25  # 1 on an axis of the thinking's own plane is so many times the distance of the path's farthest point
_FLAT = 1e-6  # of the first direction's length: below it, a second direction would be rounding errors


def gram_of(kept: Sequence[Sequence[float]]) -> Array:
    """The inner products of gradients, (n, n), from those of each with the ones before it that were kept, itself last.

    What was not kept is NaN.
    """
    gram = np.full((len(kept), len(kept)), np.nan)
    for row, products in enumerate(kept):
        for back, product in enumerate(reversed(products)):
            gram[row, row - back] = gram[row - back, row] = product
    return gram


def path_of(losses: Sequence[float], gram: Array) -> Array:
    """The places after each prefix as sums of the gradients: row t of (n, n) holds the coefficients, and row 0 is 0.

    With g the mean of two neighbouring gradients, their step is -(L_t - L_{t+1}) g / |g|^2: in first order, the loss changes
    along it from L_t to L_{t+1}. Reversing the order of the prefixes reverses the steps. Needs the inner products of
    neighbours only. A step is 0 if g is.
    """
    n = len(losses)
    steps = np.zeros((n, n))
    for t in range(n - 1):
        square = (gram[t, t] + 2 * gram[t, t + 1] + gram[t + 1, t + 1]) / 4
        if square > 0:
            steps[t + 1, t : t + 2] = -(losses[t] - losses[t + 1]) / square / 2
    return np.asarray(np.cumsum(steps, axis=0))


def step_squares(path: Array, gram: Array) -> Array:
    """The squared length of each step of the path, (n - 1,)."""
    steps = np.diff(path, axis=0)
    known = np.where(steps[:, :, None] * steps[:, None, :] == 0, 0.0, gram)  # what was not kept has no part in a step
    return np.asarray(np.einsum("ti,tij,tj->t", steps, known, steps))


def own_plane(path: Array, gram: Array) -> tuple[Array, float]:
    """Two directions that span the path best, as sums of the gradients, (2, n), and the length of either.

    They are the principal directions of the places around the first one (Li et al., arXiv:1712.09913, section 7.2, take those
    of a training's weights): orthogonal and equally long. Raises MetricError if the path is a point or a straight line.
    """
    places = path @ gram @ path.T
    squares, vectors = np.linalg.eigh(places)
    first, second = np.sqrt(np.maximum(squares[-1:-3:-1], 0))
    if len(squares) < 3 or not second > _FLAT * first:
        raise MetricError(
            "the thinking's path is a point or a straight line, which spans no plane. Ask for more --steps, for other "
            "questions, or for --plane random."
        )
    units = (vectors.T[-1:-3:-1] @ path) / np.array([[first], [second]])
    at = path @ gram @ units.T
    for k in (0, 1):  # the farther end of either axis is the positive one, so that signs do not depend on the solver
        if at[np.abs(at[:, k]).argmax(), k] < 0:
            units[k], at[:, k] = -units[k], -at[:, k]
    length = float(_MARGIN * np.hypot(at[:, 0], at[:, 1]).max())
    return units * length, length


def project(along: Array, squares: Sequence[float], inner: float) -> Array:
    """The points (a, b) of the plane of two directions that are nearest to places: (n, 2).

    along holds the inner products of the places with the directions, (n, 2); squares are the directions' squared norms and
    inner is their inner product. The directions need not be orthogonal.
    """
    matrix = np.array([[squares[0], inner], [inner, squares[1]]])
    return np.asarray(np.linalg.solve(matrix, along.T).T)


def share_in_plane(points: Array, squares: Sequence[float], inner: float, steps: Array) -> float:
    """The share of the steps' squared lengths that lies in the plane; NaN if all steps are 0."""
    a, b = np.diff(points, axis=0).T
    within = a**2 * squares[0] + b**2 * squares[1] + 2 * a * b * inner
    return float(within.sum() / steps.sum()) if steps.sum() > 0 else float("nan")
