"""The HTTP client that the hub's library uses while a data set is fetched: it retries what may pass, and gives up in time.

huggingface_hub retries by itself, for half a minute a request and, if the hub asks for it, for as long as Retry-After says. A
load makes a dozen requests, so it would wait for a dead hub for minutes, in silence.
"""

from __future__ import annotations

import datetime
import email.utils
import importlib
import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

ATTEMPTS = 5
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0  # that the hub may ask for
PATIENCE_S = 10.0  # from the first failure on, beyond the pauses that the hub asks for

log = logging.getLogger(__name__)


class HubFailure(Exception):
    """A request failed until it was given up on: with status 408, 429 or 5xx, or without an answer. tried counts the tries.

    asked_pause_s is the pause in seconds that the last answer's Retry-After asked for, 0 if it asked for none.
    """

    def __init__(self, text: str, tried: int, asked_pause_s: float = 0.0) -> None:
        super().__init__(text)
        self.tried = tried
        self.asked_pause_s = asked_pause_s


class Patience:
    """How long one request, or one load, is tried: ATTEMPTS times and for PATIENCE_S, with pauses that double."""

    def __init__(self, attempts: int = ATTEMPTS) -> None:
        self.tried = 0
        self._attempts = attempts
        self._first = 0.0
        self._asked_s = 0.0

    def pause_after(self, text: str, asked_pause_s: float = 0.0) -> float | None:
        """The seconds to wait after one more failure, which text describes and which is logged; None to give up."""
        now = time.monotonic()
        self._first = self._first or now
        self.tried += 1
        if self.tried >= self._attempts or asked_pause_s > LONGEST_PAUSE_S:
            return None
        own: float = FIRST_PAUSE_S * 2 ** (self.tried - 1) * random.uniform(0.5, 1.0)  # so that jobs do not return together
        if now + own - self._first - self._asked_s > PATIENCE_S:
            return None
        pause = max(own, asked_pause_s)
        self._asked_s += pause - own
        log.warning("%s, failure %d of %d; again in %.1f s", text, self.tried, self._attempts, pause)
        return pause


@contextmanager
def patient_client() -> Iterator[None]:
    """Inside, each request of huggingface_hub is retried with Patience, and raises HubFailure if that does not help."""
    from huggingface_hub import constants, set_client_factory
    from huggingface_hub.utils import _http

    usual = _http._GLOBAL_CLIENT_FACTORY
    set_client_factory(lambda: _patient(usual(), urlsplit(constants.ENDPOINT).netloc))
    try:
        yield
    finally:
        set_client_factory(usual)


def _patient(client: Any, host: str) -> Any:
    """A client with the settings of the given one that retries requests to the host.

    datasets asks other hosts for what it can do without, and takes a failure for an answer.
    """
    kind = type(client)
    library = importlib.import_module(kind.__module__.split(".")[0])  # httpx or its successor
    broken = (library.TimeoutException, library.NetworkError, library.RemoteProtocolError)

    class Patient(kind):  # type: ignore[misc, valid-type]
        def send(self, request: Any, **options: Any) -> Any:
            if request.url.netloc.decode() != host:
                return super().send(request, **options)
            patience = Patience()
            while True:
                cause, asked = None, 0.0
                try:
                    response = super().send(request, **options)
                    if not is_passing(response.status_code):
                        return response
                    response.close()
                    text = f"status {response.status_code} from {request.url}"
                    asked = asked_pause(response.headers.get("Retry-After", ""))
                except broken as error:
                    said = " ".join(str(error).split()).rstrip(".")
                    cause, text = error, f"{type(error).__name__}{f': {said}' if said else ''}"
                pause = patience.pause_after(text, asked)
                if pause is None:
                    raise HubFailure(text, patience.tried, asked) from cause
                time.sleep(pause)

    hooks, redirects, timeout = client.event_hooks, client.follow_redirects, client.timeout
    client.close()
    return Patient(event_hooks=hooks, follow_redirects=redirects, timeout=timeout)


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
