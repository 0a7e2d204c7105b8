"""The analysis of a sweep over thinking budgets as one tidy frame: each task and each domain's macro mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raml_eval.budgets import in_tokens, share_of, sort_budgets
from raml_eval.counts import uncollected
from raml_eval.errors import MetricError
from raml_eval.intervals import holm
from raml_eval.tables.choices import measure_choices
from raml_eval.tables.clusters import global_clusters, overlap
from raml_eval.tables.counted import check_complete, repeats_draws, run_labels
from raml_eval.tables.curve import measure_curve, measure_fractions, measure_spending
from raml_eval.tables.escape import measure_escape
from raml_eval.tables.frame import DOMAINS, MACRO, Row
from raml_eval.tables.frontier import mark_frontier, measure_frontier
from raml_eval.tables.measured import Measured, macro_over
from raml_eval.tables.paired import Paired, pair_tasks
from raml_eval.types import Domain, StoredRun

if TYPE_CHECKING:
    import pandas as pd

SWEEP_COLUMNS = (
    *("run", "model", "task", "domain", "metric", "budget", "against", "k", "part", "value", "low", "high"),
    *("p_value", "p_holm", "n_questions", "n_samples", "method"),
)


def sweep_budgets(run: StoredRun) -> tuple[list[Any], list[Any]]:
    """The run's budgets that cut a trajectory after some tokens, and those that cut it at a share, both ascending.

    Thinking off, and prompts that name a budget or an effort, are draws of their own and stand in neither list.
    """
    ordered = sort_budgets(run.budgets)
    return [b for b in ordered if in_tokens(b)], [b for b in ordered if share_of(b) is not None]


def has_sweep(run: StoredRun) -> bool:
    """True if the run has at least two budgets in tokens."""
    return len(sweep_budgets(run)[0]) > 1


@uncollected()
def build_sweep(
    runs: Sequence[StoredRun],
    *,
    k: Sequence[int] | None = None,
    price: float | None = None,
    level: float = 0.95,
    allow_partial: bool = False,
    frontier: bool = True,
) -> pd.DataFrame:
    """One row for every number of the sweep analysis, with the columns SWEEP_COLUMNS (docs/metrics.md lists the metrics).

    Budgets are paired over the trajectories that have a sample at each of them. price is that of a million output tokens, in
    any unit. Without frontier, the points of several samples are left out, which takes most of the time. p_holm is corrected
    over the steps of all tasks of a run. Raises MetricError for missing samples without allow_partial, and if no run has two
    budgets in tokens.

    Example: build_sweep([load_run("runs/mine")])
    """
    import pandas as pd

    if not any(map(has_sweep, runs)):
        met = "; ".join(f"{run.name} has {', '.join(map(str, run.budgets))}" for run in runs)
        raise MetricError(f"a sweep needs at least two thinking budgets in tokens; {met}. Run again with more budgets.")
    rows: list[Row] = []
    for run, label in zip(runs, run_labels(runs), strict=True):
        if not allow_partial:
            check_complete(run)
        if has_sweep(run):
            ks = sorted(set(k or run.manifest.get("config", {}).get("k") or [run.n_samples]))
            if ks[0] < 1:
                raise MetricError(f"k must be at least 1; met {ks[0]}. k samples are drawn from the n of each question.")
            analysis = _Analysis(run, label, tuple(ks), price, level, frontier)
            rows += _with_holm(list(analysis.rows()))
    frame = pd.DataFrame(rows, columns=list(SWEEP_COLUMNS))
    numbers = dict.fromkeys(("value", "low", "high", "p_value", "p_holm"), "float64")
    return frame.astype({"k": "Int64", "n_questions": "int64", "n_samples": "int64", **numbers})


@dataclass(frozen=True, slots=True)
class _Analysis:
    """One run whose sweep is being measured."""

    run: StoredRun
    label: str
    ks: tuple[int, ...]
    price: float | None
    level: float
    frontier: bool

    def rows(self) -> Iterator[Row]:
        caps, fractions = sweep_budgets(self.run)
        paired = {p.task: p for p in pair_tasks(self.run, caps) if len(p.index)}
        ended = {p.task: p for p in pair_tasks(self.run, fractions, closed=True) if len(p.index)} if fractions else {}
        clusters = global_clusters(self.run.questions, self.run.tasks)
        for domain in DOMAINS:
            tasks = [task for task, about in self.run.tasks.items() if about.domain == domain]
            measured = {task: self.measure(paired[task]) for task in tasks if task in paired}
            for task in ended.keys() & measured.keys():
                measured[task] |= measure_fractions(ended[task], self.level)
            for task, numbers in measured.items():
                extra = self.measure_group([paired[task]], numbers)
                yield from self.write(task, domain, numbers | extra)
            if tasks and len(measured) == len(tasks):
                related = overlap([[name for (of, _), name in clusters.items() if of == task] for task in measured])
                numbers = macro_over(list(measured.values()), related)
                yield from self.write(MACRO, domain, numbers | self.measure_group([paired[task] for task in tasks], numbers))

    def measure(self, paired: Paired) -> Measured:
        greedy = repeats_draws(self.run)
        found = measure_curve(paired, self.ks, self.level, greedy)
        found |= measure_spending(paired, self.level) | measure_escape(paired, self.level)
        return found | (measure_frontier(paired, self.run.n_samples, self.level, greedy) if self.frontier else {})

    def measure_group(self, group: Sequence[Paired], numbers: Measured) -> Measured:
        """What is chosen over all tasks of the group together, and so is no mean of the tasks' own numbers."""
        greedy = repeats_draws(self.run)
        return measure_choices(group, self.level, greedy) | mark_frontier(numbers, self.price)

    def write(self, task: str, domain: Domain, measured: Measured) -> Iterator[Row]:
        for place, (interval, n_questions, p_value) in measured.items():
            names = (self.label, self.run.model, task, domain, place.metric, place.budget, place.against, place.k, place.part)
            numbers = (interval.value, interval.low, interval.high, p_value, math.nan)
            about = (n_questions, self.run.n_samples, interval.method)
            yield dict(zip(SWEEP_COLUMNS, (*names, *numbers, *about), strict=True))


def _with_holm(rows: list[Row]) -> list[Row]:
    """The rows with p_holm for the family of all steps between neighbouring budgets in tokens."""
    family = [
        row
        for row in rows
        if row["metric"] == "step"
        and row["task"] != MACRO
        and share_of(row["budget"]) is None
        and not math.isnan(row["p_value"])
    ]
    for row, adjusted in zip(family, holm([row["p_value"] for row in family]), strict=True):
        row["p_holm"] = adjusted
    return rows
