"""What many curves say together: mean curves with bands, levels by verdict, AUROCs, and agreement with the budgets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raml_eval.budgets import OFF, is_cap, sort_budgets
from raml_eval.diagnostics.curves.drawn import VERDICTS, Drawn
from raml_eval.diagnostics.curves.separation import Separation, pooled, within_questions
from raml_eval.diagnostics.curves.shape import resampled
from raml_eval.diagnostics.few import interval_columns, mean_with_enough
from raml_eval.intervals import macro_mean, mean_interval, paired_difference
from raml_eval.intervals.clusters import FloatArray
from raml_eval.types import Budget, Interval, Status

GRID = np.linspace(0.0, 1.0, 51)
# What a correct trajectory should have more of; the sign makes it so.
SCORES = {"half": -1.0, "final": -1.0, "area": -1.0, "slope": -1.0, "drop": 1.0}
BOTH = "questions with both verdicts"


@dataclass(frozen=True, slots=True)
class MeanCurve:
    """The mean of many curves on GRID, with a 95 % interval at each point of its own; NaN ends without one.

    Fewer than six clusters have none (few.if_enough), and none reaches below 0, but for a difference's.
    """

    task: str
    prompt: str
    group: str
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    n_trajectories: int
    n_questions: int


def groups(drawn: Iterable[Drawn]) -> Iterator[tuple[str, str, list[Drawn]]]:
    """The curves by task and prompt, in their order."""
    found: dict[tuple[str, str], list[Drawn]] = {}
    for one in drawn:
        found.setdefault((one.task, one.prompt), []).append(one)
    for (task, prompt), own in found.items():
        yield task, prompt, own


def mean_curves(drawn: Sequence[Drawn]) -> list[MeanCurve]:
    """For each task and prompt: all curves, the correct and the incorrect ones, and the two within questions that have both.

    The first three are means over trajectories, with intervals clustered by question. In questions that have both verdicts, the
    trajectories of one verdict are averaged first and each question counts once, so both curves are of the same questions;
    the group "incorrect - correct" there is the paired difference.
    """
    curves = []
    for task, prompt, own in groups(drawn):
        for name, members in [("all", own), *((str(v), [one for one in own if one.status is v]) for v in VERDICTS)]:
            if members:
                rows = np.array([resampled(one.curve.positions, one.mean_nll, GRID) for one in members])
                of = (task, prompt, name)
                curves.append(_band(of, rows, [one.cluster for one in members], len(members), _n_questions(members)))
        curves += _within(task, prompt, own)
    return curves


def _within(task: str, prompt: str, own: Sequence[Drawn]) -> list[MeanCurve]:
    by_question: dict[str, dict[Status, list[FloatArray]]] = {}
    cluster = {one.question: one.cluster for one in own}
    for one in own:
        row = resampled(one.curve.positions, one.mean_nll, GRID)
        by_question.setdefault(one.question, {}).setdefault(one.status, []).append(row)
    mixed = {name: rows for name, rows in by_question.items() if all(verdict in rows for verdict in VERDICTS)}
    if not mixed:
        return []
    n = sum(len(rows[verdict]) for rows in mixed.values() for verdict in VERDICTS)
    right, wrong = (np.array([np.mean(rows[verdict], axis=0) for rows in mixed.values()]) for verdict in VERDICTS)
    names = [cluster[name] for name in mixed]
    return [
        _band((task, prompt, f"{label}, {BOTH}"), rows, names, n, len(mixed), least)
        for label, rows, least in (
            (VERDICTS[0], right, 0.0),
            (VERDICTS[1], wrong, 0.0),
            ("incorrect - correct", wrong - right, -math.inf),
        )
    ]


def _band(
    of: tuple[str, str, str],
    rows: FloatArray,
    clusters: Sequence[str],
    n_trajectories: int,
    n_questions: int,
    least: float = 0.0,
) -> MeanCurve:
    """rows (N, grid) are the curves, each with its cluster; no interval reaches below least."""
    found = [mean_with_enough(column, clusters, least=least) for column in rows.T]
    ends = np.array([(point.value, point.low, point.high) for point in found])
    return MeanCurve(*of, ends[:, 0], ends[:, 1], ends[:, 2], n_trajectories, n_questions)


def level_rows(drawn: Sequence[Drawn]) -> list[dict[str, Any]]:
    """One row for each task, prompt and verdict: the means over trajectories of every number, with clustered intervals."""
    rows = []
    for task, prompt, own in groups(drawn):
        for status in VERDICTS:
            members = [one for one in own if one.status is status]
            if not members:
                continue
            row: dict[str, Any] = {"task": task, "prompt": prompt, "verdict": str(status)}
            row |= {"n_trajectories": len(members), "n_questions": _n_questions(members)}
            row["n_tokens"] = float(np.mean([one.length for one in members]))
            for name in ("start", "final", "drop", "slope", "area", "commitments", "reversals"):
                values = [(float(getattr(one.shape, name)), one.cluster) for one in members]
                row |= _mean(name, values, None, -math.inf if name in ("drop", "slope") else 0.0)
            decided = [(float(one.shape.decided_at is not None), one.cluster) for one in members]
            row |= _mean("decided", decided, (0.0, 1.0))
            shares = [(one.shape.decided_at or 0) / max(one.length, 1) for one in members if one.shape.decided_at is not None]
            row["decided_share"] = float(np.median(shares)) if shares else None
            rows.append(row)
    return rows


def auroc_rows(drawn: Sequence[Drawn]) -> list[dict[str, Any]]:
    """One row for each task, prompt and number: how well it tells correct from incorrect, within questions and pooled.

    Only samples with a graded answer count. Where no curve has a second position, only the final value has a row. A prompt
    that several tasks have gets their mean, with the tasks fixed.
    """
    rows: list[dict[str, Any]] = []
    means: dict[tuple[str, str], list[Separation]] = {}
    for task, prompt, everyone in groups(drawn):
        own = [one for one in everyone if one.status in VERDICTS]
        correct = [one.status is Status.CORRECT for one in own]
        if not any(correct) or all(correct):
            continue
        moves = any(one.length for one in own)
        for name, sign in SCORES.items() if moves else [("final", SCORES["final"])]:
            scores = np.array([sign * getattr(one.shape, name) for one in own])
            within = within_questions(scores, correct, [one.question for one in own], [one.cluster for one in own])
            overall = pooled(scores, correct, [one.cluster for one in own])
            rows.append(_auroc_row(task, prompt, name, within, overall, len(own)))
            means.setdefault((prompt, name), []).append(within)
    for (prompt, name), found in means.items():
        if len(found) > 1:
            together = macro_mean([one.interval for one in found])
            told = Separation(together, sum(one.n_questions for one in found), sum(one.n_pairs for one in found))
            rows.append(_auroc_row(f"mean of {len(found)} tasks", prompt, name, told, None, None))
    return rows


def _auroc_row(
    task: str, prompt: str, number: str, within: Separation, overall: Separation | None, n: int | None
) -> dict[str, Any]:
    nothing = Interval(math.nan, math.nan, math.nan)
    return {
        "task": task, "prompt": prompt, "number": number, **interval_columns("within", within.interval),
        "n_questions": within.n_questions, "n_pairs": within.n_pairs,
        **interval_columns("pooled", nothing if overall is None else overall.interval), "n_trajectories": n,
    }  # fmt: skip


def budget_rows(drawn: Sequence[Drawn]) -> list[dict[str, Any]]:
    """One row for each task and budget: the mean probability of the gold where the budget ends, and the budget's accuracy.

    difference is accuracy - probability, paired by sample. within is the AUROC of the probability for the verdicts at this
    budget, within questions.
    """
    rows = []
    for task in dict.fromkeys(one.task for one in drawn):
        for budget, read in _by_budget([one for one in drawn if one.task == task]).items():
            clusters = [one.cluster for one, _, _ in read]
            p = [math.exp(-one.nll(at)) for one, at, _ in read]
            right = [float(correct) for _, _, correct in read]
            difference = paired_difference(p, right, clusters)
            row: dict[str, Any] = {"task": task, "budget": str(budget), "n_samples": len(read)}
            row |= interval_columns("probability", mean_interval(p, clusters)) | interval_columns(
                "accuracy", mean_interval(right, clusters)
            )
            row |= interval_columns(
                "difference", Interval(difference.value, difference.low, difference.high, difference.method)
            )
            scores = [-one.nll(at) for one, at, _ in read]
            within = within_questions(scores, [correct for *_, correct in read], [one.question for one, _, _ in read], clusters)
            rows.append(row | interval_columns("within", within.interval) | {"n_questions": within.n_questions})
    return rows


def calibration_rows(drawn: Sequence[Drawn], n_bins: int = 10) -> list[dict[str, Any]]:
    """One row for each task and tenth of the gold's probability: how many samples at finite budgets, and how many correct."""
    rows = []
    for task in dict.fromkeys(one.task for one in drawn):
        read = [
            (math.exp(-one.nll(at)), float(correct), one.cluster)
            for budget, own in _by_budget([one for one in drawn if one.task == task]).items()
            if isinstance(budget, int)
            for one, at, correct in own
        ]
        for number in range(n_bins):
            low, high = number / n_bins, (number + 1) / n_bins
            members = [one for one in read if low <= one[0] < high or (one[0] == high == 1.0)]
            if members:
                row: dict[str, Any] = {"task": task, "bin": f"{low:.1f} to {high:.1f}", "n_samples": len(members)}
                row["probability"] = float(np.mean([p for p, _, _ in members]))
                rows.append(row | _mean("accuracy", [(right, cluster) for _, right, cluster in members], (0.0, 1.0)))
    return rows


def _by_budget(drawn: Sequence[Drawn]) -> dict[Budget, list[tuple[Drawn, int, bool]]]:
    """What each budget read: the curve, the position and the verdict, in the order that tables have. off is the bare prompt."""
    found: dict[Budget, list[tuple[Drawn, int, bool]]] = {}
    for one in drawn:
        for budget, at, correct in one.read:
            if (budget == OFF or is_cap(budget)) and at in one.curve.positions:
                found.setdefault(budget, []).append((one, at, correct))
    return {budget: found[budget] for budget in sort_budgets(found)}


def _mean(
    name: str, values: Sequence[tuple[float, str]], bounds: tuple[float, float] | None, least: float = -math.inf
) -> dict[str, Any]:
    """The mean of what is known; no curve and no count is below 0, so their intervals have a least end."""
    known = [(value, cluster) for value, cluster in values if not math.isnan(value)]
    clusters = [cluster for _, cluster in known]
    return interval_columns(name, mean_with_enough([value for value, _ in known], clusters, bounds, least))


def _n_questions(members: Sequence[Drawn]) -> int:
    return len({one.question for one in members})
