"""The noise of a mean over questions, split: what comes from the choice of the questions, and what from redrawing the samples.

The clustered standard error holds both, V = V_questions + V_redraw (Miller 2024, arXiv:2411.00640). For paired differences,
the second part typically exceeds the first (Wang 2025, arXiv:2512.21326). More samples per question lower the second part
alone, more questions both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raml_eval.errors import MetricError
from raml_eval.intervals.clusters import FloatArray, check_lengths
from raml_eval.intervals.pooled import Part, covariances_of, freedoms_of, groups_of, welch_freedom

IntArray = NDArray[np.int64]


def jackknife_variance(n: IntArray, c: IntArray, without_correct: FloatArray, without_wrong: FloatArray) -> FloatArray:
    """The variance of each question's value over redrawing its n samples, (Q,), by the delete-one jackknife in closed form.

    The value depends on n and c alone. It is without_correct (Q,) if one of the c correct samples is left out, without_wrong
    if one of the n - c others is: so (n-1)/n times the sum of squares over the n values is c (n-c) (n-1) / n^2 times the
    squared difference of the two. For avg@n this is c (n-c) / (n^2 (n-1)), which is unbiased for p (1-p) / n; for pass@k it
    is too high (Efron and Stein 1981, Annals of Statistics 9), by a tenth at k = n/4 and by more than twice near k = n. NaN
    for n < 2. A value that cannot occur (without_correct for c = 0) may be NaN; any other NaN makes the variance NaN.
    """
    size, right = np.asarray(n, dtype=np.float64), np.asarray(c, dtype=np.float64)
    mixed = (right > 0) & (right < size)
    undefined = ((right > 0) & np.isnan(without_correct)) | ((right < size) & np.isnan(without_wrong)) | (size < 2)
    gap = np.where(mixed, without_correct - without_wrong, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = right * (size - right) * (size - 1) / size**2 * gap**2
    return np.where(undefined, math.nan, variance)


def subset_variance(n: int, c: int, k: int, value: Callable[[IntArray, IntArray], FloatArray]) -> float:
    """The variance of one question's value over redrawing its n samples, unbiased, for an average over all k-subsets.

    value(n, c) is the average of a kernel over the k-subsets of n samples, c of them correct; value(k, j) is the kernel. The
    square of its expectation is estimated without bias by the product of the kernel over two disjoint subsets, averaged over
    all such pairs, so it needs n >= 2 k: NaN otherwise. A single question's variance may be negative; their mean is unbiased
    (Hoeffding 1948, Annals of Mathematical Statistics 19). For k = 1 and value c / n it is share_variance.
    """
    if n < 2 * k or n < 2:
        return math.nan
    j = np.arange(max(0, k - (n - c)), min(c, k) + 1)
    chances = np.array([math.comb(c, i) * math.comb(n - c, k - i) / math.comb(n, k) for i in j.tolist()])
    kernel = value(np.full(len(j), k), j)
    disjoint = float(np.sum(chances * kernel * value(np.full(len(j), n - k), c - j)))
    return float(value(np.array([n]), np.array([c]))[0]) ** 2 - disjoint


def share_variance(n: IntArray, c: IntArray) -> FloatArray:
    """The variance of c / n over redrawing the n samples of each question, c (n-c) / (n^2 (n-1)), (Q,); NaN for n < 2.

    It is unbiased for p (1-p) / n. Example: share_variance(np.array([8]), np.array([4])).tolist() == [1 / 28]
    """
    size, right = np.asarray(n, dtype=np.float64), np.asarray(c, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(size < 2, math.nan, right * (size - right) / (size**2 * (size - 1)))


def mean_variance(values: Sequence[float | None]) -> float:
    """The variance of the mean of one question's samples over redrawing them, s^2 / n. NaN for n < 2 and an unknown value."""
    known = np.array(values, dtype=np.float64)
    return float(known.var(ddof=1) / len(known)) if len(known) > 1 else math.nan


def grouped_jackknife(sizes: Sequence[int], without: Sequence[float]) -> float:
    """The delete-one jackknife variance of a value whose n samples come in groups that are equal for it.

    without holds the value if one sample of the group is left out, sizes the samples of the group. NaN for n < 2, and if a
    value is NaN. Example: grouped_jackknife([1, 1], [0.0, 1.0]) == 0.25
    """
    weights, values = np.array(sizes, dtype=np.float64), np.array(without, dtype=np.float64)
    n = float(weights.sum())
    if n < 2:
        return math.nan
    mean = weights @ values / n
    return float((n - 1) / n * (weights @ (values - mean) ** 2))


