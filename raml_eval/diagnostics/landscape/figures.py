"""Figures of a landscape: the plane from above with the path of the thinking, and the surface."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raml_eval.diagnostics.landscape.choices import Choices
from raml_eval.diagnostics.section import SectionFigure
from raml_eval.drawing import COLOURS, new_figure, plain_label

_MAP = "cividis"  # light and dark follow the loss, and it reads alike with any colour vision
_PATH = COLOURS[1]
_NOT_FINITE = "0.85"
_NOTHING = "The loss is not finite\nat any point of the grid."
_LOSS = "loss of the gold answer (nats per token)"
_WIDTH = 64  # characters of a line of the heading
_DECADES = 1.0  # a range above this many powers of ten is shown on a logarithmic scale


@dataclass(frozen=True, slots=True)
class Picture:
    """What the figures show.

    questions says how many of which tasks. grid and way are the rows of the tables surface and path; way is empty without a
    path. unit holds the directions' norms as
    shares of the norm of the weights that move.
    """

    run: str
    choices: Choices
    questions: str
    grid: Sequence[Mapping[str, Any]]
    way: Sequence[Mapping[str, Any]]
    unit: tuple[float, float]

    def title(self) -> str:
        """The figures' heading, in two lines or more."""
        choices = self.choices
        given = "after the prompt" if choices.given == "prompt" else "after prompt and thinking"
        plane = f"random directions, scaled per {choices.scale}, seed {choices.seed}"
        if choices.plane == "thinking":
            plane = "the principal directions of the thinking's steps"
        of = textwrap.fill(plain_label(f"{self.run}: {self.questions}, {given}"), _WIDTH, break_long_words=False)
        return f"{of}\n{plane}"

    def label(self, axis: int) -> str:
        """The name of an axis, with what 1 stands for."""
        return f"{'ab'[axis]} (1 is {100 * self.unit[axis]:.3g} % of the weights' norm)"

    def values(self) -> Any:
        """The losses, (points, points), a down the rows and b along them; NaN where one is not finite."""
        n = self.choices.points
        values = np.full((n, n), np.nan)
        for row in self.grid:
            values[row["i"], row["j"]] = row["loss"]
        return values

    def tell_path(self) -> str:
        """What the path is, in words."""
        if not self.way:
            return "The dot is the model's own weights"
        line = "is the path of the thinking, from none of it (circle) to all of it (star)"
        if self.is_apart():
            return f"The dot is the model's own weights. At the right {line}, on axes of its own: it lies within the dot"
        return f"The line {line}"

    @property
    def reach(self) -> float:
        """How far the path goes along either axis."""
        return max((abs(row[name]) for row in self.way for name in ("a", "b")), default=0.0)

    def is_apart(self) -> bool:
        """True if the path is too short to be seen on the plane, so that it has axes of its own, without the colours."""
        return 0 < self.reach < 0.05 * self.choices.radius


def draw_contour(picture: Picture) -> SectionFigure:
    """The plane from above: the loss as colour and contour lines, the model's weights, and the path."""
    apart = picture.is_apart()
    with new_figure(10.6 if apart else 6.4, 5.2) as figure:
        axes, *others = figure.subplots(1, 1 + apart, squeeze=False, width_ratios=(1.3, 1)[: 1 + apart]).flat
        values, axis = picture.values(), picture.choices.axis
        axes.set_facecolor(_NOT_FINITE)
        axes.set(xlim=(axis[0], axis[-1]), ylim=(axis[0], axis[-1]))
        if np.isnan(values).all():
            axes.text(0, axis[-1] / 2, _NOTHING, ha="center", va="center")
        else:
            _fill(figure, axes, axis, values)
        if not picture.way or apart:
            axes.plot(0, 0, "o", color=_PATH, markeredgecolor="black", markersize=7, label="the model's weights")
        else:
            _draw_path(axes, picture)
        axes.set_title(picture.title(), fontsize=9)
        for other in others:
            _draw_apart(other, picture)
        for one in (axes, *others):
            one.set_aspect("equal")
            one.set_xlabel(picture.label(0))
            one.set_ylabel(picture.label(1))
            one.locator_params(nbins=5)
        marks = [mark for one in (axes, *others) for mark in one.get_legend_handles_labels()[0]]
        if np.isnan(values).any():
            from matplotlib.patches import Patch

            marks.append(Patch(facecolor=_NOT_FINITE, edgecolor="black", linewidth=0.5, label="loss not finite"))
        figure.legend(handles=marks, loc="outside lower center", ncols=4 if apart else 3, frameon=False, fontsize=8)
    about = f"The loss as colour. {picture.tell_path()}"
    return SectionFigure("contour", "The plane from above", about, figure)


def _fill(figure: Any, axes: Any, axis: Sequence[float], values: Any) -> None:
    """The axes show the losses as colours and lines, and a bar says what they stand for."""
    levels, norm = _levels(values)
    filled = axes.contourf(axis, axis, values.T, levels=levels, norm=norm, cmap=_MAP)
    axes.contour(axis, axis, values.T, levels=levels[::4], colors="white", linewidths=0.5, alpha=0.6)
    ticks = _ticks(levels, _is_log(values))
    bar = figure.colorbar(filled, ax=axes, label=_LOSS + (", log scale" if _is_log(values) else ""), ticks=ticks, pad=0.02)
    bar.ax.set_yticklabels([f"{tick:g}" for tick in ticks])
    bar.ax.minorticks_off()


