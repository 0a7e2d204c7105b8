"""`raml-eval compare`: is one run better than another?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.options import Place, Text, Texts
from raml_eval.cli.results import write_text


def compare(
    base: Annotated[Path, typer.Argument(help="Run directory to compare against.")],
    new: Annotated[Path, typer.Argument(help="Run directory that may be better or worse.")],
    metric: Annotated[
        Text,
        typer.Option(
            help="The primary metric: avg@n, pass@K, g_pass@K:TAU, mg_pass@K, mg_pass_normalized@K, maj@K, cell_accuracy; the "
            "suite's if not given, otherwise avg@n."
        ),
    ] = None,
    budget: Annotated[
        Text, typer.Option(help="The primary thinking budget; the suite's if not given, otherwise unlimited or the largest.")
    ] = None,
    margin: Annotated[float, typer.Option(help="Differences within this many points are equivalent.")] = 2.0,
    level: Annotated[float, typer.Option(help="Level of the whole comparison.")] = 0.95,
    allow_different: Annotated[
        Texts, typer.Option(metavar="<key>", help="A protocol key that may differ, such as sampling.top_p; repeatable.")
    ] = None,
    format: Annotated[
        Text, typer.Option(help="terminal, markdown, latex or json; if not given, by the ending of --out (.md, .json, .tex).")
    ] = None,
    out: Annotated[Place, typer.Option(help="File to write; standard output if not given.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Show single tasks at the other budgets on a terminal too.")] = False,
) -> None:
    """Is NEW better than BASE? Paired on shared questions. Exit code 1 if it is worse."""
    from raml_eval.cli.results import format_of
    from raml_eval.comparison import compare_runs
    from raml_eval.reporting.compare import render_comparison
    from raml_eval.tables import load_run

    chosen = format or format_of(out)
    runs = load_run(base), load_run(new)
    comparison = compare_runs(
        *runs, metric=metric, budget=budget, margin=margin / 100, level=level, allow_different=allow_different or ()
    )
    text = render_comparison(comparison, *runs, chosen, full=full)
    print(text if out is None else write_text(out, text))
    if comparison.regressed:
        raise typer.Exit(1)
