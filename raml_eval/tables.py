"""Runs to one tidy frame: a row for every number, with its interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from raml_eval import intervals, metrics
from raml_eval.counts import count_by_question
from raml_eval.errors import InputError, MetricError
from raml_eval.store import read_run
from raml_eval.types import Budget, Domain, Interval, QuestionCounts, Status, StoredRun, ThinkingEnd

COLUMNS = (
    *("run", "model", "task", "domain", "budget", "metric", "k", "tau", "value", "low", "high"),
    *("n_questions", "n_samples", "engine", "method"),
)
DOMAINS: tuple[Domain, ...] = ("in_domain", "cross_domain")
TAUS = (0.25, 0.5, 0.75, 1.0)
STABILITY = ("pass@k", "g_pass@k", "mg_pass@k", "mg_pass_normalized@k", "maj@k")

Values = metrics.FloatArray
Counts = list[QuestionCounts]
Cells = dict[tuple[str, Budget], Counts]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric that is a mean over questions, with its parameters. bounds None: not a share."""

    metric: str
    k: int | None = None
    tau: float | None = None
    bounds: tuple[float, float] | None = (0.0, 1.0)


AVERAGE = Measure("avg@n")
_TOKENS = ("thinking_tokens", "answer_tokens")
_RATES: Mapping[str, Callable[[QuestionCounts], int]] = {
    "forced_rate": lambda q: q.ends.get(ThinkingEnd.FORCED, 0),
    "unfinished_rate": lambda q: q.statuses.get(Status.UNFINISHED, 0),
    "no_answer_rate": lambda q: q.statuses.get(Status.NO_ANSWER, 0),
    "timeout_rate": lambda q: q.statuses.get(Status.TIMEOUT, 0),
    "leak_rate": lambda q: q.leaks,
    "accuracy_worst": lambda q: q.correct,
    "accuracy_best": lambda q: q.correct + q.statuses.get(Status.TIMEOUT, 0),
}


def question_values(counts: Sequence[QuestionCounts], measure: Measure) -> Values:
    """The measure of each question, (Q,); NaN for a question with fewer than k samples."""
    n = np.array([q.n for q in counts], dtype=np.int64)
    c = np.array([q.correct for q in counts], dtype=np.int64)
    k = measure.k or 1
    match measure.metric:
        case "avg@n":
            return metrics.avg_at_n(n, c)
        case "pass@k":
            return metrics.pass_at_k(n, c, k)
        case "g_pass@k":
            return metrics.g_pass_at_k(n, c, k, measure.tau or 0.0)
        case "mg_pass@k":
            return metrics.mg_pass_at_k(n, c, k)
        case "mg_pass_normalized@k":
            return metrics.mg_pass_at_k_normalized(n, c, k)
        case "maj@k":
            return np.array([metrics.maj_at_k(q.classes, q.n, k) for q in counts])
        case "thinking_tokens_mean":
            return np.array([np.mean(q.thinking_tokens) for q in counts])
        case "answer_tokens_mean":
            return np.array([np.mean(q.answer_tokens) for q in counts])
        case rate:
            return np.array([_RATES[rate](q) / q.n for q in counts])


def run_labels(runs: Sequence[StoredRun]) -> list[str]:
    """A name for each run: its own, or its directory where several have the same. Raises InputError for a run given twice."""
    names = [run.name for run in runs]
    labels = [run.name if names.count(run.name) == 1 else str(run.directory) for run in runs]
    if twice := [label for label, times in Counter(labels).items() if times > 1]:
        raise InputError(f"run {twice[0]} is given twice, wanted once. Name each run directory once.")
    return labels


def budget_label(budget: Budget) -> str:
    """The budget as the frame writes it."""
    return str(budget)


def budget_order(label: str) -> float:
    """Sorts budget labels: off, the numbers ascending, unlimited."""
    return {"off": -1.0, "unlimited": math.inf}.get(label) or float(label)


def describe_engine(run: StoredRun) -> str:
    """Which engine drew the run: name, version, number format and device."""
    engine = run.manifest.get("engine", {})
    return " ".join(str(engine[key]) for key in ("name", "version", "dtype", "device") if engine.get(key)) or "unknown"


