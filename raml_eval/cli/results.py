"""`raml-eval report`: tables of stored runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.options import Place, Text, place_option

_FORMATS = {".md": "markdown", ".csv": "csv", ".json": "json", ".tex": "latex", ".txt": "terminal", "": "terminal"}


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    template: Annotated[str, typer.Option(help="Template of the report.")] = "default",
    format: Annotated[
        Text,
        typer.Option(
            help="terminal, markdown, csv, json or latex; if not given, by the ending of --out (.md, .csv, .json, .tex, .txt)."
        ),
    ] = None,
    out: Annotated[Place, place_option("File to write; standard output if not given.")] = None,
    base: Annotated[Place, place_option("Run directory that gains are measured against.")] = None,
    contamination: Annotated[
        Place, place_option("Run directory of a reference model: adds a table of changed, new and procedural questions.")
    ] = None,
    cutoff: Annotated[Text, typer.Option(help="Day or month from which that table counts questions as new.")] = None,
    k: Annotated[Text, typer.Option(help="The k of pass@k and related metrics, by comma.")] = None,
    plot: Annotated[Place, place_option("Also draw accuracy over budget into this PNG or SVG.")] = None,
    allow_partial: Annotated[bool, typer.Option(help="Report a run that is not finished; the table says so.")] = False,
) -> None:
    """Tables of one or several runs, from stored samples."""
    from raml_eval.errors import ConfigError
    from raml_eval.reporting.report import Contamination, render_report
    from raml_eval.tables import build_frame, load_run
    from raml_eval.window import is_date

    if cutoff is not None and contamination is None:
        raise ConfigError(f"--cutoff {cutoff} has no effect without --contamination RUN. Add that, or leave it out.")
    if cutoff is not None and not is_date(cutoff):
        raise ConfigError(f"--cutoff is {cutoff!r}; wanted a day or a month, such as 2025-06-15 or 2025-06.")

    if plot is not None and plot.suffix not in (".png", ".svg"):
        raise ConfigError(f"--plot {plot} ends in {plot.suffix or 'nothing'!r}; wanted .png or .svg.")
    chosen = format or format_of(out)
    loaded = [load_run(path) for path in runs]
    base_run = load_run(base) if base else None
    ks = read_numbers(k)
    signs = Contamination(load_run(contamination), cutoff or "") if contamination else None
    text = render_report(
        loaded, template=template, format=chosen, k=ks, base=base_run, allow_partial=allow_partial, contamination=signs
    )
    if out is None:
        print(text)
    else:
        print(write_text(out, text))
    if plot is not None:
        from raml_eval.reporting.plots import plot_budget_curve

        print(plot_budget_curve(build_frame(loaded, k=ks, allow_partial=allow_partial), plot))


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
    from raml_eval.errors import ConfigError

    whole = text if text.endswith("\n") else f"{text}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_summary(path) and path.exists() and path.stat().st_size:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"\n{whole}")
        else:
            path.write_text(whole, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}. Choose a writable --out.") from error
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
