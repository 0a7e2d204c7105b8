"""Coroutines that take their work from one shared stream."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


async def run_workers(work: Callable[[], Coroutine[Any, Any, None]], n: int) -> None:
    """n coroutines of work have run to their end. If one fails or the caller is cancelled, all the others are cancelled.

    Each is cancelled once, and waited for: what a cancelled one still finishes (finish_soon) may take longer than in another.
    """
    workers = [asyncio.create_task(work()) for _ in range(n)]
    together = asyncio.gather(*workers)
    together.add_done_callback(lambda done: done.cancelled() or done.exception())  # or asyncio says that nobody asked for it
    try:
        await asyncio.shield(together)  # alone, it would pass a cancellation on, before the one below
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


async def finish_soon(work: Coroutine[Any, Any, T], grace_s: float) -> T:
    """The result of the work. If the caller is cancelled, the work goes on for grace_s seconds before it is cancelled too.

    A second cancellation does not wait. CancelledError is raised in both cases.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait({task}, timeout=grace_s)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        raise
