"""What the notes of a section say of its tables' intervals: why a number has none, which a table does not show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raml_eval.wording import list_some

if TYPE_CHECKING:
    from raml_eval.diagnostics.section import SectionTable

MOST = 6  # rows that a note names
NOTHING = "no values"  # a mean of nothing, which the row's own count shows
_WHY = re.compile(r"(?:no interval|not given): (.+)")
_PLAIN = {"no variance and no bounds": "all values are equal"}


def notes_of_intervals(tables: Sequence[SectionTable]) -> Iterator[str]:
    """One note for each reason why numbers have no interval; it names the columns and the rows.

    The reason is that of the column NAME_method.
    """
    found: dict[str, list[str]] = {}
    for table in tables:
        for (reason, places), headings in _missing(table).items():
            rows = [_label(table, table.rows[place]) for place in places]
            of = "every row" if len(rows) == len(table.rows) else list_some(rows, MOST)
            found.setdefault(reason, []).append(f"{_short(table.title)}: {' and '.join(map(repr, headings))} ({of})")
    for reason, told in found.items():
        yield f"Without an interval ({_PLAIN.get(reason, reason)}): {'; '.join(told)}."


def _missing(table: SectionTable) -> Mapping[tuple[str, tuple[int, ...]], list[str]]:
    """By reason and rows, the headings of the columns in which these rows have no interval."""
    found: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for column in table.columns:
        of_column: dict[str, list[int]] = {}
        for place, row in enumerate(table.rows):
            why = _WHY.fullmatch(str(row.get(f"{column.name}_method") or ""))
            if column.low and why and why[1] != NOTHING and not _is_known(row.get(column.low)):
                of_column.setdefault(why[1], []).append(place)
        for reason, places in of_column.items():
            found.setdefault((reason, tuple(places)), []).append(column.heading.removesuffix(" [95 % interval]"))
    return found


def _short(title: str) -> str:
    """The title without what explains it.

    Example: _short("Length: mean [95 % interval]") == "Length" and _short("per 1,000 tokens, by task") == "per 1,000 tokens"
    """
    return re.split(r"[:;,] | \[", title)[0]


def _label(table: SectionTable, row: Mapping[str, Any]) -> str:
    names = (column.name for column in table.columns[: table.n_labels])
    return " ".join(str(row[name]) for name in names if _is_known(row.get(name)))


def _is_known(value: Any) -> bool:
    return value is not None and value == value  # a NaN is not equal to itself
