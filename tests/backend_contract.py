"""The contract of every backend: one test suite, which runs on each of them."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import GenerationError, ModelError, SwapRefused
from raml_eval.protocols import PositionScorer, PositionScores, WeightSwap
from raml_eval.types import Completion, Finish, TokenIds
from tests.backend_bench import Bench, collect_connections, opened, params


class BackendContract:
    """Ids in, ids out, exact ends, no mixed-up answers, and errors that leave the engine alive."""

    cancel_after_s: tuple[float, ...] = (0.0,)

    def test_the_draw_has_exactly_max_tokens_where_nothing_stops_it(self, bench: Bench) -> None:
        for n in (1, 2, 17, 100):
            drawn = bench.one("Compute 1+2.", max_tokens=n)
            assert (len(drawn.token_ids), drawn.finish) == (n, Finish.LENGTH)
            assert all(type(i) is int for i in drawn.token_ids)

    def test_a_longer_limit_continues_the_same_draw(self, bench: Bench) -> None:
        for temperature in (0.0, 1.0):
            short, long = (bench.one("Compute 3+4.", max_tokens=n, temperature=temperature).token_ids for n in (9, 30))
            assert long[:9] == short

    def test_the_stop_id_is_the_last_token_of_the_draw(self, bench: Bench) -> None:
        free = bench.one("Compute 5+6.", max_tokens=40, temperature=1.0).token_ids
        stop = free[7]
        first = free.index(stop)
        drawn = bench.one("Compute 5+6.", max_tokens=40, temperature=1.0, stop_ids=(stop, 256))
        assert drawn == Completion(free[: first + 1], Finish.STOP)

    def test_a_stop_id_on_the_last_allowed_token_is_a_stop(self, bench: Bench) -> None:
        first = bench.one("Compute 5+6.", max_tokens=1).token_ids
        assert bench.one("Compute 5+6.", max_tokens=1, stop_ids=first) == Completion(first, Finish.STOP)

    def test_a_stop_string_over_several_tokens_ends_with_the_token_that_completes_it(self, bench: Bench) -> None:
        free = bench.one("Compute 7+8.", max_tokens=60, temperature=1.0, seed=3).token_ids
        text = bench.decode(free)
        stop = next(text[i : i + 3] for i in range(12, len(text)) if text[i : i + 3].isascii() and len(text[i : i + 3]) == 3)
        n = next(n for n in range(1, len(free)) if stop in bench.decode(free[:n]))
        for limit in (60, n):
            drawn = bench.one("Compute 7+8.", max_tokens=limit, temperature=1.0, seed=3, stop_strings=("\0no", stop))
            assert drawn == Completion(free[:n], Finish.STOP)

    def test_a_stop_string_in_the_prompt_stops_nothing(self, bench: Bench) -> None:
        assert bench.one("Compute 7+8.", max_tokens=2, stop_strings=("<think>\n", "Compute")).finish is Finish.LENGTH

    def test_greedy_draws_repeat_and_ignore_the_seed(self, bench: Bench) -> None:
        draws = [bench.one("Compute 9+1.", max_tokens=50, seed=seed).token_ids for seed in (0, 1, 0)]
        assert draws[0] == draws[1] == draws[2]

    def test_seeds_repeat_and_differ(self, bench: Bench) -> None:
        draws = [bench.one("Compute 9+1.", max_tokens=50, temperature=1.5, seed=seed).token_ids for seed in (1, 2, 1)]
        assert draws[0] == draws[2] != draws[1]

    def test_a_seeded_draw_does_not_depend_on_what_else_is_drawn(self, bench: Bench) -> None:
        rng = random.Random(0)
        requests = [
            (
                bench.prompt("x" * rng.randrange(200)),
                params(temperature=1.0, max_tokens=rng.randint(1, 60), seed=i, top_p=0.9),
            )
            for i in range(24)
        ]
        alone = [bench.draw(request)[0] for request in requests[:8]]
        assert bench.draw(*requests)[:8] == alone
        assert bench.draw(*reversed(requests))[::-1][:8] == alone

    def test_two_hundred_at_once_reach_their_callers(self, bench: Bench) -> None:
        requests = [(bench.prompt(f"Compute {i}+{i}."), params(max_tokens=i + 1, seed=i)) for i in range(200)]
        together = bench.draw(*requests)
        assert [len(drawn.token_ids) for drawn in together] == list(range(1, 201))
        for i in (0, 50, 199):
            assert bench.draw(requests[i])[0] == together[i]

    @pytest.mark.parametrize(
        ("text", "changes", "names"),
        [
            ("x", {"max_tokens": 10**6}, "context"),
            ("x", {"max_tokens": 0}, "max_tokens"),
            ("x", {"top_p": 0.0}, "top_p"),
            ("x", {"temperature": -1.0}, "temperature"),
            ("x", {"stop_strings": ("",)}, "stop_strings"),
        ],
    )
    def test_a_request_that_cannot_be_drawn_fails_alone(
        self, bench: Bench, text: str, changes: dict[str, Any], names: str
    ) -> None:
        with pytest.raises(GenerationError, match=names):
            bench.one(text, **changes)
        assert len(bench.one("Compute 1+2.").token_ids) == 16

    def test_the_longest_sequence_fits_and_one_more_does_not(self, bench: Bench) -> None:
        context = bench.backend.description.context
        prompt = bench.prompt("y" * (context // 2))[: context - 4]
        prompt = (prompt * (context // len(prompt) + 1))[: context - 4]
        assert len(bench.draw((prompt, params(max_tokens=4)))[0].token_ids) == 4
        with pytest.raises(GenerationError, match="context"):
            bench.draw((prompt, params(max_tokens=5)))

    def test_an_empty_prompt_is_refused(self, bench: Bench) -> None:
        with pytest.raises(GenerationError, match="prompt"):
            bench.draw(((), params()))

    @pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # see collect_connections
    def test_a_cancelled_request_hurts_no_other(self, bench: Bench) -> None:
        requests = [(bench.prompt(f"Compute {i}+3."), params(max_tokens=80, temperature=1.0, seed=i)) for i in range(6)]
        expected = bench.draw(*requests)

        async def cancel_one(delay_s: float) -> list[Any]:
            asked = [*requests[:2], (requests[2][0], replace(requests[2][1], max_tokens=900)), *requests[3:]]  # a long one
            tasks = [asyncio.ensure_future(bench.backend.generate(*request)) for request in asked]
            await asyncio.sleep(delay_s)
            tasks[2].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

        for delay_s in self.cancel_after_s:
            drawn = bench.runner.run(cancel_one(delay_s))
            assert isinstance(drawn[2], asyncio.CancelledError)
            assert drawn[:2] + drawn[3:] == expected[:2] + expected[3:]
        collect_connections()

    def test_the_description_says_what_the_manifest_needs(self, bench: Bench) -> None:
        described = bench.backend.description
        assert described.name
        assert described.version
        assert described.context > 1000


class SamplingContract(BackendContract):
    """The effect of the sampling fields on a model's distribution; the scripted backend has none."""

    cancel_after_s = (0.0, 0.02)

    @pytest.mark.parametrize("changes", [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}], ids=str)
    def test_the_narrowest_filter_is_greedy(self, bench: Bench, changes: dict[str, Any]) -> None:
        greedy = bench.one("Compute 9+1.", max_tokens=50)
        assert bench.one("Compute 9+1.", max_tokens=50, temperature=1.0, **changes) == greedy

    @pytest.mark.parametrize("changes", [{"top_k": 3}, {"top_p": 0.3}, {"min_p": 0.6}], ids=str)
    def test_a_filter_narrows_the_choice(self, bench: Bench, changes: dict[str, Any]) -> None:
        def first_tokens(**changes: Any) -> set[int]:
            prompt = bench.prompt("Compute 17")[:-12]
            requests = [(prompt, params(temperature=2.0, max_tokens=1, seed=i, **changes)) for i in range(100)]
            return {drawn.token_ids[0] for drawn in bench.draw(*requests)}

        free, narrow = first_tokens(), first_tokens(**changes)
        assert len(narrow) < len(free)
        assert len(narrow) <= changes.get("top_k", len(free))

    def test_the_repetition_penalty_makes_repeats_rarer(self, bench: Bench) -> None:
        plain, penalised = (bench.one("Compute 9+1.", max_tokens=60, repetition_penalty=p).token_ids for p in (1.0, 8.0))
        assert len(set(penalised)) > len(set(plain))

    def test_a_token_id_outside_the_vocabulary_fails_alone(self, bench: Bench) -> None:
        with pytest.raises(GenerationError, match="vocabulary"):
            bench.draw(((5, 10**6), params()))
        assert len(bench.one("Compute 1+2.").token_ids) == 16


