"""Turns counts per question into a mean over questions with its interval."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raml_eval import intervals, metrics
from raml_eval.errors import ConfigError, near_names
from raml_eval.metric_names import EXAMPLES, split_metric, what_is_wrong
from raml_eval.metrics import maj_at_k
from raml_eval.types import Interval, QuestionCounts, Status, ThinkingEnd

TAUS = (0.25, 0.5, 0.75, 1.0)
STABILITY = ("pass@k", "g_pass@k", "mg_pass@k", "mg_pass_normalized@k", "maj@k")
TOKENS = ("thinking_tokens", "answer_tokens")
QUANTILES = {"median": 0.5, "p95": 0.95}


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric that is a mean over questions, with its parameters. bounds is None if the metric is not a share."""

    metric: str
    k: int | None = None
    tau: float | None = None
    bounds: tuple[float, float] | None = (0.0, 1.0)

    @property
    def name(self) -> str:
        """The name that parse_measure reads: avg@n, pass@8, g_pass@8:0.5, unfinished_rate.

        Example: Measure("g_pass@k", 8, 0.5).name == "g_pass@8:0.5"
        """
        tau = "" if self.tau is None else f":{self.tau:g}"
        return self.metric if self.k is None else f"{self.metric.replace('@k', f'@{self.k}')}{tau}"

    @property
    def lower_is_better(self) -> bool:
        """True for tokens, and for shares of samples that ended badly."""
        return self.bounds is None or self.metric.endswith("_rate")


AVERAGE = Measure("avg@n")
APART = "each budget is a draw of its own, not a cut of one trajectory (capped_by engine)"
UNCOUNTED = "the samples' tokens are not all counted"
PARTIAL = Measure("partial_score")
_MEANS = tuple(Measure(f"{kind}_mean", bounds=None) for kind in TOKENS)
_TIMEOUT_BOUNDS = ("accuracy_worst", "accuracy_best")
_RATES: Mapping[str, Callable[[QuestionCounts], int]] = {
    "forced_rate": lambda q: q.ends.get(ThinkingEnd.FORCED, 0),
    "unfinished_rate": lambda q: q.statuses.get(Status.UNFINISHED, 0),
    "no_answer_rate": lambda q: q.statuses.get(Status.NO_ANSWER, 0),
    "timeout_rate": lambda q: q.statuses.get(Status.TIMEOUT, 0),
    "leak_rate": lambda q: q.leaks,
    "accuracy_worst": lambda q: q.correct,
    "accuracy_best": lambda q: q.correct + q.statuses.get(Status.TIMEOUT, 0),
}


def parse_measure(name: str, counts: Collection[int] = ()) -> Measure:
    """The measure of that name: avg@n, pass@K, g_pass@K:TAU, mg_pass@K, mg_pass_normalized@K, maj@K, partial_score, a rate
    such as unfinished_rate, thinking_tokens_mean or answer_tokens_mean.

    avg@n may be written as tables print it, such as avg@8, if counts, the samples per question of the runs, are all 8.
    Raises ConfigError for another name. Example: parse_measure("g_pass@8:0.5").k == 8
    """
    plain = {m.name: m for m in (AVERAGE, PARTIAL, *(Measure(rate) for rate in _RATES if rate not in _TIMEOUT_BOUNDS), *_MEANS)}
    if name in plain:
        return plain[name]
    if name.startswith("avg@") and name != AVERAGE.name:
        return _counted_average(name, counts)
    found = split_metric(name)
    if found is None:
        if lacking := what_is_wrong(name):
            raise ConfigError(f"there is no metric {name!r}: {lacking}")
        known = (*EXAMPLES, *list(plain)[1:])
        raise ConfigError(
            f"there is no metric {name!r} to compare by.{near_names(name, known)} Give one such as {', '.join(known)}."
        )
    return Measure(*found)


def _counted_average(name: str, counts: Collection[int]) -> Measure:
    """avg@n by the name that tables print, such as avg@8. Raises ConfigError if it is not that of the runs."""
    own = sorted(set(counts))
    if [name] == [f"avg@{n}" for n in own]:
        return AVERAGE
    if not own:
        raise ConfigError(f"there is no metric {name!r} here. Write avg@n, the mean over all samples of each question.")
    have = " or ".join(map(str, own))
    raise ConfigError(
        f"there is no metric {name!r}: the runs have {have} samples per question. Write avg@n, the mean over all of them."
    )


def measures_for(ks: Sequence[int], timeouts: bool, cells: bool = False) -> list[Measure]:
    """Every mean over questions that a frame has, in order. mG-Pass@k starts at k = 2, because its sum is empty at k = 1.

    cells is true if the task's answers have parts; the mean share of right parts is partial_score.
    """
    measures = [AVERAGE, PARTIAL] if cells else [AVERAGE]
    for k in ks:
        measures.append(Measure("pass@k", k))
        measures += [Measure("g_pass@k", k, tau) for tau in TAUS]
        measures += [Measure("mg_pass@k", k), Measure("mg_pass_normalized@k", k)] if k > 1 else []
        measures.append(Measure("maj@k", k))
    measures += _MEANS
    return measures + [Measure(name) for name in _RATES if timeouts or name not in _TIMEOUT_BOUNDS]


