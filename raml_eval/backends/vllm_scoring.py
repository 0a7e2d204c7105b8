"""Log-probabilities of a continuation after many prefixes, from vLLM's prompt log-probabilities and its prefix cache.

vLLM computes no log-probabilities for tokens that it takes from its cache, so by itself it recomputes the whole prompt whenever
they are asked for. Here it may read the cache: the sequence is computed once, and each branch computes its own tokens, and
those of the block that the position divides. A row of a cached token then holds uninitialised memory. Such a row is never
read: num_cached_tokens tells which they are, and a scored token among them is scored anew, as the next token of a prompt
that ends before it, because the last token of a prompt is always computed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from raml_eval.errors import ConfigError, GenerationError
from raml_eval.protocols import PositionScores

# Draws one token after a prompt, and returns vLLM's own output. The errors are those of generate.
Ask = Callable[[list[int], Any], Awaitable[Any]]
_MODE = "raw_logprobs"
_CALLS = 8  # calls of score_at whose sequences must stay in the prefix cache at the same time


class Scorer:
    """Scores branches through an engine, as many at a time as it can draw."""

    def __init__(self, ask: Ask, config: Any) -> None:
        self._ask = ask
        self._mode = config.model_config.logprobs_mode
        self._caches = config.cache_config.enable_prefix_caching
        self._calls = asyncio.Semaphore(_CALLS)
        self._requests = asyncio.Semaphore(config.scheduler_config.max_num_seqs)

    async def score(
        self, token_ids: Sequence[int], positions: Sequence[int], continuation_ids: Sequence[int], n_scored: int
    ) -> PositionScores:
        """The scores of every position; the arguments are those of score_at.

        ConfigError if the engine was opened for other log-probabilities than the model's own.
        """
        if self._mode != _MODE:
            raise ConfigError(
                f"the engine argument logprobs_mode is {self._mode!r}; scores need {_MODE!r}, the model's own "
                "log-probabilities. Leave it out."
            )
        call = _Call(self._ask, self._requests, list(token_ids), list(continuation_ids), n_scored)
        async with self._calls:
            if self._caches and len(positions) > 1:
                await call.fill_cache(positions[-1])
            rows = await asyncio.gather(*(call.score(position) for position in positions))
        return PositionScores(tuple(rows), call.n_forwarded)


@dataclass(slots=True)
class _Call:
    """One call of score_at. n_forwarded counts the tokens that vLLM has computed for it so far."""

    engine: Ask
    limit: asyncio.Semaphore
    token_ids: list[int]
    continuation_ids: list[int]
    n_scored: int
    n_forwarded: int = 0

    async def fill_cache(self, position: int) -> None:
        """The sequence up to the position is in the prefix cache."""
        await self._draw(self.token_ids[:position])

    async def score(self, position: int) -> tuple[float, ...]:
        """The log-probabilities of the scored ids after this position."""
        async with self.limit:
            ids, n_scored = self.token_ids[:position] + self.continuation_ids, self.n_scored
            if n_scored == 1:
                return (await self._score_next(ids[:-1], ids[-1]),)
            output = await self._draw(ids, prompt_logprobs=0, flat_logprobs=True, skip_reading_prefix_cache=False)
            # A token's log-probability comes from the token before it, so that one must have been computed.
            n_known = min(n_scored, len(ids) - 1 - (output.num_cached_tokens or 0))
            missing = range(len(ids) - n_scored, len(ids) - n_known)
            scored = [await self._score_next(ids[:n], ids[n]) for n in missing]
            return (*scored, *_last_rows(output.prompt_logprobs, ids, n_known))

    async def _score_next(self, prompt_ids: list[int], token_id: int) -> float:
        """The log-probability of this token as the next one. The sampler may draw no other, which does not change it."""
        drawn = (await self._draw(prompt_ids, logprobs=0, allowed_token_ids=[token_id])).outputs[0]
        return _checked(drawn.token_ids, [token_id], [float(drawn.logprobs[0][token_id].logprob)])[0]

    async def _draw(self, prompt_ids: list[int], **asked: Any) -> Any:
        """vLLM's output for a request that draws one token."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        params = SamplingParams(
            temperature=0.0, max_tokens=1, ignore_eos=True, detokenize=False, output_kind=RequestOutputKind.FINAL_ONLY, **asked
        )
        output = await self.engine(prompt_ids, params)
        self.n_forwarded += len(prompt_ids) - (output.num_cached_tokens or 0)
        return output


def _last_rows(flat: Any, ids: Sequence[int], n_rows: int) -> list[float]:
    """The log-probabilities of the last n_rows ids of a prompt."""
    starts = flat.start_indices[len(flat.start_indices) - n_rows :]
    return _checked([flat.token_ids[i] for i in starts], ids[len(ids) - n_rows :], [flat.logprobs[i] for i in starts])


def _checked(found: Sequence[int], wanted: Sequence[int], values: list[float]) -> list[float]:
    """The values. GenerationError if they belong to other tokens, or are no log-probabilities."""
    if list(found) != list(wanted):
        raise GenerationError(
            f"vLLM returned log-probabilities of the tokens {list(found)}, wanted {list(wanted)}. Pass "
            "enable_prefix_caching=false, with which each prefix is computed anew."
        )
    if not all(value <= 0 for value in values):
        raise GenerationError(
            f"vLLM returned the log-probabilities {values}, which are no numbers of 0 or less. Load the model with another "
            "dtype, for example dtype=float32."
        )
    return values