def is_greedy(run: StoredRun) -> bool:
    """The run was drawn at temperature 0."""
    return bool(run.manifest.get("config", {}).get("sampling", {}).get("temperature") == 0)


def missing_samples(run: StoredRun) -> dict[tuple[str, Budget], int]:
    """How many planned samples each task lacks at each budget, where it lacks any."""
    present = Counter((r.key.task, r.budget) for r in _planned_records(run))
    planned = Counter(task for task, _ in run.questions)
    owed = {(t, b): planned[t] * run.n_samples - present[t, b] for t in run.tasks for b in run.budgets}
    return {cell: lacking for cell, lacking in owed.items() if lacking}


def _planned_records(run: StoredRun) -> list[SampleRecord]:
    wanted = set(run.budgets)
    return [
        record
        for record in run.records
        if record.budget in wanted
        and record.key.index < run.n_samples
        and (record.key.task, record.key.question_id) in run.questions
    ]


def count_run(run: StoredRun, allow_partial: bool = False) -> Cells:
    """The counts of the planned samples by task and budget, without the questions that have none.

    Raises MetricError where planned samples are missing, unless allow_partial.
    """
    missing = missing_samples(run)
    if missing and not allow_partial:
        planned = len(run.questions) * run.n_samples * len(run.budgets)
        worst = ", ".join(f"{task} at {budget} lacks {n}" for (task, budget), n in list(missing.items())[:4])
        raise MetricError(
            f"run {run.name} lacks {sum(missing.values())} of its {planned} planned samples ({worst}; {run.n_errors} "
            f"failed); short thinking finishes first, so a partial table is biased. Run again with the same --out, or pass "
            f"--allow-partial."
        )
    cells = count_by_question(_planned_records(run), run.questions, run.classes)
    return {cell: [q for q in counts if q.n] for cell, counts in cells.items() if cell[1] in run.budgets}


def estimate(counts: Sequence[QuestionCounts], measure: Measure, level: float = 0.95) -> tuple[Interval, int]:
    """The mean over questions with its interval, and how many questions it covers.

    NaN where a question has fewer than k samples: the mean over the others would be of other questions.
    """
    values = question_values(counts, measure)
    covered = int(np.count_nonzero(~np.isnan(values)))
    if not covered or covered < len(values):
        return _not_given(f"not given: {measure.k} samples per question are needed" if counts else "not given: no samples"), covered
    return intervals.mean_interval(values, [q.cluster for q in counts], level, measure.bounds), covered


def _not_given(reason: str) -> Interval:
    return Interval(math.nan, math.nan, math.nan, reason)


def measures_for(ks: Sequence[int], timeouts: bool) -> list[Measure]:
    """Every mean over questions that a frame has, in its order. mG-Pass@k starts at k = 2."""
    measures = [AVERAGE]
    for k in ks:
        measures.append(Measure("pass@k", k))
        measures += [Measure("g_pass@k", k, tau) for tau in TAUS]
        measures += [Measure("mg_pass@k", k), Measure("mg_pass_normalized@k", k)] if k > 1 else []
        measures.append(Measure("maj@k", k))
    measures += [Measure(f"{kind}_mean", bounds=None) for kind in _TOKENS]
    bounds = ("accuracy_worst", "accuracy_best")
    return measures + [Measure(name) for name in _RATES if timeouts or name not in bounds]


@dataclass(frozen=True, slots=True)
class _Part:
    """One run on its way into the frame. ks and level are the caller's."""

    run: StoredRun
    label: str
    cells: Cells
    ks: tuple[int, ...]
    level: float

    def row(self, task: str, domain: str, budget: Budget, measure: Measure, of: Interval, n_questions: int) -> Row:
        return {
            "run": self.label,
            "model": self.run.model,
            "task": task,
            "domain": domain,
            "budget": budget_label(budget),
            "metric": measure.metric,
            "k": measure.k,
            "tau": measure.tau,
            "value": of.value,
            "low": of.low,
            "high": of.high,
            "n_questions": n_questions,
            "n_samples": self.run.n_samples,
            "engine": describe_engine(self.run),
            "method": of.method,
        }
