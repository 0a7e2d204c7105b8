"""`raml-eval view`: pages of a run's samples for a browser."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.options import Place, Texts, place_option, read_place
from raml_eval.wording import count_noun, one_line


def view(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    other: Annotated[
        Place, typer.Argument(metavar="[OTHER_RUN]", help="Run directory that is shown beside it.", parser=read_place)
    ] = None,
    *,
    out: Annotated[Path, place_option("Folder of the pages; a view that it holds is replaced.", "<folder>")],
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Only this task; repeatable.")] = None,
    tokenizer: Annotated[
        Texts,
        typer.Option(metavar="<folder>", help="Tokenizer that tells where budgets cut; once for both runs, or once for each."),
    ] = None,
) -> None:
    """Pages that show samples in a browser, without network.

    Where each budget cuts the thinking, what flips between budgets and between two runs, and why answers were graded so.
    """
    from raml_eval.reporting.view import write_view

    done = write_view([run, *([other] if other else [])], out, task or (), [read_place(folder) for folder in tokenizer or ()])
    counts = (
        f"{count_noun(done.n_draws, 'draw')} with {count_noun(done.n_samples, 'sample')} in {count_noun(done.n_pages, 'file')}"
    )
    print(f"{done.index}: {counts}; open it in a browser")
    for note in done.notes:
        print(f"note: {one_line(note)}", file=sys.stderr)
