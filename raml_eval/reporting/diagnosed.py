"""The sections of a run's diagnoses, read from RUN/diagnostics as docs/diagnostics.md describes the files.

What cannot be shown is told in a note and left out: a diagnosis that was cut short, one of other samples or verdicts than
the run holds now, and one whose files cannot be read. A report never fails for its sake.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from raml_eval.errors import CorruptStore, RamlError
from raml_eval.reporting.render import Cell, Figure, Table, percent, render
from raml_eval.reporting.sections import Section
from raml_eval.small_files import read_small_text
from raml_eval.store.stamp import stamp_samples
from raml_eval.types import StoredRun
from raml_eval.wording import count_noun

if TYPE_CHECKING:
    import pandas as pd

PLACE = "diagnostics"
SCHEMA_VERSION = 1
ORDER = ("statistics", "pseudo-gradient", "token-roles", "pruning", "landscape")  # others follow by name
MOST_ROWS = 500
MOST_BYTES = 16_000_000  # of a file that is read whole
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_SHEET = re.compile(r"[a-z0-9][a-z0-9_-]*\.parquet")
_UNREADABLE = (OSError, ElementTree.ParseError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError)
_RUNS = re.compile(r"script|foreignobject|iframe|a|animate.*|set")  # elements that a drawing has no use for


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """The sections of the diagnoses of some runs, and the notes on them and on what was left out."""

    sections: tuple[Section, ...]
    notes: tuple[str, ...]


class StoredDrawing:
    """A figure that was drawn before. Like a matplotlib Figure, it can be saved as SVG, PDF or PNG."""

    def __init__(self, stem: Path) -> None:
        self._stem = stem

    def savefig(self, out: Any, format: str | None = None, **_: Any) -> None:
        """out, a path or a file that is open for bytes, holds the stored file of that format."""
        chosen = format or Path(out).suffix.removeprefix(".")
        content = self._stem.with_name(f"{self._stem.name}.{chosen}").read_bytes()
        if isinstance(out, str | Path):
            Path(out).write_bytes(content)
        else:
            out.write(content)


def has_diagnosis(run: StoredRun, kinds: Collection[str]) -> bool:
    """True if the run's directory holds a diagnosis of one of the kinds."""
    return any(folder.name in kinds for folder in _folders(run.directory / PLACE))


def find_diagnosed(runs: Mapping[str, StoredRun], short: bool, kinds: Collection[str] = ()) -> Diagnosed:
    """The sections of the runs' diagnoses of these kinds; without kinds, of all.

    runs holds them by label; short leaves out the tables that are not brief.

    Example: find_diagnosed({"mine": load_run("runs/mine")}, short=False).sections[0].title
    """
    sections: list[Section] = []
    notes: list[str] = []
    for label, run in runs.items():
        stamp: dict[str, Any] | None = None
        for folder in _folders(run.directory / PLACE):
            if kinds and folder.name not in kinds:
                continue
            try:
                about = _read_json(folder / "diagnosis.json")
                stamp = stamp or stamp_samples(run.directory)
                if reason := why_not_shown(about, stamp):
                    notes.append(f"{label}: the diagnosis {folder.name} is left out: {reason}")
                elif (folder / "section.json").exists():
                    section, told = _read_section(folder, short)
                    sections.append(section.named(f"{section.title}: {label}") if len(runs) > 1 else section)
                    notes += [f"{label}: {section.title}: {note}" for note in told]
            except (*_UNREADABLE, RamlError) as error:
                reason = _reason(error)
                notes.append(f"{label}: the diagnosis {folder.name} is left out: its files cannot be read ({reason}).")
    return Diagnosed(tuple(sections), tuple(notes))


def render_diagnosis(folder: Path, format: str = "terminal") -> str:
    """The section of one diagnosis as text, with its notes. format is terminal, markdown or latex.

    Raises CorruptStore if its files cannot be read.
    """
    try:
        section, notes = _read_section(folder, short=format == "terminal")
    except _UNREADABLE as error:
        raise CorruptStore(f"{folder} cannot be shown: {_reason(error)}. Delete the folder, and diagnose again.") from error
    listing = {"title": section.title, "lead": (section.lead,), "tables": section.tables, "sections": (), "notes": notes}
    return render(f"_listing.{format}.jinja", format, listing=listing)


def _reason(error: Exception) -> str:
    """Why a file could not be read, on one line and without the place of the run, which a report does not name."""
    if isinstance(error, FileNotFoundError):
        return f"{Path(str(error.filename or error)).name} is missing"
    if isinstance(error, LookupError):
        return f"nothing is called {error.args[0] if error.args else None!r}"[:200]
    text = str(error.strerror if isinstance(error, OSError) and error.strerror else error)
    return (text.splitlines() or [type(error).__name__])[0][:200]


def _folders(place: Path) -> list[Path]:
    """The folders of diagnoses, in the order in which a report shows them."""
    if not place.is_dir():
        return []
    found = [path for path in place.iterdir() if (path / "diagnosis.json").exists()]
    return sorted(found, key=lambda path: (ORDER.index(path.name) if path.name in ORDER else len(ORDER), path.name))


