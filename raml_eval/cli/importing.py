"""`raml-eval import`: turns another harness's log into a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from raml_eval.cli.ending import stopping
from raml_eval.cli.options import Count, Text, Texts, place_option


def import_(
    format: Annotated[str, typer.Argument(help="lm-eval, lighteval, opencompass, inspect or jsonl.")],
    path: Annotated[Path, typer.Argument(help="The log: a file, or the folder that the harness wrote.")],
    out: Annotated[Path, place_option("Run directory to write; must not exist.")],
    task: Annotated[
        Texts, typer.Option(metavar="<name>", help="Import only this task, by its name in the log; repeatable.")
    ] = None,
    grader: Annotated[Texts, typer.Option(metavar="<kind>", help="math, choice, exact, ... or TASK=KIND; repeatable.")] = None,
    task_map: Annotated[
        Texts, typer.Option(metavar="<theirs=ours>", help="Name, describe and grade theirs as our task; repeatable.")
    ] = None,
    limit: Annotated[Count, typer.Option(help="At most this many questions per task, as with `run --limit`.", min=1)] = None,
    samples: Annotated[Count, typer.Option(help="Only the first N samples of each question.", min=1)] = None,
    model: Annotated[Text, typer.Option(help="The model's name, if the log lacks it or has another.")] = None,
    name: Annotated[Text, typer.Option(help="The run's name; the directory's if not given.")] = None,
    thinking_budget: Annotated[
        Text,
        typer.Option(help="Tokens, unlimited or off, as drawn there; if not given, off if the log shows no thinking."),
    ] = None,
    opened: Annotated[
        Optional[bool],  # noqa: UP045  typer reads the annotation
        typer.Option(
            "--opened/--not-opened",
            help="The prompts opened the thinking, so a completion that does not end it is unfinished; default: from the log.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option(help="No progress and no table.")] = False,
) -> None:
    """Turn another harness's samples into a run.

    They are graded here, with that harness's verdicts beside ours. Ends in a table.
    """
    from raml_eval.importing import open_source
    from raml_eval.importing.settings import build_settings
    from raml_eval.importing.writer import import_run

    settings = build_settings(
        grader or (),
        task_map or (),
        thinking_budget,
        tasks=tuple(task or ()),
        limit=limit,
        samples=samples,
        model=model,
        name=name,
        opened=opened,
    )
    with stopping("nothing was written"):
        import_run(open_source(format, path), out, settings, quiet=quiet)
    if quiet:
        print(out)
        return
    from raml_eval.api import summarize
    from raml_eval.reporting.report import render_report
    from raml_eval.tables import load_run

    run = load_run(out)
    print(render_report([run], format="terminal", allow_partial=True))
    print(summarize(run))
