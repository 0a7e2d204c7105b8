"""Several servers or replicas of one model as one: requests are spread, retried, moved away from a lost one, and back again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from raml_eval.endpoint import Connection, EndpointRefused, RequestFailed, Unanswered, next_pause
from raml_eval.errors import GenerationError
from raml_eval.progress import note
from raml_eval.types import BackendDescription, Completion, SamplingParams

T = TypeVar("T")
_REVIVAL_PAUSE_S = 10.0  # at most, between two looks at a server that is lost
_MISSES = 3  # unanswered looks in a row after which a server that is drawing counts as lost
_BUSY = 429
_NOT_BEGUN = (409, 425, 429, 503, 529)  # nothing was drawn; any other failure may have lost a draw, which a long one does more
_TROUBLED = 3  # failures in a row after which a server gets a rest


class Lost(Unanswered):
    """The server was given up on while it was drawing."""


class Died(Unanswered):
    """The server ended while it was drawing."""


@dataclass(slots=True, eq=False)
class Member:
    """One server or replica: its name (such as http://localhost:8000/v1), its requests in flight, and whether it can be used.

    It is lost while it cannot be reached, and rests until a time that it asked for or that its failures call for. refused says
    why it must not be used at all, for example because it serves another model.
    """

    address: str
    tries: set[asyncio.Task[Any]] = field(default_factory=set)
    lost: bool = False
    rests_until: float = 0.0
    n_troubled: int = 0
    refused: EndpointRefused | None = None

    @property
    def usable(self) -> bool:
        return not self.lost and self.refused is None and self.rests_until <= time.monotonic()

    def tell_pause(self, error: Unanswered, pause_s: float) -> None:
        """A pause after a failed try that the user should know of is told on stderr."""

    async def close(self) -> None:
        """Nothing is left of the connection."""

    async def attempt(self, asked: Awaitable[T]) -> T:
        """The reply to what was asked, in one try. Lost if the server is given up on meanwhile."""
        task = asyncio.ensure_future(asked)
        self.tries.add(task)
        task.add_done_callback(self.tries.discard)
        try:
            await asyncio.wait({task})
        finally:
            _stop(task)
        if task.cancelled():
            raise Lost("the server was lost meanwhile")
        return task.result()


@dataclass(slots=True, eq=False, kw_only=True)
class Server(Member):
    """One completion server, at its base address."""

    connection: Connection

    def tell_pause(self, error: Unanswered, pause_s: float) -> None:
        self.connection.tell_pause(self.address, error, pause_s)

    async def close(self) -> None:
        await self.connection.close()

    async def complete(self, body: Any, read: Callable[[Any], T]) -> T:
        """What read makes of the reply to one completion request."""
        return await self.connection.ask("POST", f"{self.address}/completions", read, body)


M = TypeVar("M", bound=Member)


class ServerPool(Generic[M]):
    """The servers of one model, which all backends of several servers or replicas share.

    backend is the name of this one, and advice what to do when none of its servers can be reached.

    A question stays with the server that drew for it first: the one with the fewest requests in flight. attempts counts the
    tries of one request that failed at a server; patience_s limits how long a request waits while servers are busy (429),
    and while none can be reached.
    look tells whether a server is well and still serves the same model: it raises Unanswered, or EndpointRefused if not.
    look_closely lets it draw, too. A server that is drawing is looked at every watch_s seconds, one that was lost closely.
    """

    def __init__(
        self,
        servers: list[M],
        look: Callable[[M], Awaitable[None]],
        look_closely: Callable[[M], Awaitable[None]],
        *,
        backend: str,
        advice: str,
        attempts: int,
        patience_s: float,
        watch_s: float,
        pause_s: float = 1.0,
    ) -> None:
        self.servers = servers
        self._look, self._look_closely, self._attempts, self._patience_s = look, look_closely, attempts, patience_s
        self._watch_s, self._pause_s, self._backend = watch_s, pause_s, backend
        self._advice = advice
        self._homes: dict[str, M] = {}
        self._changed = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self.closed = False

    def start(self) -> None:
        """The servers are watched from now on, and those that are lost are looked for."""
        for server in self.servers:
            self._spawn(self._watch(server))
            if server.lost:
                self._spawn(self._revive(server))

    async def close(self) -> None:
        """Requests that are under way fail, and no connection is left."""
        self.closed = True
        self._changed.set()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        tries = [task for server in self.servers for task in server.tries]
        for task in tries:
            _stop(task)
        await asyncio.gather(*tries, return_exceptions=True)
        await asyncio.gather(*(server.close() for server in self.servers))

    async def complete(self, ask: Callable[[M], Awaitable[T]], question: str) -> tuple[T, bool]:
        """The reply of the server that was asked, and whether an earlier draw for the same request was lost on the way.

        Tries again as long as that can help.
        Raises RequestFailed if it does not, EndpointRefused if no server takes any request, GenerationError once closed.
        """
        n_tries, n_failed, avoided, redrawn = 0, 0, None, False
        busy_until = deadline = time.monotonic() + self._patience_s
        while True:
            server = await self._choose(question, deadline, avoided)
            try:
                reply = await server.attempt(ask(server))
            except Unanswered as error:
                if self.closed:
                    raise self._closed() from None
                if error.status != _BUSY:
                    busy_until = time.monotonic() + self._patience_s
                busy = error.status == _BUSY and time.monotonic() < busy_until
                n_failed += error.reached
                n_tries += error.reached and not busy
                if n_tries >= self._attempts or (error.status == _BUSY and not busy):
                    told = f"{server.address} gave no answer in {n_failed} tries, the last time: {error}"
                    raise RequestFailed(told) from None
                avoided = server
                redrawn = redrawn or (error.reached and error.status not in _NOT_BEGUN)
                await self._heed(server, error, n_failed)
                deadline = max(deadline, time.monotonic() + self._patience_s) if error.reached else deadline
            except EndpointRefused as error:
                self._refuse(server, error)
            else:
                server.n_troubled = 0
                return reply, redrawn

    async def _heed(self, server: M, error: Unanswered, n_failed: int) -> None:
        """What a failed try says about its server is noted. If other servers can be used, this does not wait."""
        if not error.reached or isinstance(error, Died):
            self._lose(server, str(error))
            return
        if isinstance(error, Lost):
            return
        server.n_troubled += 1
        pause_s = next_pause(n_failed - 1, self._pause_s, error.asked_s)
        if error.asked_s is not None or server.n_troubled >= _TROUBLED:
            server.rests_until = max(server.rests_until, time.monotonic() + pause_s)
        server.tell_pause(error, pause_s)
        if not any(other.usable for other in self.servers if other is not server):
            await asyncio.sleep(pause_s)

    async def _choose(self, question: str, deadline: float, avoided: M | None) -> M:
        """The question's server, or another one while it cannot be used. Waits until there is one."""
        while True:
            if self.closed:
                raise self._closed()
            usable = [server for server in self.servers if server.usable]
            preferred = [server for server in usable if server is not avoided] or usable
            home = self._homes.get(question)
            if home in preferred:
                return home
            if preferred:
                chosen = min(preferred, key=lambda server: len(server.tries))
                self._homes[question] = chosen
                return chosen
            await self._wait(deadline)

    async def _wait(self, deadline: float) -> None:
        """Until a server may be usable again. RequestFailed after the deadline if none can be reached."""
        refused = [server.refused for server in self.servers if server.refused]
        if len(refused) == len(self.servers) and refused[0]:
            raise refused[0]
        now = time.monotonic()
        resting = [server.rests_until for server in self.servers if not (server.lost or server.refused)]
        if not resting and now >= deadline:
            addresses = ", ".join(server.address for server in self.servers)
            raise RequestFailed(f"no server answered for {self._patience_s:g} s: {addresses}. {self._advice}")
        self._changed.clear()
        until = min(resting) if resting else deadline
        try:
            async with asyncio.timeout(max(0.01, until - now)):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _lose(self, server: M, reason: str) -> None:
        """The server gets no request until it answers again, and what it was drawing is drawn elsewhere."""
        if server.lost or self.closed:
            return
        server.lost = True
        others = [other for other in self.servers if other is not server and not other.lost and other.refused is None]
        does = "the others take its work" if others else f"waiting for it, up to {self._patience_s:g} s"
        note(f"{server.address} is lost ({reason}); {does}")
        for task in list(server.tries):
            _stop(task)
        self._spawn(self._revive(server))

    def _refuse(self, server: M, error: EndpointRefused) -> None:
        """The server is not used any more. The error is raised if there is no other one."""
        server.refused = error
        self._changed.set()
        if all(other.refused for other in self.servers):
            raise error
        note(f"{error} The others take its work")

    async def _revive(self, server: M) -> None:
        """The server is used again as soon as it answers, if it still serves the same model."""
        attempt = refusals = 0
        while server.lost:
            await asyncio.sleep(min(_REVIVAL_PAUSE_S, next_pause(attempt, self._pause_s)))
            attempt += 1
            try:
                await self._look_closely(server)
            except EndpointRefused as error:
                refusals += 1
                if _may_pass(error, refusals):
                    continue
                server.lost, server.refused = False, error
                note(f"{error} It is left out")
            except (Unanswered, RequestFailed):
                refusals = 0
            else:
                server.lost, server.n_troubled, server.rests_until = False, 0, 0.0
                note(f"{server.address} answers again")
        self._changed.set()

    async def _watch(self, server: M) -> None:
        """A server that hangs while it is drawing is lost."""
        misses = refusals = 0
        while True:
            await asyncio.sleep(self._watch_s)
            if server.lost or server.refused or not server.tries:
                misses = refusals = 0
                continue
            try:
                await self._look(server)
                misses = refusals = 0
            except Unanswered as error:
                misses, refusals = misses + 1, 0
                if misses >= _MISSES or not error.reached:
                    self._lose(server, f"{error}, {misses} times in a row" if error.reached else str(error))
            except EndpointRefused as error:
                misses, refusals = 0, refusals + 1
                if _may_pass(error, refusals):
                    continue
                server.refused = error
                note(f"{error} It is left out")
                self._changed.set()
            except RequestFailed:
                misses = refusals = 0  # it answers, if only with a refusal of this look

    def _closed(self) -> GenerationError:
        return GenerationError(f"the {self._backend} backend is closed. Open a new one.")

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


class Pooled(Protocol):
    """A backend over a pool, which can draw for a question."""

    description: BackendDescription

    async def generate_for(self, question: str, prompt_ids: Sequence[int], params: SamplingParams) -> Completion: ...

    async def aclose(self) -> None: ...


class ForQuestion:
    """A backend over a pool, for one question."""

    def __init__(self, backend: Pooled, question: str) -> None:
        self.description = backend.description
        self._backend, self._question = backend, question

    async def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        return await self._backend.generate_for(self._question, prompt_ids, params)

    async def aclose(self) -> None:
        await self._backend.aclose()


def _may_pass(error: EndpointRefused, in_a_row: int) -> bool:
    """True for a refusal by status that has not come several times yet: a gateway refuses while the server behind restarts."""
    return error.status is not None and in_a_row < _MISSES


def _stop(task: asyncio.Task[Any]) -> None:
    """The task is cancelled, once: a second time would interrupt it while it closes its connection."""
    if not task.cancelling():
        task.cancel()
