"""A scorer of one forward pass a position, for comparison, and one whose values are written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from raml_eval.errors import GenerationError
from raml_eval.protocols import PositionScores


def naive_logprobs(model: Any, token_ids: Sequence[int], continuation_ids: Sequence[int], n_scored: int) -> list[float]:
    """The log-probabilities of the last n_scored ids of the continuation, in nats, by one plain forward pass."""
    import torch

    ids = [*token_ids, *continuation_ids]
    with torch.inference_mode():
        table = torch.log_softmax(model(torch.tensor([ids])).logits[0].float(), -1)
    return [float(table[i - 1, ids[i]]) for i in range(len(ids) - n_scored, len(ids))]


class WrittenScorer:
    """Scores with the function value(prefix ids) -> log-probability of each scored token; fails where fails(prefix ids)."""

    def __init__(
        self, value: Callable[[tuple[int, ...]], float], fails: Callable[[tuple[int, ...]], bool] = lambda ids: False
    ) -> None:
        self.value, self.fails = value, fails
        self.asked: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]] = []

    async def score_at(
        self, token_ids: Sequence[int], positions: Sequence[int], continuation_ids: Sequence[int], n_scored: int
    ) -> PositionScores:
        ids = tuple(token_ids)
        self.asked.append((ids, tuple(positions), tuple(continuation_ids), n_scored))
        await asyncio.sleep(0)
        if self.fails(ids):
            raise GenerationError("the engine is out of memory. Run again.")
        rows = tuple((self.value(ids[:at]),) * n_scored for at in positions)
        return PositionScores(rows, len(ids) + len(positions) * len(continuation_ids))
