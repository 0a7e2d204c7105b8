"""Drawing after kept tokens: what is drawn once, with which seed, and what does not fit."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from raml_eval.diagnostics.model import load_run_model, open_engine
from raml_eval.diagnostics.pruning.answers import TOO_LONG, Answering, Shortener, open_redrawing
from raml_eval.diagnostics.pruning.kept import Kept
from raml_eval.diagnostics.pruning.rules import parse_rule
from raml_eval.grading.pool import GradingPool
from raml_eval.protocols import Backend
from raml_eval.store.seeking import RunReader
from raml_eval.types import Completion, SamplingParams
from tests.pruned import candidates_of, draw_run


class Counting:
    """An engine that keeps what it is asked."""

    def __init__(self, engine: Backend) -> None:
        self._engine, self.description = engine, engine.description
        self.asked: list[tuple[tuple[int, ...], SamplingParams]] = []

    async def generate(self, prompt_ids: Any, params: SamplingParams) -> Completion:
        self.asked.append((tuple(prompt_ids), params))
        return await self._engine.generate(prompt_ids, params)

    async def aclose(self) -> None:
        await self._engine.aclose()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_run(tmp_path_factory.mktemp("runs") / "mine", tasks="pocket_chain", thinking_budget="unlimited", limit=3)


def answer_in_turn(run: Path, kept_of: Any, known: Any = (), **args: Any) -> tuple[list[dict[str, Any]], list[Any]]:
    """The lines for the longest thinking of the run, and what the engine was asked."""
    one = max(candidates_of(run), key=lambda one: len(one.subject.trajectory.token_ids))

    async def draw() -> tuple[list[dict[str, Any]], list[Any]]:
        with RunReader(run) as reader:
            loaded = load_run_model(reader, {"backend_args": args})
        pool = GradingPool(workers=1)
        try:
            async with open_engine(loaded) as engine:
                counting = Counting(engine)
                drawing = open_redrawing(loaded, counting, pool)
                answering = Answering(drawing, one, known)
                shortener = Shortener(one, drawing)
                return [await answering.answer(kept) for kept in kept_of(one, shortener)], counting.asked
        finally:
            pool.close()

    return asyncio.run(draw())


def test_the_delimiter_follows_the_kept_tokens_and_the_run_decides_the_sampling(run: Path) -> None:
    def last(one: Any, shortener: Shortener) -> list[Kept]:
        return [shortener.shorten(parse_rule("last:1"), None)]

    (line,), asked = answer_in_turn(run, last)
    one = max(candidates_of(run), key=lambda one: len(one.subject.trajectory.token_ids))
    thinking = one.subject.trajectory.token_ids
    n = line["n_kept"]
    assert len(asked) == 3  # pruned, forced, none
    prompts = [ids for ids, _ in asked]
    prompt, closer = prompts[2][:-1], prompts[2][-1:]
    assert prompts == [(*prompt, *thinking[-n:], *closer), (*prompt, *thinking[:n], *closer), (*prompt, *closer)]
    assert len({params.seed for _, params in asked}) == 3
    assert {(params.temperature, params.max_tokens) for _, params in asked} == {(0.6, 48)}


def test_equal_tokens_are_drawn_once(run: Path) -> None:
    def same(one: Any, shortener: Shortener) -> list[Kept]:
        return [shortener.shorten(parse_rule(name), None) for name in ("last:1", "first:1", "last:1", "share:0", "share:1")]

    lines, asked = answer_in_turn(run, same)
    assert len(asked) == 4  # after the last sentence, as many first tokens, none, and the first sentence
    assert lines[0] == lines[2]
    assert lines[1]["pruned"] == lines[1]["forced"]
    assert lines[3]["pruned"] == lines[3]["none"]
    assert lines[4]["pruned"] == {"budget": "unlimited"}
    again, asked = answer_in_turn(run, same, known=lines)
    assert again == lines
    assert not asked


def test_what_does_not_fit_is_skipped(run: Path) -> None:
    def long(one: Any, shortener: Shortener) -> list[Kept]:
        return [shortener.shorten(parse_rule("summary"), "so " * 100), Kept((), 0)]

    (too_long, fits), asked = answer_in_turn(run, long, context=300)
    assert too_long == {"skipped": TOO_LONG}
    assert len(asked) == 1
    assert "pruned" in fits


def test_a_summary_ends_as_the_thinking_does(run: Path) -> None:
    def summary(one: Any, shortener: Shortener) -> list[Kept]:
        kept = shortener.shorten(parse_rule("summary"), "2+2=4")
        assert one.subject.trajectory.text.endswith("\n")
        assert kept.ids[-1] == one.subject.trajectory.token_ids[-1]
        assert kept.n_new == len(kept.ids) == 6
        return [kept]

    answer_in_turn(run, summary)
