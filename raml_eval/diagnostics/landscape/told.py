"""What a landscape's section says beside its numbers: of which questions and loss it is, on which plane, and its limits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from raml_eval.diagnostics.landscape.choices import Choices
from raml_eval.diagnostics.landscape.known import Known, ThinkingPath, mean_of
from raml_eval.diagnostics.landscape.texts import Text, tell_tasks
from raml_eval.wording import count_noun, list_some

_NAMED = 8  # questions
_SCALES = {
    "tensor": "each tensor of which has the norm of the model's tensor",
    "filter": "each output row of which has the norm of the model's row",
}


def notes_of(
    choices: Choices,
    texts: Sequence[Text],
    known: Known,
    path: ThinkingPath | None,
    grid: Sequence[Mapping[str, Any]],
    unit: tuple[float, float],
) -> Iterator[str]:
    """The notes. unit holds the directions' norms as shares of the norm of the weights that move."""
    yield _tell_texts(texts)
    yield _tell_loss(choices)
    yield _tell_plane(choices, unit)
    yield _tell_path(choices, texts, known, path)
    if lost := sum(math.isnan(row["loss"]) for row in grid):
        yield f"The loss is not finite at {lost:,} of {count_noun(len(grid), 'point')}, which are grey in the figure."
    assert known.centre is not None
    if known.end is not None and known.end["losses"] != known.centre["losses"]:
        yield "The loss at the saved weights differed between the start and the end: this device's results vary."


def _tell_texts(texts: Sequence[Text]) -> str:
    """Which questions, and what is known of their thinkings."""
    names = list_some([text.name for text in texts], _NAMED)
    thinkings = [text for text in texts if text.thinking is not None]
    n_right = sum(bool(text.correct) for text in thinkings)
    led = f"{n_right:,} of the {count_noun(len(thinkings), 'thinking')} led to a correct answer"
    return f"The loss is the mean over {tell_tasks(texts)}: {names}. {led[0].upper()}{led[1:]}."


def _tell_loss(choices: Choices) -> str:
    after = "the prompt" if choices.given == "prompt" else "the prompt, all of the thinking"
    return (
        "The loss of a question is the mean negative log-likelihood of its gold answer's tokens, in nats per token, after "
        f"{after}, the end of thinking and the words that lead to an answer."
    )


def _tell_plane(choices: Choices, unit: tuple[float, float]) -> str:
    """Which directions, how far, and by which norm."""
    if choices.plane == "thinking":
        plane = "the two principal directions of the thinking's own path, so it is not typical of other directions"
    else:
        plane = f"two random directions (seed {choices.seed}), {_SCALES[choices.scale]}"
    moves = "Embeddings and output layer move, too" if choices.embeddings else "Embeddings and output layer stay"
    first, second = (f"{100 * one:.3g} %" for one in unit)
    return (
        f"The plane has {plane}. {moves}. Its grid has {choices.points} x {choices.points} points and reaches from "
        f"{-choices.radius:g} to {choices.radius:g}; 1 is {first} (a) and {second} (b) of the Euclidean norm of all weights "
        "that move."
    )


def _tell_path(choices: Choices, texts: Sequence[Text], known: Known, path: ThinkingPath | None) -> str:
    """How much of the path the plane shows, and how far first order is to be trusted; or why there is no path."""
    if path is None:
        if not all(text.thinking_ids for text in texts):
            why = "one of the questions has no thinking with tokens"
        elif choices.given == "thinking":
            why = "a path begins where nothing has been thought"
        elif not choices.steps:
            why = "no steps were asked for"
        else:
            why = "a loss along the thinking is not finite"
        return f"No path is drawn, because {why}."
    last = choices.steps
    given, there = mean_of(known.gradients[last]["losses"]), mean_of(known.on_path[last]["losses"])
    share = f"{100 * path.share:.2g} %" if math.isfinite(path.share) else "none"
    return (
        f"The path is a projection: the plane holds {share} of its steps' squared lengths. It is of first order, too: after "
        f"all of the thinking the loss is {given:.3g}, and at the end of the path the surface's is {there:.3g}."
    )
