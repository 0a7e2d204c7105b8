"""What a report shows of a diagnosis: section.json beside the tables and figures that it names.

A report includes the section of DIR/<kind> if that folder lies in the run directory (RUN/diagnostics/<kind>), its
diagnosis.json is complete, and the samples are still those of its "samples" (store.stamp). docs/diagnostics.md has the format.

    {"schema_version": 1,
     "title": "Statistics of thinking",
     "lead": "One or more sentences.",
     "tables": [{"file": "lengths.parquet", "title": "Thinking tokens", "n_labels": 2, "brief": true,
                 "columns": [{"name": "task", "heading": "task", "form": "text"},
                             {"name": "mean", "heading": "mean", "form": "number", "digits": 1,
                              "low": "mean_low", "high": "mean_high", "signed": false}]}],
     "figures": [{"name": "lengths", "title": "Thinking tokens by verdict", "about": "What it shows, in words"}],
     "notes": ["A caveat."]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.told_intervals import notes_of_intervals
from raml_eval.drawing import save_figure
from raml_eval.errors import StoreError, writing
from raml_eval.store.manifest_file import write_json

SECTION_VERSION = 1
ENDINGS = ("svg", "pdf", "png")  # every figure is stored in each: a page, LaTeX, a viewer
_FILE = re.compile(r"[a-z0-9][a-z0-9_-]*\.(parquet|svg|pdf|png)")
Form = Literal["text", "count", "number", "percent", "p"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: name is that of the Parquet column, and low and high those of an interval's ends, if it has one.

    form says how a value is written: text; count (a whole number); number, with so many digits; percent, for a share from 0
    to 1, in a table whose title says "in percent"; p, for a p-value. A null is blank in a text column, and n/a in the others;
    so is an interval without ends beside a number that has one.
    """

    name: str
    heading: str
    form: Form = "text"
    digits: int = 1
    signed: bool = False
    low: str = ""
    high: str = ""


@dataclass(frozen=True, slots=True)
class SectionTable:
    """A table: its file without the ending .parquet, its rows by column, and the columns that are shown.

    A report shows the first 500 rows. rows may hold more columns than are shown. The first n_labels columns label a row. A
    terminal leaves a table out that is not brief.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    n_labels: int = 1
    brief: bool = True


@dataclass(frozen=True, slots=True)
class SectionFigure:
    """A figure: the name of its files without an ending, a title, what it shows in words, and the matplotlib Figure."""

    name: str
    title: str
    about: str
    drawing: Any


def write_section(
    folder: DiagnosisFolder,
    title: str,
    lead: str,
    tables: Sequence[SectionTable] = (),
    figures: Sequence[SectionFigure] = (),
    notes: Sequence[str] = (),
) -> None:
    """The folder holds the tables as Parquet, the figures as SVG, PDF and PNG, and section.json, which names them.

    Names of files are lower-case letters, digits, - and _. Notes on missing intervals follow the others. The diagnosis is
    incomplete until DiagnosisFolder.finish is called, so that a report never shows one that was cut short.
    Raises StoreError if a file cannot be written.

    Example: write_section(folder, "Pruning", "Each thinking was summarised.", [SectionTable(...)])
    """
    folder.reopen()
    for path in _files_of(folder):  # a table or figure that an earlier session had and this one has not would be an old one
        path.unlink(missing_ok=True)
    for table in tables:
        _write_table(folder, table)
    for figure in figures:
        for ending in ENDINGS:
            save_figure(figure.drawing, folder.path / f"{figure.name}.{ending}")
    content = {
        "schema_version": SECTION_VERSION,
        "title": title,
        "lead": lead,
        "tables": [
            {
                "file": f"{table.name}.parquet",
                "title": table.title,
                "n_labels": table.n_labels,
                "brief": table.brief,
                "columns": [asdict(column) for column in table.columns],
            }
            for table in tables
        ],
        "figures": [{"name": one.name, "title": one.title, "about": one.about} for one in figures],
        "notes": [*notes, *notes_of_intervals(tables)],
    }
    write_json(folder.path / "section.json", content)


def _files_of(folder: DiagnosisFolder) -> Iterator[Path]:
    """The files that the section.json of an earlier session names; none if there is none that can be read."""
    try:
        stored = json.loads((folder.path / "section.json").read_text(encoding="utf-8"))
        names = [str(one["file"]) for one in stored["tables"]]
        names += [f"{one['name']}.{ending}" for one in stored["figures"] for ending in ENDINGS]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    yield from (folder.path / name for name in names if _FILE.fullmatch(name))


def _write_table(folder: DiagnosisFolder, table: SectionTable) -> None:
    """The rows as Parquet. A table without rows has its shown columns, all null."""
    import pandas as pd

    names = [name for column in table.columns for name in (column.name, column.low, column.high) if name]
    frame = pd.DataFrame(list(table.rows), columns=None if table.rows else names)
    path = folder.path / f"{table.name}.parquet"
    with writing(path, "Free disk space or choose a writable --out.", StoreError):
        frame.to_parquet(path, index=False)
