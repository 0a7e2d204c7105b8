"""Moves a model's weights within a plane of two directions, and puts the saved ones back, bit by bit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch

from raml_eval.errors import GenerationError, ModelError

_GIB = 2**30
_CPU_GIB = 4.0  # directions up to this size are kept on a CPU; larger ones are made anew for each point
Directions = tuple[torch.Tensor, torch.Tensor]
Along = tuple[tuple[float, float], float]


class MovedWeights:
    """The parameters of a model that move, with a saved copy of each, and two directions. A tied parameter is there once.

    The saved copy takes as many bytes as the parameters do. The two directions take four bytes for each value, twice, if they
    are kept; otherwise random ones are made anew for each use, tensor by tensor, with the same values. Every parameter is left
    in place, so that what else refers to it stays valid.
    """

    def __init__(self, model: Any, embeddings: bool) -> None:
        outside = set() if embeddings else {id(layer.weight) for layer in _embeddings(model)}
        named = {key: p for key, p in model.named_parameters() if p.is_floating_point() and id(p) not in outside}
        if not named:
            raise ModelError("the model has no weights of floating point that could be moved. Load it unquantised.")
        self.named: Mapping[str, torch.Tensor] = named
        self.device: torch.device = model.device
        self.n_values = sum(p.numel() for p in named.values())
        size = sum(p.numel() * p.element_size() for p in named.values())
        where = self.device if self._has_room(size) else torch.device("cpu")
        self._saved = {key: p.detach().to(where, copy=True) for key, p in named.items()}
        self._directions: Mapping[str, Directions] | None = None
        self._make: Callable[[str], Directions] | None = None
        self.details: Mapping[str, Any] = {
            "tensors": len(named),
            "values": self.n_values,
            "norm": sum(float(p.float().square().sum(dtype=torch.float64)) for p in self._saved.values()) ** 0.5,
            "saved_gib": round(size / _GIB, 3),
            "saved_on": where.type,
        }

    def _has_room(self, size: float) -> bool:
        """Whether so many bytes more fit on the device beside what a forward pass takes; a CPU has no such limit of its own."""
        return self.device.type != "cuda" or bool(torch.cuda.mem_get_info(self.device)[0] > 2 * size)

    def set_random(self, seed: int, scale: Literal["tensor", "filter"]) -> Along:
        """As MovableWeights.set_random. The generators are the device's own, so a CPU and a GPU make other directions."""

        def make(key: str) -> Directions:
            saved = self._saved[key].to(self.device, torch.float32)
            return (_random(saved, f"{seed}:0:{key}", scale), _random(saved, f"{seed}:1:{key}", scale))

        size = 8 * self.n_values
        fits = self._has_room(size) and (self.device.type == "cuda" or size <= _CPU_GIB * _GIB)
        self._directions, self._make = ({key: make(key) for key in self.named} if fits else None), make
        self.details = {**self.details, "directions": f"kept, {size / _GIB:.3f} GiB" if fits else "made anew for each point"}
        return self._inner()

    def set_directions(self, directions: Mapping[str, Directions]) -> Along:
        """These are the directions from now on, in float32. Returns their squared norms, and their inner product."""
        self._directions, self._make = directions, None
        self.details = {**self.details, "directions": f"kept, {8 * self.n_values / _GIB:.3f} GiB"}
        return self._inner()

    def _inner(self) -> Along:
        products = [(_dot(one, one), _dot(two, two), _dot(one, two)) for _, (one, two) in self.directions()]
        first, second, both = (sum(column) for column in zip(*products, strict=True))
        return (first, second), both

    def directions(self) -> Iterator[tuple[str, Directions]]:
        """The two directions of each tensor, by name. Nothing if none are set."""
        for key in self.named:
            if self._directions is not None:
                yield key, self._directions[key]
            elif self._make is not None:
                yield key, self._make(key)

    @contextmanager
    def at(self, a: float, b: float) -> Iterator[None]:
        """Inside, every tensor is saved + a * d1 + b * d2, computed in float32 and rounded once; afterwards the saved one.

        At (0, 0), nothing is moved, and no directions are needed: the sum would turn -0.0 into 0.0.
        """
        if (a or b) and self._directions is None and self._make is None:
            raise GenerationError("no directions are set, so the weights have no place to go. Set them first.")
        try:
            if a or b:
                with torch.no_grad():
                    for key, (one, two) in self.directions():
                        moved = self._saved[key].to(self.device, torch.float32, copy=True).add_(one, alpha=a).add_(two, alpha=b)
                        self.named[key].copy_(moved)
            yield
        finally:
            self.restore()

    def restore(self) -> None:
        """Every tensor is the saved one."""
        with torch.no_grad():
            for key, parameter in self.named.items():
                parameter.copy_(self._saved[key])


