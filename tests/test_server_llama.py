"""A real llama.cpp server, which takes and returns texts alone. RAML_EVAL_LLAMA_PYTHON names the interpreter that has it:

python -m venv llama && llama/bin/pip install 'llama-cpp-python[server]' gguf
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raml_eval.config import build_config, load_preset, merge
from raml_eval.errors import ConfigError
from raml_eval.session import run_session
from raml_eval.types import StoredRun
from tests.backend_bench import POCKET, ROOT, Bench, opened, params
from tests.completion_server import free_port
from tests.engines import ENGINE_ARGS

PYTHON = os.environ.get("RAML_EVAL_LLAMA_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="RAML_EVAL_LLAMA_PYTHON names no interpreter with llama-cpp-python and gguf"),
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="no torch"),
]
OFF = {"thinking": {"budgets": ["off"]}, "sampling": {"temperature": 0.0}, "answer_tokens": 100, "max_total_tokens": None}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("llama"), free_port()
    model = folder / "pocket.gguf"
    subprocess.run([PYTHON, ROOT / "tests" / "pocket_gguf.py", POCKET, model], check=True)
    options = ["--n_ctx", "2048", "--n_threads", "1", "--verbose", "false", "--host", "127.0.0.1", "--port", str(port)]
    base = f"http://127.0.0.1:{port}/v1"
    with (folder / "log").open("wb") as log, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        command = [PYTHON, "-m", "llama_cpp.server", "--model", model, *options]
        with subprocess.Popen(command, stdout=log, stderr=log) as process:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError), urllib.request.urlopen(f"{base}/models", timeout=5):
                    break
                time.sleep(0.2)
            yield base
            process.kill()


@pytest.fixture(scope="module")
def bench(url: str) -> Iterator[Bench]:
    with opened("openai_server", POCKET, {"base_url": url, "context": 2048}) as bench:
        yield bench


def test_every_field_is_found_by_its_effect_and_the_penalty_by_its_name_there(bench: Bench) -> None:
    described = bench.backend.description
    assert not described.ids_exact
    assert described.details["honoured"] == ["min_p", "repetition_penalty", "seed", "top_k", "top_p"]
    bench.backend.check_sampling(params(temperature=1.0, top_k=5, min_p=0.1, repetition_penalty=1.1))  # type: ignore[attr-defined]


def test_greedy_texts_are_those_of_transformers(bench: Bench) -> None:
    asked = [(f"Compute {i}+{2 * i}.", {"max_tokens": 120, "stop_ids": (258,)}) for i in range(1, 21)]
    with opened("hf", POCKET, {"dtype": "float32"}) as hf:
        for text, changes in asked:
            ours, theirs = hf.one(text, **changes), bench.one(text, **changes)
            assert theirs.text == hf.decode(ours.token_ids).removesuffix("<|im_end|>")
            assert theirs.finish is ours.finish


def test_seeds_repeat_and_differ(bench: Bench) -> None:
    draws = [bench.one("Compute 9+1.", max_tokens=60, temperature=1.5, seed=2**60 + seed).text for seed in (1, 2, 1)]
    assert draws[0] == draws[2] != draws[1]


def sit(out: Path, backend: str, **more: Any) -> StoredRun:
    base = {"backend": backend, "tasks": "pocket_chain", "limit": 12, "samples": 1, "out": out, **OFF}
    return asyncio.run(
        run_session(build_config([merge([load_preset("pocket"), {"backend_args": {}}, base, more])]), quiet=True)
    )


def test_a_run_without_thinking_has_the_answers_of_transformers(url: str, tmp_path: Path) -> None:
    served = sit(tmp_path / "served", "openai_server", base_url=url, backend_args={"context": 2048}, concurrency=4)
    local = sit(tmp_path / "local", "hf", backend_args=dict(ENGINE_ARGS["hf"]))
    answers = [{r.key: (r.answer, r.grade, r.answer_finish) for r in run.records} for run in (served, local)]
    assert answers[0] == answers[1]
    assert len(answers[0]) == 12


def test_a_budget_is_refused_by_name(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="backend openai_server returns no token ids"):
        sit(tmp_path / "run", "openai_server", base_url=url, backend_args={"context": 2048}, thinking={"budgets": [16]})
