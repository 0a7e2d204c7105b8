"""The figures of `diagnose statistics`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from raml_eval.diagnostics.by_question import groups_in_order
from raml_eval.diagnostics.panels import COLOUR_OF, MOST_PANELS, grid_of, is_first, is_lowest, labelled, split
from raml_eval.diagnostics.section import SectionFigure, SectionTable
from raml_eval.diagnostics.summary import in_words
from raml_eval.drawing import COLOURS, FAINT, label_log_axis, new_figure, plain_label
from raml_eval.types import Status

if TYPE_CHECKING:
    import pandas as pd

LEAST_OF_BOX = 5  # thinkings; percentiles of fewer would be drawn between them, where none is
MOST_GROUPS = 24  # rows of a figure; more tasks could not be read
# Beside its colour each verdict has dashes, hatching and a mark, so that grey paper tells them apart, too.
LINE_OF = dict(zip(map(str, Status), ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))), strict=True))
HATCH_OF = dict(zip(map(str, Status), ("", "///", "...", "xxx", "---"), strict=True))
MARK_OF = dict(zip(map(str, Status), ("o", "s", "^", "D", "v"), strict=True))
SINGLE = f". Where fewer than {LEAST_OF_BOX} thinkings of a task have a verdict, each has a mark, and there is no box"


def draw_lengths(subjects: pd.DataFrame) -> SectionFigure:
    """Boxes of the lengths by verdict, a row for each task; a mark stands at each median, so that no box is too narrow.

    Of fewer than LEAST_OF_BOX thinkings, each has a mark and there is no box.
    """
    every = list(groups_in_order(subjects))
    groups = every[:MOST_GROUPS]
    present = [str(status) for status in Status if (subjects["verdict"] == str(status)).any()]
    with new_figure(7.2, 1.4 + max(0.9, 0.22 * len(present)) * len(groups)) as figure:
        axes = figure.subplots()
        least, has_single = math.inf, False
        for row, group in enumerate(groups):
            of_group = subjects[subjects["group"] == group]
            for at, verdict in enumerate(present):
                lengths = of_group.loc[of_group["verdict"] == verdict, "length"].to_numpy()
                if not len(lengths):
                    continue
                place = row + (at - (len(present) - 1) / 2) * 0.8 / len(present)
                if len(lengths) < LEAST_OF_BOX:
                    has_single = True
                    _mark(axes, lengths, place, verdict)
                    least = min(least, float(lengths.min()))
                else:
                    least = min(least, _draw_box(axes, lengths, place, 0.7 / len(present), verdict))
        _name_rows(axes, groups)
        is_log = least > 0
        if is_log:
            label_log_axis(axes, most=8)
        else:
            axes.set_xlim(0, max(1.0, axes.get_xlim()[1]))
        unit = " or ".join(dict.fromkeys(subjects["unit"]))
        axes.set_xlabel(f"length of the thinking ({unit}{', log scale' if is_log else ''})")
        from matplotlib.patches import Patch

        marks = [
            Patch(facecolor=COLOUR_OF[verdict], hatch=HATCH_OF[verdict], edgecolor="black", alpha=0.75, label=in_words(verdict))
            for verdict in present
        ]
        figure.legend(handles=marks, loc="outside upper center", ncols=5, frameon=False)
    about = (
        "Boxes hold the middle half of the thinkings with each verdict, lines reach from the 5th to the 95th percentile, and a "
        f"mark stands at the median{SINGLE if has_single else ''}{_tell_more(every, MOST_GROUPS)}"
    )
    return SectionFigure("lengths", "Length of the thinking by verdict", about, figure)


def _draw_box(axes: Any, lengths: Any, place: float, width: float, verdict: str) -> float:
    """Draws one box, and returns where its lower line ends."""
    low, first, middle, third, high = np.quantile(lengths, [0.05, 0.25, 0.5, 0.75, 0.95])
    box = {"med": middle, "q1": first, "q3": third, "whislo": low, "whishi": high}
    drawn = axes.bxp(
        [box], positions=[place], widths=width, orientation="horizontal", showfliers=False, patch_artist=True,
        medianprops={"color": "black"}, manage_ticks=False,
    )  # fmt: skip
    drawn["boxes"][0].set(facecolor=COLOUR_OF[verdict], hatch=HATCH_OF[verdict], alpha=0.75)
    _mark(axes, [middle], place, verdict)
    return float(low)


def _mark(axes: Any, lengths: Any, place: float, verdict: str) -> None:
    look = {"color": COLOUR_OF[verdict], "markeredgecolor": "black", "markersize": 7, "zorder": 4}
    axes.plot(lengths, [place] * len(lengths), MARK_OF[verdict], **look)


def draw_within(table: SectionTable) -> SectionFigure | None:
    """How often a correct thinking is the longer one, within questions and pooled; None without a question with both."""
    every = [row for row in table.rows if row["of"] == "all" and row["auroc"] is not None]
    rows = every[:MOST_GROUPS]
    if not rows:
        return None
    with new_figure(7.2, 1.5 + 0.5 * len(rows)) as figure:
        axes = figure.subplots()
        axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
        places = np.arange(len(rows), dtype=float)
        values = np.array([row["auroc"] for row in rows], dtype=float)
        lows, highs = (np.array([_or_nan(row[f"auroc_{end}"]) for row in rows]) for end in ("low", "high"))
        reach = [np.nan_to_num(np.maximum(values - lows, 0)), np.nan_to_num(np.maximum(highs - values, 0))]
        within = "within questions, with 95 % interval"
        axes.errorbar(values, places - 0.12, xerr=reach, fmt="o", color=COLOURS[2], capsize=3, label=within)
        pooled = [_or_nan(row["pooled_auroc"]) for row in rows]
        axes.plot(pooled, places + 0.18, "x", color=FAINT, label="over all questions at once (confounded)")
        _name_rows(axes, [str(row["task"]) for row in rows])
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("chance that a correct thinking is longer than one that is not (0.5: no association)")
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
    about = (
        "Left of the dotted line, the correct thinkings of a question are shorter than those that are not correct: incorrect, "
        "unfinished or without an answer. A cross compares thinkings of "
        f"different questions, so it shows their difficulty too{_tell_more([str(row['task']) for row in every], MOST_GROUPS)}"
    )
    return SectionFigure("within", "Length against correctness", about, figure)


def draw_gold(subjects: pd.DataFrame) -> SectionFigure | None:
    """The share of thinkings that have named the gold by each point, by verdict, a panel for each task.

    None if none was looked for; a task of which none was looked for says why in its panel.
    """
    looked = subjects[subjects["gold_in_question"].notna()]
    fresh = looked[~looked["gold_in_question"].astype(bool)]
    if not len(fresh):
        return None
    every = list(groups_in_order(subjects))
    groups = every[:MOST_PANELS]
    with new_figure(7.2, 0.9 + 2.6 * grid_of(len(groups))[1]) as figure:
        panels = split(figure, len(groups))
        for place, (axes, group) in enumerate(zip(panels, groups, strict=True)):
            n_looked = int((looked["group"] == group).sum())
            why = "the question's own text\nholds the gold" if n_looked else "no question has a gold\nthat is one text"
            _draw_named(axes, group, fresh[fresh["group"] == group], why)
            if is_lowest(place, len(groups)):
                axes.set_xlabel("share of the thinking (%)")
            if is_first(place):
                axes.set_ylabel("thinkings that have\nnamed the gold (%)")
        handles = labelled(panels)
        names = [in_words(str(status)) for status in Status if in_words(str(status)) in handles]
        figure.legend([handles[name] for name in names], names, loc="outside upper center", ncols=5, frameon=False)
    about = (
        "By each point of a thinking, the share that has named the gold as the task spells it. It is looked for only in "
        "thinkings about questions whose text does not hold it. Below a task stands how many of these have each verdict"
        f"{_tell_more(every, MOST_PANELS)}"
    )
    return SectionFigure("gold", "Where the gold first stands", about, figure)


def _draw_named(axes: Any, group: str, fresh: pd.DataFrame, why_none: str) -> None:
    """One panel of draw_gold. fresh are the thinkings that were looked through; without any, why_none stands there."""
    axes.set(xlim=(0, 100), ylim=(-3, 103))
    axes.grid(linewidth=0.5, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    counts = []
    for n, verdict in enumerate(map(str, Status)):
        chosen = fresh.loc[fresh["verdict"] == verdict, "gold_at_share"]
        if len(chosen):
            places = np.sort(100 * chosen.dropna().to_numpy(dtype=float))
            heights = 100 * np.arange(1, len(places) + 1) / len(chosen)
            points, levels = _thinned(np.r_[0, places, 100], np.r_[0, heights, heights[-1:] if len(places) else [0]])
            look = {"linestyle": LINE_OF[verdict], "color": COLOUR_OF[verdict], "linewidth": 2.6 - 0.4 * n}
            axes.step(points, levels, where="post", label=in_words(verdict), **look)
            counts.append(f"{len(chosen):,} {in_words(verdict)}")
    if not counts:
        axes.text(50, 50, why_none, ha="center", va="center", color=FAINT)
    axes.set_title(plain_label(group[:40]) + (f"\n{', '.join(counts)}" if counts else ""), fontsize=9)


def figures_of(subjects: pd.DataFrame, within: SectionTable) -> Iterator[SectionFigure]:
    """Every figure that the subjects can fill."""
    yield draw_lengths(subjects)
    yield from (one for one in (draw_within(within), draw_gold(subjects)) if one is not None)


def _name_rows(axes: Any, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [plain_label(name[:40]) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", linewidth=0.5, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)


def _tell_more(groups: Sequence[str], most: int) -> str:
    """How many of the tasks the figure shows, if it does not show them all."""
    return f". It shows the first {most} of {len(groups):,} tasks" if len(groups) > most else ""


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _thinned(points: Any, levels: Any, most: int = 500) -> tuple[Any, Any]:
    """At most so many steps, which no eye tells from all of them: a million would make a file of megabytes."""
    if len(points) <= most:
        return points, levels
    chosen = np.unique(np.linspace(0, len(points) - 1, most).round().astype(int))
    return points[chosen], levels[chosen]
