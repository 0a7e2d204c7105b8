"""The transformers backend: the contract, and its batches against plain forward passes."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

pytest.importorskip("torch", reason="the hf backend needs torch (pip install 'raml-eval[hf]')")

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from raml_eval.backends import open_backend
from raml_eval.backends.hf_model import HfArgs
from raml_eval.errors import ConfigError, GenerationError, ModelError, SwapRefused
from tests.backend_bench import POCKET, Bench, Request, checkpoint, opened, params
from tests.backend_contract import SamplingContract, SwapContract, close_and_check, swap
from tests.checkpoints import variant


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def bench(model: Path) -> Iterator[Bench]:
    with opened("hf", model, {"threads": 1, "dtype": "float32"}) as bench:
        yield bench


@pytest.fixture
def own_bench(model: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    with opened("hf", model, {"threads": 1, "dtype": "float32", **getattr(request, "param", {})}) as bench:
        yield bench


class TestContract(SamplingContract):
    pass


class TestSwap(SwapContract):
    engine = "hf"
    args: Mapping[str, Any] = MappingProxyType({"threads": 1, "dtype": "float32"})

    def test_a_tensor_that_stays_old_is_refused(
        self, own_bench: Bench, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = own_bench.backend._scheduler.loaded.model.model.layers[0].input_layernorm  # type: ignore[attr-defined]
        load = AutoModelForCausalLM.from_pretrained

        def load_most(*args: Any, **kwargs: Any) -> Any:
            loaded, report = load(*args, **kwargs)
            loaded.model.layers[0].input_layernorm = old
            return loaded, report

        other = variant(model, tmp_path / "other", seed=1)
        monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", load_most)
        with pytest.raises(SwapRefused, match=r"files' values of model.layers.0.input_layernorm.weight"):
            swap(own_bench, other)


def requests_of_many_lengths(bench: Bench, n: int) -> list[Request]:
    rng = random.Random(1)
    return [
        (bench.prompt("z" * rng.randrange(120)), params(max_tokens=rng.randint(1, 90), temperature=i % 2 * 1.0, seed=i))
        for i in range(n)
    ]


def test_greedy_equals_plain_forward_passes_without_a_cache(bench: Bench, model: Path) -> None:
    plain = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, attn_implementation="eager")
    for prompt, sampling in requests_of_many_lengths(bench, 6)[::2]:
        ids = list(prompt)
        with torch.inference_mode():
            for _ in range(min(sampling.max_tokens, 40)):
                ids.append(int(plain(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
        drawn = bench.draw((prompt, sampling))[0].token_ids[:40]
        assert drawn == tuple(ids[len(prompt) :])


@pytest.mark.parametrize(
    "own_bench",
    [{"batch_size": 3}, {"max_batch_tokens": 50}, {"cache_gib": 0.00025}, {"batch_size": 5, "cache_gib": 0.0005}],
    ids=str,
    indirect=True,
)
def test_limits_on_batch_prefill_and_cache_change_no_draw(bench: Bench, own_bench: Bench) -> None:
    requests = requests_of_many_lengths(bench, 24)
    assert own_bench.draw(*requests) == bench.draw(*requests)


def test_rows_that_arrive_while_others_decode_change_no_draw(bench: Bench) -> None:
    requests = requests_of_many_lengths(bench, 30)
    expected = bench.draw(*requests)

    async def trickle() -> list[Any]:
        tasks = []
        for request in requests:
            tasks.append(asyncio.ensure_future(bench.backend.generate(*request)))
            await asyncio.sleep(0.01)
        return await asyncio.gather(*tasks)

    assert bench.runner.run(trickle()) == expected


def test_a_short_row_does_not_wait_for_a_long_one(bench: Bench) -> None:
    async def first_done() -> list[str]:
        order: list[str] = []

        async def draw(name: str, n: int) -> None:
            await bench.backend.generate(bench.prompt("Compute 1+2."), params(max_tokens=n))
            order.append(name)

        await asyncio.gather(draw("long", 400), draw("short", 3))
        return order

    assert bench.runner.run(first_done()) == ["short", "long"]


def wrap_model(bench: Bench, before: Any) -> None:
    """Every forward pass of the bench's model calls before(rows) first."""
    loaded = bench.backend._scheduler._loaded.model  # type: ignore[attr-defined]
    loaded.register_forward_pre_hook(lambda module, args, kwargs: before(len(kwargs["input_ids"])), with_kwargs=True)


