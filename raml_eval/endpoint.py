"""A connection to one server that speaks JSON over HTTP. It trusts nothing that the server says, and tells failures apart.

The judge's client and the backend of completion servers share it. What to do about a failure is theirs to decide:

    Unanswered        transient: no connection, a lost one, no or a garbled reply in time, or a status that may pass
    RequestFailed     permanent for this request alone (ONE_REQUEST)
    EndpointRefused   permanent for every request: a wrong key, address or model
"""

from __future__ import annotations

import asyncio
import email.utils
import errno
import itertools
import json
import os
import random
import re
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from raml_eval.errors import ConfigError, RamlError
from raml_eval.progress import note

if TYPE_CHECKING:
    import httpx2

RETRIED = (408, 409, 425, 429)  # and each from 500 on but NEVER: gateways have their own, such as 524, for a moment's fault
NEVER = (501, 505)  # not implemented, and another version of HTTP
ONE_REQUEST = (400, 413, 422)  # only this request cannot be answered: it is too long, or a filter refused it
MAX_PAUSE_S = 120.0
LONG_PAUSE_S = 10.0  # a longer pause is told
SHOWN = 200  # characters of a server's reply that an error shows
_CONNECT_S = 10.0
_CLIENTS = 16
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,40}")
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_NO_HINTS: Mapping[int, str] = MappingProxyType({})
_jitter = random.Random()  # unseeded: several processes must not come back at the same moment

T = TypeVar("T")


class RequestFailed(RamlError):
    """One request got no answer after all tries. It may be asked again later."""


class EndpointRefused(ConfigError):
    """The endpoint will not answer any request like these.

    status is that of the reply which says so; None if it follows from what a good reply says, such as another model's name.
    """

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class Unanswered(RamlError):
    """One try got no answer, and another may get one.

    reached is false if no connection could be made, so that the server never saw the request. status is that of the reply,
    None if there was none. asked_s are the seconds that the server asks to wait (Retry-After), None if it does not.
    """

    def __init__(self, reason: str, *, reached: bool = True, status: int | None = None, asked_s: float | None = None) -> None:
        super().__init__(reason)
        self.reached, self.status, self.asked_s = reached, status, asked_s


class BadReply(Exception):
    """A reader of replies raises it, with the reason, for a reply that it cannot use."""


def check_address(address: str, option: str) -> str:
    """The address without a trailing slash. ConfigError, naming the option, for anything but a plain http address.

    An address that holds a password or a query is refused, since that could be a key, and it is not repeated in the error.

    Example: check_address("http://localhost:8000/v1/", "--endpoint") == "http://localhost:8000/v1"
    """
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises ValueError if it is not a number
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{option} is not an http or https address; wanted one such as http://localhost:8000/v1.")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigError(
            f"{option} holds a user, a query or a fragment, wanted a plain address; pass a key with --api-key-env."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def read_key(variable: str | None) -> str | None:
    """The key that an environment variable holds; None if no variable is named. ConfigError if it is not set.

    The error repeats a name only if it looks like one, because it may be the key itself, given by mistake.
    """
    if variable is None:
        return None
    if not os.environ.get(variable):
        name = f"environment variable {variable}" if _VARIABLE.fullmatch(variable) else "that environment variable"
        raise ConfigError(f"{name} is not set; --api-key-env must name one that holds the key.")
    return os.environ[variable]


def next_pause(attempt: int, pause_s: float, asked_s: float | None = None) -> float:
    """The seconds before the try after this one; attempt counts from 0. At most MAX_PAUSE_S.

    They are pause_s, twice that, and so on, spread by half to either side. A server that asks for a pause gets at least that;
    one that asks for none, or by a clock that is behind, must not use up all tries at once, so up to LONG_PAUSE_S the others
    count too.
    """
    own = pause_s * 2 ** min(attempt, 30) * _jitter.uniform(0.5, 1.5)
    return float(min(MAX_PAUSE_S, own if asked_s is None else max(asked_s, min(own, LONG_PAUSE_S))))


