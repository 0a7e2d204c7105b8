"""What an occurrence changes in the gold's likelihood, beside its null, and the same by role, verdict and task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raml_eval.diagnostics.curves.drawn import VERDICTS
from raml_eval.diagnostics.few import interval_columns, known, mean_with_enough
from raml_eval.diagnostics.roles.null import N_SPANS
from raml_eval.diagnostics.roles.occurrences import DELIMITER
from raml_eval.diagnostics.roles.thoughts import Found, Thought

FLOOR = 1e-4  # nats per token, below which an engine's own noise (1e-5) would decide a logarithm
ALL = "all tasks"
Values = Mapping[str, Mapping[int, float]]  # by id and position: nats per token of the gold


@dataclass(frozen=True, slots=True)
class Change:
    """The gold's NLL in nats per token of the gold before and after a span of tokens."""

    before: float
    after: float

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def log(self) -> float:
        """log(after) - log(before), where what is below FLOOR counts as FLOOR."""
        return math.log(max(self.after, FLOOR)) - math.log(max(self.before, FLOOR))

    @property
    def relative(self) -> float:
        """|after - before| / before, as in the paper's figure 6; NaN if before is 0."""
        return abs(self.difference) / self.before if self.before > 0 else math.nan


@dataclass(frozen=True, slots=True)
class Measured:
    """One occurrence with its change and those of its null. n_tokens is its length; share is where it begins."""

    thought: Thought
    role: str
    start: int
    n_tokens: int
    change: Change
    null: tuple[Change, ...]

    @property
    def null_log(self) -> float:
        """The mean over the null; NaN without one."""
        return math.fsum(one.log for one in self.null) / len(self.null) if self.null else math.nan

    def row(self) -> dict[str, Any]:
        """The line of occurrences.parquet."""
        one, change = self.thought, self.change
        return {
            "task": one.key.task, "question_id": one.key.question_id, "cluster": one.cluster, "sample": one.key.index,
            "prompt": one.prompt, "verdict": str(one.verdict), "role": self.role, "start": self.start,
            "n_tokens": self.n_tokens, "share": self.start / len(one.ids), "before": change.before, "after": change.after,
            "change": change.difference, "log_change": change.log, "relative": known(change.relative),
            "n_null": len(self.null), "null_log_change": known(self.null_log),
            "null_before": [other.before for other in self.null], "null_after": [other.after for other in self.null],
        }  # fmt: skip


def measure_changes(found: Found, values: Values) -> list[Measured]:
    """Every chosen occurrence whose positions have values, with the spans of its null that have."""
    measured = []
    for one in found.chosen:
        span = one.occurrence
        change = _change(values, one.thought.id, span.start, span.stop)
        if change is None:
            continue
        null = (_change(values, found.thoughts[other.member].id, other.start, other.stop) for other in one.null)
        kept = tuple(other for other in null if other is not None)
        measured.append(Measured(one.thought, span.role, span.start, span.stop - span.start, change, kept))
    return measured


def _change(values: Values, id: str, start: int, stop: int) -> Change | None:
    own = values.get(id, {})
    return Change(own[start], own[stop]) if start in own and stop in own else None


def role_rows(measured: Sequence[Measured], found: Found, roles: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each task, role and verdict; of several tasks, ALL, over the occurrences of all, comes first."""
    tasks = list(dict.fromkeys(one.task for one in found.thoughts))
    rows = []
    for task in [ALL, *tasks] if len(tasks) > 1 else tasks:
        for role in roles:
            for verdict in VERDICTS:
                own = [
                    one for one in measured
                    if one.role == role and one.thought.verdict is verdict and task in (ALL, one.thought.task)
                ]  # fmt: skip
                if own:
                    among = tasks if task == ALL else [task]
                    n_found = sum(found.n_found[name, verdict, role] for name in among) or len(own)
                    row: dict[str, Any] = {"task": task, "role": role, "verdict": str(verdict), "n_found": n_found}
                    rows.append(row | _summed(own))
    return rows


def _summed(own: Sequence[Measured]) -> dict[str, Any]:
    """The numbers of the occurrences of one row. Means are over occurrences, with intervals clustered by question."""
    relative = [value for one in own if not math.isnan(value := one.change.relative)]
    spans = [span for one in own for span in one.null]
    null_relative = [value for span in spans if not math.isnan(value := span.relative)]
    matched = [one for one in own if one.null]
    clusters = [one.thought.cluster for one in matched]
    return {
        "n": len(own),
        "n_trajectories": len({one.thought.id for one in own}),
        "n_questions": len({one.thought.question for one in own}),
        "relative": _mean(relative),
        "largest_share": max(relative) / total if relative and (total := math.fsum(relative)) else None,
        "null_relative": _mean(null_relative),
        "median": float(np.median([abs(one.change.difference) for one in own])),
        "null_median": float(np.median([abs(one.difference) for one in spans])) if spans else None,
        "change": _mean([one.change.difference for one in own]),
        **interval("log_change", [one.change.log for one in own], [one.thought.cluster for one in own]),
        **interval("matched_log_change", [one.change.log for one in matched], clusters),
        **interval("null_log_change", [one.null_log for one in matched], clusters),
        **interval("difference", [one.change.log - one.null_log for one in matched], clusters),
        "n_matched": len(matched),
        "n_null": len(spans),
        "n_few": sum(len(one.null) < N_SPANS for one in own if one.role != DELIMITER),
        "n_floor": sum(max(one.change.before, one.change.after) < FLOOR for one in own),
        "n_zero": sum(one.change.before <= 0 for one in own),
    }


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def interval(name: str, values: Sequence[float], clusters: Sequence[str], least: float = -math.inf) -> dict[str, Any]:
    """The mean with its interval, clustered by question, as columns; what is not known is null. No end is below least."""
    return interval_columns(name, mean_with_enough(values, clusters, least=least))


def measure_delimiter(thoughts: Sequence[Thought], without: Values, closed: Values) -> Iterator[Measured]:
    """The end delimiter of each natural thinking: the gold after all of it, before and after the bare delimiter.

    Nothing else closes the thinking in either. It has no null, because a delimiter stands at the end alone.
    """
    for one in thoughts:
        end = len(one.ids)
        if one.natural and end in without.get(one.id, {}) and end in closed.get(one.id, {}):
            change = Change(without[one.id][end], closed[one.id][end])
            yield Measured(one, DELIMITER, end, 1, change, ())