def _draw_path(axes: Any, picture: Picture) -> None:
    a, b = ([row[name] for row in picture.way] for name in ("a", "b"))
    axes.plot(a, b, "-", color="black", linewidth=3)
    axes.plot(a, b, "-", color=_PATH, linewidth=1.6, marker="o", markersize=3.5, label="path of the thinking")
    axes.plot(a[0], b[0], "o", color="white", markeredgecolor="black", markersize=8, label="no thinking")
    axes.plot(a[-1], b[-1], "*", color="white", markeredgecolor="black", markersize=13, label="all of the thinking")


def _draw_apart(axes: Any, picture: Picture) -> None:
    """The path alone on axes of its own, around (0, 0) as the plane is."""
    wide = 1.15 * picture.reach
    axes.set(xlim=(-wide, wide), ylim=(-wide, wide))
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.axvline(0, color="0.8", linewidth=0.8)
    _draw_path(axes, picture)
    axes.ticklabel_format(style="sci", scilimits=(-2, 3), useMathText=True)
    width = f"{100 * wide / picture.choices.radius:.2g} %"
    axes.set_title(f"The path alone, without the loss,\non {width} of the plane's width", fontsize=9)


def draw_surface(picture: Picture) -> SectionFigure:
    """The surface in three dimensions; its height is the logarithm of the loss where the range needs it."""
    about = "The loss as height and colour"
    with new_figure(6.8, 5.2) as figure:
        axes = figure.add_subplot(projection="3d")
        values = picture.values()
        if np.isnan(values).all():
            axes.text2D(0.5, 0.5, _NOTHING, transform=axes.transAxes, ha="center", va="center")
        else:
            about += _draw_height(axes, picture, values)
        axes.set_xlabel(picture.label(0), fontsize=8, labelpad=6)
        axes.set_ylabel(picture.label(1), fontsize=8, labelpad=6)
        axes.locator_params("x", nbins=5)
        axes.locator_params("y", nbins=5)
        axes.tick_params(labelsize=8)
        axes.view_init(elev=48, azim=-60)
        axes.set_box_aspect((4, 4, 2.6), zoom=0.88)
        figure.suptitle(picture.title(), fontsize=9)
        if marks := axes.get_legend_handles_labels()[0]:
            figure.legend(handles=marks, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return SectionFigure("surface", "The surface", about, figure)


def _draw_height(axes: Any, picture: Picture, values: Any) -> str:
    """Draws the surface, and on it the path or the model's own weights. Returns what is drawn on it, in words."""
    from matplotlib.cm import ScalarMappable

    axis, n = np.array(picture.choices.axis), picture.choices.points
    levels, norm = _levels(values)
    logs = _is_log(values)
    height = np.log10 if logs else np.asarray
    a, b = np.meshgrid(axis, axis, indexing="ij")
    colours = ScalarMappable(norm, _MAP).to_rgba(values)
    axes.plot_surface(a, b, height(values), facecolors=colours, rcount=n, ccount=n, linewidth=0, shade=False, alpha=0.9)
    ticks = _ticks(levels, logs)
    axes.set_zticks(height(ticks), [f"{tick:g}" for tick in ticks])
    axes.set_zlabel(_LOSS + (", log scale" if logs else ""), fontsize=8, labelpad=4)
    if not picture.way:
        return ""
    if picture.is_apart():
        return ". The path of the thinking is too short to be seen on it"
    way_a, way_b, losses = ([row[name] for row in picture.way] for name in ("a", "b", "loss_on_surface"))
    label = "path of the thinking, drawn over what lies in front of it"
    axes.plot(way_a, way_b, height(losses), color=_PATH, linewidth=2, marker="o", markersize=3, zorder=9, label=label)
    return ". The line is the path of the thinking, drawn over what lies in front of it"


def _is_log(values: Any) -> bool:
    low, high = np.nanmin(values), np.nanmax(values)
    return bool(low > 0 and high / low > 10**_DECADES)


def _levels(values: Any) -> tuple[Any, Any]:
    """25 levels from the lowest to the highest loss, and the scale of their colours."""
    from matplotlib.colors import LogNorm, Normalize

    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if not high > low:
        high = low + max(abs(low), 1.0) * 1e-6
    if _is_log(values):
        return np.geomspace(low, high, 25), LogNorm(low, high)
    return np.linspace(low, high, 25), Normalize(low, high)


def _ticks(levels: Any, logs: bool) -> list[float]:
    """Round numbers between the lowest and the highest level: 1, 2 and 5 times powers of ten if logs, else evenly spaced."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(levels[0]), float(levels[-1])
    if logs:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        round_ones = [m * 10.0**power for power in powers for m in ((1, 2, 5) if len(powers) < 5 else (1,))]
    else:
        round_ones = [float(tick) for tick in np.round(MaxNLocator(7).tick_values(low, high), 12)]
    return [tick for tick in round_ones if low <= tick <= high]