class Connection:
    """Sends requests to one server, from any number of coroutines. close() ends it.

    timeout_s is the wall-clock limit of one request, from the connection to the last byte. max_reply is the longest reply
    that is read, in bytes. The key is only ever sent in a header; a server that repeats it has it replaced by [key]. hints
    say, by status, what to check if the server refuses; other_hint is for any other status.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        timeout_s: float = 60.0,
        max_reply: int = 4_000_000,
        hints: Mapping[int, str] = _NO_HINTS,
        other_hint: str = "Check the address",
    ) -> None:
        if api_key is not None and not (api_key.isascii() and api_key.isprintable() and api_key.strip() == api_key != ""):
            raise ConfigError("the API key is empty or holds characters that no header can carry. Set it again.")
        self._key, self._hints, self._other_hint = api_key, hints, other_hint
        self.timeout_s, self._max_reply = timeout_s, max_reply
        self._clients: list[httpx2.AsyncClient] = []
        self._turns = itertools.count()
        self._quiet_until = 0.0

    def open(self) -> None:
        """Requests can be sent, in the running event loop."""
        import httpx2

        # A client looks through all of its connections for each request, so that hundreds in one would cost milliseconds.
        context = httpx2.create_ssl_context()
        self._clients = [
            httpx2.AsyncClient(
                headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
                timeout=httpx2.Timeout(self.timeout_s, connect=min(_CONNECT_S, self.timeout_s)),
                # Connections expire here before they do at the server, which could close one just as it is used.
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=2.0),
                follow_redirects=False,  # a redirect would send the key to another server
                verify=context,
            )
            for _ in range(_CLIENTS)
        ]

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()

    async def ask(
        self, method: str, address: str, read: Callable[[Any], T], body: Any = None, timeout_s: float | None = None
    ) -> T:
        """What read makes of the JSON in the reply. Raises Unanswered, RequestFailed or EndpointRefused, after one try.

        read raises BadReply for a reply that it cannot use; a LookupError, TypeError or AttributeError counts as one too.
        """
        status, text, retry_after = await self._send(method, address, body, timeout_s or self.timeout_s)
        if status in RETRIED or (status >= 500 and status not in NEVER):
            raise Unanswered(f"status {status}, {_shorten(text)}", status=status, asked_s=_retry_after(retry_after))
        if status in ONE_REQUEST:
            raise RequestFailed(f"{address} refuses a request with status {status}: {_shorten(text)}")
        if status != 200:
            hint = self._hints.get(status, self._other_hint)
            raise EndpointRefused(f"{address} answers with status {status}: {_shorten(text)} {hint}.", status=status)
        try:
            return read(json.loads(text))
        except BadReply as error:
            raise Unanswered(f"{error}: {_shorten(text)}", status=status) from None
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            raise Unanswered(f"no such reply as was asked for: {_shorten(text)}", status=status) from None

    async def _send(self, method: str, address: str, body: Any, timeout_s: float) -> tuple[int, str, str | None]:
        """The reply's status, text and Retry-After header."""
        import httpx2

        client = self._clients[next(self._turns) % _CLIENTS]
        try:
            async with asyncio.timeout(timeout_s):
                async with client.stream(method, address, json=body) as response:
                    text = self.redact(await self._read_body(response))
        except TimeoutError:
            raise Unanswered(f"no complete reply within {timeout_s:g} s") from None
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            if _lacks_files(error):
                raise EndpointRefused(
                    f"{address} cannot be asked: this process may open no more files. Raise the limit (ulimit -n), or lower "
                    "--concurrency."
                ) from None
            raise Unanswered(self._tell(error), reached=False) from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise Unanswered(self._tell(error)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise EndpointRefused(f"{address} cannot be asked: {self.redact(str(error))}") from None
        return response.status_code, text, response.headers.get("retry-after")

    async def _read_body(self, response: httpx2.Response) -> str:
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > self._max_reply:
                break  # a cut reply is not JSON
        return body.decode("utf-8", "replace")

    def _tell(self, error: Exception) -> str:
        return self.redact(f"{type(error).__name__}: {error}".rstrip(": "))

    def tell_pause(self, address: str, error: Unanswered, pause_s: float) -> None:
        """A pause that is long, or shorter than the server asked for, is told on stderr: once for all that wait now."""
        asked_s, now = error.asked_s, time.monotonic()
        if (pause_s > LONG_PAUSE_S or (asked_s or 0.0) > pause_s) and now >= self._quiet_until:
            self._quiet_until = now + pause_s
            asks = "" if asked_s is None else f" and asks to wait {asked_s:,.0f} s"
            note(f"{address} answers with {error}{asks}; the next try is in {pause_s:,.0f} s")

    def redact(self, text: str) -> str:
        """The text without the key. What JSON escapes hid shows only after parsing, so parsed texts need this again."""
        return text.replace(self._key, "[key]") if self._key else text


def _lacks_files(error: BaseException | None) -> bool:
    """True if a connection failed because this process, or this machine, has too many files open."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        error = error.__cause__ or error.__context__
    return False


def _retry_after(header: str | None) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or as a date; None if it says nothing usable."""
    if header is None:
        return None
    if _SECONDS.fullmatch(header.strip()):
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _shorten(text: str) -> str:
    return repr(" ".join(text.split())[:SHOWN])
