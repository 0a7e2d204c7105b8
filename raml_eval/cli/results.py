"""`raml-eval report`: tables of stored runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raml_eval.cli.options import Place, Text, place_option

if TYPE_CHECKING:
    from raml_eval.reporting.reports.definition import Definition

_FORMATS = {".md": "markdown", ".csv": "csv", ".json": "json", ".tex": "latex", ".txt": "terminal", "": "terminal"}


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    report: Annotated[
        Text,
        typer.Option(
            help="A report that ships (checkpoint, comparison, budget-sweep, generalization, stability, paper-table-2, ...), "
            "or a report.yaml."
        ),
    ] = None,
    template: Annotated[str, typer.Option(help="Template of the standard report: default or compact.")] = "default",
    format: Annotated[
        Text,
        typer.Option(help="terminal, markdown, html, latex, csv or json; if not given, by the ending of --out."),
    ] = None,
    out: Annotated[
        Place,
        place_option(
            "File (.md, .html, .tex, .csv, .json, .parquet, .txt, .svg, .pdf, .png), or a folder for all; else printed."
        ),
    ] = None,
    base: Annotated[Place, place_option("Run directory that gains are measured against.")] = None,
    about: Annotated[
        list[str] | None,
        typer.Option(metavar="<run:key=value>", help="What is known of a run's checkpoint; repeatable."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Every metric of stability, and not only the main ones.")] = False,
    contamination: Annotated[
        Place, place_option("Run directory of a reference model: adds a table of changed, new and procedural questions.")
    ] = None,
    cutoff: Annotated[Text, typer.Option(help="Day or month from which that table counts questions as new.")] = None,
    k: Annotated[Text, typer.Option(help="The k of pass@k and related metrics, by comma.")] = None,
    plot: Annotated[Place, place_option("Also draw accuracy over budget into this PNG or SVG.")] = None,
    allow_partial: Annotated[bool, typer.Option(help="Report a run that is not finished; the table says so.")] = False,
) -> None:
    """Tables and figures of stored runs."""
    from raml_eval.tables import build_frame, load_run

    standard = template != "default" or contamination is not None or _is_printed(format, out)
    by_parts = report is not None or bool(about) or not standard or _needs_parts(format, out)
    _check_options(
        f"--report {report}" if report else "a report with parts" if by_parts else "", template, contamination, cutoff, plot
    )
    definition = _find_definition(report or "checkpoint") if by_parts else None
    _check_out(out, format)
    loaded = [load_run(path) for path in runs]
    base_run = load_run(base) if base else None
    ks = read_numbers(k)
    shared: dict[str, Any] = {"k": ks, "base": base_run, "allow_partial": allow_partial, "full": full}
    if definition is not None:
        _define_and_write(definition, loaded, format, out, about=about or (), **shared)
    else:
        from raml_eval.reporting.report import Contamination, render_report

        signs = Contamination(load_run(contamination), cutoff or "") if contamination else None
        chosen = format or format_of(out)
        text = render_report(loaded, template=template, format=chosen, contamination=signs, **shared)
        _put(text, out)
    if plot is not None:
        from raml_eval.reporting.plots import plot_budget_curve

        print(plot_budget_curve(build_frame(loaded, k=ks, allow_partial=allow_partial), plot))


def _check_options(parts: str, template: str, contamination: Path | None, cutoff: str | None, plot: Path | None) -> None:
    """Raises ConfigError for options that exclude each other or have no effect. parts names a report with parts."""
    from raml_eval.errors import ConfigError
    from raml_eval.window import is_date

    if cutoff is not None and contamination is None:
        raise ConfigError(f"--cutoff {cutoff} has no effect without --contamination RUN. Add that, or leave it out.")
    if cutoff is not None and not is_date(cutoff):
        raise ConfigError(f"--cutoff is {cutoff!r}; wanted a day or a month, such as 2025-06-15 or 2025-06.")
    if parts and (contamination is not None or template != "default"):
        other = "--contamination" if contamination is not None else "--template"
        raise ConfigError(
            f"{parts} does not take {other}, which is for the standard report: that is printed, or written to a .md, .tex or "
            f".txt file. Leave {other} out, or write the standard report."
        )
    if plot is not None and plot.suffix not in (".png", ".svg"):
        raise ConfigError(f"--plot {plot} ends in {plot.suffix or 'nothing'!r}; wanted .png or .svg.")


def _is_printed(format: str | None, out: Path | None) -> bool:
    """Whether a text is printed, or added to the summary of a step: then it is short, the standard report."""
    return (out is None or is_summary(out)) and format not in ("html", "csv", "json")


def _needs_parts(format: str | None, out: Path | None) -> bool:
    """Whether the standard report cannot be written so: as a page, a picture, Parquet, or into a folder."""
    from raml_eval.reporting.reports.files import is_folder

    if format == "html" or out is None or is_summary(out):
        return format == "html"
    return is_folder(out, format) or out.suffix in (".html", ".parquet", ".svg", ".pdf", ".png")


def _find_definition(name: str) -> Definition:
    from raml_eval.reporting.reports.definition import find_report

    return find_report(name)[1]


def _check_out(out: Path | None, format: str | None) -> None:
    """Raises ConfigError for an --out or a --format that nothing can be written in, before the numbers are computed."""
    from raml_eval.reporting.reports.files import check_out

    check_out(None if is_summary(out) else out, format)


def _define_and_write(definition: Definition, runs: list[Any], format: str | None, out: Path | None, **settings: Any) -> None:
    """The report of these runs is printed, or written to --out."""
    from raml_eval.reporting.reports.assemble import assemble
    from raml_eval.reporting.reports.files import text_of, write_report

    shown = format or ("terminal" if out is None else None)
    made = assemble(definition, runs, short=shown == "terminal", **settings)
    if out is None or is_summary(out):
        text = text_of(made, shown or "markdown")
        _put(text, out)
    else:
        for path in write_report(made, out, format):
            print(path)


def _put(text: str, out: Path | None) -> None:
    """The text is printed, with one line break at its end, or stands in the file, whose name is printed."""
    print(text.removesuffix("\n") if out is None else write_text(out, text))


def format_of(out: Path | None) -> str:
    """The format that the ending of --out names. Without --out, and without an ending, it is text for a terminal.

    The summary of a GitHub step is Markdown, and has no ending.
    """
    from raml_eval.errors import ConfigError

    if is_summary(out):
        return "markdown"
    ending = out.suffix if out else ""
    if ending not in _FORMATS:
        known = ", ".join(filter(None, _FORMATS))
        raise ConfigError(
            f"--out {out} ends in {ending!r}; wanted one of {known}. Rename it, or name its format with --format."
        )
    return _FORMATS[ending]


def read_numbers(text: str | None) -> list[int] | None:
    """The numbers of --k; None if it is not given. Raises ConfigError for anything but numbers by comma."""
    from raml_eval.errors import ConfigError

    if text is None:
        return None
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise ConfigError(f"--k {text!r} is not a list of numbers; wanted one such as 1,8.") from None


def write_text(path: Path, text: str) -> Path:
    """The file holds the text, and ends in a line break. Raises ConfigError if it cannot be written.

    The summary of a GitHub step keeps what earlier commands wrote there: the text is added below it, after a blank line.
    """
    from raml_eval.errors import writing

    whole = text if text.endswith("\n") else f"{text}\n"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_summary(path) and path.exists() and path.stat().st_size:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"\n{whole}")
        else:
            path.write_text(whole, encoding="utf-8")
    return path


def append_summary(text: str) -> str:
    """The summary of a GitHub step ends with the Markdown; nothing happens outside of such a step.

    The answer says why it could not be written, and is empty if it was: what a command is for does not depend on it.
    """
    from raml_eval.errors import ConfigError

    named = os.environ.get("GITHUB_STEP_SUMMARY")
    try:
        if named:
            write_text(Path(named), text)
    except ConfigError as error:
        cause = error.__cause__
        reason = cause.strerror if isinstance(cause, OSError) else error
        return f"the summary was not added to, because GITHUB_STEP_SUMMARY ({named}) cannot be written: {reason}."
    return ""


def is_summary(path: Path | None) -> bool:
    """True for the file to which GitHub's runner lets every command of a step add Markdown."""
    named = os.environ.get("GITHUB_STEP_SUMMARY")
    return path is not None and bool(named) and Path(str(named)).resolve() == path.resolve()
