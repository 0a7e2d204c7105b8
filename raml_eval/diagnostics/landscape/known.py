"""What a landscape's journal holds, and the path that follows from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from raml_eval.diagnostics.landscape.steps import Array, gram_of, path_of, project, share_in_plane, step_squares

Line = Mapping[str, Any]


@dataclass(slots=True)
class Known:
    """The lines of a journal by what they are. Of equal ones, the first counts.

    engine: what computed the lines. centre: the losses at the saved weights. gradients: the losses and inner products after
    each share of the thinking. basis: how the two directions are made. points: the losses at each point of the grid. on_path:
    those at each point of the path. end: the losses at the saved weights, once everything else was done.
    """

    engine: Line | None = None
    centre: Line | None = None
    basis: Line | None = None
    end: Line | None = None
    gradients: dict[int, Line] = field(default_factory=dict)
    points: dict[tuple[int, int], Line] = field(default_factory=dict)
    on_path: dict[int, Line] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Known:
        """What the lines tell."""
        known = cls()
        for line in lines:
            known.add(line)
        return known

    def add(self, line: Line) -> None:
        """The line is known."""
        match line["is"]:
            case "gradient":
                self.gradients.setdefault(line["step"], line)
            case "point":
                self.points.setdefault((line["i"], line["j"]), line)
            case "on_path":
                self.on_path.setdefault(line["step"], line)
            case kind:
                setattr(self, kind, getattr(self, kind) or line)


@dataclass(frozen=True, slots=True)
class ThinkingPath:
    """Where a thinking goes in the plane: points (n, 2) from (0, 0), after each share of it.

    lengths are those of the steps in the space of all weights that move, (n - 1,). share is how much of their squares lies in
    the plane.
    """

    points: Array
    lengths: Array
    share: float


def find_path(known: Known) -> ThinkingPath | None:
    """The path, from the gradients and the basis; None if no gradient was asked for, or a loss is not finite."""
    if not known.gradients or known.basis is None:
        return None
    lines = [known.gradients[step] for step in range(len(known.gradients))]
    losses = [mean_of(line["losses"]) for line in lines]
    if not all(map(math.isfinite, losses)):
        return None
    gram = gram_of([line["kept"] for line in lines])
    path = path_of(losses, gram)
    basis = known.basis
    own = basis["coefficients"]
    along = gram @ np.array(own).T if own else np.array([line["along"] for line in lines])
    points = project(path @ along, basis["squares"], basis["inner"])
    squares = step_squares(path, gram)
    return ThinkingPath(points, np.sqrt(squares), share_in_plane(points, basis["squares"], basis["inner"], squares))


def mean_of(losses: Sequence[float | None]) -> float:
    """The mean of the questions' losses; NaN if one of them is not finite, which a journal holds as null."""
    return math.fsum(x for x in losses if x is not None) / len(losses) if None not in losses else math.nan


def finite(losses: Iterable[float]) -> list[float | None]:
    """The losses as a journal holds them: null for one that is not finite.

    Example: finite([1.0, float("inf")]) == [1.0, None]
    """
    return [loss if math.isfinite(loss) else None for loss in losses]