@dataclass(frozen=True, slots=True)
class NoiseSplit:
    """The variance of a mean or of a mean difference, in two parts. The parts sum to the square of standard_error.

    from_questions would remain if every question had endless samples; from_redraw would remain if the same questions were
    asked again. from_redraw is NaN if it cannot be estimated (n = 1, or n <= k), and from_questions is NaN then, and for
    fewer than two clusters. freedom are the degrees of freedom of the standard error: clusters minus 1, Welch and
    Satterthwaite's for several tasks.
    """

    value: float
    standard_error: float
    from_questions: float
    from_redraw: float
    n_questions: int
    n_clusters: int
    freedom: float

    @property
    def questions_share(self) -> float:
        """The share of the variance that comes from the questions; NaN if it is not known, and without any variance."""
        return 1 - self.redraw_share

    @property
    def redraw_share(self) -> float:
        """The share of the variance that comes from redrawing; NaN if it is not known, and without any variance."""
        total = self.from_questions + self.from_redraw
        return self.from_redraw / total if total > 0 else math.nan

    @property
    def redraw_error(self) -> float:
        """The standard error over redrawing with these questions fixed."""
        return math.sqrt(self.from_redraw)

    def error_at(self, samples: float = 1.0, questions: float = 1.0) -> float:
        """The standard error with this many times the samples per question, and this many times the questions.

        The square is from_questions / questions + from_redraw / (questions samples). For metrics with a k this is an
        approximation: their redraw part falls about as 1 / n.

        Example: NoiseSplit(0.5, 0.05, 0.0016, 0.0009, 30, 30, 29.0).error_at(samples=math.inf) == 0.04
        """
        if samples == 1.0:
            return self.standard_error / math.sqrt(questions)  # known even if the parts are not
        return math.sqrt((self.from_questions + self.from_redraw / samples) / questions)

    def freedom_at(self, questions: float) -> float:
        """The degrees of freedom with this many times the questions, clusters of the same size."""
        groups = self.freedom + 1
        return max(questions * groups - 1, 1.0)


def split_noise(parts: Sequence[Part], redraws: Sequence[FloatArray]) -> NoiseSplit:
    """The noise of the mean over tasks of new - base, each task with the same weight. For a mean of one run, base is zeros.

    redraws holds for each part the variance of new - base of each question over redrawing, (Q,): those of both runs summed.
    The total is the clustered variance, in which a cluster adds what all its questions in all tasks add (pooled_difference).
    The part from redrawing is the sum of the squared weights times redraws, because every sample is drawn by itself. If it
    exceeds the total, which chance can do, the part from the questions would be negative; it is then 0, and redrawing is the
    whole. A negative part from redrawing is 0 in the same way. Raises MetricError without a part or a question, and for
    lengths that differ.

    Example: round(split_noise([Part(np.zeros(2), np.array([0.5, 1.0]), ["a", "b"])], [np.zeros(2)]).standard_error, 9) == 0.25
    """
    if not parts or not all(len(part.clusters) for part in parts):
        raise MetricError("noise is split over the questions of at least one task; met none. Leave the task out.")
    for part, redraw in zip(parts, redraws, strict=True):
        check_lengths(len(part.new), len(part.clusters))
        check_lengths(len(redraw), len(part.clusters))
    means = [float(np.mean(np.asarray(part.new) - np.asarray(part.base))) for part in parts]
    n_clusters = [len(set(part.clusters)) for part in parts]
    between = covariances_of(parts)
    total = float(between.sum()) / len(parts) ** 2 if min(n_clusters) > 1 else math.nan
    drawn = drawn_variance(redraws)
    drawn = drawn if math.isnan(total) or math.isnan(drawn) else min(max(drawn, 0.0), total)
    return NoiseSplit(
        value=math.fsum(means) / len(means),
        standard_error=math.sqrt(max(total, 0.0)) if total == total else math.nan,
        from_questions=total - drawn,
        from_redraw=drawn,
        n_questions=sum(len(part.clusters) for part in parts),
        n_clusters=len({name for part in parts for name in part.clusters}),
        freedom=_freedom(parts, between),
    )


def drawn_variance(redraws: Sequence[FloatArray]) -> float:
    """The variance of the mean over parts with these questions fixed; (Q,) a part: that of each question over redrawing."""
    return math.fsum(float(np.sum(redraw)) / len(redraw) ** 2 for redraw in redraws) / len(redraws) ** 2


def _freedom(parts: Sequence[Part], between: FloatArray) -> float:
    """Welch and Satterthwaite's degrees of freedom over groups of parts that share no cluster; the sum without variance."""
    groups, alone = groups_of(parts), freedoms_of(parts)
    variances = [float(between[np.ix_(group, group)].sum()) for group in groups]
    return welch_freedom(variances, [min(alone[row] for row in group) for group in groups])