def digest_of(model: Any) -> str:
    """16 hex digits of the SHA-256 of every tensor of the model, names and types included; tied ones once."""
    digest = hashlib.sha256()
    seen: set[int] = set()
    for key, tensor in (*model.named_parameters(), *model.named_buffers()):
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().to("cpu").contiguous().flatten()
        digest.update(memoryview(flat.view(torch.uint8).numpy()))
    return digest.hexdigest()[:16]


def _embeddings(model: Any) -> list[Any]:
    found = (model.get_input_embeddings(), model.get_output_embeddings())
    return [layer for layer in found if layer is not None]


def _random(saved: torch.Tensor, name: str, scale: str) -> torch.Tensor:
    """A standard normal direction of the tensor's shape, scaled; its own generator is seeded with the name."""
    if scale == "filter" and saved.ndim < 2:
        return torch.zeros_like(saved)
    generator = torch.Generator(saved.device)
    generator.manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1)
    drawn = torch.randn(saved.shape, generator=generator, device=saved.device, dtype=torch.float32)
    rows = (1, -1) if scale == "tensor" else (len(saved), -1)
    wanted, has = saved.reshape(rows).norm(dim=1), drawn.reshape(rows).norm(dim=1)
    factor = torch.where(has > 0, wanted / has, 0.0)
    return drawn.reshape(rows).mul_(factor[:, None]).reshape(saved.shape)


def _dot(one: torch.Tensor, two: torch.Tensor) -> float:
    return float((one * two).sum(dtype=torch.float64))


class GradientKeeper:
    """Gradients of losses with respect to the weights that move, in float32. Each takes four bytes for each value."""

    def __init__(self, weights: MovedWeights) -> None:
        self._weights = weights
        self._kept: list[Mapping[str, torch.Tensor]] = []

    def add(self, losses: Sequence[Callable[[], torch.Tensor]], keep: int) -> tuple[tuple[float, ...], ...]:
        """The gradient of the mean of the losses is kept, with the keep - 1 before it; the losses are computed one by one.

        Returns the losses, the inner products with the kept gradients, and those with the directions, if these are set.
        """
        self._kept = self._kept[max(0, len(self._kept) - keep + 1) :] if keep > 1 else []
        total = {key: torch.zeros(p.shape, device=p.device) for key, p in self._weights.named.items()}
        values = []
        for loss in losses:
            with torch.enable_grad():
                value = loss()
                parts = torch.autograd.grad(value, list(self._weights.named.values()), allow_unused=True)
            values.append(float(value.detach()))
            for key, part in zip(total, parts, strict=True):
                if part is not None:
                    total[key].add_(part, alpha=1 / len(losses))
        self._kept.append(total)
        inner = tuple(sum(_dot(total[key], other[key]) for key in total) for other in self._kept)
        along = [(_dot(total[key], one), _dot(total[key], two)) for key, (one, two) in self._weights.directions()]
        return tuple(values), inner, tuple(map(sum, zip(*along, strict=True)))

    def combine(self, coefficients: Sequence[Sequence[float]]) -> Mapping[str, Directions]:
        """The two sums of the kept gradients, times the coefficients of either."""
        if {len(row) for row in coefficients} != {len(self._kept)} or len(coefficients) != 2:
            raise GenerationError(
                f"{len(self._kept)} gradients are kept, so two rows of as many coefficients are wanted; there are "
                f"{[len(row) for row in coefficients]}. Compute the gradients anew."
            )
        sums = ({key: self._sum(key, row) for key in self._weights.named} for row in coefficients)
        one, two = sums
        return {key: (one[key], two[key]) for key in one}

    def _sum(self, key: str, row: Sequence[float]) -> torch.Tensor:
        total = torch.zeros_like(self._kept[0][key])
        for factor, gradient in zip(row, self._kept, strict=True):
            total.add_(gradient[key], alpha=factor)
        return total
