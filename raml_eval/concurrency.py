"""Coroutines that take their work from one shared stream."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


async def run_workers(work: Callable[[], Coroutine[Any, Any, None]], n: int) -> None:
    """n coroutines of work have run to their end. If one fails or the caller is cancelled, all the others are cancelled."""
    workers = [asyncio.create_task(work()) for _ in range(n)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


@contextmanager
def settled_heap() -> Iterator[None]:
    """Inside, the garbage collector leaves alone what is there now: modules, questions, prompts.

    While many small objects come and go, it would look through all of it again and again.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
