"""The backend on Ray, with the real Ray: the contract, the records of the engine in process, and replicas that are lost."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raml_eval.backends import open_backend
from raml_eval.backends.ray_args import RayArgs
from raml_eval.checkpoint import Checkpoint
from raml_eval.config import build_config, load_preset, merge
from raml_eval.errors import ConfigError, ModelError
from raml_eval.manifest import engine_protocol
from raml_eval.session import run_session
from raml_eval.types import StoredRun
from tests.backend_bench import POCKET, Bench, opened
from tests.backend_contract import SamplingContract, close_and_check
from tests.engines import ENGINE_ARGS, drawn
from tests.processes import below, command_of, wait_until
from tests.ray_clusters import HEAD, Node, cluster, replicas

LIMIT, SAMPLES, BUDGETS = 20, 2, (0, 16, "unlimited")
HF = {"engine": "hf", "dtype": "float32", "replicas": 2, "pause_s": 0.2}
VLLM = {**ENGINE_ARGS["vllm"], "replicas": 2, "pause_s": 0.2, "kv_cache_memory_bytes": 2**26}
# Ray stands in the environment of the engine's tests, so they share a mark.
real = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed (extra ray)"),
]


@pytest.fixture(scope="module", autouse=True)
def _own_token() -> Iterator[None]:
    """Every Ray of these tests has one key: they join no cluster but their own, and leave no key in the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        yield


def on_ray(test: Any) -> Any:
    for mark in real:
        test = mark(test)
    return test


