"""The pool of servers by itself: which failures count as tries, and for how long a request goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from raml_eval.backends.server_pool import Member, ServerPool
from raml_eval.endpoint import EndpointRefused, RequestFailed, Unanswered

PATIENCE_S = 1.5


async def nothing(member: Member) -> None:
    """A look that finds the server well."""


def complete(outcomes: Sequence[tuple[float, int]], attempts: int = 6) -> tuple[str, bool]:
    """The reply to a request whose tries take so long and end with these statuses; 200 is a reply."""
    left = list(outcomes)

    async def ask(member: Member) -> str:
        seconds, status = left.pop(0)
        await asyncio.sleep(seconds)
        if status != 200:
            raise Unanswered(f"status {status}", status=status)
        return "reply"

    async def main() -> tuple[str, bool]:
        pool = ServerPool(
            [Member("one")], nothing, nothing, backend="openai_server", advice="", attempts=attempts, patience_s=PATIENCE_S,
            watch_s=60.0, pause_s=0.01,
        )  # fmt: skip
        try:
            return await pool.complete(ask, "question")
        finally:
            await pool.close()

    return asyncio.run(main())


def test_a_busy_server_is_waited_for_from_when_it_is_busy() -> None:
    """A long draw that was lost before it must not use up the patience."""
    assert complete([(2 * PATIENCE_S, 500), (0, 429), (0, 200)])[0] == "reply"


def test_a_server_that_stays_busy_is_given_up_on() -> None:
    with pytest.raises(RequestFailed, match="the last time: status 429"):
        complete([(PATIENCE_S / 2, 429)] * 20)


@pytest.mark.parametrize(
    ("status", "lost"),
    [(409, False), (425, False), (429, False), (503, False), (529, False), (500, True), (502, True), (504, True), (524, True)],
)
def test_a_failure_after_which_a_draw_may_be_lost_is_told(status: int, lost: bool) -> None:
    assert complete([(0, status), (0, 200)]) == ("reply", lost)


def test_a_garbled_reply_is_a_lost_draw() -> None:
    left = [Unanswered("cut", status=200), None]

    async def ask(member: Member) -> str:
        if error := left.pop(0):
            raise error
        return "reply"

    async def main() -> tuple[str, bool]:
        pool = ServerPool([Member("one")], nothing, nothing, backend="b", advice="", attempts=2, patience_s=1, watch_s=60)
        return await pool.complete(ask, "question")

    assert asyncio.run(main()) == ("reply", True)


@pytest.mark.parametrize(("status", "n_looks"), [(404, 3), (None, 1)])
def test_a_look_that_is_refused_by_status_counts_when_it_comes_several_times(status: int | None, n_looks: int) -> None:
    looks = 0

    async def look(member: Member) -> None:
        nonlocal looks
        looks += 1
        raise EndpointRefused("refused", status=status)

    async def draw(member: Member) -> str:
        await asyncio.sleep(60)
        return "reply"

    async def main() -> None:
        member = Member("one")
        pool = ServerPool([member], look, look, backend="b", advice="", attempts=2, patience_s=1, watch_s=0.02)
        pool.start()
        drawing = asyncio.ensure_future(pool.complete(draw, "question"))
        async with asyncio.timeout(20):
            while member.refused is None:
                await asyncio.sleep(0.01)
        drawing.cancel()
        await pool.close()

    asyncio.run(main())
    assert looks == n_looks


def test_looks_that_fail_in_two_ways_in_turn_are_not_three_in_a_row() -> None:
    outcomes = [EndpointRefused("refused", status=404), Unanswered("no reply within 1 s")] * 4
    looked = asyncio.Event()

    async def look(member: Member) -> None:
        if outcomes:
            raise outcomes.pop(0)
        looked.set()

    async def draw(member: Member) -> str:
        await looked.wait()
        return "reply"

    async def main() -> tuple[str, bool]:
        pool = ServerPool([Member("one")], look, look, backend="b", advice="", attempts=2, patience_s=1, watch_s=0.02)
        pool.start()
        try:
            return await asyncio.wait_for(pool.complete(draw, "question"), 60)
        finally:
            await pool.close()

    assert asyncio.run(main()) == ("reply", False)