class ScoringContract:
    """Log-probabilities of a continuation after prefixes. bench is the test's, and wanted what each token's is, naively."""

    block = 0  # the tokens of a prefix cache's block, which may be computed again at each position

    def wanted(self, bench: Bench, ids: Sequence[int], n_scored: int) -> tuple[float, ...]:
        """The log-probabilities of the last ids, each after all that stand before it, from one pass without a cache."""
        raise NotImplementedError

    def test_every_position_is_as_if_scored_alone(self, bench: Bench) -> None:
        ids, continuation = scoring_ids(70, seed=1), (40, 41, 50, 45, 60, 41)
        for n_scored, stride in ((6, 1), (1, 3), (4, 8)):
            positions = sorted({1, *range(stride, 71, stride), 32, 64, 70})
            scored = score(bench, ids, positions, continuation, n_scored)
            wanted = [self.wanted(bench, (*ids[:p], *continuation), n_scored) for p in positions]
            assert np.shape(scored.logprobs) == (len(positions), n_scored)
            assert np.abs(np.subtract(scored.logprobs, wanted)).max() < 1e-4

    def test_one_token_after_one_token_is_scored(self, bench: Bench) -> None:
        scored = score(bench, (44,), (1,), (50,), 1)
        assert scored.logprobs[0] == pytest.approx(self.wanted(bench, (44, 50), 1), abs=1e-4)

    def test_what_was_drawn_or_scored_before_changes_no_score(self, bench: Bench) -> None:
        ids = scoring_ids(90, seed=2)
        drawn = bench.draw((ids[:61], params(max_tokens=40)))[0].token_ids
        asked = (ids[:61], (60, 61), drawn[:36], 36)
        first = score(bench, *asked)
        assert first.logprobs[1] == pytest.approx(self.wanted(bench, (*ids[:61], *drawn[:36]), 36), abs=1e-4)
        again = score(bench, *asked)
        assert np.abs(np.subtract(first.logprobs, again.logprobs)).max() < 1e-5

    def test_scores_do_not_depend_on_what_else_is_scored_or_drawn(self, bench: Bench) -> None:
        requests = [
            (
                scoring_ids(n, seed=n),
                tuple(range(2 + n % 5, n + 1, 1 + n % 9)),
                scoring_ids(1 + n % 7, seed=3),
                1 + n % (1 + n % 7),
            )
            for n in range(10, 150, 9)
        ]
        alone = [score(bench, *request).logprobs for request in requests]
        draws = [(bench.prompt(f"Compute {i}+{i}."), params(max_tokens=30, temperature=1.0, seed=i)) for i in range(6)]
        drawn_alone = bench.draw(*draws)

        async def together() -> tuple[list[PositionScores], list[Completion]]:
            scored = asyncio.gather(*(scorer(bench).score_at(*request) for request in reversed(requests)))
            drawn = asyncio.gather(*(bench.backend.generate(*request) for request in draws))
            return (await scored)[::-1], await drawn

        scored, drawn = bench.runner.run(together())
        for one, other in zip(alone, scored, strict=True):
            assert np.abs(np.subtract(one, other.logprobs)).max() < 1e-5
        assert drawn == drawn_alone

    def test_a_cancelled_call_hurts_no_other(self, bench: Bench) -> None:
        long, short = ((scoring_ids(n, seed=n), range(8, n, 8), (40, 41), 2) for n in (1500, 200))
        expected = score(bench, *short)

        async def cancel_one(delay_s: float) -> list[Any]:
            tasks = [asyncio.ensure_future(scorer(bench).score_at(*request)) for request in (long, short)]
            await asyncio.sleep(delay_s)
            tasks[0].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

        for delay_s in (0.0, 0.02):
            cancelled, scored = bench.runner.run(cancel_one(delay_s))
            assert isinstance(cancelled, PositionScores | asyncio.CancelledError)
            assert np.abs(np.subtract(scored.logprobs, expected.logprobs)).max() < 1e-5

    def test_the_tokens_computed_grow_linearly(self, bench: Bench) -> None:
        counts = [
            score(bench, scoring_ids(n, seed=n), range(8, n + 1, 8), (40, 41, 42), 2).n_forwarded for n in (512, 1024, 2048)
        ]
        assert 512 <= counts[0] <= 512 + 64 * (3 + self.block)
        assert counts[2] - counts[1] == pytest.approx(2 * (counts[1] - counts[0]), abs=2 * self.block)

    @pytest.mark.parametrize(
        ("asked", "names"),
        [
            (((5, 6, 7), (), (8,), 1), "at least one position"),
            (((5, 6, 7), (2, 1), (8,), 1), "position 1 comes after position 2"),
            (((5, 6, 7), (2, 2), (8,), 1), "position 2 comes after position 2"),
            (((5, 6, 7), (0, 2), (8,), 1), "position 0 is not between 1 and the sequence's 3"),
            (((5, 6, 7), (2, 4), (8,), 1), "position 4 is not between 1 and the sequence's 3"),
            (((5, 6, 7), (2,), (8, 9), 0), "n_scored is 0"),
            (((5, 6, 7), (2,), (8, 9), 3), "n_scored is 3; it must be between 1 and the continuation's 2"),
            (((5, 6, 7), (2,), (), 1), "n_scored is 1; it must be between 1 and the continuation's 0"),
        ],
    )
    def test_what_cannot_be_scored_fails_alone_and_by_name(self, bench: Bench, asked: Any, names: str) -> None:
        with pytest.raises(GenerationError, match=names):
            score(bench, *asked)
        assert len(score(bench, (5, 6, 7), (2, 3), (8,), 1).logprobs) == 2

    def test_a_continuation_beyond_the_context_is_refused(self, bench: Bench) -> None:
        context = bench.backend.description.context
        ids = scoring_ids(context, seed=4)
        with pytest.raises(GenerationError, match="context"):
            score(bench, ids, (8, context - 1), (40, 41), 1)
        if context < 5000:
            assert len(score(bench, ids, (8, context - 3), (40, 41), 1).logprobs) == 2


