"""`raml-eval sweep`: what the thinking budgets of stored runs show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.options import Number, Place, Text, place_option
from raml_eval.cli.results import format_of, read_numbers, write_text


def sweep(
    runs: Annotated[list[Path], typer.Argument(help="Run directories with at least two thinking budgets in tokens.")],
    price: Annotated[
        Number, typer.Option(help="Price of a million output tokens, in any unit (money, GPU seconds): adds cost per correct.")
    ] = None,
    format: Annotated[
        Text, typer.Option(help="terminal, markdown, csv, json or latex; if not given, by the ending of --out.")
    ] = None,
    out: Annotated[Place, place_option("File to write; standard output if not given.")] = None,
    plot: Annotated[Place, place_option("Directory that the figures are drawn into, as PNG and SVG.")] = None,
    k: Annotated[Text, typer.Option(help="The k of pass@k and mG-Pass@k, by comma.")] = None,
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.95,
    allow_partial: Annotated[bool, typer.Option(help="Analyse a run that is not finished; the notes say so.")] = False,
) -> None:
    """What each thinking budget adds, wastes and costs."""
    from raml_eval.errors import ConfigError
    from raml_eval.reporting.sweep import render_sweep
    from raml_eval.tables import build_sweep, load_run

    if price is not None and price <= 0:
        raise ConfigError(f"--price {price:g} is no price; wanted a number above 0, for a million output tokens.")
    loaded = [load_run(path) for path in runs]
    frame = build_sweep(loaded, k=read_numbers(k), price=price, level=level, allow_partial=allow_partial)
    text = render_sweep(loaded, frame, format or format_of(out), allow_partial)
    print(text if out is None else write_text(out, text))
    if plot is not None:
        from raml_eval.reporting.sweep_plots import plot_sweep

        for path in plot_sweep(frame, plot):
            print(path)
