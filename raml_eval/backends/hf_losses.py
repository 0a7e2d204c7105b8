"""Losses of sequences under a loaded model, and the weights that move while they are computed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal, TypeVar

import torch

from raml_eval.backends.hf_model import LoadedModel
from raml_eval.backends.hf_weights import Along, GradientKeeper, MovedWeights, digest_of
from raml_eval.errors import GenerationError, ModelError
from raml_eval.protocols import Gradient, Scored

T = TypeVar("T")
Alone = Callable[[Callable[[], Any]], Awaitable[Any]]


def losses_of(model: Any, sequences: Sequence[Scored], max_tokens: int) -> tuple[float, ...]:
    """The mean negative log-likelihood of each sequence's scored tokens, in nats per token, in the order of the sequences.

    Sequences of similar length share a forward pass, with padding in front, of at most max_tokens padded tokens.
    """
    found: dict[int, float] = {}
    with torch.inference_mode():
        for group in _groups(sequences, max_tokens):
            values = _losses(model, [sequences[i] for i in group])
            found |= dict(zip(group, values.tolist(), strict=True))
    return tuple(found[i] for i in range(len(sequences)))


def _groups(sequences: Sequence[Scored], max_tokens: int) -> Iterator[list[int]]:
    group: list[int] = []
    for i in sorted(range(len(sequences)), key=lambda i: len(sequences[i].token_ids)):
        if group and len(sequences[i].token_ids) * (len(group) + 1) > max_tokens:
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def _losses(model: Any, rows: Sequence[Scored]) -> torch.Tensor:
    """The losses of the rows, (rows,), from one forward pass."""
    width, most = max(len(row.token_ids) for row in rows), max(row.n_scored for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    scored = torch.zeros(len(rows), most, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, width - len(row.token_ids) :] = torch.tensor(row.token_ids)
        mask[i, width - len(row.token_ids) :] = True
        scored[i, most - row.n_scored :] = True
    ids, mask, scored = (tensor.to(model.device) for tensor in (ids, mask, scored))
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    padded = {} if bool(mask.all()) else {"attention_mask": mask}
    out = model(input_ids=ids, position_ids=positions, use_cache=False, logits_to_keep=most + 1, **padded)
    logprobs = out.logits[:, -most - 1 : -1].float().log_softmax(-1)
    picked = logprobs.gather(2, ids[:, -most:, None])[..., 0]
    # A padded column may be NaN, and 0 times NaN is NaN: it is left out, not multiplied.
    return -torch.where(scored, picked, 0.0).sum(1) / scored.sum(1)


class HeldWeights:
    """A model's movable weights (protocols.MovableWeights). alone runs a job while nothing else uses the model."""

    def __init__(self, loaded: LoadedModel, embeddings: bool, alone: Alone, context: int, max_tokens: int) -> None:
        self.digest = digest_of(loaded.model)
        self._model, self._n_vocab = loaded.model, loaded.n_vocab
        self._alone, self._context, self._max_tokens = alone, context, max_tokens
        self._weights = MovedWeights(loaded.model, embeddings)
        self._gradients = GradientKeeper(self._weights)

    @property
    def details(self) -> Mapping[str, Any]:
        return self._weights.details

    async def set_random(self, seed: int, scale: Literal["tensor", "filter"]) -> Along:
        return await self._run(partial(self._weights.set_random, seed, scale))

    async def set_combined(self, coefficients: Sequence[Sequence[float]]) -> Along:
        def work() -> Along:
            return self._weights.set_directions(self._gradients.combine(coefficients))

        return await self._run(work)

    async def losses(self, a: float, b: float, sequences: Sequence[Scored]) -> tuple[float, ...]:
        self._check(sequences)

        def work() -> tuple[float, ...]:
            with self._weights.at(a, b):
                return losses_of(self._model, sequences, self._max_tokens)

        return await self._run(work)

    async def gradient(self, sequences: Sequence[Scored], keep: int) -> Gradient:
        self._check(sequences)

        def work() -> Gradient:
            jobs = [partial(self._loss, one) for one in sequences]
            return Gradient(*self._gradients.add(jobs, keep))

        return await self._run(work)

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            found: T = await self._alone(work)
        except torch.OutOfMemoryError as error:
            raise GenerationError(
                f"the GPU's memory does not hold this work beside the saved weights: {error}. Take fewer or shorter questions, "
                "fewer steps, or a lower max_batch_tokens (--backend-arg)."
            ) from error
        return found

    def _loss(self, sequence: Scored) -> torch.Tensor:
        return _losses(self._model, [sequence])[0]

    def _check(self, sequences: Sequence[Scored]) -> None:
        """Raises GenerationError for a sequence that cannot be scored."""
        for one in sequences:
            n = len(one.token_ids)
            if not 1 <= one.n_scored < n:
                raise GenerationError(f"{one.n_scored} of {n} tokens are to be scored; wanted at least 1, and one before them.")
            if n > self._context or not 0 <= min(one.token_ids) <= max(one.token_ids) < self._n_vocab:
                raise GenerationError(
                    f"a sequence of {n} tokens with ids from {min(one.token_ids)} to {max(one.token_ids)} does not fit the "
                    f"model, which has a context of {self._context} and ids below {self._n_vocab}. Leave the question out."
                )


@asynccontextmanager
async def hold_weights(
    loaded: LoadedModel, embeddings: bool, alone: Alone, context: int, max_tokens: int
) -> AsyncIterator[HeldWeights]:
    """The model's movable weights. At the end, all its weights are compared with those at the start, as WeightAccess says."""
    held: HeldWeights = await alone(partial(HeldWeights, loaded, embeddings, alone, context, max_tokens))
    try:
        yield held
    finally:
        now: str = await alone(partial(digest_of, loaded.model))
        if now != held.digest:
            raise ModelError(
                f"the weights were not put back: their digest is {now}, and was {held.digest} before they were moved. What was "
                "computed since does not count; run again with a new engine."
            )
