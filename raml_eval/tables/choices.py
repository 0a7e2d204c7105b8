"""Choices of a budget, made on one half of the samples and scored on the other half, and then the other way round.

The best of several noisy means is too high on the samples that it was picked from, so no number here is read from those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raml_eval import allocation
from raml_eval.allocation import FloatArray, IntArray
from raml_eval.tables.measured import Estimate, Measured, Place, difference_of, exactly, macro_of, mean_of
from raml_eval.tables.measures import APART, not_given
from raml_eval.tables.paired import Paired

MARGIN = 0.01  # "within one point of the best"
ITSELF = "no interval: both halves chose this budget itself"
CHOSEN = ("loss_at_enough", "regret", "oracle_gain", "oracle_tokens", "hindsight_gain")


@dataclass(frozen=True, slots=True)
class _Halves:
    """The questions of one or more tasks that have samples in both halves. Each task has the same total weight.

    accuracy, judged and cost are (2, Q, B): by half, question and budget. judged is accuracy up to a constant of the question,
    drawn towards that of the task's other questions (allocation.shrunk_differences). task (Q,) is the question's task.
    """

    accuracy: FloatArray
    judged: FloatArray
    cost: FloatArray
    weights: FloatArray
    task: IntArray
    clusters: tuple[str, ...]
    n_tasks: int

    def means(self, half: int) -> tuple[FloatArray, FloatArray]:
        """Accuracy and cost at each budget on one half: (B,) twice."""
        return self.weights @ self.accuracy[half], self.weights @ self.cost[half]

    def difference(self, base: FloatArray, new: FloatArray, level: float) -> Estimate:
        """The mean of new - base over questions, and then over tasks."""
        return self._over_tasks(lambda rows, of: difference_of(base[rows], new[rows], of, level))

    def mean(self, values: FloatArray, level: float, bounds: tuple[float, float] | None) -> Estimate:
        return self._over_tasks(lambda rows, of: mean_of(values[rows], of, level, bounds))

    def _over_tasks(self, estimate) -> Estimate:  # type: ignore[no-untyped-def]
        found = []
        for task in range(self.n_tasks):
            rows = np.flatnonzero(self.task == task)
            found.append(estimate(rows, [self.clusters[row] for row in rows]))
        return found[0] if len(found) == 1 else macro_of(found)


def measure_choices(group: Sequence[Paired], level: float, greedy: bool) -> Measured:
    """What a chosen budget loses or gains, over the tasks of the group together: one task, or all of a domain.

    loss_at_enough: the smallest budget within one point of the best against the best. regret: each budget against the best
    one that costs no more. oracle_gain: a budget for each question against the best budget for all, at equal cost.
    hindsight_gain: the same with a budget for each trajectory, chosen with its outcome known, as an upper bound.
    """
    budgets = [str(budget) for budget in group[0].budgets]
    halves = None if greedy else _halve(group)
    if halves is None:
        reason = "greedy draws repeat themselves" if greedy else "needs 2 samples per question"
        return {Place("loss_at_enough"): Estimate(not_given(reason), 0)}
    found = _enough(halves, group, budgets, level)
    if not all(paired.counted for paired in group):
        return found  # an imported log without token counts: what costs the same is not known
    for column, label in enumerate(budgets):
        found[Place("regret", label)] = _regret(halves, column, level)
    return found | _oracle(halves, level) | _hindsight(group, level)


def _halve(group: Sequence[Paired]) -> _Halves | None:
    """Samples with an even index are one half, the others are the other; None if a task has no question with both."""
    accuracy, judged, cost, weights, task, clusters = [], [], [], [], [], []
    for number, paired in enumerate(group):
        halves = [np.broadcast_to((paired.index % 2 == half)[:, None], paired.right.shape) for half in (0, 1)]
        right = np.stack([paired.by_question(paired.right, where=half) for half in halves])
        whole = np.isfinite(right).all(axis=(0, 2))
        if not whole.any():
            return None
        accuracy.append(right[:, whole])
        judged.append(np.stack([_judge(paired, half) for half in (0, 1)])[:, whole])
        cost.append(np.stack([paired.by_question(paired.cost, where=half) for half in halves])[:, whole])
        weights.append(np.full(int(whole.sum()), 1 / whole.sum() / len(group)))
        task.append(np.full(int(whole.sum()), number))
        clusters += np.asarray(paired.clusters)[whole].tolist()
    right, drawn, spent = (np.concatenate(arrays, axis=1) for arrays in (accuracy, judged, cost))
    return _Halves(right, drawn, spent, np.concatenate(weights), np.concatenate(task), tuple(clusters), len(group))


def _judge(paired: Paired, half: int) -> FloatArray:
    """What one half of the samples says of each question's budgets."""
    rows = paired.index % 2 == half
    return allocation.shrunk_differences(paired.right[rows], paired.question[rows], paired.n_questions)


