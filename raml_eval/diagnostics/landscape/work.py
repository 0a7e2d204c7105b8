"""What an engine computes for a landscape, line by line of the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from raml_eval.diagnostics.landscape.choices import Choices
from raml_eval.diagnostics.landscape.known import Known, find_path, finite, mean_of
from raml_eval.diagnostics.landscape.steps import gram_of, own_plane, path_of
from raml_eval.diagnostics.landscape.texts import Text
from raml_eval.errors import ConfigError, MetricError
from raml_eval.progress import Progress, note
from raml_eval.protocols import MovableWeights, Scored
from raml_eval.store.journal import Journal
from raml_eval.types import BackendDescription


@dataclass(slots=True)
class Work:
    """The work for one landscape. run does whatever the journal lacks."""

    choices: Choices
    texts: Sequence[Text]

    async def run(
        self, weights: MovableWeights, engine: BackendDescription, journal: Journal, known: Known, quiet: bool
    ) -> None:
        """The journal holds every line. Raises ConfigError if its lines come from other weights or another engine."""
        session = _Session(self.choices, self.texts, weights, journal, known)
        await session.start(engine)
        n_more = self.choices.steps + 1 if self.choices.steps else 0
        done = len(known.points) + len(known.gradients) + len(known.on_path)
        with Progress(self.choices.points**2 + 2 * n_more, done, quiet=quiet, noun="points", about="landscape: ") as progress:
            session.progress = progress
            await session.set_directions()
            await session.cross_grid()
            await session.follow_path()
        await session.end()


@dataclass(slots=True)
class _Session:
    choices: Choices
    texts: Sequence[Text]
    weights: MovableWeights
    journal: Journal
    known: Known
    progress: Progress | None = None

    @property
    def surface(self) -> list[Scored]:
        """What the surface is the mean loss of."""
        return [text.at(1.0 if self.choices.given == "thinking" else 0.0) for text in self.texts]

    async def add(self, line: dict[str, Any], points: int = 0) -> None:
        """The line is on the disk, and known."""
        await self.journal.append(line)
        self.known.add(line)
        if self.progress is not None:
            self.progress.advance(points)

    async def start(self, engine: BackendDescription) -> None:
        """The engine is the one of the lines so far, and the losses at the saved weights are known."""
        facts = {
            "weights": self.weights.digest,
            "backend": f"{engine.name} {engine.version}",
            "dtype": engine.dtype,
            "device": engine.device,
        }
        if self.known.engine is None:
            await self.add({"is": "engine", **facts})
        assert self.known.engine is not None
        for name, here in facts.items():
            if (there := self.known.engine[name]) != here:
                raise ConfigError(
                    f"{self.journal.path.parent} was begun with {name} {there}, and this is {here}: the points would not fit "
                    "together. Choose another --out, or delete the folder."
                )
        if self.known.centre is None:
            await self.add({"is": "centre", "losses": finite(await self.weights.losses(0, 0, self.surface))})
        assert self.known.centre is not None
        if None in self.known.centre["losses"]:
            raise MetricError("the loss of a gold answer is not finite at the model's own weights. Load it with dtype=float32.")

    async def set_directions(self) -> None:
        """The directions are those of the basis, and the gradients after each share of the thinking are known."""
        if self.choices.plane == "thinking":
            await self._gradients(keep=self.choices.steps + 1, anew=True)
            basis = self.known.basis or self._own_basis()
            squares, inner = await self.weights.set_combined(basis["coefficients"])
        else:
            squares, inner = await self.weights.set_random(self.choices.seed, self.choices.scale)
            basis = {"is": "basis", "coefficients": None}
            await self._gradients(keep=2, anew=False)
        if self.known.basis is None:
            await self.add({**basis, "squares": list(squares), "inner": inner, "details": dict(self.weights.details)})

    def _own_basis(self) -> dict[str, Any]:
        lines = [self.known.gradients[step] for step in range(self.choices.steps + 1)]
        gram = gram_of([line["kept"] for line in lines])
        coefficients, length = own_plane(path_of([mean_of(line["losses"]) for line in lines], gram), gram)
        return {"is": "basis", "coefficients": coefficients.tolist(), "length": length}

    async def _gradients(self, keep: int, anew: bool) -> None:
        """The gradients after each share are known. anew: they are computed whether known or not, because they are kept.

        Otherwise, one that is known is computed again only if the next one needs it.
        """
        steps, n_known = self.choices.steps, len(self.known.gradients)
        if not steps or (n_known > steps and not anew):
            return
        for step in range(0 if anew else max(0, n_known - 1), steps + 1):
            found = await self.weights.gradient([text.at(step / steps) for text in self.texts], keep)
            if step not in self.known.gradients:
                line = {"is": "gradient", "step": step, "losses": finite(found.losses), "kept": list(found.kept)}
                await self.add({**line, "along": list(found.along)}, points=1)

    async def cross_grid(self) -> None:
        """The losses at every point of the grid are known."""
        surface, axis = self.surface, self.choices.axis
        for i, a in enumerate(axis):
            for j, b in enumerate(axis):
                if (i, j) not in self.known.points:
                    losses = await self.weights.losses(a, b, surface)
                    await self.add({"is": "point", "i": i, "j": j, "losses": finite(losses)}, points=1)

    async def follow_path(self) -> None:
        """The surface's losses at every point of the path are known."""
        path = find_path(self.known)
        if path is None:
            self._expect_fewer()
            return
        for step, (a, b) in enumerate(path.points.tolist()):
            if step not in self.known.on_path:
                losses = await self.weights.losses(a, b, self.surface)
                await self.add({"is": "on_path", "step": step, "losses": finite(losses)}, points=1)

    def _expect_fewer(self) -> None:
        if self.progress is not None:
            self.progress.total = self.progress.done

    async def end(self) -> None:
        """The losses at the saved weights have been computed once more; a note says if they differ from those at the start."""
        losses = finite(await self.weights.losses(0, 0, self.surface))
        assert self.known.centre is not None
        if losses != self.known.centre["losses"]:
            note(
                f"the losses at the saved weights were {self.known.centre['losses']} at the start and are {losses} now, though "
                "the weights are the same: this device's results vary."
            )
        await self.add({"is": "end", "losses": losses})
