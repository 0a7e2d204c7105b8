"""Accuracy at equal tokens: several samples at a small budget that vote, against one sample at a larger budget."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from raml_eval.allocation import pareto_front
from raml_eval.tables.measured import Estimate, Measured, Place, difference_of, exactly, mean_of
from raml_eval.tables.measures import UNCOUNTED, Measure, not_given, question_values
from raml_eval.tables.paired import Paired

TOKENS, VOTE = "tokens_per_question", "maj@k"
MILLION = 1e6


def vote_sizes(n: int) -> Iterator[int]:
    """1, 2, 4 and so on up to n, and n.

    Example: list(vote_sizes(6)) == [1, 2, 4, 6]
    """
    k = 1
    while k < n:
        yield k
        k *= 2
    yield n


def measure_frontier(paired: Paired, n_samples: int, level: float, greedy: bool) -> Measured:
    """maj@k with its expected tokens for each budget and k, and the votes that cost at most one sample at a larger budget.

    k samples cost k times the mean of thinking and answer tokens. Only k = 1 is given for greedy draws, which repeat
    themselves, and only k for which every question has that many samples.
    """
    found: Measured = {}
    least = min((q.n for counts in paired.counts for q in counts), default=0)
    sizes = [k for k in vote_sizes(n_samples) if k <= least and (k == 1 or not greedy)]
    cost = paired.by_question(paired.cost)
    votes = {}
    for column, (budget, counts) in enumerate(zip(paired.budgets, paired.counts, strict=True)):
        for k in sizes:
            votes[column, k] = question_values(counts, Measure(VOTE, k))
            found[Place(VOTE, str(budget), k=k)] = mean_of(votes[column, k], paired.clusters, level)
            spent = mean_of(k * cost[:, column], paired.clusters, level, None)
            found[Place(TOKENS, str(budget), k=k)] = spent if paired.counted else Estimate(not_given(UNCOUNTED), 0)
    means = cost.mean(axis=0)
    for large in range(1, len(paired.budgets)):
        for small in range(large):
            k = max((k for k in sizes if k * means[small] <= means[large]), default=1)
            if k > 1:
                at = Place("vote_instead", str(paired.budgets[small]), str(paired.budgets[large]), k)
                found[at] = difference_of(paired.accuracy[:, large], votes[small, k], paired.clusters, level)
    return found


def mark_frontier(measured: Measured, price: float | None) -> Measured:
    """For each point, on_frontier is 1 if no other point is as cheap and as good; and the cost of a correct answer.

    price is that of a million output tokens, in any unit: money, or seconds of a GPU.
    """
    points = [place for place in measured if place.metric == VOTE and place._replace(metric=TOKENS) in measured]
    tokens = np.array([measured[place._replace(metric=TOKENS)].interval.value for place in points])
    worth = np.array([measured[place].interval.value for place in points])
    if not points or np.isnan(tokens).any() or np.isnan(worth).any():
        return {}
    found: Measured = {}
    for place, on_front, spent, right in zip(points, pareto_front(tokens, worth), tokens, worth, strict=True):
        n = measured[place].n_questions
        found[place._replace(metric="on_frontier")] = exactly(float(on_front), n, "no interval: the points decide it")
        if price is not None:
            cost = price * spent / MILLION / right if right > 0 else math.nan
            none = Estimate(not_given("no answer is right"), n)
            paid = exactly(cost, n, "no interval: a ratio of two means")
            found[place._replace(metric="cost_per_correct")] = paid if right > 0 else none
    return found
