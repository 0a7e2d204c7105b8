"""The figures of the curves: means by verdict, thinking against none, single trajectories, AUROCs, and budgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from raml_eval.budgets import OFF
from raml_eval.diagnostics.curves.averages import BOTH, GRID, MeanCurve, lacking
from raml_eval.diagnostics.curves.drawn import VERDICTS, Drawn
from raml_eval.diagnostics.curves.shape import smoothed
from raml_eval.diagnostics.panels import MOST_PANELS, from_zero, labelled, panels, say, short_label
from raml_eval.drawing import COLOURS, FAINT, new_figure, plain_label, style_of
from raml_eval.types import Status
from raml_eval.wording import count_noun

SHARE = "share of the thinking (%)"
NATS = "NLL of the gold (nats per token)"
ONCE = "measured right after the prompt"
SMOOTHED_ABOVE = 1000  # tokens of a thinking from which on the line of a single trajectory is the moving average
_NAMES = {Status.CORRECT: 0, Status.INCORRECT: 1}
_WIDTHS, _OPACITIES = (4.0, 1.3), (0.45, 1.0)  # of the lines of single trajectories, correct and incorrect
_MOST_LABELS = 6  # budgets whose names have room side by side


def draw_means(drawn: Sequence[Drawn], curves: Sequence[MeanCurve], tasks: Sequence[str], prompt: str) -> Any:
    """A panel for each task: the mean curve of the correct and of the incorrect trajectories, with bands.

    Where at least half of the trajectories have one position, there is a mark in place of a curve.
    """
    still = rarely_moving(drawn)
    with panels(tasks, SHARE, NATS) as (figure, places):
        for task, axes in places:
            own = {one.group: one for one in curves if (one.task, one.prompt) == (task, prompt)}
            for status, number in _NAMES.items():
                if str(status) in own:
                    _draw_mean(axes, own[str(status)], number, str(status), still)
            counts = [f"{own[status].n_trajectories if status in own else 0:,} {status}" for status in map(str, _NAMES)]
            axes.set_title(f"{short_label(task)}\n{', '.join(counts)}", fontsize=9)
            if axes.has_data():
                from_zero(axes)
            else:
                say(axes, "no graded sample" if own else "no thinking")
    return figure


def draw_within(drawn: Sequence[Drawn], curves: Sequence[MeanCurve], tasks: Sequence[str], prompt: str) -> Any:
    """As draw_means, of the questions that have both verdicts, each of which counts once."""
    within = [(one.group.partition(",")[0], one) for one in curves if one.group.endswith(BOTH)]
    still = rarely_moving(drawn)
    with panels(tasks, SHARE, NATS) as (figure, places):
        for task, axes in places:
            own = {group: one for group, one in within if (one.task, one.prompt) == (task, prompt)}
            for status, number in _NAMES.items():
                if str(status) in own:
                    _draw_mean(axes, own[str(status)], number, str(status), still)
            n = next((one.n_questions for one in own.values()), 0)
            axes.set_title(f"{short_label(task)}\n{count_noun(n, 'question')}", fontsize=9)
            if own:
                from_zero(axes)
            else:
                say(axes, lacking(_of(drawn, task, prompt)))
    return figure


def draw_off(
    drawn: Sequence[Drawn], curves: Sequence[MeanCurve], tasks: Sequence[str], prompt: str, differing: Mapping[str, str]
) -> Any:
    """A panel for each task: the mean curve of all thinking, and that of the answers without thinking.

    Where at least half of these reason nothing, and so have one position, there is a mark with its interval in place of their
    curve. differing has a task whose two curves ask in other words.
    """
    still = rarely_moving(drawn)
    with panels(tasks, "share of what was drawn (%)", NATS) as (figure, places):
        for task, axes in places:
            for number, (label, of) in enumerate((("thinking", prompt), ("without thinking", OFF))):
                for one in curves:
                    if (one.task, one.prompt, one.group) == (task, of, "all"):
                        _draw_mean(axes, one, number, label, still)
            missing = [name for name, of in (("thinking", prompt), ("answer without thinking", OFF))
                       if not any((one.task, one.prompt) == (task, of) for one in curves)]  # fmt: skip
            told = [*(f"no {name}" for name in missing), *(["asked in different words"] if task in differing else [])]
            axes.set_title("\n".join([short_label(task), *([", ".join(told)] if told else [])]), fontsize=9)
            if axes.has_data():
                from_zero(axes)
            else:
                say(axes, ", ".join(told))
    return figure


def draw_trajectories(drawn: Sequence[Drawn], tasks: Sequence[str], prompt: str) -> Any:
    """A panel for each task: up to two correct and two incorrect trajectories of one question, the first that has both.

    The faint points are the measured values, the line is the paper's moving average if a thinking is longer than
    SMOOTHED_ABOVE tokens, and the values themselves otherwise. Lines of correct ones are wide and pale, those of incorrect
    ones narrow and drawn over them, so that both are seen where the trajectories begin alike. A large mark ends each.
    """
    with panels(tasks, "thinking tokens", NATS) as (figure, places):
        for task, axes in places:
            own = _of(drawn, task, prompt)
            shown = _example(own)
            for status, number in _NAMES.items():
                colour, (line, marker) = style_of(number)
                for place, one in enumerate([one for one in shown if one.status is status][:2]):
                    at, values = one.curve.positions, one.mean_nll
                    average = smoothed(at, values) if one.length > SMOOTHED_ABOVE else values
                    axes.plot(at, values, marker, color=colour, markersize=2.5, alpha=0.35)
                    axes.plot(at, average, line, color=colour, linewidth=_WIDTHS[number], alpha=_OPACITIES[number],
                              label=None if place else str(status))  # fmt: skip
                    axes.plot(at[-1], average[-1], marker, color=colour, markersize=6.5, clip_on=False, zorder=3)
            question = f"\nquestion {short_label(shown[0].question_id)}" if shown else ""
            axes.set_title(f"{short_label(task)}{question}", fontsize=9)
            if shown:
                from_zero(axes)
            else:
                say(axes, lacking(own))
    return figure


def _of(drawn: Sequence[Drawn], task: str, prompt: str) -> list[Drawn]:
    return [one for one in drawn if (one.task, one.prompt) == (task, prompt)]


def _example(own: Sequence[Drawn]) -> list[Drawn]:
    by_question: dict[str, list[Drawn]] = {}
    for one in own:
        by_question.setdefault(one.question, []).append(one)
    return next((all_ for all_ in by_question.values() if {*VERDICTS} <= {one.status for one in all_}), [])


def draw_aurocs(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A row for each task and number: the AUROC within questions, and below it the pooled one, hollow, with their intervals.

    The means over tasks, which come last, have another mark. A task without any value within questions has one row, with the
    reason.
    """
    of_tasks = [row for row in rows if row["n_tasks"] == 1]
    tasks = list(dict.fromkeys(row["task"] for row in of_tasks))[:MOST_PANELS]
    blocks = [_rows_drawn([row for row in of_tasks if row["task"] == task]) for task in tasks]
    blocks.append([row for row in rows if row["n_tasks"] > 1])
    with new_figure(7.2, 1.0 + 0.26 * max(sum(map(len, blocks)) + len(blocks), 4)) as figure:
        axes = figure.subplots()
        places: list[float] = []
        labels: list[str] = []
        at = 0.0
        for block in blocks:
            for row in block:
                _draw_auroc(axes, row, at)
                places.append(at)
                labels.append(short_label(row["task"]) + ("" if row["within"] is None else f": {row['number']}"))
                at += 1
            at += 0.6
        axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
        axes.set_yticks(places, labels)
        axes.set_ylim(at - 0.6, -0.8)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("AUROC, correct against incorrect")
        axes.grid(axis="x", linewidth=0.5, alpha=0.4)
        axes.spines[["top", "right"]].set_visible(False)
        handles = labelled([axes])
        figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=3, frameon=False)
        return figure


