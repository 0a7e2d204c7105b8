"""How well a number of a trajectory tells correct ones from incorrect ones: the AUROC, within questions and pooled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raml_eval.diagnostics.few import if_enough
from raml_eval.intervals import bootstrap_interval, mean_interval
from raml_eval.intervals.clusters import FloatArray
from raml_eval.types import Interval

TIE = 4  # decimals: engines repeat a log-likelihood to about 1e-5 nats, so smaller differences are ties
CONFOUNDED = "pooled over questions, so confounded by their difficulty"
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Separation:
    """An AUROC with its interval, the questions and the pairs (one correct, one incorrect trajectory) behind it."""

    interval: Interval
    n_questions: int
    n_pairs: int


def auroc(scores: FloatArray, correct: BoolArray) -> float:
    """The chance that a correct trajectory has a higher score than an incorrect one, ties counted half.

    scores (N,) and correct (N,); NaN if all have the same verdict. It is U / (n_correct n_incorrect) of Mann and Whitney.

    Example: auroc(np.array([0.9, 0.1, 0.5]), np.array([True, False, False])) == 1.0
    """
    n_correct = int(correct.sum())
    n_pairs = n_correct * (len(correct) - n_correct)
    if not n_pairs:
        return math.nan
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # ties share the mean of their ranks
    return float((ranks[correct].sum() - n_correct * (n_correct + 1) / 2) / n_pairs)


def within_questions(
    scores: Sequence[float] | FloatArray,
    correct: Sequence[bool],
    questions: Sequence[str],
    clusters: Sequence[str],
    n_before: Sequence[int],
) -> Separation:
    """The mean over questions of the AUROC among the question's own trajectories, with its clustered interval.

    Each argument has one entry a trajectory; n_before are the thinking tokens that its score was measured after. Only pairs of
    the same question count, so how hard a question is cannot help. Questions with both verdicts count equally, however many
    pairs they have; the others say nothing and are left out. So are those where nothing was thought before any score: what
    was measured after the question alone is one value, and its AUROC would be 0.5 whatever the model does.
    Trajectories without a score (NaN) are left out. Scores that are equal to 4 decimals are ties.
    """
    score, right = _rounded(scores), np.asarray(correct, dtype=bool)
    members: dict[str, list[int]] = {}
    for place, name in enumerate(questions):
        if not math.isnan(score[place]):
            members.setdefault(name, []).append(place)
    values, names, n_pairs = [], [], 0
    for places in members.values():
        if not any(n_before[place] for place in places):
            continue
        own = right[places]
        value = auroc(score[places], own)
        if not math.isnan(value):
            values.append(value)
            names.append(clusters[places[0]])
            n_pairs += int(own.sum() * (~own).sum())
    return Separation(mean_interval(values, names), len(values), n_pairs)


def pooled(
    scores: Sequence[float] | FloatArray, correct: Sequence[bool], clusters: Sequence[str], *, seed: int = 0
) -> Separation:
    """The AUROC among all trajectories, with a bootstrap over clusters. Its interval's method says that it is confounded.

    A number that only tells easy questions from hard ones has a high pooled AUROC. Trajectories without a score are left out.
    Resamples with one verdict alone have no AUROC and are dropped. There is no interval if they are more than a tenth, for
    an AUROC of 0 or 1, which every resample repeats, and for fewer than six clusters.
    """
    rows = np.column_stack([_rounded(scores), np.asarray(correct, dtype=np.float64)])
    kept = ~np.isnan(rows[:, 0])
    names = [name for name, keep in zip(clusters, kept, strict=True) if keep]
    rows = rows[kept]
    n_correct = int(rows[:, 1].sum())
    n_pairs = n_correct * (len(rows) - n_correct)
    if not n_pairs:
        return Separation(Interval(math.nan, math.nan, math.nan, "no interval: one verdict"), len({*names}), 0)
    found = if_enough(bootstrap_interval(_of_rows, rows, names, n_resamples=500, seed=seed), len({*names}))
    if found.method.startswith("no interval"):
        return Separation(found, len({*names}), n_pairs)
    return Separation(Interval(found.value, found.low, found.high, f"{found.method}; {CONFOUNDED}"), len({*names}), n_pairs)


def _rounded(scores: Sequence[float] | FloatArray) -> FloatArray:
    return np.asarray(scores, dtype=np.float64).round(TIE)


def _of_rows(rows: FloatArray) -> float:
    """The AUROC of rows (score, verdict); NaN if all verdicts are the same."""
    return auroc(rows[:, 0], rows[:, 1] > 0.5)
