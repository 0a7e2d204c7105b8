"""Coroutines that share one stream of work."""

from __future__ import annotations

import asyncio

import pytest

from raml_eval.concurrency import run_workers


def test_each_piece_of_work_is_done_once_and_side_by_side() -> None:
    stream, done = iter(range(20)), []
    busy = most = 0

    async def work() -> None:
        nonlocal busy, most
        for piece in stream:
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0)
            busy -= 1
            done.append(piece)

    asyncio.run(run_workers(work, 4))
    assert sorted(done) == list(range(20))
    assert most == 4


def test_where_one_fails_the_others_are_cancelled_and_its_error_is_raised() -> None:
    stream, cancelled = iter(range(3)), []

    async def work() -> None:
        for piece in stream:
            if piece == 2:
                raise ValueError("the third")
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(piece)
                raise

    with pytest.raises(ValueError, match="the third"):
        asyncio.run(run_workers(work, 3))
    assert sorted(cancelled) == [0, 1]
