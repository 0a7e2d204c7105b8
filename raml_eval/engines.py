"""Keeps one engine open from run to run, so that many checkpoints cost one start."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from raml_eval.backends import open_backend
from raml_eval.checkpoint import Checkpoint, find_checkpoint
from raml_eval.errors import ModelError, SwapRefused
from raml_eval.fingerprint import Fingerprint
from raml_eval.progress import note
from raml_eval.protocols import (
    Backend,
    LimitedSampling,
    NativeBudgets,
    PositionScorer,
    PositionScores,
    Routed,
    WeightSwap,
)
from raml_eval.types import BackendDescription, Completion, SamplingParams

_NO_ARGS: Mapping[str, Any] = MappingProxyType({})


class Lent:
    """An engine for one run. Closing it gives it back, and the engine stays open."""

    def __init__(self, engine: Backend, swapped: Mapping[str, str]) -> None:
        self.description: BackendDescription = engine.description
        self.swapped = swapped
        self._engine = engine

    async def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        return await self._engine.generate(prompt_ids, params)

    async def swap_weights(self, checkpoint: Checkpoint) -> None:
        raise SwapRefused(f"the engine is lent to a run, so {checkpoint.source} cannot be swapped in. Open it through Engines.")

    async def aclose(self) -> None:
        pass


# An object has a protocol by its methods, so what is lent is made of the parts for what the engine can do.


class _Capped(Lent):
    async def generate_capped(
        self, prompt_ids: Sequence[int], params: SamplingParams, thinking_token_budget: int
    ) -> Completion:
        assert isinstance(self._engine, NativeBudgets)
        return await self._engine.generate_capped(prompt_ids, params, thinking_token_budget)


class _Scoring(Lent):
    async def score_at(
        self, token_ids: Sequence[int], positions: Sequence[int], continuation_ids: Sequence[int], n_scored: int
    ) -> PositionScores:
        assert isinstance(self._engine, PositionScorer)
        return await self._engine.score_at(token_ids, positions, continuation_ids, n_scored)


class _Routed(Lent):
    def routed(self, question: str) -> Backend:
        assert isinstance(self._engine, Routed)
        return self._engine.routed(question)


class _Limited(Lent):
    def check_sampling(self, params: SamplingParams) -> None:
        assert isinstance(self._engine, LimitedSampling)
        self._engine.check_sampling(params)


_PARTS: Mapping[type, type[Lent]] = MappingProxyType(
    {NativeBudgets: _Capped, PositionScorer: _Scoring, Routed: _Routed, LimitedSampling: _Limited}
)


def lend(engine: Backend) -> Lent:
    """The engine for one run, with every ability that it has itself but to swap weights and to give access to them."""
    parts = tuple(part for protocol, part in _PARTS.items() if isinstance(engine, protocol))
    swapped = engine.swapped if isinstance(engine, WeightSwap) else {}
    made: type[Lent] = type("Lent", (*parts, Lent), {})
    return made(engine, swapped)


async def open_checked(
    opener: Callable[..., Awaitable[Backend]],
    name: str,
    checkpoint: Checkpoint,
    fingerprint: Fingerprint,
    args: Mapping[str, Any] = _NO_ARGS,
) -> Backend:
    """The engine is open on the checkpoint, whose files are still those of the fingerprint. The errors are open_backend's.

    Raises ModelError if the files changed meanwhile; the engine is closed then.
    """
    where = {"revision": checkpoint.revision, **({"adapter": checkpoint.adapter} if checkpoint.adapter else {})}
    engine = await opener(name, checkpoint.source, **where, args=args)
    try:
        await asyncio.to_thread(checkpoint.check_unchanged, fingerprint)
    except BaseException:
        await engine.aclose()
        raise
    return engine


class Engines:
    """The engine that was opened last. open is an opener for run_session, and must not be called while another run draws.

    If the engine is what the next run asks for but for the weights, these are swapped in place. If that is refused, the
    reason is noted on stderr, and a new engine is opened.
    """

    def __init__(self, opener: Callable[..., Awaitable[Backend]] = open_backend) -> None:
        self._opener = opener
        self._engine: Backend | None = None
        self._asked: tuple[str, str] | None = None
        self._holds = ""

    async def open(
        self,
        name: str,
        model: str,
        *,
        revision: str | None = None,
        adapter: str | None = None,
        args: Mapping[str, Any] = _NO_ARGS,
    ) -> Backend:
        """The engine with the model's weights. The errors are those of open_checked."""
        checkpoint = find_checkpoint(model, revision, adapter).pinned()
        asked = (name, json.dumps(args, sort_keys=True, default=str))
        fingerprint = await asyncio.to_thread(checkpoint.fingerprint)
        if self._engine is None or self._asked != asked or not await self._has(self._engine, checkpoint, fingerprint):
            await self.aclose()
            self._engine = await open_checked(self._opener, name, checkpoint, fingerprint, args)
        self._asked, self._holds = asked, fingerprint.digest
        return lend(self._engine)

    async def _has(self, engine: Backend, checkpoint: Checkpoint, fingerprint: Fingerprint) -> bool:
        """Whether the open engine has these weights now. ModelError if they are broken; the engine then has the old ones.

        ModelError, too, if the files changed meanwhile. What the engine has is then unknown, and replaced by the next swap.
        """
        if self._holds == fingerprint.digest:
            return True
        if not isinstance(engine, WeightSwap):
            return False
        try:
            await engine.swap_weights(checkpoint)
        except SwapRefused as refused:
            note(str(refused))
            return False
        except ModelError:
            raise
        except BaseException:
            await self.aclose()  # stopped in the middle: what the engine holds is unknown
            raise
        self._holds = ""
        await asyncio.to_thread(checkpoint.check_unchanged, fingerprint)
        return True

    async def aclose(self) -> None:
        """No engine is open; the next run gets a new one."""
        engine, self._engine, self._asked, self._holds = self._engine, None, None, ""
        if engine is not None:
            await engine.aclose()
