"""Coroutines that share one stream of work."""

from __future__ import annotations

import asyncio

import pytest

from raml_eval.concurrency import finish_soon, run_workers


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


@pytest.mark.parametrize(("takes_s", "grace_s", "finished"), [(0.05, 5.0, True), (60.0, 0.05, False)])
def test_what_is_nearly_done_is_finished_before_the_cancellation_passes(takes_s: float, grace_s: float, finished: bool) -> None:
    done = []

    async def work() -> None:
        await asyncio.sleep(takes_s)
        done.append(True)

    async def cancel() -> None:
        task = asyncio.create_task(finish_soon(work(), grace_s))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert bool(done) is finished


@pytest.mark.parametrize("fails", [False, True], ids=["cancelled", "one fails"])
def test_who_ends_first_does_not_cut_short_what_the_others_finish(fails: bool) -> None:
    numbers, finished = iter(range(4)), []

    async def nearly_done(number: int) -> None:
        await asyncio.sleep(0.05 * number)
        finished.append(number)

    async def work() -> None:
        number = next(numbers)
        if fails and number == 0:
            raise ValueError("the first")
        await finish_soon(nearly_done(number), 60.0)

    async def cancel() -> None:
        task = asyncio.create_task(run_workers(work, 4))
        await asyncio.sleep(0.01)
        if not fails:
            task.cancel()
        await task

    with pytest.raises(ValueError if fails else asyncio.CancelledError):
        asyncio.run(cancel())
    assert finished == ([1, 2, 3] if fails else [0, 1, 2, 3])


@pytest.mark.parametrize("n_workers", [0, 4])
def test_a_second_cancellation_does_not_wait(n_workers: int) -> None:
    async def work() -> None:
        await finish_soon(asyncio.sleep(60), 60.0)

    async def cancel() -> None:
        task = asyncio.create_task(run_workers(work, n_workers) if n_workers else work())
        for _ in range(2):
            await asyncio.sleep(0.01)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)

    asyncio.run(cancel())