def test_out_of_memory_halves_the_batch_and_changes_no_draw(bench: Bench, own_bench: Bench) -> None:
    def before(n_rows: int) -> None:
        if n_rows > 5:
            raise torch.OutOfMemoryError(f"{n_rows} rows are too many")

    wrap_model(own_bench, before)
    requests = requests_of_many_lengths(bench, 16)
    assert own_bench.draw(*requests) == bench.draw(*requests)


def test_out_of_memory_in_the_middle_of_a_draw_changes_no_draw(bench: Bench, own_bench: Bench) -> None:
    passes = itertools.count()

    def before(n_rows: int) -> None:
        if next(passes) == 20:
            raise torch.OutOfMemoryError("once")

    wrap_model(own_bench, before)
    requests = requests_of_many_lengths(bench, 12)
    assert own_bench.draw(*requests) == bench.draw(*requests)
    assert next(passes) > 20


def test_a_row_that_fits_no_memory_fails_and_the_backend_lives_on(own_bench: Bench) -> None:
    broken = [True]

    def before(n_rows: int) -> None:
        if broken[0]:
            raise torch.OutOfMemoryError("none left")

    wrap_model(own_bench, before)
    with pytest.raises(GenerationError, match="none left"):
        own_bench.one("Compute 1+2.")
    broken[0] = False
    assert len(own_bench.one("Compute 1+2.").token_ids) == 16


def test_an_error_in_a_batch_fails_its_rows_and_the_backend_lives_on(own_bench: Bench) -> None:
    passes = itertools.count()

    def before(n_rows: int) -> None:
        if next(passes) == 5:
            raise RuntimeError("a kernel broke")

    wrap_model(own_bench, before)

    async def draw() -> list[Any]:
        requests = [own_bench.backend.generate(own_bench.prompt("x"), params()) for _ in range(3)]
        return await asyncio.gather(*requests, return_exceptions=True)

    failed = own_bench.runner.run(draw())
    assert all(isinstance(error, GenerationError) and "a kernel broke" in str(error) for error in failed)
    assert len(own_bench.one("Compute 1+2.").token_ids) == 16


def test_logits_that_are_not_numbers_fail_the_row(own_bench: Bench) -> None:
    loaded = own_bench.backend._scheduler._loaded.model  # type: ignore[attr-defined]
    torch.nn.init.constant_(loaded.get_output_embeddings().weight, torch.nan)
    with pytest.raises(GenerationError, match="not numbers"):
        own_bench.one("Compute 1+2.")


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ({"dtyp": "float32"}, r"no argument 'dtyp'.*Did you mean dtype"),
        ({"dtype": "float8"}, "dtype is 'float8'"),
        ({"batch_size": "many"}, "batch_size is 'many'"),
        ({"batch_size": 0}, "too small"),
    ],
)
def test_wrong_arguments_are_named(args: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        HfArgs.parse(args)


def test_arguments_come_as_text_from_a_command_line() -> None:
    assert HfArgs.parse({"batch_size": "8", "cache_gib": "0.5"}) == HfArgs(batch_size=8, cache_gib=0.5)


def test_a_broken_checkpoint_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}')
    with pytest.raises(ModelError, match="has no weights"):
        asyncio.run(open_backend("hf", str(tmp_path)))
    (tmp_path / "pytorch_model.bin").write_bytes(b"no pickle")
    with pytest.raises(ModelError, match="cannot be loaded"):
        asyncio.run(open_backend("hf", str(tmp_path)))


def test_what_is_written_into_the_files_later_does_not_reach_the_model(tmp_path: Path) -> None:
    """Tensors that need no conversion are views of the mapped file, unless they are copied."""
    folder = shutil.copytree(POCKET, tmp_path / "model")
    path = folder / "model.safetensors"
    save_file({name: values.float() for name, values in load_file(path).items()}, path, {"format": "pt"})
    with opened("hf", folder, {"threads": 1, "dtype": "float32"}) as bench:
        before = bench.one("Compute 1+2.")
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(size // 4)
            file.write(bytes(size - size // 4))
        assert bench.one("Compute 1+2.") == before


def test_closing_fails_what_is_under_way(own_bench: Bench) -> None:
    close_and_check(own_bench)