def why_not_shown(about: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Why a report does not show a diagnosis, of which diagnosis.json says this; empty if it does. now is the run's stamp."""
    made = about.get("made_with")
    rules = made.get("rules", ()) if isinstance(made, Mapping) else ()
    rules = rules or (["..."] if about["kind"] == "pruning" else [])
    words = "".join(f" --by {rule}" for rule in rules)
    again = f"Run `raml-eval diagnose {about['kind']} RUN{words}` again, with the same options."
    if about["complete"] is not True:
        return f"it is not complete. {again}"
    then = about.get("samples")
    if then == now:
        return ""
    if not isinstance(then, Mapping):
        return f"it does not say of which samples it is. {again}"
    if then.get("run") != now["run"]:
        return f"it is of another run, or of one that was drawn anew. {again}"
    if then["n_samples"] == now["n_samples"]:
        since = "regraded" if then.get("verdicts") != now["verdicts"] else "given more thinking"
        return f"the run was {since} since. {again}"
    return f"it is of {count_noun(int(then['n_samples']), 'sample')}, and the run has {now['n_samples']} now. {again}"


def _read_json(path: Path) -> dict[str, Any]:
    content = json.loads(read_small_text(path, MOST_BYTES))
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"{path.name} has no schema_version {SCHEMA_VERSION}")
    return content


def _read_section(folder: Path, short: bool) -> tuple[Section, list[str]]:
    content = _read_json(folder / "section.json")
    tables = [_read_table(folder, one) for one in content["tables"] if one["brief"] or not short]
    figures = [_read_figure(folder, one) for one in content["figures"]]
    return Section(str(content["title"]), str(content["lead"]), tuple(tables), tuple(figures)), list(map(str, content["notes"]))


def _read_table(folder: Path, about: Mapping[str, Any]) -> Table:
    import pandas as pd

    file = str(about["file"])
    if not _SHEET.fullmatch(file):
        raise ValueError(f"{file!r:.60} is no name of a table")
    frame = pd.read_parquet(folder / file)
    title = str(about["title"])
    if len(frame) > MOST_ROWS:
        title = f"{title} (the first {MOST_ROWS} of {len(frame):,} rows)"
        frame = frame.head(MOST_ROWS)
    columns = [_cells(frame, column) for column in about["columns"]]
    header = tuple(Cell(str(column["heading"])) for column in about["columns"])
    rows = tuple(zip(*columns, strict=True)) if len(frame) else ()
    return Table(title, header, rows, min(max(int(about["n_labels"]), 1), len(header)))


def _cells(frame: pd.DataFrame, column: Mapping[str, Any]) -> list[Cell]:
    """The cells of one column, from top to bottom."""
    write = FORMS[column["form"]]
    none = [None] * len(frame)
    ends = [frame[column[end]].tolist() if column.get(end) else none for end in ("low", "high")]
    values = zip(frame[column["name"]].tolist(), *ends, strict=True)
    return [Cell(write(_known(value), _known(low), _known(high), column)) for value, low, high in values]


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
    return written if low is None or high is None else f"{written} [{low:z.{digits}f}, {high:z.{digits}f}]"


def _percent(value: Any, low: Any, high: Any, column: Mapping[str, Any]) -> str:
    return percent(value, low, high, digits=int(column.get("digits", 1)), signed=bool(column.get("signed")))


FORMS: Mapping[str, Callable[[Any, Any, Any, Mapping[str, Any]], str]] = {
    "text": _text,
    "count": _count,
    "number": _number,
    "percent": _percent,
}


def _read_figure(folder: Path, about: Mapping[str, Any]) -> Figure:
    name = str(about["name"])
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r:.60} is no name of a figure")
    _check_drawing(read_small_text(folder / f"{name}.svg", MOST_BYTES))
    for ending in ("pdf", "png"):
        if not (folder / f"{name}.{ending}").is_file():
            raise ValueError(f"{name}.{ending} is missing")
    return Figure(name, str(about["title"]), str(about["about"]), StoredDrawing(folder / name))


def _check_drawing(svg: str) -> None:
    """Raises ValueError if something in the drawing could run or be fetched, since a report copies it as it is."""
    for element in _elements(svg):
        name = element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""
        if _RUNS.fullmatch(name):
            raise ValueError(f"a figure holds the element {name!r:.40}, which no drawing needs")
        for key, value in element.attrib.items():
            plain = key.rpartition("}")[2].lower()
            far = plain == "href" and not value.startswith(("#", "data:image/png;base64,"))
            if plain.startswith("on") or far:
                raise ValueError(f"a figure holds the attribute {plain!r:.40}, which no drawing needs")


def _elements(svg: str) -> Iterator[ElementTree.Element]:
    if "<!ENTITY" in svg:
        raise ValueError("a figure declares entities, which no drawing needs")
    return ElementTree.fromstring(svg).iter()
