"""The judge's client against a real server that misbehaves in many ways."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import json
import time
from collections.abc import Iterator

import pytest

from raml_eval import endpoint
from raml_eval.endpoint import EndpointRefused, RequestFailed
from raml_eval.errors import ConfigError
from raml_eval.judge.client import ChatClient, check_endpoint
from tests.chat_server import Chat, Reply, free_port, serve_chat

MESSAGES = [{"role": "user", "content": "?"}]
KEY = "sk-very-secret-0123456789"


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve_chat() as running:
        yield running


def ask(url: str, attempts: int = 3, timeout_s: float = 60.0, key: str | None = None) -> str:
    async def main() -> str:
        async with ChatClient(url, "tiny", key, timeout_s=timeout_s, attempts=attempts, pause_s=0.01) as client:
            return await client.ask(MESSAGES)

    return asyncio.run(main())


def first(*replies: Reply) -> object:
    return lambda asked, number: replies[min(number, len(replies)) - 1]


def test_a_chat_is_asked_in_the_common_form(chat: Chat) -> None:
    chat.answer = first(Reply("hello"))
    assert ask(chat.url, key=KEY) == "hello"
    assert chat.asked == [{"model": "tiny", "messages": MESSAGES, "temperature": 0}]
    assert chat.keys == [f"Bearer {KEY}"]
    assert chat.paths == ["/v1/chat/completions"]
    ask(chat.url + "/chat/completions/")
    assert chat.paths[1] == "/v1/chat/completions"
    assert chat.keys[1] is None


@pytest.mark.parametrize(
    "bad",
    [
        *(Reply(status=status) for status in (408, 409, 429, 500, 502, 503, 504)),
        Reply(raw=b"garbage"),
        Reply(raw=b'{"choices": []}'),
        Reply(raw=b"[" * 200_000),
        Reply(raw=b'{"choices": [{"message": {"content": ["parts"]}}]}'),
        Reply(raw=b"\xff\xfe\x00"),
        Reply(raw=b""),
        Reply(raw=b"no gzip", headers={"Content-Encoding": "gzip"}),
        Reply(cut=True),
    ],
    ids=lambda reply: f"{reply.status}-{(reply.raw or b'')[:10]!r}{'-cut' * reply.cut}",
)
def test_what_may_pass_is_tried_again(chat: Chat, bad: Reply) -> None:
    chat.answer = first(bad, bad, Reply("at last"))
    assert ask(chat.url) == "at last"
    assert len(chat.asked) == 3
    chat.answer = first(bad)
    with pytest.raises(RequestFailed, match="gave no answer in 2 tries"):
        ask(chat.url, attempts=2)
    assert len(chat.asked) == 5


@pytest.mark.parametrize("dated", [False, True])
def test_retry_after_is_obeyed_as_seconds_and_as_a_date(chat: Chat, dated: bool) -> None:
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2.5)
    when = email.utils.format_datetime(soon.replace(tzinfo=datetime.UTC), usegmt=True) if dated else "1.5"
    chat.answer = first(Reply(status=429, headers={"Retry-After": when}), Reply("ok"))
    started = time.monotonic()
    assert ask(chat.url) == "ok"
    assert time.monotonic() - started > 1.0


@pytest.mark.parametrize("header", ["soon", "-5", "nan", "1e9", "9" * 400, ""])
def test_a_senseless_retry_after_is_no_wait(chat: Chat, header: str) -> None:
    chat.answer = first(Reply(status=503, headers={"Retry-After": header}), Reply("ok"))
    started = time.monotonic()
    assert ask(chat.url) == "ok"
    assert time.monotonic() - started < 100.0


def test_a_server_that_asks_for_no_pause_does_not_use_up_all_tries_at_once(chat: Chat) -> None:
    began = time.monotonic()
    busy, good = Reply(status=503, headers={"Retry-After": "0"}), Reply("ok")
    chat.answer = lambda asked, number: busy if time.monotonic() - began < 0.5 else good
    assert ask(chat.url, attempts=9) == "ok"  # pauses of 0.01, 0.02, ... 1.28 s, give or take a half


@pytest.mark.parametrize("slow", [Reply(before_s=60.0), Reply("long" * 200, drip_s=0.1)], ids=["silent", "dripping"])
def test_the_limit_holds_for_the_whole_reply(chat: Chat, slow: Reply) -> None:
    chat.answer = first(slow)
    started = time.monotonic()
    with pytest.raises(RequestFailed, match=r"no complete reply within 0\.5 s"):
        ask(chat.url, attempts=1, timeout_s=0.5)
    assert time.monotonic() - started < 30.0


def test_an_endless_reply_is_cut(chat: Chat) -> None:
    chat.answer = first(Reply(raw=b'"' + b"x" * 20_000_000))
    with pytest.raises(RequestFailed, match="no such reply as was asked for"):
        ask(chat.url, attempts=1)


def test_a_connection_that_is_refused_is_tried_again_and_then_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(RequestFailed, match=r"2 tries.*ConnectError"):
        ask(f"http://127.0.0.1:{free_port()}/v1", attempts=2)


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "--api-key-env"), (403, "--api-key-env"), (404, "--model"), (302, "--endpoint")]
)
def test_a_refusal_is_not_tried_again(chat: Chat, status: int, hint: str) -> None:
    chat.answer = first(Reply(status=status, headers={"Location": "http://127.0.0.1:1/elsewhere"}, raw=b"no such thing"))
    with pytest.raises(EndpointRefused, match=f"status {status}: 'no such thing'.*{hint}"):
        ask(chat.url)
    assert len(chat.asked) == 1


def test_a_request_that_is_too_long_fails_alone(chat: Chat) -> None:
    chat.answer = first(Reply(status=400, raw=b"context length exceeded"))
    with pytest.raises(RequestFailed, match="status 400: 'context length exceeded'"):
        ask(chat.url)
    assert len(chat.asked) == 1


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_key_that_the_server_repeats_stays_unseen(chat: Chat, status: int) -> None:
    spelled = "".join(f"\\u{ord(c):04x}" for c in KEY)
    told = f'{{"choices": [{{"message": {{"content": "your key {KEY}, also {spelled}"}}}}]}}'
    chat.answer = first(Reply(status=status, raw=told.encode()))
    try:
        said = ask(chat.url, attempts=1, key=KEY)
        assert said == "your key [key], also [key]"
    except (RequestFailed, EndpointRefused) as error:
        said = str(error)
        assert "[key]" in said
    assert KEY not in said


@pytest.mark.parametrize("key", ["", " ", "a b\n", "k\nHost: evil", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    with pytest.raises(ConfigError, match="API key") as caught:
        ChatClient("http://127.0.0.1:1/v1", "tiny", key)
    assert not key.strip() or key not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "localhost:8000",
        "ftp://host/v1",
        "http://host:99999999/v1",
        "http://",
        "http://[",
        "http://user:pw@host/v1",
        "http://host/v1?key=sk-1",
        "",
        "x",
    ],
)
def test_an_endpoint_that_is_none_or_holds_a_secret_is_refused_unseen(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="--endpoint") as caught:
        check_endpoint(endpoint)
    assert "pw" not in str(caught.value)
    assert "sk-1" not in str(caught.value)


def test_silence_is_an_empty_reply(chat: Chat) -> None:
    chat.answer = first(Reply(content=None))
    assert ask(chat.url) == ""
    assert json.loads(Reply(content=None).body())["choices"][0]["message"]["content"] is None


def test_a_long_wait_is_told_once_and_limited(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(endpoint, "MAX_PAUSE_S", 3.0)
    chat.answer = lambda asked, number: Reply(status=429, headers={"Retry-After": "600"}) if number <= 3 else Reply("ok")

    async def ask_three() -> list[str]:
        async with ChatClient(chat.url, "tiny") as client:
            return await asyncio.gather(*(client.ask(MESSAGES) for _ in range(3)))

    assert asyncio.run(ask_three()) == ["ok"] * 3
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "status 429" in told
    assert "asks to wait 600 s; the next try is in 3 s" in told


def test_a_request_can_say_more_and_tells_why_the_reply_ended(chat: Chat) -> None:
    reply = {"choices": [{"message": {"content": "so"}, "finish_reason": "length"}]}
    chat.answer = first(Reply(raw=json.dumps(reply).encode()), Reply("so"))

    async def main() -> list[tuple[str, str]]:
        async with ChatClient(chat.url, "tiny") as client:
            return [await client.ask_whole(MESSAGES, {"temperature": 1, "max_tokens": 5}) for _ in range(2)]

    assert asyncio.run(main()) == [("so", "length"), ("so", "")]
    assert chat.asked[0] == {"model": "tiny", "messages": MESSAGES, "temperature": 1, "max_tokens": 5}
