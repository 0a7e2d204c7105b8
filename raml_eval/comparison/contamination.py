"""Signs that a model has seen a benchmark: scores that fall where its questions were changed, are new, or were made here.

Each contrast would be below 0 for a model that remembers questions. None is a test: fresh questions may be harder in a way that
separates two models, and a perturbed question may be harder than its original.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from raml_eval.comparison.pairs import Pairs, pair_runs
from raml_eval.errors import MetricError
from raml_eval.intervals import Part, paired_difference, pooled_difference
from raml_eval.intervals.means import MOVER
from raml_eval.tables import DOMAIN_MEANS, DOMAINS, budget_label, question_values
from raml_eval.tables.measures import AVERAGE
from raml_eval.types import Budget, Interval, StoredRun
from raml_eval.window import Window

PROCEDURAL = "reasoning_gym:"  # how the names of tasks begin whose rows are made when they are asked for


@dataclass(frozen=True, slots=True)
class Contrast:
    """The mean score on the questions of new less that on those of old, in one run and in it less the reference.

    scope names the tasks or the domain. own is NaN where the two sides hold different tasks, since a raw gap between tasks says
    nothing. against is the difference in differences. n_new and n_old count questions.
    """

    scope: str
    new: str
    old: str
    budget: str
    n_new: int
    n_old: int
    own: Interval
    against: Interval


def find_contrasts(run: StoredRun, reference: StoredRun, cutoff: str = "") -> list[Contrast]:
    """Every contrast that the run and the reference allow, at the largest budget that they share, by avg@n.

    Perturbed questions against their originals by cluster (for tasks with metadata.raml.perturbs); per domain, questions from
    the cutoff on against earlier ones (for tasks with dates), and procedural tasks against all others. Raises MetricError if
    the runs cannot be paired, or if they allow none.
    """
    pairs = pair_runs(reference, run)
    budget = pairs.budgets[-1]
    found = _perturbed(pairs, budget)
    for domain in DOMAINS:
        tasks = pairs.tasks(domain, budget)
        label = DOMAIN_MEANS[domain]
        if cutoff:
            fresh, old = (
                _parts(pairs, budget, {task: _dated(pairs, budget, task, window) for task in tasks})
                for window in (Window(after=cutoff), Window(before=cutoff))
            )
            found += _between(label, budget, (f"from {cutoff} on", fresh), (f"before {cutoff}", old))
        made = [task for task in tasks if task.startswith(PROCEDURAL)]
        every = {task: np.ones(len(pairs.cells[task, budget][1]), dtype=bool) for task in tasks}
        procedural = _parts(pairs, budget, {task: every[task] for task in made})
        published = _parts(pairs, budget, {task: every[task] for task in tasks if task not in made})
        found += _between(label, budget, ("procedural", procedural), ("published", published))
    if not found:
        apart = _apart(pairs, budget)
        raise MetricError(
            f"runs {run.name} and {reference.name} share nothing that tells of contamination: "
            + (apart or "no perturbed task beside its original")
            + ", no procedural beside published tasks of a domain"
            + (f", and no dated questions on both sides of {cutoff}." if cutoff else ", and no --cutoff was given.")
            + (" Run both models on more of the questions." if apart else " Run such tasks with both models.")
        )
    return found


def _apart(pairs: Pairs, budget: Budget) -> str:
    """The perturbed tasks that are beside their originals, but of whose questions none has its original; empty for none."""
    drawn = {task: len(pairs.cells[task, budget][1]) for task in pairs.tasks(budget=budget)}
    originals = {task: pairs.new.tasks[task].perturbs for task in drawn}
    return ", ".join(
        f"none of the {drawn[task]} questions of {task} changes one of the {drawn[original]} of {original}"
        for task, original in originals.items()
        if original in drawn
    )


def _perturbed(pairs: Pairs, budget: Budget) -> list[Contrast]:
    found = []
    tasks = pairs.tasks(budget=budget)
    for task in tasks:
        original = pairs.new.tasks[task].perturbs
        if original not in tasks:
            continue
        changed, kept = (_by_cluster(pairs, budget, name) for name in (task, original))
        common = sorted(changed.keys() & kept.keys())
        if not common:
            continue
        after, before = (np.array([side[name] for name in common]) for side in (changed, kept))  # (clusters, 2)
        own = paired_difference(before[:, 1], after[:, 1], common)
        against = paired_difference(before[:, 1] - before[:, 0], after[:, 1] - after[:, 0], common, bounds=(-1.0, 1.0))
        found.append(
            Contrast(
                f"{task}, {original}", "perturbed", "original", budget_label(budget), len(common), len(common),
                Interval(own.value, own.low, own.high, own.method),
                Interval(against.value, against.low, against.high, against.method),
            )
        )  # fmt: skip
    return found


def _by_cluster(pairs: Pairs, budget: Budget, task: str) -> dict[str, tuple[float, float]]:
    """The mean score of each of a task's clusters: in the reference, and in the run."""
    before, after = pairs.cells[task, budget]
    groups: dict[str, list[tuple[float, float]]] = {}
    values = zip(question_values(before, AVERAGE), question_values(after, AVERAGE), strict=True)
    for cluster, scores in zip(pairs.clusters_of(after), values, strict=True):
        groups.setdefault(cluster, []).append(scores)
    return {
        name: (math.fsum(a for a, _ in both) / len(both), math.fsum(b for _, b in both) / len(both))
        for name, both in groups.items()
    }


def _dated(pairs: Pairs, budget: Budget, task: str, window: Window) -> np.ndarray:
    """Which questions of a task surely lie in the window. One known by its month may lie on neither side of a day in it."""
    dates = [pairs.new.questions[q.task, q.question_id].date for q in pairs.cells[task, budget][1]]
    return np.array([window.holds(date) for date in dates], dtype=bool)


def _parts(pairs: Pairs, budget: Budget, chosen: Mapping[str, np.ndarray]) -> list[Part]:
    """The chosen questions of each task, for tasks with at least one."""
    parts = []
    for task, rows in chosen.items():
        if rows.any():
            whole = pairs.part(task, budget, AVERAGE)
            names = [name for name, kept in zip(whole.clusters, rows, strict=True) if kept]
            parts.append(Part(whole.base[rows], whole.new[rows], names))
    return parts


def _between(scope: str, budget: Budget, new: tuple[str, Sequence[Part]], old: tuple[str, Sequence[Part]]) -> list[Contrast]:
    """The difference in differences between two sets of tasks; none if one of them is empty."""
    if not (new[1] and old[1]):
        return []
    gains = [pooled_difference(parts, tested=False) for _, parts in (new, old)]
    here, there = gains
    value = here.value - there.value
    # Independent sides (MOVER, Zou and Donner 2008): each end moves by the root of the summed squares of both distances.
    low = value - math.hypot(here.value - here.low, there.high - there.value)
    high = value + math.hypot(here.high - here.value, there.value - there.low)
    nothing = Interval(math.nan, math.nan, math.nan)
    return [
        Contrast(
            scope, new[0], old[0], budget_label(budget), here.n_questions, there.n_questions, nothing,
            Interval(value, max(low, -2.0), min(high, 2.0), MOVER),
        )
    ]  # fmt: skip
