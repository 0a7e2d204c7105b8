"""One replica: an engine in a process that Ray starts, and starts again if it ends. This module runs without Ray."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from raml_eval.backends import open_backend
from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import ConfigError, GenerationError, ModelError
from raml_eval.protocols import Backend
from raml_eval.types import SamplingParams


class Replica:
    """The class of the Ray actor. Only plain data goes in and out, so that both sides may differ in anything else.

    model is a folder, which every node must have, or a hub id.
    """

    def __init__(self, engine: str, model: str, revision: str | None, adapter: str | None, args: Mapping[str, Any]) -> None:
        self._name, self._model, self._revision, self._adapter, self._args = engine, model, revision, adapter, dict(args)
        self._engine: Backend | None = None
        self._loading = asyncio.Lock()

    async def ping(self) -> int:
        """The process's id, as a sign of life."""
        return os.getpid()

    async def load(self) -> dict[str, Any]:
        """The engine is open. Its description and the digest of the checkpoint, or a problem with its kind.

        The constructor does not do this: Ray gives up an actor whose constructor fails, and loses the reason's type.
        """
        async with self._loading:
            try:
                if self._engine is None:
                    where = {"revision": self._revision, "adapter": self._adapter}
                    self._engine = await open_backend(self._name, self._model, **where, args=self._args)
                checkpoint = find_checkpoint(self._model, self._revision, self._adapter)
                digest = await asyncio.to_thread(checkpoint.digest)
            except (ConfigError, ModelError) as error:
                return {"problem": str(error), "kind": "config" if isinstance(error, ConfigError) else "model"}
        return {"description": dataclasses.asdict(self._engine.description), "digest": digest}

    async def generate(self, prompt_ids: list[int], params: dict[str, Any]) -> dict[str, Any]:
        """The draw, or why this request failed. If the engine's process has ended, this one ends too, and Ray replaces it.

        Nothing is drawn if this process has just replaced another one, and the caller does not know of it yet.
        """
        if self._engine is None:
            return {"unloaded": True}
        try:
            drawn = await self._engine.generate(prompt_ids, SamplingParams(**params))
        except GenerationError as error:
            if getattr(self._engine, "dead", False):
                os._exit(1)
            return {"failed": str(error)}
        return {"token_ids": list(drawn.token_ids), "finish": drawn.finish.value}

    async def close(self) -> None:
        """The engine's processes have ended."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.aclose()
