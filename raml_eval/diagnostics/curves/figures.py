"""The figures of the curves: means by verdict, thinking against none, single trajectories, AUROCs, and budgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from raml_eval.budgets import OFF
from raml_eval.diagnostics.curves.averages import BOTH, GRID, SCORES, MeanCurve
from raml_eval.diagnostics.curves.drawn import VERDICTS, Drawn
from raml_eval.diagnostics.curves.shape import smoothed
from raml_eval.drawing import COLOURS, new_figure, plain_label, style_of
from raml_eval.types import Status
from raml_eval.wording import count_noun

SHARE = "share of the thinking (%)"
NATS = "NLL of the gold (nats per token)"
MOST_PANELS = 12
_LONGEST = 32  # characters of a name in a figure
_NAMES = {Status.CORRECT: 0, Status.INCORRECT: 1}


def draw_means(curves: Sequence[MeanCurve], tasks: Sequence[str], prompt: str) -> Any:
    """A panel for each task: the mean curve of the correct and of the incorrect trajectories, with bands."""
    with _panels(tasks, SHARE, NATS) as (figure, places):
        for task, axes in places:
            counts: list[str] = []
            for status, number in _NAMES.items():
                own = [one for one in curves if (one.task, one.prompt, one.group) == (task, prompt, str(status))]
                for one in own:
                    _draw_band(axes, one, number, str(status))
                    counts.append(f"{one.n_trajectories:,} {status}")
            axes.set_title(f"{_short(task)}\n{', '.join(counts)}", fontsize=9)
            axes.set_ylim(bottom=0)
    return figure


def draw_within(curves: Sequence[MeanCurve], tasks: Sequence[str], prompt: str) -> Any:
    """As draw_means, of the questions that have both verdicts, each of which counts once."""
    within = [(one.group.partition(",")[0], one) for one in curves if one.group.endswith(BOTH)]
    with _panels(tasks, SHARE, NATS) as (figure, places):
        for task, axes in places:
            own = {group: one for group, one in within if (one.task, one.prompt) == (task, prompt)}
            for status, number in _NAMES.items():
                if str(status) in own:
                    _draw_band(axes, own[str(status)], number, str(status))
            n = next((one.n_questions for one in own.values()), 0)
            axes.set_title(f"{_short(task)}\n{count_noun(n, 'question')}", fontsize=9)
            axes.set_ylim(bottom=0)
    return figure


def draw_off(curves: Sequence[MeanCurve], tasks: Sequence[str], prompt: str) -> Any:
    """A panel for each task: the mean curve of all thinking, and that of the answers without thinking.

    A mean curve without thinking that never moves, because its answers reason nothing, is a level line.
    """
    with _panels(tasks, "share of what was drawn (%)", NATS) as (figure, places):
        for task, axes in places:
            for number, (label, of) in enumerate((("thinking", prompt), ("without thinking", OFF))):
                for one in curves:
                    if (one.task, one.prompt, one.group) == (task, of, "all"):
                        _draw_band(axes, one, number, label)
            axes.set_title(_short(task), fontsize=10)
            axes.set_ylim(bottom=0)
    return figure


def draw_trajectories(drawn: Sequence[Drawn], tasks: Sequence[str], prompt: str) -> Any:
    """A panel for each task: up to two correct and two incorrect trajectories of one question, the first that has both.

    The faint points are the measured values, the line is the paper's moving average if a thinking is longer than its memory of
    100 tokens, and the values themselves otherwise.
    """
    with _panels(tasks, "thinking tokens", NATS) as (figure, places):
        for task, axes in places:
            shown = _example([one for one in drawn if (one.task, one.prompt) == (task, prompt)])
            for status, number in _NAMES.items():
                colour, (line, marker) = style_of(number)
                for place, one in enumerate([one for one in shown if one.status is status][:2]):
                    at, values = one.curve.positions, one.mean_nll
                    average = smoothed(at, values) if one.length > 1000 else values
                    axes.plot(at, values, marker, color=colour, markersize=2.5, alpha=0.35)
                    axes.plot(at, average, line, color=colour, linewidth=1.4, label=None if place else str(status))
            question = shown[0].question_id if shown else "no question has both verdicts"
            axes.set_title(f"{_short(task)} {_short(question)}", fontsize=10)
            axes.set_ylim(bottom=0)
    return figure


def _example(own: Sequence[Drawn]) -> list[Drawn]:
    by_question: dict[str, list[Drawn]] = {}
    for one in own:
        by_question.setdefault(one.question, []).append(one)
    return next((all_ for all_ in by_question.values() if {*VERDICTS} <= {one.status for one in all_}), [])


def draw_aurocs(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A row for each task and number: the AUROC within questions with its interval, and the pooled one as a hollow mark."""
    shown = [row for row in rows if row["within"] is not None]
    tasks = list(dict.fromkeys(row["task"] for row in shown))[:MOST_PANELS]
    shown = [row for row in shown if row["task"] in tasks]
    with new_figure(7.2, 1.0 + 0.24 * max(len(shown) + len(tasks), 4)) as figure:
        axes = figure.subplots()
        places, labels, at = [], [], 0.0
        for task in tasks:
            for row in [row for row in shown if row["task"] == task]:
                colour = COLOURS[list(SCORES).index(row["number"]) % len(COLOURS)]
                ends = [_end(row, "within", end) for end in ("low", "high")]
                axes.plot(ends, [at, at], color=colour, linewidth=1.6)
                axes.plot(row["within"], at, "o", color=colour, markersize=5, label=None if at else "within questions, 95 %")
                if row["pooled"] is not None:
                    axes.plot(row["pooled"], at, "D", color="#777777", markerfacecolor="none", markersize=5,
                              label=None if at else "pooled, confounded by difficulty")  # fmt: skip
                places.append(at)
                labels.append(f"{_short(task)}: {row['number']}")
                at += 1
            at += 0.6
        axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
        axes.set_yticks(places, labels)
        axes.invert_yaxis()
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("AUROC, correct against incorrect")
        axes.grid(axis="x", linewidth=0.5, alpha=0.4)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
        return figure


