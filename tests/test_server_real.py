"""A real vLLM server: the backend's contract, the records of the engines in process, and a server and a run that are killed."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raml_eval.config import build_config, load_preset, merge
from raml_eval.session import run_session
from raml_eval.store.journal import count_lines
from raml_eval.types import StoredRun
from tests.backend_bench import POCKET, Bench, opened
from tests.backend_contract import SamplingContract
from tests.dying import dies_at
from tests.engines import ENGINE_ARGS, drawn
from tests.processes import wait_until
from tests.vllm_server import VllmServer, serve_vllm

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]
LIMIT, SAMPLES = 20, 2


@pytest.fixture(scope="module", autouse=True)
def _direct() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    with serve_vllm(tmp_path_factory.mktemp("vllm")) as running:
        yield running


@pytest.fixture(scope="module")
def bench(server: VllmServer) -> Iterator[Bench]:
    with opened("openai_server", POCKET, {"base_url": server.url}) as bench:
        yield bench


class TestContract(SamplingContract):
    pass


def test_the_server_is_known_and_honours_every_field(bench: Bench) -> None:
    described = bench.backend.description
    assert described.version.startswith("vllm 0.")
    assert described.ids_exact
    assert set(described.details["honoured"]) == {"min_p", "repetition_penalty", "seed", "stop_ids", "top_k", "top_p"}


def settings(backend: str, out: Path, temperature: float, **more: Any) -> dict[str, Any]:
    base = {
        "backend": backend, "backend_args": dict(ENGINE_ARGS.get(backend, {})), "out": out, "tasks": "pocket_chain,pocket_sort",
        "limit": LIMIT, "samples": SAMPLES, "thinking": {"budgets": [0, 16, "unlimited"]}, "max_total_tokens": 300,
        "sampling": {"temperature": temperature}, "concurrency": 32,
    }  # fmt: skip
    return merge([load_preset("pocket"), base, more])


def sit(backend: str, out: Path, temperature: float = 0.0, **more: Any) -> dict[Any, Any]:
    stored = asyncio.run(run_session(build_config([settings(backend, out, temperature, **more)]), quiet=True))
    return samples(stored)


def samples(stored: StoredRun) -> dict[Any, Any]:
    found = {(record.key, record.budget): drawn(record) for record in stored.records}
    assert len(found) == len(stored.records) == 2 * LIMIT * SAMPLES * 3
    return found


def test_the_server_draws_what_the_engines_in_process_draw(server: VllmServer, tmp_path: Path) -> None:
    served = sit("openai_server", tmp_path / "server", base_url=server.url)
    assert served == sit("vllm", tmp_path / "vllm")
    assert served == sit("hf", tmp_path / "hf")
    hot = sit("openai_server", tmp_path / "hot", 1.0, base_url=server.url)
    assert hot != served
    assert hot == sit("vllm", tmp_path / "hot-vllm", 1.0)


def test_a_killed_run_goes_on_where_it_was(server: VllmServer, tmp_path: Path) -> None:
    whole = sit("openai_server", tmp_path / "whole", 1.0, base_url=server.url)
    out = tmp_path / "killed"
    script = (
        "import asyncio, json, sys; from raml_eval.config import build_config; from raml_eval.session import run_session;"
        "asyncio.run(run_session(build_config([json.loads(sys.argv[1])]), quiet=True))"
    )
    given = json.dumps(settings("openai_server", out, 1.0, base_url=server.url), default=str)
    for n in (40, 100):
        command = [sys.executable, "-c", dies_at(out / "samples.jsonl", n) + script, given]
        assert subprocess.run(command, timeout=120, check=False).returncode == -signal.SIGKILL
        assert count_lines(out / "samples.jsonl") == n
    assert sit("openai_server", out, 1.0, base_url=server.url) == whole


def test_a_server_that_is_killed_and_started_again_loses_nothing(
    server: VllmServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = sit("openai_server", tmp_path / "whole", 1.0, base_url=server.url)
    out = tmp_path / "run"

    def restart() -> None:
        # Samples come later than trajectories, and may come all at once.
        wait_until(lambda: count_lines(out / "trajectories.jsonl") >= 20)
        server.kill()
        server.launch()

    thread = threading.Thread(target=restart)
    thread.start()
    found = sit("openai_server", out, 1.0, base_url=server.url, concurrency=8)
    thread.join()
    server.wait()
    assert found == whole
    told = capsys.readouterr().err
    assert "is lost" in told
    assert "answers again" in told
