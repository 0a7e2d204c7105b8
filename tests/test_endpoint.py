"""The connection to a server: pauses, keys and addresses. tests/test_judge_client.py tries it on a server that misbehaves."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.endpoint import (
    LONG_PAUSE_S,
    MAX_PAUSE_S,
    Connection,
    EndpointRefused,
    RequestFailed,
    Unanswered,
    check_address,
    next_pause,
    read_key,
)
from raml_eval.errors import ConfigError
from tests.chat_server import Reply, free_port, serve_chat


@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_pauses_grow_are_spread_by_half_and_end_at_the_limit(attempt: int, pause_s: float) -> None:
    grown = pause_s * 2.0 ** min(attempt, 30)
    assert min(MAX_PAUSE_S, 0.5 * grown) <= next_pause(attempt, pause_s) <= min(MAX_PAUSE_S, 1.5 * grown)


@given(st.floats(0, 1e9), st.integers(0, 40))
def test_a_server_gets_the_pause_that_it_asks_for_and_never_none(asked_s: float, attempt: int) -> None:
    pause = next_pause(attempt, 1.0, asked_s)
    assert pause >= min(MAX_PAUSE_S, max(asked_s, min(0.5 * 2.0**attempt, LONG_PAUSE_S)))
    assert pause <= min(MAX_PAUSE_S, max(asked_s, LONG_PAUSE_S))


def test_two_processes_do_not_come_back_at_the_same_moment() -> None:
    assert len({next_pause(0, 1.0) for _ in range(20)}) > 10


@pytest.mark.parametrize("given", ["sk-secret-0123456789", "hf_secret", "KEY WITH BLANKS", "A" * 60])
def test_a_key_in_place_of_its_variable_is_not_repeated(given: str) -> None:
    with pytest.raises(ConfigError, match="that environment variable is not set; --api-key-env") as caught:
        read_key(given)
    assert given not in str(caught.value)


def test_a_key_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "k")
    assert read_key("MY_KEY") == "k"
    assert read_key(None) is None
    monkeypatch.setenv("MY_KEY", "")
    with pytest.raises(ConfigError, match="MY_KEY is not set"):
        read_key("MY_KEY")


def test_an_address_keeps_its_path_and_loses_its_slash() -> None:
    assert check_address("https://h:1/a/v1/", "--x") == "https://h:1/a/v1"
    with pytest.raises(ConfigError, match="--x"):
        check_address("h:1", "--x")


def test_failures_say_whether_the_server_was_reached_and_what_it_replied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    async def fail(address: str) -> Unanswered:
        connection = Connection(timeout_s=60.0)
        connection.open()
        try:
            await connection.ask("POST", address, lambda reply: reply["choices"][0]["nothing"], {})
        except Unanswered as error:
            return error
        finally:
            await connection.close()
        raise AssertionError("the reply was accepted")

    nobody = asyncio.run(fail(f"http://127.0.0.1:{free_port()}/v1"))
    assert (nobody.reached, nobody.status) == (False, None)
    with serve_chat() as chat:
        seen = {}
        for name, reply in {
            "cut": Reply(cut=True), "busy": Reply(status=429, headers={"Retry-After": "7"}), "useless": Reply(),
        }.items():  # fmt: skip
            chat.answer = lambda asked, number, reply=reply: reply  # type: ignore[misc]
            seen[name] = asyncio.run(fail(chat.url))
        chat.answer = lambda asked, number: Reply(status=413)
        with pytest.raises(RequestFailed, match="status 413"):
            asyncio.run(fail(chat.url))
    assert {name: (one.reached, one.status, one.asked_s) for name, one in seen.items()} == {
        "cut": (True, None, None), "busy": (True, 429, 7.0), "useless": (True, 200, None),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "passes"),
    [(507, True), (520, True), (524, True), (599, True), (501, False), (505, False), (404, False), (301, False)],
)
def test_a_gateways_own_statuses_may_pass(status: int, passes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    async def ask(address: str) -> None:
        connection = Connection(timeout_s=60.0)
        connection.open()
        try:
            await connection.ask("POST", address, lambda reply: None, {})
        finally:
            await connection.close()

    with serve_chat() as chat:
        chat.answer = lambda asked, number: Reply(status=status)
        with pytest.raises(Unanswered if passes else EndpointRefused, match=f"status {status}") as caught:
            asyncio.run(ask(chat.url))
    assert caught.value.status == status


NO_FILES = """
import asyncio, contextlib, os, resource, sys
from raml_eval.endpoint import Connection

async def main():
    connection = Connection()
    connection.open()
    with contextlib.suppress(Exception):
        await connection.ask("GET", sys.argv[1], lambda reply: None)  # nothing is imported later
    async with asyncio.timeout(20):
        n_open, most = len(os.listdir("/proc/self/fd")) - 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (n_open, most))
        try:
            await connection.ask("GET", sys.argv[1], lambda reply: None)
        except Exception as error:
            print(type(error).__name__, error)

asyncio.run(main())
"""


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts the open files in /proc")
def test_a_process_that_may_open_no_more_files_says_so() -> None:
    done = subprocess.run([sys.executable, "-c", NO_FILES, "http://127.0.0.1:9/v1"], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("EndpointRefused http://127.0.0.1:9/v1 cannot be asked: this process may open no more files.")
