"""Figures of a sweep over thinking budgets: accuracy by budget, accuracy at equal tokens, and reasoning in the answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raml_eval.budgets import share_of
from raml_eval.drawing import plain_label, save_figure, style_of
from raml_eval.errors import MetricError
from raml_eval.reporting.panels import Panel, find_panels, label_axes, lay_out, pick, run_names
from raml_eval.tables.escape import DEPTHS

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (".png", ".svg")
Drawing = Callable[["pd.DataFrame", "list[Panel]"], Any]


def plot_sweep(frame: pd.DataFrame, folder: Path | str) -> list[Path]:
    """The folder holds each figure of the sweep as PNG and SVG; the paths are returned.

    sweep_curve has accuracy over budget with the forced and unfinished shares below; sweep_frontier accuracy over tokens, with
    the points that no other beats; sweep_escape the forced answers that go on reasoning, by depth of the cut; sweep_shares,
    if there are such budgets, accuracy over the share of each trajectory that was kept. In-domain stands beside cross-domain,
    then come the tasks; lines are runs. Equal frames give equal SVG files.
    Raises ConfigError if the folder cannot be written, MetricError for an empty frame.

    Example: plot_sweep(build_sweep([run]), "figures")
    """
    import matplotlib as mpl

    if frame.empty:
        raise MetricError("the frame has no sweep to plot. Give the frame of build_sweep for a run with samples.")
    panels = find_panels(frame)
    drawings: dict[str, Drawing] = {"sweep_curve": _draw_curve, "sweep_frontier": _draw_frontier}
    if (frame["metric"] == "forced_samples").any():
        drawings["sweep_escape"] = _draw_escape
    if any(share_of(label) is not None for label in set(frame["budget"])):
        drawings["sweep_shares"] = _draw_shares
    out = []
    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "raml_eval", "axes.spines.top": False, "axes.spines.right": False}):
        for name, draw in drawings.items():
            figure = draw(frame, panels)
            out += [save_figure(figure, Path(folder) / f"{name}{ending}") for ending in FORMATS]
    return out


def _axis(frame: pd.DataFrame) -> tuple[dict[str, float], list[float]]:
    """The place of each budget on a log2 axis. 0 and unlimited have none, so they stand one step beside its ends."""
    labels = set(frame[frame["metric"] == "forced_rate"]["budget"])
    sizes = sorted(int(label) for label in labels if label not in ("0", "unlimited"))
    places = {str(size): math.log2(size) for size in sizes}
    ends = (min(places.values(), default=0.0), max(places.values(), default=0.0))
    gap = max(1.0, (ends[1] - ends[0]) / 5)
    breaks = []
    if "0" in labels:
        places = {"0": ends[0] - gap, **places}
        breaks.append(ends[0] - gap / 2)
    if "unlimited" in labels:
        places["unlimited"] = ends[1] + gap
        breaks.append(ends[1] + gap / 2)
    return places, breaks


def _draw_curve(frame: pd.DataFrame, panels: Sequence[Panel]) -> Any:
    runs = run_names(frame)
    figure, rows = lay_out(panels, len(runs), heights=(3, 1))
    places, breaks = _axis(frame)
    for (above, below), panel in zip(rows, panels, strict=True):
        for number, run in enumerate(runs):
            colour, (line, marker) = style_of(number)
            shift = (number - (len(runs) - 1) / 2) * 0.08
            _interval_line(above, pick(frame, panel, run, "avg@n"), places, shift, run, colour, line, marker)
            for metric, style, name in (("forced_rate", "-", "forced"), ("unfinished_rate", ":", "unfinished")):
                own = pick(frame, panel, run, metric)
                shown = name if number == 0 else None
                below.plot(
                    [places[b] for b in own["budget"]], 100 * own["value"], style, color=colour, label=shown, linewidth=1.2
                )
                if metric == "forced_rate" and len(runs) == 1:
                    below.fill_between([places[b] for b in own["budget"]], 100 * own["value"], color=colour, alpha=0.15)
        above.set_title(panel.title, fontsize=9)
        above.set_ylim(-2, 102)
        above.tick_params(labelbottom=False)
        below.set_ylim(-4, 104)
        below.set_yticks([0, 50, 100])
        below.set_xticks(list(places.values()), _tick_labels(places))
        for axes in (above, below):
            axes.grid(axis="y", linewidth=0.5, alpha=0.4)
            for at in breaks:
                axes.axvline(at, color="0.75", linewidth=0.8, linestyle=(0, (1, 3)))
    label_axes(figure, rows, "thinking budget (tokens, log scale)", "avg@n (%)", "samples (%)")
    legend = rows[0][1].legend(frameon=False, fontsize=7, loc="best", handlelength=1.5)
    for handle in legend.get_lines():
        handle.set_color("0.3")  # the colours are those of the runs
    return figure


def _tick_labels(places: dict[str, float]) -> list[str]:
    """The budgets' labels in the order of places, without those that would overprint the one before."""
    least = (max(places.values()) - min(places.values())) / 9
    shown: dict[str, str] = {}
    last = -math.inf
    for label, at in sorted(places.items(), key=lambda item: item[1]):
        fits = at - last >= least or label == "unlimited"
        shown[label] = label.replace("unlimited", "no cap") if fits else ""
        last = at if fits else last
    return [shown[label] for label in places]


def _interval_line(
    axes: Any, own: pd.DataFrame, places: dict[str, float], shift: float, label: str, colour: str, line: str, marker: str
) -> None:

    own = own[own["budget"].isin(list(places)) & own["value"].notna()]
    at = [places[budget] + shift for budget in own["budget"]]
    values, ends = _values_and_ends(own)
    form = {"color": colour, "capsize": 2, "markersize": 4, "elinewidth": 0.9, "linewidth": 1.4, "label": plain_label(label)}
    axes.errorbar(at, values, yerr=ends, fmt=marker + line, **form)