def on_vllm(test: Any) -> Any:
    return pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed")(on_ray(test))


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ({"replicas": 0}, "replicas of backend ray is 0, wanted an integer from 1 on"),
        ({"replicas": True}, "replicas"),
        ({"engine": "fake"}, "engine of backend ray is 'fake', wanted vllm or hf"),
        ({"address": ""}, "address"),
        ({"num_gpus": -1}, "num_gpus"),
        ({"patience_s": 0}, "patience_s"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_with_a_reason(args: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        RayArgs.parse(args)


def test_gpus_are_asked_for_only_where_there_are_some() -> None:
    parsed = RayArgs.parse({"tensor_parallel_size": 4, "pipeline_parallel_size": 2})
    assert (parsed.gpus_each(True), parsed.gpus_each(False)) == (8, 0)
    assert RayArgs.parse({"engine": "hf"}).gpus_each(True) == 1
    assert RayArgs.parse({"engine": "hf", "device": "cpu"}).gpus_each(True) == 0
    assert RayArgs.parse({"num_gpus": 0.5}).gpus_each(False) == 0.5


def test_the_address_is_the_given_one_or_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert RayArgs.parse({}).where == "local"
    monkeypatch.setenv("RAY_ADDRESS", "ray://there:10001")
    assert RayArgs.parse({}).where == "ray://there:10001"
    assert RayArgs.parse({"address": "auto"}).where == "auto"


def test_a_missing_ray_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ray" else find(name))
    with pytest.raises(ModelError, match=r"backend ray needs ray.*pip install 'raml-eval\[ray\]'"):
        asyncio.run(open_backend("ray", str(POCKET)))


@pytest.fixture(scope="class")
def bench() -> Iterator[Bench]:
    """Closed before the next test: a process has one Ray, and its replicas hold the CPUs."""
    with opened("ray", POCKET, HF) as bench:
        yield bench


@on_ray
class TestContract(SamplingContract):
    def test_the_protocol_does_not_tell_the_number_of_replicas(self, bench: Bench) -> None:
        described = bench.backend.description
        assert "2" not in {str(value) for value in engine_protocol(described).values()}
        assert described.version.startswith("hf ")
        assert described.details["replicas"] == 2


@on_ray
def test_closing_fails_what_is_under_way_and_ends_every_process() -> None:
    with opened("ray", POCKET, HF) as bench:
        assert len(replicas()) == 2
        close_and_check(bench)
    wait_until(lambda: not [pid for pid in below(os.getpid()) if "ray" in command_of(pid)], 20)


def settings(backend: str, out: Path, temperature: float, **more: Any) -> dict[str, Any]:
    args = {"vllm": ENGINE_ARGS["vllm"], "hf": ENGINE_ARGS["hf"], "ray": VLLM}[backend]
    base = {
        "backend": backend, "backend_args": dict(args), "out": out, "tasks": "pocket_chain,pocket_sort", "limit": LIMIT,
        "samples": SAMPLES, "thinking": {"budgets": list(BUDGETS)}, "max_total_tokens": 300,
        "sampling": {"temperature": temperature}, "concurrency": 32,
    }  # fmt: skip
    return merge([load_preset("pocket"), base, more])


def run(backend: str, out: Path, temperature: float = 0.0, **more: Any) -> dict[Any, Any]:
    return samples(asyncio.run(run_session(build_config([settings(backend, out, temperature, **more)]), quiet=True)))


def samples(stored: StoredRun) -> dict[Any, Any]:
    """What was drawn, by sample and budget. Every stored line counts: a sample that is stored twice is an error."""
    lines = [json.loads(line) for line in (stored.directory / "samples.jsonl").read_text().splitlines()]
    keys = {(line["task"], line["question_id"], line["sample"], line["budget"]) for line in lines}
    assert len(keys) == len(lines) == len(stored.records) == 2 * LIMIT * SAMPLES * len(BUDGETS)
    assert stored.n_errors == 0
    return {(record.key, record.budget): drawn(record) for record in stored.records}


@pytest.fixture(scope="module")
def hot(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    """The samples of the engine in process at temperature 1."""
    return run("vllm", tmp_path_factory.mktemp("hot") / "run", 1.0)


@on_vllm
def test_two_replicas_draw_what_the_engine_in_process_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from raml_eval.backends.ray_cluster import RayReplica

    asked: dict[str, set[str]] = defaultdict(set)
    ask = RayReplica.ask

    async def noted(self: RayReplica, method: str, *given: Any) -> Any:
        if method == "generate":
            asked["/".join(map(str, given[0][:60]))].add(self.address)
        return await ask(self, method, *given)

    monkeypatch.setattr(RayReplica, "ask", noted)
    found = run("ray", tmp_path / "ray")
    told = capfd.readouterr()
    assert (told.out, "ray" in told.err.lower()) == ("", False)
    assert {name for of in asked.values() for name in of} == {"replica 1", "replica 2"}
    assert found == run("vllm", tmp_path / "vllm")


def before_draw(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> None:
    """The act is done when so many draws have been asked for, and before the next one is."""
    from raml_eval.backends.ray_cluster import RayReplica

    ask, draws = RayReplica.ask, itertools.count()

    async def counted(self: RayReplica, method: str, *given: Any) -> Any:
        if method == "generate" and next(draws) == number:
            act()
        return await ask(self, method, *given)

    monkeypatch.setattr(RayReplica, "ask", counted)


@on_vllm
@pytest.mark.parametrize("which", ["replica", "engine"])
def test_a_killed_replica_loses_nothing_and_is_replaced(
    which: str, tmp_path: Path, hot: dict[Any, Any], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill() -> None:
        victim = replicas()[0]
        engine = next(pid for pid in below(victim) if "EngineCore" in command_of(pid))
        os.kill(victim if which == "replica" else engine, signal.SIGKILL)

    before_draw(monkeypatch, 60, kill)
    found = run("ray", tmp_path / "run", 1.0, concurrency=8)
    assert found == hot
    told = capfd.readouterr()
    assert told.out == ""
    assert "is lost (its process ended); the others take its work" in told.err


@on_ray
def test_a_replica_that_comes_back_with_another_model_is_left_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from tests.checkpoints import variant

    model = tmp_path / "model"
    shutil.copytree(POCKET, model)
    other = variant(POCKET, tmp_path / "other", seed=1)
    with opened("ray", model, HF) as bench:
        before = bench.one("Compute 1+2.")
        victim = replicas()[0]
        os.kill(victim, signal.SIGKILL)
        told = ""

        def again(wanted: str) -> bool:
            nonlocal told
            bench.draw(*[(bench.prompt(f"Compute {i}+2."), _short()) for i in range(8)])
            told += capfd.readouterr().err
            return wanted in told

        wait_until(lambda: again("answers again"))
        assert victim not in replicas()
        assert len(replicas()) == 2
        shutil.copy(other / "model.safetensors", model)
        os.kill(replicas()[0], signal.SIGKILL)
        wait_until(lambda: again("It is left out"))
        assert "is loaded with" in told
        assert bench.one("Compute 1+2.") == before


def _short() -> Any:
    from tests.backend_bench import params

    return params(max_tokens=4)


@on_ray
def test_a_killed_run_leaves_no_head_and_no_replica(tmp_path: Path) -> None:
    script = (
        "import asyncio, json, sys, time; from raml_eval.backends import open_backend;"
        "asyncio.run(open_backend('ray', sys.argv[1], args=json.loads(sys.argv[2]))); "
        "print('open', flush=True); time.sleep(600)"
    )
    for number in (signal.SIGKILL, signal.SIGTERM):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(POCKET), json.dumps(HF)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        started = {pid: command_of(pid) for pid in below(process.pid)}
        started = {pid: text for pid, text in started.items() if any(word in text for word in (*HEAD, "ray::Replica"))}
        assert len(started) >= 4
        process.send_signal(number)
        process.wait()
        process.stdout.close()
        wait_until(lambda started=started: not [pid for pid, text in started.items() if command_of(pid) == text], 30)


@on_ray
def test_replicas_join_and_leave_a_cluster_that_goes_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with cluster(tmp_path) as (address, client):
        with opened("ray", POCKET, {**HF, "address": address, "join_s": 1}) as bench:
            alone = bench.one("Compute 1+2.")
            assert "1 of 2 replicas are ready" in capfd.readouterr().err
            node = Node(tmp_path, f"--address={address}")
            told, numbers = "", itertools.count()

            def seen(wanted: str) -> bool:
                nonlocal told
                assert bench.one("Compute 1+2.") == alone
                # New questions: known ones stay with the replica that was there first.
                bench.draw(*[(bench.prompt(f"Compute {next(numbers)}+2."), _short()) for _ in range(8)])
                told += capfd.readouterr().err
                return wanted in told

            wait_until(lambda: seen("replica 2 answers again"))
            node.kill()
            wait_until(lambda: seen("is lost"))
        with opened("ray", POCKET, {**HF, "replicas": 1, "address": f"ray://127.0.0.1:{client}"}) as bench:
            assert bench.one("Compute 1+2.") == alone


@on_ray
def test_a_cluster_without_room_and_an_address_without_a_cluster_are_refused(tmp_path: Path) -> None:
    def open_it(**args: Any) -> None:
        asyncio.run(open_backend("ray", str(POCKET), args={**HF, **args}))

    with pytest.raises(ConfigError, match=r"2 replicas of 1 GPUs need 2, but Ray finds 0 on this machine"):
        open_it(num_gpus=1)
    with cluster(tmp_path) as (address, _), pytest.raises(ConfigError, match=r"no place for a replica in 1 s.*3 CPUs"):
        open_it(address=address, num_cpus=3, patience_s=1)


@on_ray
def test_replicas_with_another_model_than_lies_here_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpoint, "digest", lambda self: "0" * 16)  # in this process, not in the replicas
    with pytest.raises(ModelError, match=r"has loaded another .*/pocket \(fingerprint \w{16}\) than lies here \(0{16}\)"):
        asyncio.run(open_backend("ray", str(POCKET), args={**HF, "replicas": 1}))


@on_ray
def test_an_engine_that_cannot_start_is_told_with_its_own_error() -> None:
    with pytest.raises(ConfigError, match="the hf backend has no argument 'dtyp'"):
        asyncio.run(open_backend("ray", str(POCKET), args={"engine": "hf", "dtyp": "float32"}))
