"""The cells of an HTML table: text, links to notes, the number that a column sorts by, and the interval drawn to scale."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from functools import cached_property

from raml_eval.reporting.render import Cell, Table, alignments, clean

_NUMBER = r"[+\-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?"
_NUMBERS = re.compile(rf"({_NUMBER})(?: ?%)?(?: \[({_NUMBER}), ({_NUMBER})\])?(?: ?%)?(?![\w.,/:\-])")
_HYPHENATED = re.compile(r"[^\s/<>]+-[^\s/<>]+")
KEPT = 14  # characters of a word with a hyphen that is kept on one line
_OWN_UNIT = re.compile(r"token|second", re.IGNORECASE)  # headers of columns in another unit than the table's
LONG = 32  # characters from which a label is broken into lines
WIDTH, HEIGHT, PAD = 104, 9, 3  # of a drawn interval, in pixels


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers that a cell's text states. low and high are None if it states no interval."""

    value: float
    low: float | None
    high: float | None
    signed: bool


def read_cell(text: str) -> Reading | None:
    """The numbers of a cell such as "61.3 [57.0, 65.4]"; None for a text that does not begin with a number.

    Example: read_cell("+1.5 [-0.2, 3.2]") == Reading(1.5, -0.2, 3.2, True)
    """
    found = _NUMBERS.match(text)
    if found is None:
        return None
    value, low, high = (None if part is None else float(part.replace("−", "-").replace(",", "")) for part in found.groups())
    if value is None or (low is not None and high is not None and not low <= high):
        return None
    return Reading(value, low, high, found[1][0] in "+-−")


class TableCells:
    """Writes the cells of one table.

    Intervals of one unit share a scale, so that columns can be compared: shares of a table in percent from 0 to 100,
    differences (where a cell of the column is signed) and ratios around 0. A column of anything else, such as tokens, has a
    scale of its own, from its lowest to its highest end.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self._align = alignments(table)
        rows = table.rows
        self._readings = [
            [None if column < table.n_labels else read_cell(clean(cell.text)) for column, cell in enumerate(row)]
            for row in rows
        ]
        width = len(table.header)
        self._signed = [any(row[column].signed for row in self._readings if row[column]) for column in range(width)]  # type: ignore[union-attr]

    @cached_property
    def _units(self) -> list[str]:
        """What each column's numbers are: differences, ratios (which have two decimals), shares, or something of its own."""
        return [self._unit(column) for column in range(len(self.table.header))]

    def _unit(self, column: int) -> str:
        own = f" {column}" if _OWN_UNIT.search(self.table.header[column].text) else ""
        if self._signed[column]:
            return f"difference{own}"
        texts = [clean(row[column].text) for row in self.table.rows]
        if any(re.match(r"-?\d+\.\d\d(?!\d)", text) for text in texts):
            return f"ratio{own}"
        ends = self._ends(column)
        is_share = "percent" in self.table.title and not own and ends and min(ends) >= 0 and max(ends) <= 100
        return "share" if is_share else f"other {column}"

    def _ends(self, column: int) -> list[float]:
        told = [row[column] for row in self._readings]
        return [end for of in told if of and of.low is not None and of.high is not None for end in (of.value, of.low, of.high)]

    @cached_property
    def _scales(self) -> dict[str, tuple[float, float]]:
        ends: dict[str, list[float]] = {}
        for column, unit in enumerate(self._units):
            zero = [] if unit.startswith("other") else [0.0]
            ends[unit] = [*ends.get(unit, zero), *self._ends(column)]
        return {unit: (0.0, 100.0) if unit == "share" else _around(of or [0.0]) for unit, of in ends.items()}

    def _has_zero_line(self, column: int) -> bool:
        """True if the column has two sides of 0. An AUROC or a ratio of lengths is never below it, and has another null."""
        unit = self._units[column]
        return unit.startswith("difference") or (unit.startswith("ratio") and min(self._ends(column)) < 0)

    def head(self, column: int) -> str:
        """The header of a column."""
        return f'<th scope="col"{self._classes(column, self.table.header[column])}>{_content(self.table.header[column])}</th>'

    def cell(self, row: tuple[Cell, ...], column: int) -> str:
        """One cell of a row. Labels are row headers."""
        cell = row[column]
        if column < self.table.n_labels:
            return f'<th scope="row"{self._classes(column, cell)}>{_content(cell, is_label=True)}</th>'
        reading = read_cell(clean(cell.text))
        if reading is None:
            return f"<td{self._classes(column, cell)}>{_content(cell)}</td>"
        drawn = ""
        if reading.low is not None and reading.high is not None:
            scale = self._scales[self._units[column]]
            drawn = _whisker(reading.value, reading.low, reading.high, scale, self._has_zero_line(column))
        return f'<td data-v="{reading.value:g}">{_content(cell)}{drawn}</td>'

    def _classes(self, column: int, cell: Cell) -> str:
        if self._align[column] == "right":
            return ""
        if column >= self.table.n_labels:
            return ' class="text long"' if len(cell.text) > LONG else ' class="text"'
        names = ["label", *(["first"] if column == 0 else []), *(["long"] if len(cell.text) > LONG else [])]
        return f' class="{" ".join(names)}"'


def breakable(escaped: str) -> str:
    """Escaped text that a narrow column breaks behind slashes, and not at the hyphens of short words such as sft-4.

    Example: breakable("runs/sft-4") == 'runs/<wbr><span class="keep">sft-4</span>'
    """
    kept = _HYPHENATED.sub(
        lambda found: f'<span class="keep">{found[0]}</span>' if len(found[0]) <= KEPT else found[0], escaped
    )
    return re.sub(r"(?<!<)/(?=\w|<span)", "/<wbr>", kept)


def _around(ends: list[float]) -> tuple[float, float]:
    low, high = min(ends), max(ends)
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room


def _content(cell: Cell, is_label: bool = False) -> str:
    text = html.escape(clean(cell.text), quote=True)
    if is_label:
        text = breakable(text)
    text = re.sub(rf"^({_NUMBER}) (\[{_NUMBER}, {_NUMBER}\])", r'\1 <span class="range">\2</span>', text)
    links = ",".join(f'<a href="#note-{mark}" aria-label="note {mark}">{mark}</a>' for mark in cell.marks)
    return f"{text}<sup>{links}</sup>" if links else text


def _whisker(value: float, low: float, high: float, scale: tuple[float, float], has_zero: bool) -> str:
    """The interval as a line with a point on its scale, whose 0 is marked if has_zero.

    The cell's text says the same, so it is hidden from screen readers.
    """

    def place(number: float) -> str:
        share = (number - scale[0]) / (scale[1] - scale[0])
        return f"{PAD + (WIDTH - 2 * PAD) * min(max(share, 0.0), 1.0):.1f}"

    middle = HEIGHT / 2
    left, right, at = place(low), place(high), place(value)
    zero = f'<line class="zero" x1="{place(0)}" y1="0" x2="{place(0)}" y2="{HEIGHT}"/>' if has_zero else ""
    ends = "".join(f'<line x1="{x}" y1="{middle - 2.5}" x2="{x}" y2="{middle + 2.5}"/>' for x in (left, right))
    return (
        f'<svg class="whisker" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false">'
        f'<line class="axis" x1="{PAD}" y1="{middle}" x2="{WIDTH - PAD}" y2="{middle}"/>{zero}'
        f'<line x1="{left}" y1="{middle}" x2="{right}" y2="{middle}"/>{ends}<circle cx="{at}" cy="{middle}" r="2.6"/></svg>'
    )