def _enough(halves: _Halves, group: Sequence[Paired], budgets: Sequence[str], level: float) -> Measured:
    """The smallest budget within one point of the best, as all samples choose it; its loss as halves choose and score it."""
    small, best = np.zeros(len(halves.weights)), np.zeros(len(halves.weights))
    chosen = []
    for half in (0, 1):
        means, _ = halves.means(half)
        other = halves.accuracy[1 - half] / 2
        chosen.append((allocation.enough_budget(means, MARGIN), allocation.best_budget(means)))
        small += other[:, chosen[-1][0]]
        best += other[:, chosen[-1][1]]
    means = np.mean([paired.accuracy.mean(axis=0) for paired in group], axis=0)
    place = Place(
        "loss_at_enough",
        budgets[allocation.enough_budget(means, MARGIN)],
        budgets[allocation.best_budget(means)],
        part="halves chose " + " and ".join(f"{budgets[one]} (best {budgets[top]})" for one, top in sorted(chosen)),
    )
    itself = all(one == top for one, top in chosen)
    return {place: _nothing(halves) if itself else halves.difference(small, best, level)}


def _nothing(halves: _Halves) -> Estimate:
    """The difference of a budget to itself, which is 0 whatever the samples are."""
    return exactly(0.0, len(halves.weights), ITSELF)


def _regret(halves: _Halves, column: int, level: float) -> Estimate:
    own, best = np.zeros(len(halves.weights)), np.zeros(len(halves.weights))
    picks = [allocation.best_no_dearer(*halves.means(half), column) for half in (0, 1)]
    if set(picks) == {column}:
        return _nothing(halves)
    for half, chosen in enumerate(picks):
        own += halves.accuracy[1 - half][:, column] / 2
        best += halves.accuracy[1 - half][:, chosen] / 2
    return halves.difference(own, best, level)


def _oracle(halves: _Halves, level: float) -> Measured:
    """A budget for each question at the cost of the best budget for all, and the tokens that it then really costs more."""
    size = len(halves.weights)
    uniform, allocated, more = np.zeros(size), np.zeros(size), np.zeros(size)
    for half in (0, 1):
        means, costs = halves.means(half)
        best = allocation.best_budget(means)
        shares = allocation.allocate(halves.judged[half], halves.cost[half], costs[best], halves.weights)
        accuracy, cost = halves.accuracy[1 - half], halves.cost[1 - half]
        uniform += accuracy[:, best] / 2
        allocated += (shares * accuracy).sum(axis=1) / 2
        more += ((shares * cost).sum(axis=1) - cost[:, best]) / 2
    allocated = np.clip(allocated, 0.0, 1.0)  # shares sum to 1 up to rounding
    return {
        Place("oracle_gain"): halves.difference(uniform, allocated, level),
        Place("oracle_tokens"): halves.mean(more, level, None),
    }


def _hindsight(group: Sequence[Paired], level: float) -> Measured:
    """A budget for each trajectory, chosen after its outcome, at the cost of the best budget for all. An upper bound."""
    if any(paired.apart for paired in group):
        return {Place("hindsight_gain"): Estimate(not_given(APART), 0)}
    means = np.mean([paired.accuracy.mean(axis=0) for paired in group], axis=0)
    best = allocation.best_budget(means)
    right = np.concatenate([paired.right for paired in group]).astype(np.float64)
    cost = np.concatenate([paired.cost for paired in group])
    weights = np.concatenate([_trajectory_weights(paired) for paired in group]) / len(group)
    shares = allocation.allocate(right, cost, float(weights @ cost[:, best]), weights)
    gains, start = [], 0
    for paired in group:
        rows = slice(start, start + len(paired.question))
        start = rows.stop
        gained = paired.by_question((shares[rows] * right[rows]).sum(axis=1))
        mean = float((gained - paired.accuracy[:, best]).mean())
        gains.append(exactly(mean, paired.n_questions, "no interval: an upper bound, chosen and scored on the same samples"))
    return {Place("hindsight_gain"): gains[0] if len(gains) == 1 else macro_of(gains)}


def _trajectory_weights(paired: Paired) -> FloatArray:
    """Weights (T,) that give each question the same total; they sum to 1."""
    sizes = np.bincount(paired.question, minlength=paired.n_questions)
    weights: FloatArray = 1.0 / sizes[paired.question] / paired.n_questions
    return weights
