"""What a landscape shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from raml_eval.errors import ConfigError

_OPTIONS = {"n_questions": "--first"}  # whose name is not the field's
_WORDS = {"plane": ("random", "thinking"), "scale": ("tensor", "filter"), "given": ("prompt", "thinking")}


@dataclass(frozen=True, slots=True)
class Choices:
    """What a landscape shows; docs/landscape.md explains each field. Raises ConfigError for a value out of its range."""

    questions: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    n_questions: int = 4
    points: int = 25
    radius: float = 1.0
    plane: Literal["random", "thinking"] = "random"
    scale: Literal["tensor", "filter"] = "tensor"
    given: Literal["prompt", "thinking"] = "prompt"
    embeddings: bool = False
    seed: int = 0
    steps: int = 12

    def __post_init__(self) -> None:
        for name, known in _WORDS.items():
            if getattr(self, name) not in known:
                raise ConfigError(f"--{name} is {getattr(self, name)!r}; it must be {' or '.join(known)}.")
        least = {"points": 2, "n_questions": 1, "steps": 2 if self.plane == "thinking" else 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                option = _OPTIONS.get(name, f"--{name}")
                raise ConfigError(f"{option} is {getattr(self, name)}; it must be at least {value}.")
        if self.questions and self.tasks:
            raise ConfigError("--question names the questions, so --task has no effect. Leave one of the two out.")
        if self.given == "thinking" and self.steps:
            raise ConfigError(
                f"--steps is {self.steps} and --given is thinking, but a path begins where nothing has been thought. Choose "
                "--steps 0, or --given prompt."
            )
        if not 0 < self.radius < float("inf"):
            raise ConfigError(f"--radius is {self.radius}; it must be a number above 0.")

    @property
    def axis(self) -> tuple[float, ...]:
        """The coordinates of the grid's points on either axis, from -radius to radius."""
        return tuple(self.radius * (2 * i / (self.points - 1) - 1) for i in range(self.points))
