"""One engine for many runs: when it is kept, when its weights are swapped, and when a new one is opened."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raml_eval.backends import open_backend
from raml_eval.checkpoint import Checkpoint
from raml_eval.engines import Engines, Lent
from raml_eval.errors import ConfigError, ModelError, SwapRefused
from raml_eval.protocols import Backend, LimitedSampling, NativeBudgets, PositionScorer, PositionScores, Routed
from raml_eval.types import Completion, SamplingParams
from tests.backend_bench import POCKET


def copy(folder: Path, content: str) -> str:
    """A checkpoint like pocket, with another content."""
    shutil.copytree(POCKET, folder)
    (folder / "more.json").write_text(content)
    return str(folder)


class Opened:
    """An opener that keeps count of what it opened."""

    def __init__(self) -> None:
        self.engines: list[Any] = []

    async def __call__(self, name: str, model: str, **settings: Any) -> Backend:
        self.engines.append(await open_backend(name, model, **settings))
        return self.engines[-1]  # type: ignore[no-any-return]


def opened_for(*asked: tuple[str, str, dict[str, Any]]) -> tuple[Opened, list[Backend]]:
    opener = Opened()

    async def ask_in_turn() -> list[Backend]:
        engines = Engines(opener)
        try:
            return [await engines.open(name, model, args=args) for name, model, args in asked]
        finally:
            await engines.aclose()

    return opener, asyncio.run(ask_in_turn())


def test_a_like_model_is_swapped_in_and_the_same_one_is_kept(tmp_path: Path) -> None:
    a, b = copy(tmp_path / "a", "1"), copy(tmp_path / "b", "2")
    opener, lent = opened_for(("fake", a, {}), ("fake", a, {}), ("fake", b, {}))
    assert len(opener.engines) == 1
    assert opener.engines[0].checkpoint == Checkpoint(b)
    assert [bool(one.swapped) for one in lent] == [False, False, True]  # type: ignore[attr-defined]


def test_another_argument_or_model_opens_a_new_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = copy(tmp_path / "a", "1"), copy(tmp_path / "b", "2")
    (tmp_path / "b" / "tokenizer.json").write_text((tmp_path / "a" / "tokenizer.json").read_text() + " ")
    opener, _ = opened_for(("fake", a, {}), ("fake", a, {"context": 512}), ("fake", b, {"context": 512}))
    assert len(opener.engines) == 3
    assert "differ in tokenizer.json" in capsys.readouterr().err
    assert all(engine._closed for engine in opener.engines)


def test_a_broken_model_costs_no_engine_and_a_stopped_swap_does(tmp_path: Path) -> None:
    a, b = copy(tmp_path / "a", "1"), copy(tmp_path / "b", "2")
    opener = Opened()

    async def fail_with(error: BaseException) -> list[bool]:
        engines = Engines(opener)
        await engines.open("fake", a)

        async def swap(checkpoint: Checkpoint) -> None:
            raise error

        opener.engines[-1].swap_weights = swap
        with pytest.raises(type(error)):
            await engines.open("fake", b)
        await engines.open("fake", a)
        await engines.aclose()
        return [engine._closed for engine in opener.engines]

    assert len(asyncio.run(fail_with(ModelError("broken")))) == 1
    opener.engines.clear()
    assert len(asyncio.run(fail_with(asyncio.CancelledError()))) == 2


def test_weights_that_change_while_an_engine_loads_them_are_refused(tmp_path: Path) -> None:
    """In a start the engine is closed. In a swap it stays, and what it holds is taken for nothing that was fingerprinted."""
    a, b = Path(copy(tmp_path / "a", "1")), Path(copy(tmp_path / "b", "2"))
    whole = (b / "model.safetensors").read_bytes()
    opener = Opened()

    async def open_and_write(name: str, model: str, **settings: Any) -> Backend:
        engine = await opener(name, model, **settings)
        (a / "model.safetensors").write_bytes(whole[::-1])
        return engine

    async def ask_in_turn() -> int:
        with pytest.raises(ModelError, match=r"a/model\.safetensors changed while the engine loaded it"):
            await Engines(open_and_write).open("fake", str(a))
        assert opener.engines[0]._closed
        engines = Engines(opener)
        await engines.open("fake", str(a))
        swap, n_swaps = opener.engines[1].swap_weights, 0

        async def swap_and_write(checkpoint: Checkpoint) -> None:
            nonlocal n_swaps
            n_swaps += 1
            await swap(checkpoint)
            (b / "model.safetensors").write_bytes(whole if n_swaps > 1 else whole[::-1])

        opener.engines[1].swap_weights = swap_and_write
        with pytest.raises(ModelError, match=r"b/model\.safetensors changed"):
            await engines.open("fake", str(b))
        (b / "model.safetensors").write_bytes(whole)
        await engines.open("fake", str(b))
        await engines.aclose()
        return n_swaps

    assert asyncio.run(ask_in_turn()) == 2
    assert len(opener.engines) == 2


GREEDY = SamplingParams(0.0, 1.0, 0, 0.0, 1.0, max_tokens=1, seed=0, stop_ids=())


class Capped(Lent):
    async def generate_capped(self, prompt_ids: Sequence[int], params: SamplingParams, budget: int) -> Completion:
        raise NotImplementedError


class Scoring(Lent):
    async def score_at(self, *asked: Any) -> PositionScores:
        scored: PositionScores = await self._engine.score_at(*asked)  # type: ignore[attr-defined]
        return scored


class CappedScoring(Capped, Scoring):
    pass


class Served(Lent):
    """As completion servers: it has a server for each question, and limits to the sampling."""

    def routed(self, question: str) -> Backend:
        return Lent(self._engine, {"question": question})

    def check_sampling(self, params: SamplingParams) -> None:
        if params.top_k:
            raise ConfigError("top_k had no effect.")


@pytest.mark.parametrize("kind", [Lent, Capped, Scoring, CappedScoring, Served])
def test_what_is_lent_can_do_what_the_engine_can(kind: type[Lent]) -> None:
    async def lend() -> None:
        async def opener(name: str, model: str, **settings: Any) -> Backend:
            return kind(await open_backend(name, model, **settings), {})

        engines = Engines(opener)
        lent = await engines.open("fake", str(POCKET))
        await lent.aclose()
        with pytest.raises(SwapRefused, match="lent to a run"):
            await lent.swap_weights(Checkpoint(str(POCKET)))  # type: ignore[attr-defined]
        assert isinstance(lent, NativeBudgets) == issubclass(kind, Capped)
        assert isinstance(lent, PositionScorer) == issubclass(kind, Scoring)
        assert isinstance(lent, Routed) == isinstance(lent, LimitedSampling) == issubclass(kind, Served)
        if isinstance(lent, Routed) and isinstance(lent, LimitedSampling):
            assert lent.routed("q").swapped == {"question": "q"}  # type: ignore[attr-defined]
            lent.check_sampling(GREEDY)
            with pytest.raises(ConfigError, match="top_k had no effect"):
                lent.check_sampling(replace(GREEDY, top_k=3))
        if isinstance(lent, PositionScorer):
            assert (await lent.score_at((5, 5), (2,), (9,), 1)).logprobs == ((-1.0,),)

    asyncio.run(lend())
