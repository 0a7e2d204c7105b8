"""The HTTP client that the hub's library uses while a data set is fetched: it reports a passing failure instead of waiting.

huggingface_hub retries by itself, for half a minute a request and, if the hub asks for it, for as long as Retry-After says. A
load makes a dozen requests, so it would wait for a dead hub for minutes, in silence. raml_eval.tasks.download retries instead.
"""

from __future__ import annotations

import datetime
import email.utils
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class HubFailure(Exception):
    """A request failed in a way that may pass: status 408, 429 or 5xx, or no answer at all.

    asked_pause_s is the pause in seconds that the answer's Retry-After asks for, 0 if it asks for none.
    """

    def __init__(self, text: str, url: str, asked_pause_s: float = 0.0) -> None:
        super().__init__(text)
        self.url = url
        self.asked_pause_s = asked_pause_s


@contextmanager
def impatient_client() -> Iterator[None]:
    """Inside, requests of huggingface_hub raise HubFailure for what may pass, at the first try."""
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    usual = _http._GLOBAL_CLIENT_FACTORY
    set_client_factory(lambda: _impatient(usual()))
    try:
        yield
    finally:
        set_client_factory(usual)


def _impatient(client: Any) -> Any:
    """A client with the settings of the given one that raises HubFailure."""
    kind = type(client)
    library = importlib.import_module(kind.__module__.split(".")[0])  # httpx or its successor

    class Impatient(kind):  # type: ignore[misc, valid-type]
        def send(self, request: Any, **options: Any) -> Any:
            try:
                response = super().send(request, **options)
            except (library.TimeoutException, library.NetworkError, library.RemoteProtocolError) as error:
                said = " ".join(str(error).split()).rstrip(".")
                text = f"{type(error).__name__}{f': {said}' if said else ''}"
                raise HubFailure(text, str(request.url)) from error
            if is_passing(response.status_code):
                response.close()
                pause = asked_pause(response.headers.get("Retry-After", ""))
                raise HubFailure(f"status {response.status_code} from {request.url}", str(request.url), pause)
            return response

    hooks, redirects, timeout = client.event_hooks, client.follow_redirects, client.timeout
    client.close()
    return Impatient(event_hooks=hooks, follow_redirects=redirects, timeout=timeout)


def is_passing(status: int) -> bool:
    """True for a status after which another try may help."""
    return status in (408, 429) or status >= 500


def asked_pause(retry_after: str) -> float:
    """The seconds that a Retry-After header asks for, as a number or until a date; 0 for none and for another text.

    Example: asked_pause("7") == 7.0
    """
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        date = email.utils.parsedate_to_datetime(retry_after)
    except (TypeError, ValueError):
        return 0.0
    now = datetime.datetime.now(datetime.UTC)
    return max(0.0, (date.replace(tzinfo=date.tzinfo or datetime.UTC) - now).total_seconds())
