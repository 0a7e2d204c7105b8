"""A client for one chat endpoint in OpenAI's format. It retries patiently, and trusts nothing that the endpoint says."""

from __future__ import annotations

import asyncio
import email.utils
import json
import random
import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from raml_eval.errors import ConfigError, RamlError

if TYPE_CHECKING:
    import httpx2

RETRIED = (408, 409, 425, 429, 500, 502, 503, 504, 529)
ONE_REQUEST = (400, 413, 422)  # only this request cannot be answered: it is too long, or a filter refused it
MAX_REPLY = 4_000_000  # bytes
MAX_PAUSE_S = 120.0
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
SHOWN = 200  # characters of a server's reply that an error shows


class RequestFailed(RamlError):
    """One request got no answer after all tries. It may be asked again later."""


class EndpointRefused(ConfigError):
    """The endpoint will not answer any request like these."""


def check_endpoint(endpoint: str) -> str:
    """The address that takes chats, from the server's base address (such as http://localhost:8000/v1) or the address itself.

    Raises ConfigError for anything but an http address, and for one that holds a password or a query, which could be a key.

    Example: check_endpoint("http://localhost:8000/v1") == "http://localhost:8000/v1/chat/completions"
    """
    try:
        parts = urlsplit(endpoint)
        _ = parts.port  # raises ValueError if it is not a number
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("--endpoint is not an http or https address; wanted one such as http://localhost:8000/v1.")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigError(
            "--endpoint holds a user, a query or a fragment, wanted a plain address; pass a key with --api-key-env."
        )
    path = parts.path.rstrip("/")
    path += "" if path.endswith("/chat/completions") else "/chat/completions"
    return f"{parts.scheme}://{parts.netloc}{path}"


class ChatClient:
    """Asks one model at one endpoint, from any number of coroutines. It is an asynchronous context manager.

    timeout_s is the wall-clock limit of one try, from the connection to the last byte. A refused or broken connection, a
    slow or garbled reply, and the status codes in RETRIED are retried, up to attempts tries in all. The pauses are pause_s,
    twice that, and so on, or what the server's Retry-After says, at most MAX_PAUSE_S. The key is only ever sent in the
    request's header.
    """

    def __init__(
        self,
        endpoint: str,
        model: str,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        attempts: int = 6,
        pause_s: float = 1.0,
    ) -> None:
        if api_key is not None and not (api_key.isascii() and api_key.isprintable() and api_key.strip() == api_key != ""):
            raise ConfigError("the API key is empty or holds characters that no header can carry. Set it again.")
        self.address = check_endpoint(endpoint)
        self.model = model
        self._key = api_key
        self.timeout_s, self.attempts, self.pause_s = timeout_s, attempts, pause_s
        self._jitter = random.Random(0)

    async def __aenter__(self) -> ChatClient:
        import httpx2

        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._client: httpx2.AsyncClient = httpx2.AsyncClient(
            headers=headers,
            timeout=self.timeout_s,
            limits=httpx2.Limits(max_connections=None),
            follow_redirects=False,  # a redirect would send the key to another server
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ask(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The content of the model's reply. Raises RequestFailed, or EndpointRefused if no request can succeed."""
        reason = ""
        for attempt in range(self.attempts):
            reply, reason, wait_s = await self._try(messages)
            if reply is not None:
                return reply
            if attempt + 1 < self.attempts:
                growing = self.pause_s * 2**attempt * self._jitter.uniform(0.5, 1.5)
                await asyncio.sleep(min(MAX_PAUSE_S, growing if wait_s is None else wait_s))
        raise RequestFailed(f"{self.address} gave no answer in {self.attempts} tries, the last time: {reason}")

    async def _try(self, messages: Sequence[Mapping[str, str]]) -> tuple[str | None, str, float | None]:
        """(content, "", None), or (None, what went wrong, seconds to wait if the server says so)."""
        import httpx2

        body = {"model": self.model, "messages": list(messages), "temperature": 0}
        try:
            async with asyncio.timeout(self.timeout_s):
                async with self._client.stream("POST", self.address, json=body) as response:
                    text = self._redact(await _read_body(response))
        except TimeoutError:
            return None, f"no complete reply within {self.timeout_s:g} s", None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            return None, self._redact(f"{type(error).__name__}: {error}"), None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise EndpointRefused(f"{self.address} cannot be asked: {self._redact(str(error))}") from None
        status = response.status_code
        if status != 200:
            self._refuse(status, text)
            return None, f"status {status}, {_shorten(text)}", _retry_after(response.headers.get("retry-after"))
        content = _read_content(text)
        if content is None:
            return None, f"no chat completion: {_shorten(text)}", None
        return self._redact(content), "", None  # a second time: JSON escapes may have hidden the key before

    def _refuse(self, status: int, text: str) -> None:
        if status in RETRIED:
            return
        if status in ONE_REQUEST:
            raise RequestFailed(f"{self.address} refuses a request with status {status}: {_shorten(text)}")
        hint = {401: "Check --api-key-env", 403: "Check --api-key-env", 404: "Check --endpoint and --model"}
        raise EndpointRefused(
            f"{self.address} answers with status {status}: {_shorten(text)} {hint.get(status, 'Check --endpoint')}."
        )

    def _redact(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


async def _read_body(response: httpx2.Response) -> str:
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MAX_REPLY:
            break  # no judgement is this long, and a cut reply is not JSON
    return body.decode("utf-8", "replace")


def _read_content(text: str) -> str | None:
    """The reply's content; "" if the model said nothing, None if this is not a chat completion."""
    try:
        content: Any = json.loads(text)["choices"][0]["message"].get("content")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    return content if isinstance(content, str) else "" if content is None else None


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
