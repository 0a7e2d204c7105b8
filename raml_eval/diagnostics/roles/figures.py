"""The figures of the roles: changes beside their nulls, and endings compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raml_eval.diagnostics.curves.drawn import VERDICTS
from raml_eval.diagnostics.panels import COLOUR_OF, say
from raml_eval.diagnostics.roles.closings import OWN
from raml_eval.diagnostics.roles.thoughts import SHARES
from raml_eval.drawing import COLOURS, FAINT, STYLES, label_log_axis, new_figure, plain_label

_ALL = "x"  # the mark of all occurrences, with a null or without
_LONGEST = 34  # characters of a label


def draw_roles(rows: Sequence[Mapping[str, Any]], of_tasks: Sequence[Mapping[str, Any]] = ()) -> Any:
    """Left, the mean log change of each role with its interval, and its null's; right, the paper's relative change.

    rows are those of one task, or over all of several, whose own rows are of_tasks. Filled marks are the matched occurrences,
    and hollow ones below them their nulls; a stroke is the value of one task. A cross is the value of all occurrences; left it
    stands only where some are not matched.
    """
    roles = list(dict.fromkeys(row["role"] for row in rows))
    with new_figure(7.6, 1.8 + 0.55 * len(roles)) as figure:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.35, 1))
        for number, verdict in enumerate(map(str, VERDICTS)):
            colour, marker = COLOUR_OF[verdict], STYLES[number][1]
            for row in (row for row in of_tasks if row["verdict"] == verdict and row["role"] in roles):
                name = "matched_log_change" if row["n_matched"] else "log_change"
                _stroke(left, row, name, roles.index(row["role"]) + 0.4 * number - 0.28, colour)
            for row in (row for row in rows if row["verdict"] == verdict):
                at = roles.index(row["role"]) + 0.4 * number - 0.28
                _point(left, row, "matched_log_change", at, colour, marker, True)
                _point(left, row, "null_log_change", at + 0.14, colour, marker, False)
                if row["n_matched"] < row["n"]:
                    _point(left, row, "log_change", at - 0.14 if row["n_matched"] else at, colour, _ALL, True)
                for name, place, mark in (("relative", at, _ALL), ("null_relative", at + 0.14, marker)):
                    if row[name]:
                        right.plot(row[name], place, mark, color=colour, markerfacecolor="none", markersize=4.5)
            left.plot([], [], marker, color=colour, markersize=4.5, label=f"{verdict}, matched")
            left.plot([], [], marker, color=colour, markersize=4.5, markerfacecolor="none", label=f"{verdict}, null")
            left.plot([], [], _ALL, color=colour, markersize=4.5, label=f"{verdict}, all")
            if not number:
                _name_strokes(left, of_tasks)
        left.axvline(0, color="black", linewidth=0.8, linestyle=":")
        left.set_yticks(range(len(roles)), [_label(role) for role in roles])
        left.set_ylim(len(roles) - 0.4, -0.6)
        left.set_xlabel("NLL of the gold: mean of log(after) - log(before), 95 %", fontsize=9)
        right.set_xlabel("mean of |after - before| / before", fontsize=9)
        if right.lines:
            label_log_axis(right)
        else:
            say(right, "no change can be divided by what was before it")
        _plain(left, right)
        figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)  # a column for each verdict
    return figure


def draw_endings(rows: Sequence[Mapping[str, Any]], of_tasks: Sequence[Mapping[str, Any]] = ()) -> Any:
    """For each ending a mark at each share: its NLL minus that of the run's own closing, paired, with intervals.

    rows are those of one task, or over all of several, whose own rows are of_tasks: a stroke is the value in one task.
    """
    endings = [name for name in dict.fromkeys(row["ending"] for row in rows) if name != OWN]
    with new_figure(7.4, 1.3 + 0.5 * max(len(endings), 1)) as figure:
        axes = figure.subplots()
        for number, share in enumerate(SHARES):
            colour, marker = COLOURS[number], STYLES[number][1]
            for of, draw in ((of_tasks, _stroke), (rows, _filled)):
                for row in (row for row in of if row["share"] == share and row["ending"] in endings):
                    draw(axes, row, "against_own", endings.index(row["ending"]) + 0.18 * number - 0.27, colour, marker)
            axes.plot([], [], marker, color=colour, markersize=4.5, label=f"after {100 * share:.0f} %")
        _name_strokes(axes, of_tasks)
        axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
        axes.set_xlabel("NLL of the gold, minus that after the run's own closing (nats per token)")
        axes.set_yticks(range(len(endings)), [_label(name) for name in endings])
        axes.set_ylim(len(endings) - 0.4, -0.6)
        _plain(axes)
        figure.legend(loc="outside upper center", ncols=5, frameon=False)
    return figure


def _stroke(axes: Any, row: Mapping[str, Any], name: str, at: float, colour: str, marker: str = "") -> None:
    """The value of one task, if there is one."""
    if row[name] is not None:
        axes.plot(row[name], at, "|", color=colour, markersize=7, alpha=0.6)


def _name_strokes(axes: Any, of_tasks: Sequence[Mapping[str, Any]]) -> None:
    if of_tasks:
        axes.plot([], [], "|", color=FAINT, markersize=7, label="one task")


def _filled(axes: Any, row: Mapping[str, Any], name: str, at: float, colour: str, marker: str) -> None:
    _point(axes, row, name, at, colour, marker, True)


def _point(axes: Any, row: Mapping[str, Any], name: str, at: float, colour: str, marker: str, filled: bool) -> None:
    """A mark with its interval, if there is a value."""
    if row[name] is None:
        return
    if row[f"{name}_low"] is not None:
        axes.plot([row[f"{name}_low"], row[f"{name}_high"]], [at, at], color=colour, linewidth=1.4 if filled else 0.8)
    axes.plot(row[name], at, marker, color=colour, markerfacecolor=colour if filled else "white", markersize=4.5)


def _label(text: str) -> str:
    return plain_label(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...")


def _plain(*all_axes: Any) -> None:
    for axes in all_axes:
        axes.grid(axis="x", linewidth=0.5, alpha=0.4)
        axes.spines[["top", "right"]].set_visible(False)
