"""How thinking tokens are spent over a sweep of budgets: areas, choices, shares that bring nothing, and what could be had.

Arrays in, numbers out. A row is a trajectory (T of them) or a question (Q), a column one of B budgets in ascending order.
Costs are tokens. Everything that picks a maximum has to be given one half of the samples, and be scored on the other half:
the maximum of noisy means is too high on the samples that it was picked from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raml_eval.errors import MetricError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_STEPS = 200  # of a bisection: enough to reach neighbouring floats
_ROUNDING = 1e-9  # accuracies that differ by less are equal


def mean_by_question(
    values: NDArray[Any], question: IntArray, n_questions: int, where: NDArray[np.bool_] | None = None
) -> FloatArray:
    """The mean over the trajectories of each question: values (T,) or (T, B) to (Q,) or (Q, B); NaN without a trajectory.

    question (T,) holds the row of each trajectory's question. where (shaped as values) leaves the other values out.

    Example: mean_by_question(np.array([1.0, 0.0, 1.0]), np.array([0, 0, 1]), 2).tolist() == [0.5, 1.0]
    """
    numbers = np.asarray(values, dtype=np.float64)
    sums = _sum_by_question(numbers if where is None else np.where(where, numbers, 0.0), question, n_questions)
    if where is None:
        each = np.bincount(question, minlength=n_questions).astype(np.float64)
        sizes = np.broadcast_to(each.reshape(-1, *[1] * (numbers.ndim - 1)), sums.shape)
    else:
        sizes = _sum_by_question(where.astype(np.float64), question, n_questions)
    means: FloatArray = np.divide(sums, sizes, out=np.full(sums.shape, np.nan), where=sizes > 0)
    return means


def _sum_by_question(values: FloatArray, question: IntArray, n_questions: int) -> FloatArray:
    columns = values.reshape(len(question), -1)
    sums = np.empty((n_questions, columns.shape[1]))
    for column, of_all in enumerate(columns.T):
        sums[:, column] = np.bincount(question, of_all, n_questions)
    return sums.reshape(n_questions, *values.shape[1:])


def area_under_curve(accuracy: FloatArray, budgets: Sequence[float]) -> FloatArray:
    """The area under each question's accuracy over log2 budget, divided by the length of that axis: (Q, B) to (Q,).

    area = sum_i (a_i + a_(i+1)) / 2 (log2 b_(i+1) - log2 b_i) / (log2 b_B - log2 b_1). It is the mean accuracy if the budget
    is drawn uniformly on a log scale, so it lies from 0 to 1 and a flat curve has its own height. Defined here (trapezoids).
    Raises MetricError unless there are two budgets or more, above 0 and ascending.

    Example: area_under_curve(np.array([[0.0, 1.0, 1.0]]), [1, 2, 4]).tolist() == [0.75]
    """
    axis = np.asarray(budgets, dtype=np.float64)
    if len(axis) < 2 or axis[0] <= 0 or not np.isfinite(axis).all() or (np.diff(axis) <= 0).any():
        raise MetricError(f"an area needs ascending budgets above 0, at least two; met {list(budgets)}. Leave 0 out.")
    steps = np.diff(np.log2(axis))
    areas: FloatArray = (accuracy[:, :-1] + accuracy[:, 1:]) / 2 @ steps / steps.sum()
    return areas


def best_budget(means: FloatArray) -> int:
    """The column of the highest mean (B,); of equal ones, the first, which is the smallest budget."""
    return int(np.argmax(means > means.max() - _ROUNDING))


def enough_budget(means: FloatArray, margin: float = 0.01) -> int:
    """The first column whose mean (B,) is at most margin below the highest. Defined here.

    Example: enough_budget(np.array([0.2, 0.495, 0.5])) == 1
    """
    return int(np.argmax(means >= means.max() - margin - _ROUNDING))


def best_no_dearer(means: FloatArray, costs: FloatArray, column: int) -> int:
    """The column of the highest mean among those that cost at most as much as the given one, which wins a tie. Defined here.

    Example: best_no_dearer(np.array([0.5, 0.4]), np.array([10.0, 20.0]), 1) == 0
    """
    allowed = np.where(costs <= costs[column], means, -np.inf)
    best = best_budget(allowed)
    return column if allowed[column] > allowed[best] - _ROUNDING else best


def settled_from(right: BoolArray) -> IntArray:
    """The first column from which a trajectory's answer is right up to the last: (T, B) to (T,); B if the last is wrong.

    Defined here. Tokens spent after it changed nothing, in hindsight.

    Example: settled_from(np.array([[True, False, True], [True, True, False]])).tolist() == [2, 3]
    """
    trailing = np.cumprod(right[:, ::-1], axis=1).sum(axis=1)
    settled: IntArray = (right.shape[1] - trailing).astype(np.int64)
    return settled


def overthinking(right: BoolArray, tokens: FloatArray) -> FloatArray:
    """The tokens that each trajectory spends at the largest budget after it has settled; 0 if it never does: (T, B) to (T,).

    tokens[t, -1] - tokens[t, settled_from(t)]. Defined here. "Settled" is known only in hindsight and only at the budgets that
    were drawn, and some right answers at a small budget are luck.

    Example: overthinking(np.array([[False, True, True]]), np.array([[4.0, 8.0, 20.0]])).tolist() == [12.0]
    """
    settled = settled_from(right)
    last = right.shape[1] - 1
    spent: FloatArray = tokens[:, last] - tokens[np.arange(len(tokens)), np.minimum(settled, last)]
    return spent


def futility(right: BoolArray, tokens: FloatArray) -> FloatArray:
    """The tokens that each trajectory spends at the largest budget if it is right at none, otherwise 0: (T, B) to (T,).

    Defined here.
    """
    return np.where(right.any(axis=1), 0.0, tokens[:, -1])


def starved(right: BoolArray) -> BoolArray:
    """True where an answer is wrong, but the same trajectory's answer at the largest budget is right: (T, B). Defined here."""
    return ~right & right[:, -1:]


