"""The backend of completion servers: the contract, what is found out about a server at the start, and what is refused."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raml_eval.backends import open_backend
from raml_eval.backends.server_args import ServerArgs, check_base_url
from raml_eval.errors import ConfigError, GenerationError
from raml_eval.manifest import engine_protocol
from tests.backend_bench import POCKET, Bench, opened, params
from tests.backend_contract import BackendContract, close_and_check
from tests.completion_server import free_port, serve

KEY = "sk-very-secret-0123456789"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="module")
def bench(folder: Path) -> Iterator[Bench]:
    with serve(folder, context=4096) as server, opened("openai_server", POCKET, {"base_url": server.url}) as bench:
        yield bench


class TestContract(BackendContract):
    cancel_after_s = (0.0, 0.001)


def test_closing_fails_what_is_under_way(folder: Path) -> None:
    with (
        serve(folder, context=4096) as server,
        opened("openai_server", POCKET, {"base_url": server.url}) as bench,
    ):
        server.pause()
        close_and_check(bench)


def open_at(*urls: str, **args: Any) -> Any:
    async def main() -> Any:
        backend = await open_backend("openai_server", str(POCKET), args={"base_url": list(urls), **args})
        await backend.aclose()
        return backend

    return asyncio.run(main())


def test_the_protocol_is_the_same_for_any_number_of_servers(folder: Path) -> None:
    with serve(folder) as one, serve(folder) as other:
        alone, both = open_at(one.url).description, open_at(other.url, one.url).description
        late = open_at(one.url, f"http://127.0.0.1:{free_port()}").description  # the second may come later
    assert alone == both == late
    assert engine_protocol(alone)["version"] == "imitation 1"
    assert alone.ids_exact
    assert "127.0.0.1" not in str(dataclasses.asdict(alone))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"served": "a,b"}, r"serves 2 models: a, b\. Name one with --backend-arg served_model=NAME"),
        ({"mute": 1}, "Pass --backend-arg context=TOKENS"),
        ({"key": "other"}, r"status 401.*\[key\].*Check --api-key-env"),
        ({"shift": 1}, r"reads \[.*\].* as \[.*Give the model that it serves with --model"),
        ({"fault": "500", "every": 1, "after": 0}, "fails a first request: status 500"),
    ],
    ids=str,
)
def test_a_server_that_cannot_be_used_is_refused_at_the_start(
    folder: Path, options: dict[str, Any], match: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_KEY", KEY)
    with serve(folder, **options) as server, pytest.raises(ConfigError, match=match) as caught:
        open_at(server.url, api_key_env="SERVER_KEY")
    assert KEY not in str(caught.value)


def test_a_server_that_does_not_tell_its_version_agrees_with_one_that_does(folder: Path) -> None:
    with serve(folder, version="") as mute, serve(folder) as one, serve(folder, version="2") as two:
        assert open_at(mute.url, one.url).description == open_at(one.url, mute.url).description == open_at(one.url).description
        assert open_at(mute.url).description.version == "imitation"
        with pytest.raises(ConfigError, match=r"differ: .*imitation 1, context 1024\).*imitation 2, context 1024\)"):
            open_at(mute.url, one.url, two.url)


@pytest.mark.parametrize("fault", ["502", "503", "504", "429", "reset"])
def test_a_server_that_is_busy_at_first_is_not_taken_for_one_that_cannot_read_ids(folder: Path, fault: str) -> None:
    with (
        serve(folder, fault=fault, every=1, after=0, until=3) as server,
        pytest.raises(ConfigError, match="fails a first request"),
    ):
        open_at(server.url)


@pytest.mark.parametrize("options", [{"fault": "500"}, {"fault": "garbage"}], ids=str)
def test_a_failure_that_passes_is_no_ability_that_lacks(folder: Path, options: dict[str, str]) -> None:
    with serve(folder, every=1, after=0, until=3, **options) as server:
        found = open_at(server.url).description
    assert found.ids_exact
    assert found.details["honoured"] == sorted(["seed", "top_p", "stop_ids", "top_k", "min_p", "repetition_penalty"])


def test_a_version_that_is_told_at_the_second_try_is_the_version(folder: Path) -> None:
    with serve(folder, version_fault="503", odd=1) as server:
        assert open_at(server.url).description.version == "imitation 1"


@pytest.mark.parametrize("other", [{"version": "2"}, {"context": 512}, {"logprob": -2.0}, {"ignores": "min_p"}], ids=str)
def test_servers_that_differ_are_refused(folder: Path, other: dict[str, Any]) -> None:
    with (
        serve(folder) as one,
        serve(folder, **other) as two,
        pytest.raises(ConfigError, match=r"differ|not the same|two kinds"),
    ):
        open_at(one.url, two.url)


def test_nobody_there_is_an_error_within_seconds() -> None:
    with pytest.raises(ConfigError, match=r"cannot be used: ConnectError.*Start a server there"):
        open_at(f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize(
    ("field", "refused", "allowed"),
    [
        ("seed", {"temperature": 1.0}, {"temperature": 0.0}),
        ("top_k", {"temperature": 1.0}, {"temperature": 0.0}),
        ("min_p", {"temperature": 1.0, "min_p": 0.1}, {"temperature": 0.0}),
        ("repetition_penalty", {"repetition_penalty": 1.2}, {}),
        ("stop_ids", {"stop_ids": (258,)}, {}),
    ],
)
def test_a_field_that_a_server_ignores_is_refused_by_name(
    folder: Path, field: str, refused: dict[str, Any], allowed: dict[str, Any]
) -> None:
    names = {"repetition_penalty": "repetition_penalty,repeat_penalty", "stop_ids": "stop_token_ids"}.get(field, field)
    with serve(folder, ignores=names) as server:
        assume = {"assume_off": field} if field == "repetition_penalty" else {}
        backend = open_at(server.url, **assume)
    assert field not in backend.description.details["honoured"]
    with pytest.raises(ConfigError, match=f"{field} is .*had no effect"):
        backend.check_sampling(params(**refused))
    backend.check_sampling(params(**allowed))
    with pytest.raises(GenerationError, match=field):
        asyncio.run(backend.generate((5, 6), params(**refused)))


def test_a_field_that_is_declared_off_may_be_off_and_nothing_else(folder: Path) -> None:
    with serve(folder, ignores="min_p") as server:
        backend = open_at(server.url, assume_off="min_p")
    backend.check_sampling(params(temperature=1.0))
    with pytest.raises(ConfigError, match=r"min_p is 0\.1"):
        backend.check_sampling(params(temperature=1.0, min_p=0.1))
    assert backend.description.details["args"]["assume_off"] == ["min_p"]


def test_another_name_of_a_field_is_found(folder: Path) -> None:
    with serve(folder, ignores="repetition_penalty") as server:
        open_at(server.url).check_sampling(params(repetition_penalty=1.5))
        assert any(asked.get("repeat_penalty") == 5.0 for asked in server.asked())


@pytest.mark.parametrize("temperature", [0.001, 2.5])
def test_a_temperature_that_a_server_would_change_is_refused(bench: Bench, temperature: float) -> None:
    with pytest.raises(GenerationError, match="temperature"):
        bench.one("Compute 1+2.", temperature=temperature)


def test_a_server_of_texts_returns_texts(folder: Path) -> None:
    with serve(folder, text_only=1, strict="top_k,min_p,repetition_penalty") as server:
        with opened("openai_server", POCKET, {"base_url": server.url}) as bench:
            assert not bench.backend.description.ids_exact
            drawn = bench.one("Compute 1+2.", max_tokens=400, stop_ids=(258,))
            assert drawn.text
            assert bench.decode(drawn.token_ids) == drawn.text
            assert "\\boxed" in drawn.text
        last = server.asked()[-1]
    assert isinstance(last["prompt"], str)
    assert "return_token_ids" not in last


def test_a_field_that_a_server_refuses_is_an_error_by_name(folder: Path) -> None:
    with serve(folder, strict="top_k") as server, pytest.raises(ConfigError, match="unknown field"):
        open_at(server.url)


def test_a_refused_request_fails_alone_and_at_once(bench: Bench, folder: Path) -> None:
    big = dataclasses.replace(bench.backend.description, context=10**6)
    bench.backend.description, kept = big, bench.backend.description
    try:
        with pytest.raises(GenerationError, match=r"status 400.*context"):
            bench.one("Compute 1+2.", max_tokens=5000)
    finally:
        bench.backend.description = kept
    assert len(bench.one("Compute 1+2.").token_ids) == 16


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ({}, "Pass --base-url"),
        ({"base_url": "localhost:8000"}, "--base-url is not an http"),
        ({"base_url": "http://user:pw@host/v1"}, "--api-key-env"),
        ({"base_url": "http://h/v1", "tiemout_s": 5}, "no argument 'tiemout_s'.*Did you mean timeout_s"),
        ({"base_url": "http://h/v1", "timeout_s": 0}, "timeout_s"),
        ({"base_url": "http://h/v1", "attempts": 1.5}, "attempts"),
        ({"base_url": "http://h/v1", "context": True}, "context"),
        ({"base_url": "http://h/v1", "reproducible": 1}, "reproducible"),
        ({"base_url": "http://h/v1", "assume_off": "top_p"}, "assume_off"),
        ({"base_url": 5}, "base_url"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_with_a_reason(args: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match) as caught:
        ServerArgs.parse(args)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("http://h", "http://h/v1"),
        ("http://h:1/", "http://h:1/v1"),
        ("http://h/v1/completions", "http://h/v1"),
        ("https://h/a/v2", "https://h/a/v2"),
    ],
)
def test_base_addresses(given: str, wanted: str) -> None:
    assert check_base_url(given) == wanted
    assert ServerArgs.parse({"base_url": f"{given}, {wanted}"}).base_url == (wanted,)
