"""A client for one chat endpoint in OpenAI's format, which retries patiently."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from raml_eval.endpoint import BadReply, Connection, RequestFailed, Unanswered, check_address, next_pause

_GREEDY: Mapping[str, Any] = MappingProxyType({"temperature": 0})
_HINTS = {401: "Check --api-key-env", 403: "Check --api-key-env", 404: "Check --endpoint and --model"}


def check_endpoint(endpoint: str) -> str:
    """The address that takes chats, from the server's base address (such as http://localhost:8000/v1) or the address itself.

    Raises ConfigError for anything but a plain http address.

    Example: check_endpoint("http://localhost:8000/v1") == "http://localhost:8000/v1/chat/completions"
    """
    address = check_address(endpoint, "--endpoint")
    return address if address.endswith("/chat/completions") else f"{address}/chat/completions"


class ChatClient:
    """Asks one model at one endpoint, from any number of coroutines. It is an asynchronous context manager.

    timeout_s is the wall-clock limit of one try. What is Unanswered is retried, up to attempts tries in all. The pauses are
    those of next_pause, and long ones are told on stderr.
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
        self._connection = Connection(api_key, timeout_s=timeout_s, hints=_HINTS, other_hint="Check --endpoint")
        self.address = check_endpoint(endpoint)
        self.model = model
        self.attempts, self.pause_s = attempts, pause_s

    async def __aenter__(self) -> ChatClient:
        self._connection.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def ask(self, messages: Sequence[Mapping[str, str]], settings: Mapping[str, Any] = _GREEDY) -> str:
        """The content of the model's reply. Raises RequestFailed, or EndpointRefused if no request can succeed."""
        return (await self.ask_whole(messages, settings))[0]

    async def ask_whole(self, messages: Sequence[Mapping[str, str]], settings: Mapping[str, Any] = _GREEDY) -> tuple[str, str]:
        """(content, finish reason) of the model's reply; the reason is empty if the server gives none. Raises as ask does.

        settings are fields of the request, such as temperature and max_tokens.
        """
        body = {"model": self.model, "messages": list(messages), **settings}
        attempt = 0
        while True:
            try:
                content, reason = await self._connection.ask("POST", self.address, _read_reply, body)
                return self._connection.redact(content), self._connection.redact(reason)
            except Unanswered as error:
                attempt += 1
                if attempt >= self.attempts:
                    raise RequestFailed(
                        f"{self.address} gave no answer in {self.attempts} tries, the last time: {error}"
                    ) from None
                pause_s = next_pause(attempt - 1, self.pause_s, error.asked_s)
                self._connection.tell_pause(self.address, error, pause_s)
            await asyncio.sleep(pause_s)


def _read_reply(reply: Any) -> tuple[str, str]:
    """The reply's content, "" if the model said nothing, and why it ended."""
    choice = reply["choices"][0]
    content, reason = choice["message"].get("content"), choice.get("finish_reason")
    if not isinstance(content, str | None):
        raise BadReply("the content is no text")
    return content or "", reason if isinstance(reason, str) else ""