def draw_budgets(rows: Sequence[Mapping[str, Any]], tasks: Sequence[str]) -> Any:
    """A panel for each task: the gold's mean probability where each budget ends, beside the budget's accuracy."""
    with _panels(tasks, "thinking budget (tokens, not to scale)", "probability of the gold, accuracy (%)") as (figure, places):
        for task, axes in places:
            own = [row for row in rows if row["task"] == task]
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
            axes.set_title(_short(task), fontsize=10)
            axes.set_ylim(-2, 102)
    return figure


def _short(name: str) -> str:
    """The name as a figure has room for it."""
    return plain_label(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…")


def _end(row: Mapping[str, Any], name: str, end: str) -> float:
    """The end of an interval, or the value itself if there is none."""
    found = row[f"{name}_{end}"]
    return float(row[name] if found is None else found)


def _draw_band(axes: Any, curve: MeanCurve, number: int, label: str) -> None:
    colour, (line, _) = style_of(number)
    axes.plot(100 * GRID, curve.mean, line, color=colour, linewidth=1.6, label=label)
    axes.fill_between(100 * GRID, np.maximum(curve.low, 0), curve.high, color=colour, alpha=0.15, linewidth=0)


@contextmanager
def _panels(tasks: Sequence[str], x: str, y: str) -> Iterator[tuple[Any, list[tuple[str, Any]]]]:
    """A figure with a panel for each of the first MOST_PANELS tasks; axes are labelled, with one legend, at the end."""
    shown = tasks[:MOST_PANELS]
    columns = min(len(shown), 2)
    n_rows = -(-len(shown) // columns)
    with new_figure(4.2 if columns == 1 else 7.4, 0.7 + 2.5 * n_rows) as figure:
        every = list(figure.subplots(n_rows, columns, squeeze=False).flat)
        yield figure, list(zip(shown, every, strict=False))
        handles: dict[str, Any] = {}
        for place, axes in enumerate(every):
            if place >= len(shown):
                axes.set_visible(False)
                continue
            axes.set_xlabel(x if place + columns >= len(shown) else "")
            axes.set_ylabel(y if place % columns == 0 else "", fontsize=9)
            axes.grid(axis="y", linewidth=0.5, alpha=0.4)
            axes.spines[["top", "right"]].set_visible(False)
            handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=3, frameon=False)
