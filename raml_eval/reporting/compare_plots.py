"""Figures of a comparison: every tested difference with its verdict, and the difference of pass@k over k."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from raml_eval.comparison import FAMILIES, Comparison, Verdict
from raml_eval.drawing import COLOURS, plain_label, save_figure
from raml_eval.reporting.sections import TITLES

BLUE, RED, GREEN = COLOURS[0], COLOURS[1], COLOURS[2]
GREY = "#777777"
LOOKS = {  # colour and marker, so that the words are told apart without colours
    Verdict.BETTER: (BLUE, "^"),
    Verdict.WORSE: (RED, "v"),
    Verdict.EQUIVALENT: (GREEN, "s"),
    Verdict.INCONCLUSIVE: (GREY, "o"),
}


def plot_comparison(comparison: Comparison, folder: Path | str) -> list[Path]:
    """The folder holds each figure of the comparison as PNG and SVG; the paths are returned.

    compare_differences has every tested difference with the interval that its verdict is read from, and the margin as a band
    about 0. compare_pass_at_k has the difference of pass@k over k for each domain, with the band that holds at every k
    together; it is left out if there are no such curves. Equal comparisons give equal SVG files. Raises ConfigError if the
    folder cannot be written.

    Example: plot_comparison(compare_runs(load_run("runs/base"), load_run("runs/new")), "figures")
    """
    import matplotlib as mpl

    drawings = {"compare_differences": _draw_differences}
    if comparison.curves:
        drawings["compare_pass_at_k"] = _draw_curves
    out = []
    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "raml_eval", "axes.spines.top": False, "axes.spines.right": False}):
        for name, draw in drawings.items():
            figure = draw(comparison)
            out += [save_figure(figure, Path(folder) / f"{name}{ending}") for ending in (".png", ".svg")]
    return out


def _draw_differences(comparison: Comparison) -> Any:
    from matplotlib.figure import Figure

    cells = [cell for family in ("primary", *FAMILIES) for cell in comparison.family(family)]
    families = list(dict.fromkeys(cell.family for cell in cells))
    # Half a row of space before each family.
    places = [row + 0.6 * families.index(cell.family) for row, cell in enumerate(cells)]
    figure = Figure(figsize=(7.4, 1.1 + 0.27 * (places[-1] + 1)), layout="constrained")
    axes = figure.subplots()
    margin = 100 * comparison.margin
    axes.axvspan(-margin, margin, color=GREEN, alpha=0.12, linewidth=0)
    axes.axvline(0, color="black", linewidth=0.8)
    for place, cell in zip(places, cells, strict=True):
        colour, marker = LOOKS[cell.verdict]
        bold = "bold" if cell.family == "primary" else "normal"
        axes.plot(100 * cell.difference, place, marker, color=colour, markersize=5)
        if not math.isnan(cell.low):
            axes.plot([100 * cell.low, 100 * cell.high], [place, place], "-", color=colour, linewidth=1.4)
        axes.annotate(
            str(cell.verdict),
            (1.01, place),
            xycoords=("axes fraction", "data"),
            va="center",
            color=colour,
            fontweight=bold,
            annotation_clip=False,
        )
    axes.set_yticks(places, [plain_label(f"{cell.scope}, {cell.metric} at {cell.budget}") for cell in cells])
    for label, cell in zip(axes.get_yticklabels(), cells, strict=True):
        label.set_fontweight("bold" if cell.family == "primary" else "normal")
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.set_xlabel(plain_label(f"{comparison.new} - {comparison.base} (points); band: the margin of {margin:g}"))
    axes.grid(axis="x", linewidth=0.5, alpha=0.4)
    return figure


def _draw_curves(comparison: Comparison) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

    figure = Figure(figsize=(3.7 * len(comparison.curves) + 0.4, 3.1), layout="constrained")
    for axes, curve in zip(figure.subplots(1, len(comparison.curves), squeeze=False)[0], comparison.curves, strict=True):
        low, high = ([100 * end for end in ends] for ends in (curve.low, curve.high))
        axes.fill_between(curve.ks, low, high, color=BLUE, alpha=0.18, linewidth=0)
        axes.plot(curve.ks, [100 * value for value in curve.difference], "-o", color=BLUE, markersize=3.5)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_xscale("log", base=2)
        axes.set_xticks([k for k in curve.ks if k & (k - 1) == 0 or k == curve.ks[-1]])
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.minorticks_off()
        axes.set_title(f"{TITLES[curve.domain]}, budget {plain_label(curve.budget)}", fontsize=9)
        axes.set_xlabel("k (log scale)")
        axes.set_ylabel("pass@k, new - base (points)")
        axes.grid(axis="y", linewidth=0.5, alpha=0.4)
    return figure
