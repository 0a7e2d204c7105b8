"""How every figure looks and is saved: its fonts, the colours and marks of lines, and labels that are shown literally."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raml_eval.errors import writing

_NOT_DRAWN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # SVG is XML, which cannot hold these
# Okabe and Ito's palette, whose colours can be told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
FAINT = "#777777"  # of words and marks that stand back; it can be read on white paper and on a dark page
STYLES = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"), ("-", "v"), ("--", "P"), (":", "X"), ("-.", "*"))


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Any]:
    """A figure of that size in inches, with the fonts of all others inside."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 10}):
        yield Figure(figsize=(width, height), layout="constrained")


def style_of(number: int) -> tuple[str, tuple[str, str]]:
    """The colour, and the dashes and marker, of the number-th line. 56 lines differ, the first 7 in colour and in marker."""
    return COLOURS[number % len(COLOURS)], STYLES[number % len(STYLES)]


def plain_label(text: str) -> str:
    """The text as matplotlib shows it literally: a dollar would begin mathematics, and an underscore would hide a label.

    What no drawing can hold, control characters and halves of characters, is shown as a replacement character.

    Example: plain_label("_x") == " _x"
    """
    shown = _NOT_DRAWN.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.splitlines())).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def save_figure(figure: Any, path: Path) -> Path:
    """The path holds the figure, in the format of its ending. Raises ConfigError if it cannot be written."""
    import matplotlib as mpl

    with writing(path, "Choose a writable --plot."):
        path.parent.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context({"svg.hashsalt": "raml_eval"}):  # a fixed salt: equal frames give equal files
            figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    return path


def label_log_axis(axes: Any, most: int = 5) -> None:
    """The horizontal axis is logarithmic over what was drawn, with at most so many labels in plain numbers, none on another.

    Powers of ten are labelled, and every so many of them where there are more; within two powers, 1, 2 and 5 of each are, and
    within a small range equal steps, since matplotlib's own labels of smaller steps are as long as the gaps between them.

    Example: label_log_axis(axes)
    """
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1, 2, 5), (1,)):
        ticks = [step * 10.0**n for n in range(first, last + 1) for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            break
    ticks = ticks[:: max(1, -(-len(ticks) // most))]
    if len(ticks) < 3:
        ticks = [tick for tick in MaxNLocator(most - 1).tick_values(low, high) if low <= tick <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(low, high)
