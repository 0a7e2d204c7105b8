"""Figures of a landscape: the plane from above with the path of the thinking, and the surface."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raml_eval.diagnostics.landscape.choices import Choices
from raml_eval.diagnostics.section import SectionFigure
from raml_eval.drawing import COLOURS, new_figure, plain_label
from raml_eval.wording import count_noun

_MAP = "cividis"  # light and dark follow the loss, and it reads alike with any colour vision
_PATH = COLOURS[1]
_NOT_FINITE = "0.85"
_LOSS = "loss of the gold answer (nats per token)"
_DECADES = 1.0  # a range above this many powers of ten is shown on a logarithmic scale


@dataclass(frozen=True, slots=True)
class Picture:
    """What the figures show.

    grid and way are the rows of the tables surface and path; way is empty without a path. unit holds the directions' norms as
    shares of the norm of the weights that move.
    """

    run: str
    choices: Choices
    n_questions: int
    grid: Sequence[Mapping[str, Any]]
    way: Sequence[Mapping[str, Any]]
    unit: tuple[float, float]

    def title(self) -> str:
        """The figures' heading, in two lines."""
        choices = self.choices
        given = "after the prompt" if choices.given == "prompt" else "after prompt and thinking"
        plane = f"random directions, scaled per {choices.scale}, seed {choices.seed}"
        if choices.plane == "thinking":
            plane = "the principal directions of the thinking's steps"
        return f"{plain_label(self.run)}: {count_noun(self.n_questions, 'question')}, {given}\n{plane}"

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
        times = self.magnified()
        longer = f", drawn {times:,} times longer than it is" if times > 1 else ""
        return f"The line is the path of the thinking{longer}, from none of it (circle) to all of it (star)"

    def magnified(self) -> int:
        """The power of ten by which the path is drawn longer than it is, so that it can be seen; 1 if it can be anyway."""
        reach = max((abs(row[name]) for row in self.way for name in ("a", "b")), default=0.0)
        if not 0 < reach < 0.05 * self.choices.radius:
            return 1
        return int(10 ** math.floor(math.log10(0.9 * self.choices.radius / reach)))


def draw_contour(picture: Picture) -> SectionFigure:
    """The plane from above: the loss as colour and contour lines, the model's weights, and the path."""
    with new_figure(6.4, 5.2) as figure:
        axes = figure.subplots()
        values, axis = picture.values(), picture.choices.axis
        axes.set_facecolor(_NOT_FINITE)
        levels, norm = _levels(values)
        filled = axes.contourf(axis, axis, values.T, levels=levels, norm=norm, cmap=_MAP)
        axes.contour(axis, axis, values.T, levels=levels[::4], colors="white", linewidths=0.5, alpha=0.6)
        ticks = _ticks(levels, _is_log(values))
        bar = figure.colorbar(filled, ax=axes, label=_LOSS, ticks=ticks, pad=0.02)
        bar.ax.set_yticklabels([f"{tick:g}" for tick in ticks])
        bar.ax.minorticks_off()
        if not picture.way:
            axes.plot(0, 0, "o", color=_PATH, markeredgecolor="black", markersize=7, label="the model's weights")
        else:
            _draw_path(axes, picture)
        axes.set_aspect("equal")
        axes.set_xlabel(picture.label(0))
        axes.set_ylabel(picture.label(1))
        axes.set_title(picture.title(), fontsize=9)
        axes.locator_params(nbins=5)
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    about = f"The loss as colour. {picture.tell_path()}"
    return SectionFigure("contour", "The plane from above", about, figure)


def _draw_path(axes: Any, picture: Picture) -> None:
    times = picture.magnified()
    a, b = ([times * row[name] for row in picture.way] for name in ("a", "b"))
    longer = f", drawn {times:,} times longer" if times > 1 else ""
    axes.plot(a, b, "-", color="black", linewidth=3)
    axes.plot(a, b, "-", color=_PATH, linewidth=1.6, marker="o", markersize=3.5, label=f"path of the thinking{longer}")
    axes.plot(a[0], b[0], "o", color="white", markeredgecolor="black", markersize=8, label="no thinking")
    axes.plot(a[-1], b[-1], "*", color="white", markeredgecolor="black", markersize=13, label="all of the thinking")


def draw_surface(picture: Picture) -> SectionFigure:
    """The surface in three dimensions; its height is the logarithm of the loss where the range needs it."""
    from matplotlib.cm import ScalarMappable

    with new_figure(6.8, 5.4) as figure:
        axes = figure.add_subplot(projection="3d")
        values, axis = picture.values(), np.array(picture.choices.axis)
        levels, norm = _levels(values)
        logs = _is_log(values)
        height = np.log10 if logs else np.asarray
        a, b = np.meshgrid(axis, axis, indexing="ij")
        colours = ScalarMappable(norm, _MAP).to_rgba(values)
        n = picture.choices.points
        axes.plot_surface(a, b, height(values), facecolors=colours, rcount=n, ccount=n, linewidth=0, shade=False, alpha=0.9)
        if picture.way and picture.magnified() == 1:
            way_a, way_b, losses = ([row[name] for row in picture.way] for name in ("a", "b", "loss_on_surface"))
            axes.plot(way_a, way_b, height(losses), color=_PATH, linewidth=2, marker="o", markersize=3, zorder=9)
        ticks = _ticks(levels, logs)
        axes.set_zticks(height(ticks), [f"{tick:g}" for tick in ticks])
        axes.set_xlabel(picture.label(0), fontsize=8, labelpad=6)
        axes.set_ylabel(picture.label(1), fontsize=8, labelpad=6)
        axes.set_zlabel(_LOSS + (", log scale" if logs else ""), fontsize=8, labelpad=4)
        axes.locator_params("x", nbins=5)
        axes.locator_params("y", nbins=5)
        axes.tick_params(labelsize=8)
        axes.view_init(elev=48, azim=-60)
        axes.set_box_aspect((4, 4, 2.6), zoom=0.88)
        axes.set_title(picture.title(), fontsize=9)
    return SectionFigure("surface", "The surface", "The loss as height and colour", figure)


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
