"""`raml-eval diagnose pseudo-gradient`: how likely the gold answer becomes along each thinking of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.ending import stopping
from raml_eval.cli.engines import engine_changes, tell_left
from raml_eval.cli.options import Count, Number, Place, Text, Texts, place_option
from raml_eval.wording import count_noun

TOLERANCE = 0.1


def pseudo_gradient(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    stride: Annotated[Count, typer.Option(min=1, help="Score the gold every so many thinking tokens; 8 if not given.")] = None,
    every: Annotated[bool, typer.Option("--every", help="Score it after every token.")] = False,
    adaptive: Annotated[bool, typer.Option("--adaptive", help="Score it more often where the curve moves.")] = False,
    tolerance: Annotated[
        Number, typer.Option(help="Nats per token by which neighbouring values of --adaptive may differ; 0.1 if not given.")
    ] = None,
    limit: Annotated[Count, typer.Option(min=1, help="At most this many questions of each task.")] = None,
    samples: Annotated[Count, typer.Option(min=1, help="At most this many trajectories of each question.")] = None,
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Only this task; repeatable.")] = None,
    model: Annotated[Text, typer.Option(help="Where the checkpoint that drew the run lies now.")] = None,
    backend: Annotated[Text, typer.Option(help="hf or vllm; the run's own if not given.")] = None,
    backend_arg: Annotated[Texts, typer.Option(metavar="<key=value>", help="An argument of the engine; repeatable.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Trajectories in flight.")] = 8,
    delimiter: Annotated[
        str, typer.Option(help="What ends the thinking: run (what a forced end writes), none (as in the paper), or a text.")
    ] = "run",
    lead: Annotated[
        Text, typer.Option(help=r"All that stands between it and the gold; by default as the run's own answers have it.")
    ] = None,
    out: Annotated[Place, place_option("Folder of the diagnosis; diagnostics in the run if not given.", "<folder>")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
) -> None:
    """How likely the gold answer is along each thinking.

    Its negative log-likelihood after each part of the thinking. Exit code 4 if trajectories failed.
    """
    from raml_eval.diagnostics.curves.diagnose import Wanted, diagnose_curves
    from raml_eval.diagnostics.curves.positions import Positions
    from raml_eval.diagnostics.curves.targets import Choice
    from raml_eval.errors import ConfigError
    from raml_eval.reporting.diagnosed import render_diagnosis

    if (stride is not None) + every > 1 or (every and adaptive):
        raise ConfigError("--stride, --every and --adaptive exclude one another, but --stride is the first step of --adaptive.")
    if tolerance is not None and not adaptive:
        raise ConfigError("--tolerance is for --adaptive. Pass both.")
    step = 1 if every else stride or 8
    wanted = Wanted(
        choice=Choice(tuple(task or ()), limit, samples),
        positions=Positions(step, (TOLERANCE if tolerance is None else tolerance) if adaptive else None),
        delimiter=delimiter,
        lead=lead,
        concurrency=concurrency,
    )
    changes = engine_changes(model, backend, backend_arg)
    with stopping("finished curves are stored, and the same command continues from there"):
        done = diagnose_curves(run, wanted, out, changes, quiet)
    tell_left(done.skipped, done.errors, "curve")
    if done.n_curves:
        print(render_diagnosis(done.folder))
    print(f"{done.folder}: {count_noun(done.n_curves, 'curve')}")
