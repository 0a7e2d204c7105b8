"""What figures with a panel for each task share: the grid of panels, short names, and words where nothing is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from raml_eval.drawing import COLOURS, FAINT, new_figure, plain_label
from raml_eval.types import Status

MOST_PANELS = 12
# The colour of each verdict, which is the same in every figure of a diagnosis.
COLOUR_OF = dict(zip(map(str, Status), (COLOURS[0], COLOURS[1], COLOURS[4], COLOURS[3], COLOURS[6]), strict=True))
_COLUMNS = 2  # at most
_LONGEST = 32  # characters of a name in a figure


def short_label(name: str) -> str:
    """The name as a figure has room for it.

    Example: short_label("a" * 40) == "a" * 31 + "…"
    """
    return plain_label(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…")


def say(axes: Any, words: str) -> None:
    """The panel, in which no line is drawn, says why."""
    axes.text(0.5, 0.5, plain_label(words), transform=axes.transAxes, ha="center", va="center", fontsize=9, color=FAINT)
    axes.set_xticks([])
    axes.tick_params(left=False, labelleft=False)  # the ticks themselves may be those of the panel beside it


def from_zero(axes: Any) -> None:
    """The vertical axis begins at 0, with so much room below that marks at 0 are whole."""
    top = axes.get_ylim()[1]
    axes.set_ylim(-0.03 * top, top)


def grid_of(n: int) -> tuple[int, int]:
    """The columns and lines of a grid of n panels.

    Example: grid_of(5) == (2, 3)
    """
    columns = min(_COLUMNS, n)
    return columns, -(-n // columns)


def split(figure: Any, n: int, **options: Any) -> list[Any]:
    """The axes of n panels, from left to right and down. options are those of subplots."""
    columns, n_lines = grid_of(n)
    every = list(figure.subplots(n_lines, columns, squeeze=False, **options).flat)
    for axes in every[n:]:
        axes.set_visible(False)
    return every[:n]


def is_first(place: int) -> bool:
    """True for a panel at the left, which names the vertical axis.

    Example: is_first(2) and not is_first(1)
    """
    return place % _COLUMNS == 0


def is_lowest(place: int, n: int) -> bool:
    """True for one of n panels below which there is none, which names the horizontal axis.

    Example: is_lowest(1, 3) and is_lowest(2, 3) and not is_lowest(0, 3)
    """
    return place + min(_COLUMNS, n) >= n


def labelled(every: Sequence[Any]) -> dict[str, Any]:
    """What stands for each label in the panels, for one legend."""
    pairs = (pair for axes in every for pair in zip(*axes.get_legend_handles_labels(), strict=True))
    return {label: handle for handle, label in pairs}


@contextmanager
def panels(tasks: Sequence[str], x: str, y: str) -> Iterator[tuple[Any, list[tuple[str, Any]]]]:
    """A figure with a panel for each of the first MOST_PANELS tasks; axes are labelled, with one legend, at the end."""
    shown = tasks[:MOST_PANELS]
    columns, n_lines = grid_of(len(shown))
    with new_figure(4.2 if columns == 1 else 7.4, 0.7 + 2.5 * n_lines) as figure:
        every = split(figure, len(shown))
        yield figure, list(zip(shown, every, strict=True))
        for place, axes in enumerate(every):
            axes.set_xlabel(x if is_lowest(place, len(shown)) else "")
            axes.set_ylabel(y if is_first(place) else "", fontsize=9)
            axes.grid(axis="y", linewidth=0.5, alpha=0.4)
            axes.spines[["top", "right"]].set_visible(False)
        handles = labelled(every)
        figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=3, frameon=False)


def more_than_panels(tasks: Sequence[str], shown: str = "a panel") -> str:
    """The sentence, with a blank before it, that says how many tasks a figure shows; empty if it shows all.

    Example: more_than_panels(["a", "b"]) == ""
    """
    return f" Only the first {MOST_PANELS} of {len(tasks)} tasks have {shown}." if len(tasks) > MOST_PANELS else ""
