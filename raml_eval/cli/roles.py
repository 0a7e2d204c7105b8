"""`raml-eval diagnose token-roles`: what words, ends of lines and ends of thinking do to the gold's likelihood."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.ending import stopping
from raml_eval.cli.engines import engine_changes, tell_left
from raml_eval.cli.options import Count, Place, Text, Texts, place_option
from raml_eval.wording import count_noun


def token_roles(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    word: Annotated[
        Texts, typer.Option(metavar="<word>", help="Measure this word or phrase in place of the usual ones; repeatable.")
    ] = None,
    closing: Annotated[
        Texts, typer.Option(metavar="<text>", help="Compare this text with the other ends of thinking; repeatable.")
    ] = None,
    formats: Annotated[
        bool, typer.Option(help="Compare the closings of the known thinking formats; each costs another pass over a thinking.")
    ] = True,
    most: Annotated[int, typer.Option(min=1, help="Occurrences of one role in one thinking that are measured.")] = 20,
    limit: Annotated[Count, typer.Option(min=1, help="At most this many questions of each task.")] = None,
    samples: Annotated[Count, typer.Option(min=1, help="At most this many thinkings of each question.")] = None,
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Only this task; repeatable.")] = None,
    model: Annotated[Text, typer.Option(help="Where the checkpoint that drew the run lies now.")] = None,
    backend: Annotated[Text, typer.Option(help="hf or vllm; the run's own if not given.")] = None,
    backend_arg: Annotated[Texts, typer.Option(metavar="<key=value>", help="An argument of the engine; repeatable.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests in flight.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the choice of occurrences and of their nulls.")] = 0,
    out: Annotated[Place, place_option("Folder of the diagnosis; diagnostics in the run if not given.", "<folder>")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
) -> None:
    """What words and ends of thinking do to that.

    The change of the gold's likelihood at words of reflection, ends of lines and ends of thinking, against matched nulls.
    Exit code 4 if requests failed.
    """
    from raml_eval.diagnostics.curves.targets import Choice
    from raml_eval.diagnostics.roles.diagnose import Wanted, diagnose_roles
    from raml_eval.reporting.diagnosed import render_diagnosis

    choice = Choice(tuple(task or ()), limit, samples)
    wanted = Wanted(choice, tuple(word or ()), tuple(closing or ()), formats, most, seed, concurrency)
    changes = engine_changes(model, backend, backend_arg)
    with stopping("finished requests are stored, and the same command continues from there"):
        done = diagnose_roles(run, wanted, out, changes, quiet)
    tell_left(done.skipped, done.errors, "request")
    if done.n_thoughts:
        print(render_diagnosis(done.folder))
    print(f"{done.folder}: {count_noun(done.n_occurrences, 'occurrence')} in {count_noun(done.n_thoughts, 'thinking')}")