def flips(right: BoolArray) -> tuple[BoolArray, BoolArray]:
    """From each budget to the next, which answers turn from right to wrong, and which from wrong to right: (T, B-1) twice.

    Defined here.
    """
    before, after = right[:, :-1], right[:, 1:]
    return before & ~after, ~before & after


def allocate(worth: FloatArray, cost: FloatArray, limit: float, weights: FloatArray) -> FloatArray:
    """The shares (R, B) of budgets that each row should get for the greatest weighted worth at a weighted cost of limit.

    Maximises sum_r w_r sum_b s_rb worth_rb subject to sum_r w_r sum_b s_rb cost_rb <= limit, s_rb >= 0, sum_b s_rb = 1: the
    multiple-choice knapsack problem with shares allowed (Sinha and Zoltners 1979, Operations Research 27). Solved by its
    Lagrangian: at a price per token, each row takes the column of greatest worth - price x cost; the two allocations at the
    price where the cost passes the limit are mixed. weights (R,) sum to 1. If the cheapest columns cost more than limit, they
    are what is given.

    Example: allocate(np.array([[0.0, 1.0]]), np.array([[0.0, 10.0]]), 5.0, np.array([1.0])).tolist() == [[0.5, 0.5]]
    """
    rows = np.arange(len(worth))

    def take(price: float) -> tuple[IntArray, float]:
        value = worth - price * cost
        tied = value >= value.max(axis=1, keepdims=True) - 1e-15
        chosen = np.where(tied, cost, np.inf).argmin(axis=1)  # of equal ones, the cheapest
        return chosen, float(weights @ cost[rows, chosen])

    def shares(chosen: IntArray) -> FloatArray:
        return np.eye(worth.shape[1])[chosen]

    dear, spent = take(0.0)
    if spent <= limit:
        return shares(dear)
    low, high = 0.0, 1.0 / max(float(np.abs(cost).max()), 1.0)
    cheap, saved = take(high)
    while saved > limit and high < 1e12:
        low, high = high, 2 * high
        dear, spent = cheap, saved
        cheap, saved = take(high)
    if saved > limit:
        return shares(cost.argmin(axis=1))
    for _ in range(_STEPS):
        price = (low + high) / 2
        if not low < price < high:
            break
        chosen, total = take(price)
        if total > limit:
            low, dear, spent = price, chosen, total
        else:
            high, cheap, saved = price, chosen, total
    part = (limit - saved) / (spent - saved)
    return part * shares(dear) + (1 - part) * shares(cheap)


def shrunk_differences(right: BoolArray, question: IntArray, n_questions: int) -> FloatArray:
    """Each question's accuracy at each budget minus that at the largest, drawn towards the mean over questions: (Q, B).

    With d_tb = right_tb - right_tB, a question's mean d_qb and their mean d_b over questions, the value is
    d_b + max(0, 1 - s_b / v_b) (d_qb - d_b), where v_b is the variance of d_qb over questions and s_b the part of it that the
    samples within questions explain (the mean of var_t(d_tb) / n_q). Few samples of a question say little about it, so it is
    judged by the others. Without two samples in some question, s_b is unknown and the values are d_b; NaN for a question
    without samples. Source: Efron and Morris 1975, Journal of the American Statistical Association 70 (the positive part).

    Example: shrunk_differences(np.array([[True, True], [False, True]]), np.array([0, 0]), 1).tolist() == [[-0.5, 0.0]]
    """
    differences = right.astype(np.float64) - right[:, -1:]
    means = mean_by_question(differences, question, n_questions)
    sizes = np.bincount(question, minlength=n_questions)
    present, several = sizes > 0, sizes > 1
    squares = mean_by_question((differences - means[question]) ** 2, question, n_questions)
    centre = means[present].mean(axis=0)
    spread = ((means[present] - centre) ** 2).sum(axis=0) / max(int(present.sum()) - 1, 1)
    within = (squares[several] / (sizes[several, None] - 1)).mean(axis=0) if several.any() else spread
    kept = np.clip(1 - np.divide(within, spread, out=np.ones_like(spread), where=spread > 0), 0.0, 1.0)
    shrunk: FloatArray = centre + kept * (means - centre)
    return shrunk


def linearised_ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Values (Q,) whose mean is r = mean(above) / mean(below), and whose standard error is that of r; NaN if mean(below) is 0.

    r + (above_q - r below_q) / mean(below). Source: Cochran 1977, Sampling Techniques, section 2.11 (the linearised variance
    of a ratio).

    Example: linearised_ratio(np.array([1.0, 3.0]), np.array([2.0, 6.0])).tolist() == [0.5, 0.5]
    """
    mean = below.mean() if len(below) else 0.0
    if not mean:
        return np.full(len(below), np.nan)
    ratio = above.mean() / mean
    values: FloatArray = ratio + (above - ratio * below) / mean
    return values


def pareto_front(cost: FloatArray, worth: FloatArray) -> BoolArray:
    """True for each point (P,) that no other beats, by costing at most as much and being worth at least as much, one strictly.

    Example: pareto_front(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.4, 0.6])).tolist() == [True, False, True]
    """
    no_dearer = cost[None, :] <= cost[:, None]
    no_worse = worth[None, :] >= worth[:, None]
    strictly = (cost[None, :] < cost[:, None]) | (worth[None, :] > worth[:, None])
    beaten: BoolArray = np.any(no_dearer & no_worse & strictly, axis=1)
    return ~beaten
