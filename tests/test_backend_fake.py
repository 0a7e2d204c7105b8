"""The scripted backend: the contract, its scripts, its failures, and the table of backends."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from raml_eval.backends import BACKENDS, open_backend
from raml_eval.backends.fake import FakeBackend, open_engine, thinking_script
from raml_eval.checkpoint import Checkpoint, find_checkpoint
from raml_eval.errors import ConfigError, GenerationError, ModelError, SwapRefused
from raml_eval.protocols import Backend, WeightSwap
from raml_eval.types import Finish, SamplingParams, TokenIds
from tests.backend_bench import Bench, params
from tests.backend_contract import BackendContract, ScoringContract, score


class Bytes:
    """A tokenizer with one id per byte, and 256 as the end of the turn."""

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return list(text.encode())

    def decode(self, token_ids: Any, skip_special_tokens: bool = False) -> str:
        return bytes(i for i in token_ids if i < 256).decode(errors="replace")


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with asyncio.Runner() as runner:
        script = thinking_script(Bytes(), 256)
        yield Bench(FakeBackend(script, tokenizer=Bytes(), context=4096), runner, Bytes())


class TestContract(BackendContract):
    pass


class TestScoring(ScoringContract):
    def wanted(self, bench: Bench, ids: Sequence[int], n_scored: int) -> tuple[float, ...]:
        return tuple(-(1 + ids[n] % 8) / n for n in range(len(ids) - n_scored, len(ids)))


def test_a_curve_of_the_tests_own_is_scored() -> None:
    with asyncio.Runner() as runner:
        fake = FakeBackend(lambda ids, sampling: [1], curve=lambda before, token_id: -float(before[-1] + token_id))
        bench = Bench(fake, runner, Bytes())
        assert score(bench, (1, 2, 3), (1, 3), (10, 20), 2).logprobs == ((-11.0, -30.0), (-13.0, -30.0))


def test_a_swap_asks_for_a_like_model(tmp_path: Path) -> None:
    fake = asyncio.run(open_engine(find_checkpoint("pocket"), args={}))
    other = shutil.copytree(find_checkpoint("pocket").source, tmp_path / "other")
    assert isinstance(fake, WeightSwap)
    assert not fake.swapped
    asyncio.run(fake.swap_weights(Checkpoint(str(other))))
    assert fake.swapped
    assert fake.checkpoint == Checkpoint(str(other))
    (other / "tokenizer.json").write_text("{}")
    with pytest.raises(SwapRefused, match=r"tokenizer.json"):
        asyncio.run(fake.swap_weights(find_checkpoint("pocket")))


def test_it_is_a_backend(bench: Bench) -> None:
    assert isinstance(bench.backend, Backend)


def text_of(bench: Bench, prompt: str, seed: int = 0) -> str:
    request = (tuple(prompt.encode()), params(temperature=1.0, max_tokens=500, seed=seed, stop_ids=(256,)))
    return bench.decode(bench.draw(request)[0].token_ids)


def test_the_script_thinks_in_lines_then_answers(bench: Bench) -> None:
    texts = [text_of(bench, "<think>\n", seed) for seed in range(40)]
    assert all(text.count("</think>") == 1 and text.endswith("}") for text in texts)
    assert len({text.count("\n") for text in texts}) > 5


@pytest.mark.parametrize(
    ("prompt", "begins"),
    [
        ("Question", "<think>\n"),
        ("Q<think>\n1+1=2\n4+", None),
        ("Q<think>\n1+1=2\n</think>\n\n", "\\boxed{"),
        ("Q<think>\n\n</think>\n\nA<think>\n", None),
    ],
)
def test_the_script_goes_on_from_where_the_prompt_stops(bench: Bench, prompt: str, begins: str | None) -> None:
    text = text_of(bench, prompt)
    assert text.startswith(begins or "")
    assert text.count("<think>") == (begins == "<think>\n")
    assert ("</think>" in text) == (begins != "\\boxed{")
    assert "\\boxed{" in text


def test_a_script_that_raises_fails_its_request_only() -> None:
    def script(prompt_ids: TokenIds, sampling: SamplingParams) -> Iterator[int]:
        yield 7
        if prompt_ids == (1,):
            raise RuntimeError("no luck")
        yield from (8, 9)

    async def run() -> list[Any]:
        backend = FakeBackend(script)
        requests = [backend.generate((i,), params(max_tokens=3)) for i in range(3)]
        return await asyncio.gather(*requests, return_exceptions=True)

    first, failed, last = asyncio.run(run())
    assert first == last
    assert first.token_ids == (7, 8, 9)
    assert isinstance(failed, GenerationError)
    assert "no luck" in str(failed)


def test_a_script_that_runs_out_never_passes_as_a_shorter_draw() -> None:
    async def run() -> None:
        await FakeBackend(lambda prompt_ids, sampling: [1, 2]).generate((5,), params(max_tokens=3))

    with pytest.raises(GenerationError, match="ran out after 2"):
        asyncio.run(run())


def test_a_closed_backend_draws_nothing() -> None:
    async def run() -> None:
        backend = FakeBackend(lambda prompt_ids, sampling: [1])
        assert (await backend.generate((5,), params(max_tokens=1))).finish is Finish.LENGTH
        await backend.aclose()
        await backend.aclose()
        await backend.generate((5,), params(max_tokens=1))

    with pytest.raises(GenerationError, match="closed"):
        asyncio.run(run())


def open_it(name: str, model: str, **args: Any) -> Backend:
    return asyncio.run(open_backend(name, model, args=args))


def test_an_unknown_backend_is_named_with_its_neighbours(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'vlm' does not exist.*Did you mean vllm"):
        open_it("vlm", str(tmp_path))


@pytest.mark.parametrize("model", ["/no/such/folder", "./no-such-folder", "a/b/c"])
@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_a_missing_folder_is_refused_before_any_engine_loads(name: str, model: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda library: object())
    with pytest.raises(ModelError, match="does not exist"):
        open_it(name, model)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        open_it("fake", str(tmp_path))


def test_a_hub_out_of_reach_is_told_in_seconds(monkeypatch: Any) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        "huggingface_hub.file_download.constants.HUGGINGFACE_CO_URL_TEMPLATE",
        "http://127.0.0.1:9/{repo_id}/{revision}/{filename}",
    )
    started = time.monotonic()
    with pytest.raises(ModelError, match="is not a folder here, and the hub"):
        open_it("fake", "nobody/no-such-model")
    assert time.monotonic() - started < 20  # asking in vain again and again took 46 s


def test_a_missing_library_names_the_extra(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda library: None)
    with pytest.raises(ModelError, match=r"pip install 'raml-eval\[vllm\]'"):
        open_it("vllm", str(tmp_path))


@pytest.mark.parametrize("args", [{"latency_s": "abc"}, {"context": 1.5}, {"context": True}, {"latency_s": -1}])
def test_an_argument_of_another_type_is_refused(args: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"of the fake backend is .*, wanted a number"):
        asyncio.run(open_engine(find_checkpoint("pocket"), args=args))
