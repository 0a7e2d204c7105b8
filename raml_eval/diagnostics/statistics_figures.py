"""The figures of `diagnose statistics`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from raml_eval.diagnostics.by_question import groups_in_order
from raml_eval.diagnostics.section import SectionFigure, SectionTable
from raml_eval.drawing import COLOURS, label_log_axis, new_figure, plain_label
from raml_eval.types import Status

if TYPE_CHECKING:
    import pandas as pd

MOST_GROUPS = 24  # in a figure; more tasks could not be read
LINE_OF = dict(zip(map(str, Status), ("-", "--", "-.", ":", "--"), strict=True))
COLOUR_OF = dict(zip(map(str, Status), (COLOURS[2], COLOURS[1], COLOURS[4], COLOURS[3], COLOURS[6]), strict=True))


def draw_lengths(subjects: pd.DataFrame) -> SectionFigure:
    """Boxes of the lengths by verdict, a row for each task."""
    groups = list(groups_in_order(subjects))[:MOST_GROUPS]
    present = [str(status) for status in Status if (subjects["verdict"] == str(status)).any()]
    boxes, places, colours = [], [], []
    for row, group in enumerate(groups):
        of_group = subjects[subjects["group"] == group]
        for at, verdict in enumerate(present):
            lengths = of_group.loc[of_group["verdict"] == verdict, "length"].to_numpy()
            if len(lengths):
                low, first, middle, third, high = np.quantile(lengths, [0.05, 0.25, 0.5, 0.75, 0.95])
                boxes.append({"med": middle, "q1": first, "q3": third, "whislo": low, "whishi": high})
                places.append(row + (at - (len(present) - 1) / 2) * 0.8 / len(present))
                colours.append(COLOUR_OF[verdict])
    with new_figure(7.2, 1.4 + max(0.9, 0.16 * len(present)) * len(groups)) as figure:
        axes = figure.subplots()
        drawn = axes.bxp(
            boxes, positions=places, widths=0.7 / len(present), orientation="horizontal", showfliers=False, patch_artist=True,
            medianprops={"color": "black"}, manage_ticks=False,
        )  # fmt: skip
        for box, colour in zip(drawn["boxes"], colours, strict=True):
            box.set(facecolor=colour, alpha=0.75)
        _name_rows(axes, groups)
        if min(box["whislo"] for box in boxes) > 0:
            label_log_axis(axes, most=8)
        axes.set_xlabel(f"length of the thinking ({' or '.join(dict.fromkeys(subjects['unit']))})")
        from matplotlib.patches import Patch

        marks = [Patch(facecolor=COLOUR_OF[verdict], alpha=0.75, label=verdict.replace("_", " ")) for verdict in present]
        figure.legend(handles=marks, loc="outside upper center", ncols=5, frameon=False)
    about = "Boxes hold the middle half of the thinkings with each verdict, lines reach from the 5th to the 95th percentile"
    return SectionFigure("lengths", "Length of the thinking by verdict", about, figure)


def draw_within(table: SectionTable) -> SectionFigure | None:
    """How often a correct thinking is the longer one, within questions and pooled; None without a question with both."""
    rows = [row for row in table.rows if row["of"] == "all" and row["auroc"] is not None][:MOST_GROUPS]
    if not rows:
        return None
    with new_figure(7.2, 1.5 + 0.45 * len(rows)) as figure:
        axes = figure.subplots()
        axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
        places = np.arange(len(rows), dtype=float)
        values = np.array([row["auroc"] for row in rows], dtype=float)
        lows, highs = (np.array([_or_nan(row[f"auroc_{end}"]) for row in rows]) for end in ("low", "high"))
        reach = [np.nan_to_num(np.maximum(values - lows, 0)), np.nan_to_num(np.maximum(highs - values, 0))]
        axes.errorbar(values, places, xerr=reach, fmt="o", color=COLOURS[0], capsize=3, label="within questions [95 %]")
        pooled = [_or_nan(row["pooled_auroc"]) for row in rows]
        axes.plot(pooled, places, "x", color=COLOURS[1], label="pooled over questions (confounded by difficulty)")
        _name_rows(axes, [str(row["task"]) for row in rows])
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("chance that a correct thinking is longer than one that is not")
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
    about = (
        "Left of the dotted line, the correct thinkings of a question are the shorter ones. A cross compares thinkings of "
        "different questions, so it shows their difficulty too"
    )
    return SectionFigure("within", "Length against correctness", about, figure)


def draw_gold(subjects: pd.DataFrame) -> SectionFigure | None:
    """The share of thinkings that have named the gold by each point, by verdict; None if none was looked for."""
    looked = subjects[subjects["gold_in_question"].notna()]
    fresh = looked[~looked["gold_in_question"].astype(bool)]
    if not len(fresh):
        return None
    with new_figure(7.2, 4.0) as figure:
        axes = figure.subplots()
        for verdict in map(str, Status):
            chosen = fresh.loc[fresh["verdict"] == verdict, "gold_at_share"]
            if len(chosen):
                places = np.sort(100 * chosen.dropna().to_numpy(dtype=float))
                heights = 100 * np.arange(1, len(places) + 1) / len(chosen)
                points, levels = _thinned(np.r_[0, places, 100], np.r_[0, heights, heights[-1:] if len(places) else [0]])
                label = f"{verdict.replace('_', ' ')} ({len(chosen)})"
                axes.step(points, levels, LINE_OF[verdict], where="post", color=COLOUR_OF[verdict], label=label)
        axes.set(xlim=(0, 100), ylim=(0, 102))
        axes.set_xlabel("share of the thinking (%)")
        axes.set_ylabel("thinkings that have named the gold (%)")
        axes.grid(linewidth=0.5, alpha=0.4)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
    about = "By each point of a thinking, the share that has named the gold, of questions whose text does not hold it"
    return SectionFigure("gold", "Where the gold first stands", about, figure)


def figures_of(subjects: pd.DataFrame, within: SectionTable) -> Iterator[SectionFigure]:
    """Every figure that the subjects can fill."""
    yield draw_lengths(subjects)
    yield from (one for one in (draw_within(within), draw_gold(subjects)) if one is not None)


def _name_rows(axes: Any, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [plain_label(name[:40]) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", linewidth=0.5, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _thinned(points: Any, levels: Any, most: int = 500) -> tuple[Any, Any]:
    """At most so many steps, which no eye tells from all of them: a million would make a file of megabytes."""
    if len(points) <= most:
        return points, levels
    chosen = np.unique(np.linspace(0, len(points) - 1, most).round().astype(int))
    return points[chosen], levels[chosen]
