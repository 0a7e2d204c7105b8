"""A report as files: one document, its numbers, or a folder with all of them and the figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from raml_eval.drawing import save_figure
from raml_eval.errors import ConfigError, near_names, writing
from raml_eval.reporting.html import render_html
from raml_eval.reporting.raw import render_raw, write_parquet
from raml_eval.reporting.render import Figure, find_template, render
from raml_eval.reporting.reports.assemble import Assembled

DOCUMENTS = {".md": "markdown", ".html": "html", ".tex": "latex", ".txt": "terminal"}
RAW = {".csv": "csv", ".json": "json"}
PICTURES = (".svg", ".pdf", ".png")
FORMATS = (*dict.fromkeys((*DOCUMENTS.values(), *RAW.values())),)
ENDINGS = (*DOCUMENTS, *RAW, ".parquet", *PICTURES)


def text_of(made: Assembled, format: str, pictures: str = "") -> str:
    """The report as markdown, html, latex or terminal text, or its frame as csv or json.

    pictures is the folder, relative to the document, that the figures lie in; without it, only HTML shows them.
    """
    if format in RAW.values():
        return render_raw(made.runs, made.frame, made.notes, format)
    if format == "html":
        return render_html(made.report)
    return render(find_template("default", format), format, report=made.report, pictures=pictures)


def check_out(path: Path | None, format: str | None) -> None:
    """Raises ConfigError for an ending that is unknown, or that is another format's than the one asked for.

    It reads nothing, so that it can go before the numbers, which may take long. A .txt may hold any document.
    """
    if format is not None and format not in FORMATS:
        raise ConfigError(f"there is no report format {format!r}.{near_names(format, FORMATS)} Known: {', '.join(FORMATS)}.")
    if path is None:
        return
    if path.is_dir():
        if format is not None:
            raise ConfigError(f"--out {path} is a folder, and --format {format} is for one file. Name a file in it.")
        return
    suffix = path.suffix
    if suffix not in ENDINGS:
        if suffix and format is None:
            raise ConfigError(
                f"--out {path} ends in {suffix!r}; wanted one of {', '.join(ENDINGS)}, or a folder. Rename it, or name its "
                f"format with --format."
            )
        return
    own = {**DOCUMENTS, **RAW}.get(suffix, suffix.removeprefix("."))
    if format not in (None, own) and not (suffix == ".txt" and format in DOCUMENTS.values() and format != "html"):
        raise ConfigError(
            f"--out {path} ends in {suffix!r}, which is {own}, and --format is {format}. Leave --format out, or rename it."
        )


def is_folder(path: Path, format: str | None) -> bool:
    """Whether --out is a folder for all files: one that is there, or a new path without an ending and without a --format.

    A file without an ending that is there, such as /dev/stdout, stays one.
    """
    return path.is_dir() or not (path.suffix or format or path.exists())


def write_report(made: Assembled, path: Path, format: str | None = None) -> list[Path]:
    """The files written for --out: one of the ending's format with the figures beside it, or all of them into a folder.

    Raises ConfigError for an ending that is unknown, for a picture of a report without exactly one figure, and if a file cannot
    be written.
    """
    if is_folder(path, format):
        return _write_folder(made, path)
    check_out(path, format)
    suffix = path.suffix
    if suffix in PICTURES:
        return [save_figure(_only_figure(made, path).drawing, path)]
    if suffix == ".parquet":
        return [_write_parquet(made, path)]
    form = format or {**DOCUMENTS, **RAW}.get(suffix, "terminal")
    folder = f"{path.stem}_figures"
    written = _write_pictures(made, path.parent / folder, {"markdown": (".svg",), "latex": (".pdf",)}.get(form, ()))
    return [_write(path, text_of(made, form, folder)), *written]


def _write_folder(made: Assembled, folder: Path) -> list[Path]:
    """report.md, report.html, report.tex, the numbers as csv, json and Parquet, and each figure in three formats."""
    documents = ((".md", "markdown"), (".html", "html"), (".tex", "latex"))
    written = [_write(folder / f"report{ending}", text_of(made, form, "figures")) for ending, form in documents]
    written += [_write(folder / f"report{ending}", text_of(made, form)) for ending, form in RAW.items()]
    return [*written, _write_parquet(made, folder / "report.parquet"), *_write_pictures(made, folder / "figures", PICTURES)]


def figures_of(made: Assembled) -> Iterator[Figure]:
    """All figures of the report, in order."""
    for section in made.report.sections:
        yield from section.figures


def _write_pictures(made: Assembled, folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Every figure in each of these formats. Raises ConfigError if two figures would be one file."""
    names = [one.name for one in figures_of(made)]
    lowered = [name.lower() for name in names]
    if twice := [name for name in names if lowered.count(name.lower()) > 1]:
        raise ConfigError(f"two figures of the report are named {twice[0]}, and each is a file. Give one another name.")
    return [save_figure(one.drawing, folder / f"{one.name}{ending}") for one in figures_of(made) for ending in endings]


def _only_figure(made: Assembled, path: Path) -> Figure:
    found = list(figures_of(made))
    if len(found) != 1:
        names = ", ".join(one.name for one in found) or "none"
        raise ConfigError(
            f"--out {path} is one picture, and the report has {len(found)} figures ({names}). Name a folder instead."
        )
    return found[0]


def _write(path: Path, text: str) -> Path:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
    return path


def _write_parquet(made: Assembled, path: Path) -> Path:
    return write_parquet(made.runs, made.frame, made.notes, path)
