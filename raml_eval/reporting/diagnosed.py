"""The sections of a run's diagnoses, read from RUN/diagnostics as docs/diagnostics.md describes the files.

What cannot be shown is told in a note and left out: a diagnosis that was cut short, one of other samples or verdicts than
the run holds now, and one whose files cannot be read. A report never fails for its sake.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from raml_eval.errors import CorruptStore, RamlError
from raml_eval.intervals import GAFFKE
from raml_eval.reporting.render import Figure, render
from raml_eval.reporting.sections import Section
from raml_eval.reporting.sheets import GAFFKE_MARK, Sheet, read_sheet
from raml_eval.small_files import read_small_text
from raml_eval.store.stamp import stamp_samples
from raml_eval.tables import Row, describe_engine
from raml_eval.types import StoredRun
from raml_eval.wording import count_noun

PLACE = "diagnostics"
ABOUT_GAFFKE = (
    f"{GAFFKE_MARK}: Gaffke's interval, which stands where few questions carry the number. It allows for questions that were "
    "not drawn, so it is wider than a t-interval, and more questions narrow it, not more samples (docs/metrics.md)."
)
SCHEMA_VERSION = 1
ORDER = ("statistics", "pseudo-gradient", "token-roles", "pruning", "landscape")  # others follow by name
MOST_BYTES = 16_000_000  # of a file that is read whole
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_UNREADABLE = (OSError, ElementTree.ParseError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError)
_NEWER = ("last_sample", "last_trajectory")  # parts of a stamp that diagnoses of earlier versions do not have
_RUNS = re.compile(r"script|foreignobject|iframe|a|animate.*|set")  # elements that a drawing has no use for


@dataclass(frozen=True, slots=True)
class Shown:
    """One diagnosis of the run with that label: its section, all of its tables, the notes, and the frame's rows of them."""

    run: str
    kind: str
    section: Section
    sheets: tuple[Sheet, ...]
    notes: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """The diagnoses of some runs, and the notes on those that were left out."""

    shown: tuple[Shown, ...]
    left_out: tuple[str, ...]

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections, in order."""
        return tuple(one.section for one in self.shown)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The numbers of all, as rows of the frame."""
        return tuple(row for one in self.shown for row in one.rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is told below the tables, each with the name of its run."""
        return (*self.left_out, *(f"{one.run}: {note}" for one in self.shown for note in one.notes))


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
    shown: list[Shown] = []
    left_out: list[str] = []
    for label, run in runs.items():
        stamp: dict[str, Any] | None = None
        for folder in _folders(run.directory / PLACE):
            if kinds and folder.name not in kinds:
                continue
            try:
                about = _read_json(folder / "diagnosis.json")
                stamp = stamp or stamp_samples(run.directory)
                if reason := why_not_shown(about, stamp, _typed(run.directory)):
                    left_out.append(f"{label}: the diagnosis {folder.name} is left out: {reason}")
                elif (folder / "section.json").exists():
                    shown.append(_of_run(_read_shown(folder, short), label, run, several=len(runs) > 1))
            except (*_UNREADABLE, RamlError) as error:
                reason = _reason(error)
                left_out.append(f"{label}: the diagnosis {folder.name} is left out: its files cannot be read ({reason}).")
    return Diagnosed(tuple(shown), tuple(left_out))


def _of_run(read: Shown, label: str, run: StoredRun, several: bool) -> Shown:
    """The diagnosis as that of the run: named after it if there are several, with rows that say of which run they are."""
    section = read.section
    about = {"run": label, "model": run.model, "n_samples": run.n_samples, "engine": describe_engine(run)}
    domains = {task: entry.domain for task, entry in run.tasks.items()}
    return replace(
        read,
        run=label,
        section=section.named(f"{section.title}: {label}") if several else section,
        notes=tuple(f"{section.title}: {note}" for note in read.notes),
        rows=tuple({**row, **about, "domain": domains.get(row["task"], "")} for sheet in read.sheets for row in sheet.numbers),
    )


def render_diagnosis(folder: Path, format: str = "terminal") -> str:
    """The section of one diagnosis as text, with its notes. format is terminal, markdown or latex.

    Raises CorruptStore if its files cannot be read.
    """
    try:
        read = _read_shown(folder, short=format == "terminal")
    except _UNREADABLE as error:
        raise CorruptStore(f"{folder} cannot be shown: {_reason(error)}. Delete the folder, and diagnose again.") from error
    section = read.section
    listing = {"title": section.title, "lead": (section.lead,), "tables": section.tables, "sections": (), "notes": read.notes}
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


def _typed(directory: Path) -> str:
    """The run as a command can name it; without the folders above it where they would tell of the machine."""
    return directory.name if directory.is_absolute() else str(directory)


def why_not_shown(about: Mapping[str, Any], now: Mapping[str, Any], run: str) -> str:
    """Why a report does not show a diagnosis, of which diagnosis.json says this, and what to do; empty if it does.

    now is the run's stamp, and run is what the command to run again names it.
    """
    made = about.get("made_with")
    rules = made.get("rules", ()) if isinstance(made, Mapping) else ()
    rules = rules or (["..."] if about["kind"] == "pruning" else [])
    words = "".join(f" --by {rule}" for rule in rules)
    again = f"Run `raml-eval diagnose {about['kind']} {shlex.quote(run)}{words}` again, with the same options."
    if about["complete"] is not True:
        return f"it is not complete. {again}"
    then = about.get("samples")
    if not isinstance(then, Mapping):
        return f"it does not say of which samples it is. {again}"
    if all(then.get(name, value if name in _NEWER else None) == value for name, value in now.items()):
        return ""
    if then.get("run") != now["run"]:
        return f"it is of another run, or of one that was drawn anew. {again}"
    if then["n_samples"] == now["n_samples"]:
        since = "given more thinking" if then.get("n_trajectories") != now["n_trajectories"] else "drawn anew in part"
        since = "regraded" if then.get("verdicts") != now["verdicts"] else since
        return f"the run was {since} since. {again}"
    return f"it is of {count_noun(int(then['n_samples']), 'sample')}, and the run has {now['n_samples']} now. {again}"


def _read_json(path: Path) -> dict[str, Any]:
    content = json.loads(read_small_text(path, MOST_BYTES))
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"{path.name} has no schema_version {SCHEMA_VERSION}")
    return content


def _read_shown(folder: Path, short: bool) -> Shown:
    """The diagnosis of a folder, of no run yet."""
    content = _read_json(folder / "section.json")
    sheets = tuple(read_sheet(folder, folder.name, one) for one in content["tables"])
    figures = tuple(_read_figure(folder, one) for one in content["figures"])
    tables = tuple(sheet.table for sheet in sheets if sheet.brief or not short)
    section = Section(str(content["title"]), str(content["lead"]), tables, figures)
    marked = any(row["method"] == GAFFKE for sheet in sheets for row in sheet.numbers)
    return Shown("", folder.name, section, sheets, (*map(str, content["notes"]), *([ABOUT_GAFFKE] if marked else [])), ())


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