def question_values(counts: Sequence[QuestionCounts], measure: Measure) -> NDArray[np.float64]:
    """The measure of each question, (Q,).

    NaN for a question with fewer than k samples or an unknown token count, and for partial_score where a task's answers have
    no parts.
    """
    n = np.array([q.n for q in counts], dtype=np.int64)
    match measure.metric:
        case "partial_score":
            return np.array([np.mean(q.scores) if q.scores else math.nan for q in counts])
        case "maj@k":
            return np.array([_majority(tuple(sorted(q.classes)), q.n, measure.k or 1) for q in counts])
        case "thinking_tokens_mean":
            return np.array([_mean(q.thinking_tokens) for q in counts])
        case "answer_tokens_mean":
            return np.array([_mean(q.answer_tokens) for q in counts])
        case rate if rate in _RATES:
            return rate_counts(counts, measure) / n
        case _:
            return count_value(n, np.array([q.correct for q in counts], dtype=np.int64), measure)


_majority = functools.lru_cache(maxsize=2**16)(maj_at_k)  # many questions have the same votes, in some order


def count_value(n: NDArray[np.int64], c: NDArray[np.int64], measure: Measure) -> NDArray[np.float64]:
    """The value of a measure that depends on n and c alone, at each of their elements.

    Example: count_value(np.array([4]), np.array([1]), Measure("pass@k", 2)).tolist() == [0.5]
    """
    k = measure.k or 1
    match measure.metric:
        case "avg@n":
            return metrics.avg_at_n(n, c)
        case "pass@k":
            return metrics.pass_at_k(n, c, k)
        case "g_pass@k":
            return metrics.g_pass_at_k(n, c, k, 1.0 if measure.tau is None else measure.tau)
        case "mg_pass@k":
            return metrics.mg_pass_at_k(n, c, k)
        case "mg_pass_normalized@k":
            return metrics.mg_pass_at_k_normalized(n, c, k)
    raise ValueError(f"{measure.metric} does not depend on n and c alone")


def rate_counts(counts: Sequence[QuestionCounts], measure: Measure) -> NDArray[np.int64]:
    """The number of each question's samples that a rate counts, (Q,)."""
    return np.array([_RATES[measure.metric](q) for q in counts], dtype=np.int64)


def follows_from_chance(measure: Measure) -> bool:
    """True if a question's value depends on how many of its n samples count, each with the same chance: avg@n, rates, and
    every metric with a k but maj@k.
    """
    return measure.metric in ("avg@n", *_RATES) or (measure.k is not None and measure.metric != "maj@k")


def counted_samples(counts: Sequence[QuestionCounts], measure: Measure) -> NDArray[np.int64]:
    """The samples of each question that a measure counts, (Q,): the correct ones, or those of a rate."""
    return rate_counts(counts, measure) if measure.metric in _RATES else np.array([q.correct for q in counts], dtype=np.int64)


def value_table(n: int, measure: Measure) -> NDArray[np.float64]:
    """The value of a question of which 0, 1, ..., n samples count, (n + 1,), for a measure that follows_from_chance.

    Example: value_table(2, Measure("pass@k", 2)).tolist() == [0.0, 1.0, 1.0]
    """
    c = np.arange(n + 1)
    return c / n if measure.metric in _RATES else count_value(np.full(n + 1, n), c, measure)


def _mean(tokens: Sequence[int | None]) -> float:
    """The mean, or NaN if any sample's count is unknown: the mean over the others would be one of other samples."""
    return math.nan if None in tokens else sum(tokens) / len(tokens)  # type: ignore[arg-type]


def estimate(counts: Sequence[QuestionCounts], measure: Measure, level: float) -> tuple[Interval, int]:
    """The mean over questions with its interval, and the number of questions that it covers.

    The mean is NaN if any question has fewer than k samples or an unknown token count, because the mean over the others
    would be one over other questions. Without k, questions without a sample are left out.
    """
    counts = counts if measure.k else [q for q in counts if q.n]
    if not counts:
        return not_given("no samples"), 0
    values = question_values(counts, measure)
    covered = int(np.count_nonzero(~np.isnan(values)))
    if covered < len(values):
        return not_given(_reason(measure)), covered
    return intervals.mean_interval(values, [q.cluster for q in counts], level, measure.bounds), covered


def _reason(measure: Measure) -> str:
    if measure.metric == "partial_score":
        return "the answers have no parts"
    return f"needs {measure.k} samples per question" if measure.k else UNCOUNTED


def not_given(reason: str) -> Interval:
    """An interval that is NaN throughout, with the reason."""
    return Interval(math.nan, math.nan, math.nan, f"not given: {reason}")


def token_quantiles(counts: Sequence[QuestionCounts]) -> dict[str, Interval]:
    """Median and 95th percentile over all samples, by metric. Quantiles of samples have no interval."""
    found: dict[str, Interval] = {}
    for kind in TOKENS:
        tokens = [n for q in counts for n in getattr(q, kind)]
        known = [n for n in tokens if n is not None]
        for name, share in QUANTILES.items():
            value = float(np.quantile(known, share)) if known else math.nan
            whole = Interval(value, math.nan, math.nan, "no interval: a quantile of samples")
            found[f"{kind}_{name}"] = whole if len(known) == len(tokens) else not_given(UNCOUNTED)
    return found
