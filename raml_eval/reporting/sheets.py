"""The tables of a diagnosis: as a report shows them, and each of their numbers as a row of the tidy frame."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raml_eval.intervals import GAFFKE
from raml_eval.reporting.render import Cell, Table, p_value, percent
from raml_eval.tables import Row

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 500  # that a page shows
GAFFKE_MARK = "*"  # behind an interval that is Gaffke's
_FILE = re.compile(r"[a-z0-9][a-z0-9_-]*\.parquet")
_OWN = ("task", "budget")  # columns of the file that the frame has, too, whether they are shown or not


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of a diagnosis: its name, the Parquet names of its columns, and what is shown of it.

    numbers has a row for each number of all its rows, without the columns of the frame that say of which run it is. brief is
    false for a table that a terminal leaves out.
    """

    name: str
    columns: tuple[str, ...]
    table: Table
    brief: bool
    numbers: tuple[Row, ...]


def read_sheet(folder: Path, kind: str, about: Mapping[str, Any]) -> Sheet:
    """The table that an entry of section.json is about; kind is that of the diagnosis.

    Raises what reading a wrong file raises, such as ValueError for a name that leads elsewhere.
    """
    import pandas as pd

    file = str(about["file"])
    if not _FILE.fullmatch(file):
        raise ValueError(f"{file!r:.60} is no name of a table")
    name, frame = file.removesuffix(".parquet"), pd.read_parquet(folder / file)
    columns: Sequence[Mapping[str, Any]] = about["columns"]
    n_labels = min(max(int(about["n_labels"]), 1), len(columns))
    title, shown = str(about["title"]), frame.head(MOST_ROWS)
    if len(frame) > MOST_ROWS:
        title = f"{title} (the first {MOST_ROWS} of {len(frame):,} rows)"
    cells = [_cells(shown, column) for column in columns]
    header = tuple(Cell(str(column["heading"])) for column in columns)
    rows = tuple(zip(*cells, strict=True)) if len(frame) else ()
    return Sheet(
        name=name,
        columns=tuple(str(column["name"]) for column in columns),
        table=Table(title, header, rows, n_labels),
        brief=bool(about["brief"]),
        numbers=tuple({**row, "table": name} for row in _numbers(frame, kind, columns, n_labels)),
    )


def metric_of(kind: str, column: str = "") -> str:
    """The metric of a diagnosis's number in the frame; without a column, how those of the kind begin.

    Example: metric_of("token-roles", "log_change") == "token-roles: log_change"
    """
    return f"{kind}: {column}"


def series_of(labels: Mapping[str, Any]) -> str:
    """What a number is of, from the labels of its row; those without a value are left out.

    Example: series_of({"role": "Wait", "verdict": "correct", "unit": None}) == "role=Wait; verdict=correct"
    """
    return "; ".join(f"{name}={value}" for name, value in labels.items() if value is not None)


def _numbers(frame: pd.DataFrame, kind: str, columns: Sequence[Mapping[str, Any]], n_labels: int) -> Iterator[Row]:
    """The numbers row by row, as they are stored. A text behind the labels, such as a unit, tells of its row, too.

    None says how many questions it covers: a count in a row may be that of another of its numbers.
    """
    labels = [str(one["name"]) for place, one in enumerate(columns) if place < n_labels or one["form"] == "text"]
    counted = [one for one in columns[n_labels:] if one["form"] != "text"]
    for stored in frame.to_dict("records"):
        told = {name: _known(stored[name]) for name in labels}
        for column in counted:
            name = str(column["name"])
            ends = {end: _finite(stored[column[end]]) if column.get(end) else None for end in ("low", "high")}
            yield {
                **{own: "" if (value := _known(stored.get(own))) is None else str(value) for own in _OWN},
                "metric": metric_of(kind, name),
                "k": None,
                "tau": None,
                "value": _finite(stored[name]),
                **ends,
                "method": _known(stored.get(f"{name}_method")) or "",
                "series": series_of({name: value for name, value in told.items() if name not in _OWN}),
            }


def _finite(value: Any) -> float | None:
    """The number; None for what a page shows as n/a."""
    return None if _known(value) is None or not math.isfinite(value) else float(value)


def _cells(frame: pd.DataFrame, column: Mapping[str, Any]) -> list[Cell]:
    """The cells of one column, from top to bottom."""
    write = FORMS[column["form"]]
    none = [None] * len(frame)
    ends = [frame[column[end]].tolist() if column.get(end) else none for end in ("low", "high")]
    methods = frame.get(f"{column['name']}_method")
    marks = none if methods is None else [GAFFKE_MARK if method == GAFFKE else "" for method in methods]
    values = zip(frame[column["name"]].tolist(), *ends, marks, strict=True)
    return [Cell(write(_known(value), _known(low), _known(high), column) + (mark or "")) for value, low, high, mark in values]


def _known(value: Any) -> Any:
    """The value; None for what stands for a missing one."""
    return None if value is None or value != value else value


def _text(value: Any, low: Any, high: Any, column: Mapping[str, Any]) -> str:
    return "" if value is None else str(value)


def _count(value: Any, low: Any, high: Any, column: Mapping[str, Any]) -> str:
    return "n/a" if value is None else str(int(value))


def _number(value: Any, low: Any, high: Any, column: Mapping[str, Any]) -> str:
    if value is None or not math.isfinite(value):
        return "n/a"
    digits, sign = int(column.get("digits", 1)), "+" if column.get("signed") else ""
    written = f"{value:{sign}z.{digits}f}"
    return _bare(written, column) if low is None or high is None else f"{written} [{low:z.{digits}f}, {high:z.{digits}f}]"


def _percent(value: Any, low: Any, high: Any, column: Mapping[str, Any]) -> str:
    written = percent(value, low, high, digits=int(column.get("digits", 1)), signed=bool(column.get("signed")))
    return _bare(written, column) if value is not None and (low is None or high is None) else written


def _bare(written: str, column: Mapping[str, Any]) -> str:
    """A number without an interval, which says so in a column that has intervals."""
    return f"{written} [n/a]" if column.get("low") else written


def _p(value: Any, low: Any, high: Any, column: Mapping[str, Any]) -> str:
    return p_value(value)


FORMS: Mapping[str, Callable[[Any, Any, Any, Mapping[str, Any]], str]] = {
    "text": _text,
    "count": _count,
    "number": _number,
    "percent": _percent,
    "p": _p,
}