class VocabularyScoring(ScoringContract):
    """What only a model's vocabulary can refuse."""

    def test_a_scored_id_outside_the_vocabulary_fails_alone(self, bench: Bench) -> None:
        for asked in (((5, 10**6), (1,), (8,), 1), ((5, 6), (1,), (-1,), 1)):
            with pytest.raises(GenerationError, match="vocabulary"):
                score(bench, *asked)
        assert len(score(bench, (5, 6, 7), (2, 3), (8,), 1).logprobs) == 2


def scoring_ids(n: int, seed: int) -> TokenIds:
    """Random ids of characters."""
    rng = random.Random(seed)
    return tuple(rng.randrange(32, 120) for _ in range(n))


def scorer(bench: Bench) -> PositionScorer:
    assert isinstance(bench.backend, PositionScorer)
    return bench.backend


def score(
    bench: Bench, ids: Sequence[int], positions: Sequence[int], continuation: Sequence[int], n_scored: int
) -> PositionScores:
    return bench.runner.run(scorer(bench).score_at(ids, positions, continuation, n_scored))


class SwapContract:
    """Another checkpoint's weights in place of an open engine's. own_bench is the test's own, model what it was opened with."""

    engine = ""
    args: Mapping[str, Any] = MappingProxyType({})

    def test_after_a_swap_everything_is_as_from_a_new_engine(self, own_bench: Bench, model: Path, tmp_path: Path) -> None:
        from tests.checkpoints import variant

        other = variant(model, tmp_path / "other", seed=1)
        requests = [
            (own_bench.prompt(f"Compute {i}+{i + 2}."), params(max_tokens=40, temperature=i % 2 * 1.0, seed=i))
            for i in range(12)
        ]
        swap(own_bench, model)
        before, described = own_bench.draw(*requests), own_bench.backend.description
        swap(own_bench, other)
        swapped = own_bench.draw(*requests)
        asked = (requests[0][0], (8, 16, len(requests[0][0])), (40, 41, 50), 2)
        scored = score(own_bench, *asked)
        with opened(self.engine, other, self.args) as fresh:
            assert swapped == fresh.draw(*requests)
            assert np.abs(np.subtract(scored.logprobs, score(fresh, *asked).logprobs)).max() < 1e-5
            assert own_bench.backend.description == fresh.backend.description
        assert swapped != before
        swap(own_bench, model)
        assert own_bench.draw(*requests) == before
        assert own_bench.backend.description == described

    def test_adapters_are_swapped_like_checkpoints(self, own_bench: Bench, model: Path, tmp_path: Path) -> None:
        from tests.checkpoints import save_adapter

        module, drawn = "model.layers.0.self_attn.q_proj", []
        for seed in (0, 1):
            adapter = save_adapter(tmp_path / f"adapter-{seed}", model, [module], seed, lora_alpha=40)
            swap(own_bench, adapter)
            drawn.append(own_bench.one("Compute 1+2.", max_tokens=60, temperature=1.0))
            with opened(self.engine, model, self.args, adapter) as fresh:
                assert fresh.one("Compute 1+2.", max_tokens=60, temperature=1.0) == drawn[-1]
                assert fresh.backend.description == own_bench.backend.description
        assert drawn[0] != drawn[1]

    def test_another_architecture_is_refused_by_name(self, own_bench: Bench, model: Path, tmp_path: Path) -> None:
        from tests.checkpoints import reconfigure, variant

        other = reconfigure(variant(model, tmp_path / "other", seed=1), rms_norm_eps=1e-3)
        with pytest.raises(SwapRefused, match=r"differ in config.json rms_norm_eps"):
            swap(own_bench, other)
        (other / "config.json").write_bytes((model / "config.json").read_bytes())
        (other / "tokenizer.json").write_text((model / "tokenizer.json").read_text() + "\n")
        with pytest.raises(SwapRefused, match=r"differ in tokenizer.json"):
            swap(own_bench, other)

    def test_a_broken_checkpoint_leaves_the_engine_as_it_was(self, own_bench: Bench, model: Path, tmp_path: Path) -> None:
        from safetensors.torch import load_file, save_file

        from tests.checkpoints import variant

        before, other = own_bench.one("Compute 1+2."), variant(model, tmp_path / "other", seed=1)
        tensors = load_file(other / "model.safetensors")
        save_file({**tensors, "model.norm.weight": tensors["model.norm.weight"] * math.nan}, other / "model.safetensors")
        with pytest.raises(ModelError, match=r"model.norm.weight"):
            swap(own_bench, other)
        assert own_bench.one("Compute 1+2.") == before


def swap(bench: Bench, folder: Path) -> Mapping[str, str]:
    """The bench's engine has the folder's weights. What was tested."""
    assert isinstance(bench.backend, WeightSwap)
    bench.runner.run(bench.backend.swap_weights(find_checkpoint(folder)))
    return bench.backend.swapped


def close_and_check(bench: Bench) -> None:
    """Present and later requests fail, and closing again does nothing. The bench cannot be used afterwards."""

    async def close_during_a_draw() -> BaseException | Completion:
        request = bench.backend.generate(bench.prompt("Compute 1+2."), params(max_tokens=3000))
        task = asyncio.ensure_future(request)
        await asyncio.sleep(0.2)
        await bench.backend.aclose()
        await bench.backend.aclose()
        return (await asyncio.gather(task, return_exceptions=True))[0]

    assert isinstance(bench.runner.run(close_during_a_draw()), GenerationError)
    with pytest.raises(GenerationError, match="closed"):
        bench.one("Compute 1+2.")