def _values_and_ends(own: pd.DataFrame) -> tuple[Any, Any]:
    """The values in percent, and the lengths below and above them; 0 where there is no interval."""
    import numpy as np

    values = 100 * own["value"].to_numpy()
    below, above = values - 100 * own["low"].to_numpy(), 100 * own["high"].to_numpy() - values
    return values, np.nan_to_num(np.maximum([below, above], 0))  # matplotlib refuses a rounding error below 0


def _points(frame: pd.DataFrame, panel: Panel, run: str) -> pd.DataFrame:
    """maj@k of each number of samples at each budget, with its tokens and whether no other point beats it, by tokens."""
    points = pick(frame, panel, run, "maj@k")[["budget", "k", "value", "low", "high"]]
    for metric, name in (("tokens_per_question", "tokens"), ("on_frontier", "front")):
        own = pick(frame, panel, run, metric)[["budget", "k", "value"]].rename(columns={"value": name})
        points = points.merge(own, on=["budget", "k"])
    return points[points["tokens"] > 0].sort_values("tokens")


def _draw_frontier(frame: pd.DataFrame, panels: Sequence[Panel]) -> Any:
    runs = run_names(frame)
    figure, rows = lay_out(panels, len(runs))
    for (axes,), panel in zip(rows, panels, strict=True):
        for number, run in enumerate(runs):
            colour, (line, _) = style_of(number)
            points = _points(frame, panel, run)
            best = points[points["front"] == 1]
            drawn = points if len(runs) == 1 else best  # all points of several runs would cover one another
            axes.plot(drawn["tokens"], 100 * drawn["value"], "o", color=colour, markersize=3, alpha=0.5)
            for rank, (k, budget, tokens, value) in enumerate(
                zip(best["k"], best["budget"], best["tokens"], best["value"], strict=True)
            ):
                name = plain_label(f"{k} × {budget}".replace("unlimited", "no cap"))
                # Labels stay inside the panel, and neighbours stand on different sides of the line.
                left = rank == len(best) - 1 or (rank > 0 and (rank + number) % 2 == 0)
                place, side = ((-4, 4), "right") if left else ((4, -9), "left")
                form = {"textcoords": "offset points", "color": colour, "fontsize": 6, "ha": side}
                axes.annotate(name, (tokens, 100 * value), place, **form)
            at = [*best["tokens"], *points["tokens"].tail(1)]  # beyond its last point, the frontier goes on level
            heights = [*100 * best["value"], *100 * best["value"].tail(1)]
            axes.step(at, heights, line, where="post", color=colour, linewidth=1.4, label=plain_label(run))
            values, ends = _values_and_ends(best)
            axes.errorbar(best["tokens"], values, yerr=ends, fmt="none", color=colour, elinewidth=0.7, capsize=1.5, alpha=0.5)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_title(panel.title, fontsize=9)
        axes.set_ylim(-4, 106)
        axes.grid(linewidth=0.5, alpha=0.4)
    label_axes(figure, rows, "tokens per question, all samples (log scale)", "maj@k (%); k × budget", "")
    return figure


def _draw_escape(frame: pd.DataFrame, panels: Sequence[Panel]) -> Any:
    runs = run_names(frame)
    figure, rows = lay_out(panels, len(runs))
    rates = frame[(frame["metric"] == "escape_rate") & frame["part"].isin(list(DEPTHS))]
    top = 100 * max([0.2, *rates["value"].dropna(), *rates["high"].dropna()])
    for (axes,), panel in zip(rows, panels, strict=True):
        for number, run in enumerate(runs):
            colour, (_, marker) = style_of(number)
            own = pick(frame, panel, run, "escape_rate")
            own = own[own["part"].isin(list(DEPTHS))]
            at = [DEPTHS.index(part) + (number - (len(runs) - 1) / 2) * 0.12 for part in own["part"]]
            values, ends = _values_and_ends(own)
            axes.errorbar(
                at, values, yerr=ends, fmt=marker, color=colour, capsize=2, markersize=5, elinewidth=0.9, label=plain_label(run)
            )
        axes.set_xticks(range(len(DEPTHS)), [name.replace(" ", "\n") for name in DEPTHS])
        axes.set_xlim(-0.5, len(DEPTHS) - 0.5)
        axes.set_title(panel.title, fontsize=9)
        axes.set_ylim(-0.03 * top, 1.05 * top)
        axes.grid(axis="y", linewidth=0.5, alpha=0.4)
    label_axes(figure, rows, "share of the trajectory that was kept", "escape (%)", "")
    return figure


def _draw_shares(frame: pd.DataFrame, panels: Sequence[Panel]) -> Any:
    runs = run_names(frame)
    figure, rows = lay_out(panels, len(runs))
    shares = {label: share_of(label) for label in set(frame["budget"])}
    places = {label: share for label, share in shares.items() if share is not None}
    for (axes,), panel in zip(rows, panels, strict=True):
        for number, run in enumerate(runs):
            colour, (line, marker) = style_of(number)
            shift = (number - (len(runs) - 1) / 2) * 0.012
            _interval_line(axes, pick(frame, panel, run, "avg@n"), places, shift, run, colour, line, marker)
        axes.set_title(panel.title, fontsize=9)
        axes.set_xlim(-0.04, 1.04)
        axes.set_ylim(-2, 102)
        axes.grid(axis="y", linewidth=0.5, alpha=0.4)
    label_axes(figure, rows, "share of the trajectory that was kept", "avg@n (%)", "")
    return figure
