"""`raml-eval diagnose landscape`: the loss of gold answers around a model's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from raml_eval.cli.ending import stopping
from raml_eval.cli.engines import engine_changes
from raml_eval.cli.options import Count, Place, Text, Texts, place_option


def landscape(
    run: Annotated[Path, typer.Argument(help="The run directory.")],
    out: Annotated[Place, place_option("Folder for the diagnoses; RUN/diagnostics, which reports read, if not given.")] = None,
    question: Annotated[Texts, typer.Option(metavar="<task/id>", help="Question to take; repeatable.")] = None,
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Take the questions from this task; repeatable.")] = None,
    first: Annotated[int, typer.Option(help="How many questions of the run to take if none is named.")] = 4,
    points: Annotated[int, typer.Option(help="Points of the grid on either axis.")] = 25,
    radius: Annotated[float, typer.Option(help="The grid reaches from -radius to radius.")] = 1.0,
    plane: Annotated[str, typer.Option(help="random, or thinking: the one that the thinking's steps span.")] = "random",
    scale: Annotated[
        str, typer.Option(help="Random directions are scaled by tensor (as RaML) or filter (Li et al.).")
    ] = "tensor",
    given: Annotated[str, typer.Option(help="The answer's loss after the prompt, or after all of the thinking.")] = "prompt",
    embeddings: Annotated[bool, typer.Option("--embeddings", help="Move embeddings and output layer, too.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the random directions.")] = 0,
    steps: Annotated[Count, typer.Option(help="Steps of the path; 12 if not given, 0 with --given thinking.")] = None,
    model: Annotated[Text, typer.Option(help="The run's checkpoint, if it lies elsewhere now.")] = None,
    backend: Annotated[Text, typer.Option(help="Engine in place of the run's own; it must be hf.")] = None,
    backend_arg: Annotated[Texts, typer.Option(metavar="<key=value>", help="An argument of the engine; repeatable.")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress; only the folder is printed.")] = False,
) -> None:
    """The loss of gold answers around the weights.

    Draws the surface and contours, and the path of the thinking on them.

    Run it again to go on with one that was interrupted. The model on the disk is only read.
    """
    from raml_eval.diagnostics.folder import PLACE
    from raml_eval.diagnostics.landscape.choices import Choices
    from raml_eval.diagnostics.landscape.surface import draw_landscape

    given_words: Any = {"plane": plane, "scale": scale, "given": given}  # Choices checks them
    choices = Choices(
        questions=tuple(question or ()),
        tasks=tuple(task or ()),
        n_questions=first,
        points=points,
        radius=radius,
        embeddings=embeddings,
        seed=seed,
        steps=(0 if given == "thinking" else 12) if steps is None else steps,
        **given_words,
    )
    changes = engine_changes(model, backend, backend_arg)
    with stopping("what was computed is stored; run again to go on"):
        folder = draw_landscape(run, out or run / PLACE, choices, changes, quiet)
    if not quiet:
        from raml_eval.reporting.diagnosed import render_diagnosis

        print(render_diagnosis(folder))
    print(folder)
