"""`raml-eval diagnose pruning`: answers drawn anew from a shortened thinking."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.ending import stopping
from raml_eval.cli.engines import engine_changes
from raml_eval.cli.options import Count, Place, Text, Texts, place_option
from raml_eval.exits import ExitCode
from raml_eval.wording import count_noun, one_line

RULES = ("no-reflections", "no-repeats")  # if none is named


def pruning(
    run: Annotated[Path, typer.Argument(help="Run directory that raml-eval drew.")],
    by: Annotated[
        Texts,
        typer.Option(
            metavar="<rule>",
            help="first:K, last:K, no-reflections, no-repeats, share:S or summary; repeatable. If none is given, "
            "no-reflections and no-repeats.",
        ),
    ] = None,
    summarizer: Annotated[Text, typer.Option(help="The model of --by summary: a folder, or a server's name for it.")] = None,
    summarizer_backend: Annotated[str, typer.Option(help="hf, vllm, openai_server, ray, fake, or chat (a server).")] = "hf",
    summarizer_arg: Annotated[
        Texts, typer.Option(metavar="<key=value>", help="An argument of that engine; endpoint=URL for chat. Repeatable.")
    ] = None,
    summary_temperature: Annotated[float, typer.Option(min=0, help="0 is greedy.")] = 1.0,
    summary_tokens: Annotated[int, typer.Option(min=1, help="Tokens of a summary, at most.")] = 8192,
    summary_seed: Annotated[int, typer.Option(min=0, help="Seed of the summaries.")] = 42,
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Only this task; repeatable.")] = None,
    limit: Annotated[Count, typer.Option(min=1, help="At most this many questions per task, a nested subset.")] = None,
    samples: Annotated[Count, typer.Option(min=1, help="At most this many thinkings of each question.")] = None,
    model: Annotated[Text, typer.Option(help="Where the run's checkpoint lies now.")] = None,
    backend: Annotated[Text, typer.Option(help="The engine that answers; the run's if not given.")] = None,
    backend_arg: Annotated[Texts, typer.Option(metavar="<key=value>", help="An argument of the engine; repeatable.")] = None,
    out: Annotated[Place, place_option("Folder for the diagnoses; RUN/diagnostics, which reports read, if not given.")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
) -> None:
    """Answers anew after shortened thinking.

    Each thinking is shortened by rules or a summary, and compared with budget forcing at equal tokens.

    Exit code 4 if answers or summaries failed; the same command retries them.
    """
    from raml_eval.config import parse_backend_args
    from raml_eval.diagnostics.pruning.pruning import prune_run
    from raml_eval.diagnostics.pruning.summarizers import SummarySettings
    from raml_eval.reporting.diagnosed import render_diagnosis

    summary = None
    if summarizer is not None:
        args = parse_backend_args(summarizer_arg or ())
        summary = SummarySettings(summarizer, summarizer_backend, args, summary_temperature, summary_tokens, summary_seed)
    with stopping("what was drawn is stored, and the same command continues from there"):
        done = prune_run(
            run,
            by or RULES,
            summary=summary,
            tasks=task or (),
            limit=limit,
            samples=samples,
            changes=engine_changes(model, backend, backend_arg),
            out=out,
            quiet=quiet,
        )
    print(render_diagnosis(done.folder))
    print(done.folder)
    if done.n_owed:
        told = f"{count_noun(done.n_owed, 'pruning')} failed and {'is' if done.n_owed == 1 else 'are'} owed"
        print(one_line(f"{told}, the last with: {done.last_failure} Run the same command again to retry."), file=sys.stderr)
        raise typer.Exit(ExitCode.OWED)