def _rows_drawn(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The rows of a task that have a value within questions; if none has, the first, which says why."""
    return [row for row in rows if row["within"] is not None] or rows[:1]


def _draw_auroc(axes: Any, row: Mapping[str, Any], at: float) -> None:
    """A row's marks at that height, or why it has none. The pooled mark lies lower, so that neither hides the other."""
    if row["within"] is None:
        axes.text(0.02, at, plain_label(row["remark"]), va="center", fontsize=8, color=FAINT)
        return
    mean = row["n_tasks"] > 1
    colour, marker = (COLOURS[1], "s") if mean else (COLOURS[0], "o")
    axes.plot([_end(row, "within", end) for end in ("low", "high")], [at, at], color=colour, linewidth=1.6)
    label = "mean of tasks, 95 %" if mean else "within questions, 95 %"
    axes.plot(row["within"], at, marker, color=colour, markersize=5, label=label, clip_on=False)
    if row["pooled"] is not None:
        lower = at + 0.32
        axes.plot([_end(row, "pooled", end) for end in ("low", "high")], [lower, lower], color=FAINT, linewidth=1)
        axes.plot(row["pooled"], lower, "D", color=FAINT, markerfacecolor="none", markersize=4,
                  label="pooled, confounded by difficulty", clip_on=False)  # fmt: skip


def draw_budgets(rows: Sequence[Mapping[str, Any]], tasks: Sequence[str]) -> Any:
    """A panel for each task: the gold's mean probability where each budget ends, beside the budget's accuracy."""
    with panels(tasks, "thinking budget (tokens, not to scale)", "probability of the gold, accuracy (%)") as (figure, places):
        for task, axes in places:
            own = [row for row in rows if row["task"] == task]
            axes.set_title(short_label(task), fontsize=10)
            if not own:
                say(axes, "nothing was measured where a budget ends")
                continue
            for number, (name, label) in enumerate((("accuracy", "accuracy"), ("probability", "probability of the gold"))):
                colour, (line, marker) = style_of(number)
                at = [i + (number - 0.5) * 0.12 for i in range(len(own))]
                values = np.array([100 * row[name] for row in own])
                low, high = (np.array([100 * _end(row, name, end) for row in own]) for end in ("low", "high"))
                axes.errorbar(at, values, yerr=[np.maximum(values - low, 0), np.maximum(high - values, 0)], fmt=marker,
                              color=colour, capsize=2.5, markersize=4.5, elinewidth=1, label=label)  # fmt: skip
                joined = [i for i, row in enumerate(own) if row["budget"] != OFF]
                axes.plot([at[i] for i in joined], values[joined], line, color=colour, linewidth=1.3)
            axes.set_xticks(range(len(own)), [plain_label(str(row["budget"])) for row in own])
            if len(own) > _MOST_LABELS:
                axes.tick_params(axis="x", labelrotation=45)
            axes.set_ylim(-4, 104)
    return figure


def _end(row: Mapping[str, Any], name: str, end: str) -> float:
    """The end of an interval, or the value itself if there is none."""
    found = row[f"{name}_{end}"]
    return float(row[name] if found is None else found)


def rarely_moving(drawn: Sequence[Drawn]) -> set[tuple[str, str]]:
    """The tasks and prompts of which at least half of the trajectories have one position, so their mean curve says nothing."""
    n_all = Counter((one.task, one.prompt) for one in drawn)
    n_once = Counter((one.task, one.prompt) for one in drawn if not one.length)
    return {pair for pair, n in n_once.items() if 2 * n >= n_all[pair]}


def _draw_mean(axes: Any, curve: MeanCurve, number: int, label: str, still: Collection[tuple[str, str]]) -> None:
    """The mean curve with its band; where few trajectories have a second position, a mark with its interval at the first."""
    colour, (line, marker) = style_of(number)
    if (curve.task, curve.prompt) in still:
        axes.plot([0, 0], [curve.low[0], curve.high[0]], color=colour, linewidth=1.6, zorder=3)  # NaN ends draw nothing
        axes.plot(0, curve.mean[0], marker, color=colour, markersize=6, label=f"{label}, {ONCE}", zorder=3, clip_on=False)
        return
    axes.plot(100 * GRID, curve.mean, line, color=colour, linewidth=1.6, label=label)
    axes.fill_between(100 * GRID, np.maximum(curve.low, 0), curve.high, color=colour, alpha=0.15, linewidth=0)
