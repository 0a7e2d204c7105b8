"""The variance of each question's value over redrawing its samples, for every measure, and what an assumed model would have."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from raml_eval.errors import MetricError
from raml_eval.intervals.clusters import FloatArray
from raml_eval.intervals.components import grouped_jackknife, jackknife_variance, mean_variance, share_variance, subset_variance
from raml_eval.metrics import maj_at_k
from raml_eval.tables.measures import Measure, count_value, follows_from_chance, rate_counts, value_table
from raml_eval.types import QuestionCounts

_GRID = 4000  # quantiles of the assumed distribution; the variances are then exact to four digits
_MOST = 4_000_000  # chances at a time: 32 MB


def redraw_variances(counts: Sequence[QuestionCounts], measure: Measure) -> FloatArray:
    """The variance of each question's value over redrawing its n samples, (Q,), in the order of question_values.

    avg@n and rates: c (n-c) / (n^2 (n-1)). Token means and partial_score: s^2 / n. pass@k, G-Pass@k and mG-Pass@k: without
    bias if n >= 2k (subset_variance; a single question's may be negative), and for k < n < 2k by the delete-one jackknife,
    which is too high. maj@k: the jackknife for every n > k. NaN where the samples cannot tell: n = 1, n <= k, an unknown token
    count, or answers without parts; never 0.
    """
    n = np.array([q.n for q in counts], dtype=np.int64)
    match measure.metric:
        case "maj@k":
            return np.array([_vote_variance(q, measure.k or 1) for q in counts])
        case "partial_score":
            return np.array([mean_variance(q.scores) for q in counts])
        case "thinking_tokens_mean" | "answer_tokens_mean" as metric:
            return np.array([mean_variance(getattr(q, metric.removesuffix("_mean"))) for q in counts])
        case "avg@n":
            return share_variance(n, np.array([q.correct for q in counts], dtype=np.int64))
        case _ if measure.k is None:
            return share_variance(n, rate_counts(counts, measure))
        case _:
            return _k_variances(n, np.array([q.correct for q in counts], dtype=np.int64), measure)


def _k_variances(n: NDArray[np.int64], c: NDArray[np.int64], measure: Measure) -> FloatArray:
    """The variances of a metric that depends on n and c: unbiased for n >= 2k, the jackknife's for fewer; NaN for n <= k."""
    k = measure.k or 1
    fewer = np.maximum(n - 1, 0)
    without_correct = count_value(fewer, np.clip(c - 1, 0, fewer), measure)
    without_wrong = count_value(fewer, np.minimum(c, fewer), measure)
    by_jackknife = jackknife_variance(n, c, without_correct, without_wrong)
    pairs = {
        pair: subset_variance(*pair, k, lambda n, c: count_value(n, c, measure))
        for pair in set(zip(n.tolist(), c.tolist(), strict=True))
    }
    unbiased = np.array([pairs[pair] for pair in zip(n.tolist(), c.tolist(), strict=True)], dtype=np.float64)
    return np.where(n >= 2 * k, unbiased, by_jackknife)


def is_too_high(n: int, measure: Measure) -> bool:
    """True if redraw_variances overstates the variance at this n: the jackknife of a metric with a k."""
    return measure.k is not None and n > measure.k and (measure.metric == "maj@k" or n < 2 * measure.k)


def _vote_variance(q: QuestionCounts, k: int) -> float:
    """The jackknife variance of maj@k: each class has correct and wrong samples to leave out, and some samples never vote."""
    if q.n <= k:
        return math.nan
    sizes, without = [], []
    for place, (count, correct) in enumerate(q.classes):
        for left_out, size in ((1, correct), (0, count - correct)):
            if size:
                rest = [*q.classes[:place], (count - 1, correct - left_out), *q.classes[place + 1 :]]
                sizes.append(size)
                without.append(maj_at_k(rest, q.n - 1, k))
    silent = q.n - sum(count for count, _ in q.classes)
    if silent:
        sizes.append(silent)
        without.append(maj_at_k(q.classes, q.n - 1, k))
    return grouped_jackknife(sizes, without)


def assumed_redraw(n: int, measure: Measure, a: float, b: float) -> float:
    """The mean over questions of the variance of a question's value over redrawing n samples, if success is Beta(a, b).

    For avg@n it is E[p (1-p)] / n = a b / ((a+b) (a+b+1) n). Metrics with a k are exact for a given chance of success, and
    averaged over 4,000 quantiles of the distribution. Raises MetricError for a measure that does not depend on n and c alone,
    and for n < k.

    Example: round(assumed_redraw(8, Measure("avg@n"), 2, 2), 4) == 0.025
    """
    from scipy.stats import beta, binom

    if measure.k is not None and measure.k > n:
        raise MetricError(
            f"{measure.name} needs {measure.k} samples per question; met {n}. Give --samples {measure.k} or more."
        )
    if measure.metric == "avg@n":
        return a * b / ((a + b) * (a + b + 1)) / n
    if not follows_from_chance(measure) or measure.k is None:  # a rate's chance is not that of success
        raise MetricError(f"{measure.name} does not follow from the chance of success alone. Give a stored run with --base.")
    values, variances = value_table(n, measure), []
    chunks = np.array_split(beta.ppf((np.arange(_GRID) + 0.5) / _GRID, a, b), 1 + n * _GRID // _MOST)
    for p in chunks:
        chances = binom.pmf(np.arange(n + 1)[:, None], n, p[None, :])
        variances.append(values**2 @ chances - (values @ chances) ** 2)
    return float(np.mean(np.concatenate(variances)))
