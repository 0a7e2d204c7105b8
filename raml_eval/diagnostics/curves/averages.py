"""What many curves say together: mean curves with bands, levels by verdict, AUROCs, and agreement with the budgets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from raml_eval.wording import list_some

GRID = np.linspace(0.0, 1.0, 51)
# What a correct trajectory should have more of; the sign makes it so.
SCORES = {"half": -1.0, "final": -1.0, "area": -1.0, "slope": -1.0, "drop": 1.0}
UNMOVED = "no trajectory has a second position"
BOTH = "questions with both verdicts"
NOT_POOLED = Separation(Interval(math.nan, math.nan, math.nan, "not given: no pair is of two tasks"), 0, 0)  # of means of tasks


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


def lacking(own: Sequence[Drawn]) -> str:
    """Why no question of these curves tells correct from incorrect, in a few words; empty if one does."""
    by_question: dict[str, set[Status]] = {}
    for one in own:
        by_question.setdefault(one.question, set()).add(one.status)
    there = set().union(*by_question.values())
    missing = [status for status in VERDICTS if status not in there]
    if missing:
        return f"no {missing[0]} sample" if len(missing) < len(VERDICTS) else "no graded sample"
    return "" if any({*VERDICTS} <= statuses for statuses in by_question.values()) else "no question with both verdicts"


def auroc_rows(drawn: Sequence[Drawn]) -> list[dict[str, Any]]:
    """One row for each task, prompt and number: how well it tells correct from incorrect, within questions and pooled.

    Only samples with a graded answer count. Where no curve has a second position, only the final value has a row, without a
    value within questions. remark says why a row has none. Of a prompt that several tasks have, the means over tasks follow.
    """
    rows: list[dict[str, Any]] = []
    means: dict[str, dict[str, dict[str, Separation]]] = {}
    for task, prompt, everyone in groups(drawn):
        own = [one for one in everyone if one.status in VERDICTS]
        correct = [one.status is Status.CORRECT for one in own]
        found = means.setdefault(prompt, {}).setdefault(task, {})
        why = lacking(own)
        if not any(correct) or all(correct):
            rows.append(_auroc_row(task, prompt, "all", None, None, len(own), why))
            continue
        moves = any(one.length for one in own)
        for name, sign in SCORES.items() if moves else [("final", SCORES["final"])]:
            scores = np.array([sign * getattr(one.shape, name) for one in own])
            clusters, lengths = [one.cluster for one in own], [one.length for one in own]
            within = within_questions(scores, correct, [one.question for one in own], clusters, lengths)
            overall = pooled(scores, correct, clusters)
            lacks = "no question has this number for both verdicts" if moves else UNMOVED
            told = "" if within.n_questions else why or lacks
            rows.append(_auroc_row(task, prompt, name, within, overall, len(own), told))
            if within.n_questions:
                found[name] = within
    return rows + [row for prompt, by_task in means.items() for row in _mean_rows(prompt, by_task)]


def _mean_rows(prompt: str, by_task: Mapping[str, Mapping[str, Separation]]) -> Iterator[dict[str, Any]]:
    """The mean over tasks of each number, with the tasks fixed, where two tasks or more have it; remark names the others."""
    for name in SCORES:
        found = [own[name] for own in by_task.values() if name in own]
        if len(found) < 2:
            continue
        together = macro_mean([one.interval for one in found])
        if math.isnan(together.low):
            together = Interval(together.value, math.nan, math.nan, "no interval: a task has none")
        told = Separation(together, sum(one.n_questions for one in found), sum(one.n_pairs for one in found))
        without = [task for task, own in by_task.items() if name not in own]
        label = f"mean of {len(found)} of {len(by_task)} tasks" if without else f"mean of {len(found)} tasks"
        remark = f"without {list_some(without)}" if without else ""
        yield _auroc_row(label, prompt, name, told, NOT_POOLED, None, remark, len(found))


def _auroc_row(
    task: str,
    prompt: str,
    number: str,
    within: Separation | None,
    overall: Separation | None,
    n: int | None,
    remark: str,
    n_tasks: int = 1,
) -> dict[str, Any]:
    nothing = Separation(Interval(math.nan, math.nan, math.nan, f"no interval: {remark}"), 0, 0)
    within = within or nothing
    return {
        "task": task, "prompt": prompt, "number": number, **interval_columns("within", within.interval),
        "n_questions": within.n_questions, "n_pairs": within.n_pairs,
        **interval_columns("pooled", (overall or nothing).interval), "n_trajectories": n, "n_tasks": n_tasks, "remark": remark,
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
            questions, verdicts = [one.question for one, _, _ in read], [correct for *_, correct in read]
            within = within_questions(scores, verdicts, questions, clusters, [at for _, at, _ in read])
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
