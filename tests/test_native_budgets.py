"""An engine's own thinking budget: the audit of a draw, the test at the start, and vLLM's on the pocket checkpoint."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.backends import open_backend
from raml_eval.errors import ConfigError, GenerationError
from raml_eval.native_budgets import CappedDraw, audit, check_native_budgets
from raml_eval.protocols import NativeBudgets
from raml_eval.types import Completion, Finish, SamplingParams, TokenIds
from tests.backend_bench import POCKET, Bench, opened, params

CLOSER = (91, 92)
ids = st.lists(st.integers(0, 90), max_size=12).map(tuple)


def stopped(*token_ids: int) -> Completion:
    return Completion(token_ids, Finish.STOP)


@given(ids, ids, st.integers(0, 12))
def test_a_draw_is_split_at_its_only_delimiter_or_refused(thinking: TokenIds, answer: TokenIds, budget: int) -> None:
    drawn = stopped(*thinking, *CLOSER, *answer)
    if len(thinking) > budget:
        with pytest.raises(GenerationError, match=f"drew {len(thinking)} thinking tokens; the budget is {budget}"):
            audit(drawn, CLOSER, budget)
    else:
        assert audit(drawn, CLOSER, budget) == CappedDraw(thinking, answer, True, len(thinking) == budget)
        again = stopped(*thinking, *CLOSER, *answer, *CLOSER, 7)
        # A natural end that the engine missed is forced once more where the budget runs out, give or take the delimiter.
        where_forced = abs(len(thinking) + len(answer) - budget) <= 2 * len(CLOSER) + 1
        if len(thinking) < budget and where_forced:
            with pytest.raises(GenerationError, match=f"twice, after {len(thinking)} .* and {len(answer)} tokens later"):
                audit(again, CLOSER, budget)
        else:
            assert audit(again, CLOSER, budget).answer_ids == (*answer, *CLOSER, 7)


def test_a_draw_that_ends_inside_its_thinking_or_its_delimiter_is_open() -> None:
    assert audit(stopped(1, 2, 3), CLOSER, 5) == CappedDraw((1, 2, 3), (), False, False)
    assert audit(Completion((1, 2, 91), Finish.LENGTH), CLOSER, 2) == CappedDraw((1, 2), (), False, True)
    for drawn in (Completion((1, 2, 91), Finish.STOP), Completion((1, 2, 92), Finish.LENGTH)):
        with pytest.raises(GenerationError, match="drew 3 thinking tokens; the budget is 2"):
            audit(drawn, CLOSER, 2)
    with pytest.raises(GenerationError, match="no end delimiter"):
        audit(stopped(1), (), 2)


class Capping:
    """An engine with a cap of its own: it thinks n tokens, answers in six, and errs as it is told to."""

    def __init__(self, n: int, error: str = "") -> None:
        self.n, self.error = n, error

    async def generate_capped(
        self, prompt_ids: Sequence[int], params: SamplingParams, thinking_token_budget: int
    ) -> Completion:
        cap = thinking_token_budget + (self.error == "counts_one_less")
        drawn = [*range(1001, self.n + 1001), *CLOSER, *range(80, 86)]
        if self.error == "misses_a_natural_end" or cap < self.n:
            forced = () if self.error == "ignores_the_cap" else CLOSER
            drawn[cap:] = [*forced, *range(80, 86)] if cap < self.n else [*drawn[cap : cap + 1], *forced, 80]
        finish = Finish.LENGTH if len(drawn) > params.max_tokens else Finish.STOP
        return Completion(tuple(drawn[: params.max_tokens]), finish)


def check(*engines: Any, max_tokens: int = 200) -> dict[str, int]:
    """The test of the first engine, with a prompt for each of its lengths of thinking."""
    return asyncio.run(check_native_budgets(engines[0], [(1,), (2,)], params(max_tokens=max_tokens), CLOSER))


def test_an_engine_that_keeps_its_promise_passes() -> None:
    assert check(Capping(60)) == {"1": 2, "16": 2, "natural": 2}


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        (Capping(60, "counts_one_less"), "drew 2 thinking tokens; the budget is 1"),
        (Capping(60, "ignores_the_cap"), "no end delimiter after|drew .* thinking tokens; the budget is 1"),
        (Capping(60, "misses_a_natural_end"), "twice, after 60 thinking tokens"),
        (Capping(9), "cannot be tested: none of 2 prompts showed a binding budget of 16"),
        (Capping(10**4), "cannot be tested: none of 2 prompts showed a natural end within 200 tokens"),
    ],
    ids=lambda value: getattr(value, "error", ""),
)
def test_an_engine_that_does_not_is_refused_with_what_was_seen(engine: Capping, says: str) -> None:
    with pytest.raises(ConfigError, match=rf"({says}).*two phases"):
        check(engine)


vllm = [
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="no vLLM"),
]
DELIMITERS = {"reasoning_start_str": "<think>", "reasoning_end_str": "</think>"}
ARGS = {"dtype": "float32", "max_model_len": 2048}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with opened("vllm", POCKET, {**ARGS, "reasoning_config": DELIMITERS}) as bench:
        yield bench


def prompts(bench: Bench) -> list[TokenIds]:
    return [bench.prompt(f"Compute {i}+{i + 17}+{3 * i}.") for i in range(3, 11)]


def native(bench: Bench) -> NativeBudgets:
    assert isinstance(bench.backend, NativeBudgets)
    return bench.backend


class TestVllm:
    pytestmark = vllm

    def capped(self, bench: Bench, budgets: Sequence[int], **changes: Any) -> list[Completion]:
        async def draw() -> list[Completion]:
            sampling = params(max_tokens=600, stop_ids=(258,), **changes)
            requests = [(prompt, budget) for budget in budgets for prompt in prompts(bench)]
            return await asyncio.gather(*(native(bench).generate_capped(prompt, sampling, b) for prompt, b in requests))

        return bench.runner.run(draw())

    def closer(self, bench: Bench) -> TokenIds:
        return tuple(bench.tokenizer.encode("</think>", add_special_tokens=False))

    def test_vllm_passes_the_test_at_the_start(self, bench: Bench) -> None:
        sampling = params(max_tokens=1000, stop_ids=(258,), temperature=0.6)
        seen = bench.runner.run(check_native_budgets(native(bench), prompts(bench), sampling, self.closer(bench)))
        assert set(seen) == {"1", "16", "natural"}
        assert all(seen.values())

    @pytest.mark.parametrize("temperature", [0.0, 0.8])
    def test_a_budget_cuts_the_free_draw_exactly(self, bench: Bench, temperature: float) -> None:
        closer = self.closer(bench)
        free = [audit(drawn, closer, 600) for drawn in self.capped(bench, [600], temperature=temperature)]
        assert any(draw.closed for draw in free)
        for budget in (0, 1, 7, 64):
            for drawn, whole in zip(self.capped(bench, [budget], temperature=temperature), free, strict=True):
                draw = audit(drawn, closer, budget)
                assert draw.thinking_ids == whole.thinking_ids[:budget]
                assert draw.closed
                if len(whole.thinking_ids) < budget:
                    assert draw == whole

    def test_without_a_budget_the_draws_are_those_of_a_plain_engine(self, bench: Bench) -> None:
        requests = [(prompt, params(max_tokens=60, temperature=0.8, seed=4)) for prompt in prompts(bench)]
        drawn = bench.draw(*requests)
        with opened("vllm", POCKET, ARGS) as plain:
            assert not isinstance(plain.backend, NativeBudgets)
            assert plain.draw(*requests) == drawn

    def test_what_vllm_would_cap_otherwise_is_refused(self, bench: Bench) -> None:
        closed = (*prompts(bench)[0], *self.closer(bench))
        for prompt, changes, budget, says in (
            (closed, {}, 5, "no open thinking"),
            ((1, 2, 3), {}, 5, "no open thinking"),
            (prompts(bench)[0], {"stop_strings": ("x",)}, 5, "stop strings"),
            (prompts(bench)[0], {}, -1, "budget is -1"),
        ):
            with pytest.raises(GenerationError, match=says):
                bench.runner.run(native(bench).generate_capped(prompt, params(**changes), budget))

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ({"reasoning_end_str": "</think>"}, "must hold reasoning_start_str and reasoning_end_str"),
            ("deepseek_r1", "must hold"),
            ({**DELIMITERS, "reasoning_end_str": "Enough.\n</think>"}, "end delimiter alone"),
        ],
        ids=str,
    )
    def test_other_delimiters_are_refused(self, given: Any, says: str) -> None:
        with pytest.raises(ConfigError, match=says):
            asyncio.run(open_backend("vllm", str(POCKET), args={**ARGS, "reasoning_config": given}))

    def test_the_end_text_that_makes_vllm_miss_a_natural_end_fails_the_test(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from vllm.config import ReasoningConfig

        text = {**DELIMITERS, "reasoning_end_str": "\nEnough.</think>"}
        monkeypatch.setattr("raml_eval.backends.vllm.reasoning_config", lambda given: ReasoningConfig(**given))
        with opened("vllm", POCKET, {**ARGS, "reasoning_config": text}) as bench:
            sampling = params(max_tokens=1000, stop_ids=(258,), temperature=0.6)
            with pytest.raises(ConfigError, match="cannot be relied on"):
                bench.runner.run(check_native_budgets(native(bench), prompts(bench), sampling, self.closer(bench)))
