"""Scores of the transformers backend: the contract, attention of other kinds, and limits that change no score."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the hf backend needs torch (pip install 'raml-eval[hf]')")

import numpy as np
import torch
import transformers

from raml_eval.backends.hf_branches import Columns, ScoreRequest, next_piece
from raml_eval.errors import GenerationError
from raml_eval.protocols import PositionScores
from tests.backend_bench import Bench, checkpoint, opened, params, plain_model, plain_scores
from tests.backend_contract import VocabularyScoring, score, scorer, scoring_ids

ARGS: Mapping[str, Any] = {"threads": 1, "dtype": "float32"}
ASKED = (scoring_ids(150, seed=5), range(3, 151, 7), (40, 41, 50, 51), 3)
TINY: Mapping[str, Any] = {
    "vocab_size": 261, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512, "initializer_range": 0.3,
    "bos_token_id": None, "eos_token_id": 258, "pad_token_id": 256,
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def plain(model: Path) -> Any:
    return plain_model(model)


@pytest.fixture(scope="module")
def bench(model: Path) -> Iterator[Bench]:
    with opened("hf", model, ARGS) as bench:
        yield bench


@pytest.fixture
def own_bench(model: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    with opened("hf", model, {**ARGS, **getattr(request, "param", {})}) as bench:
        yield bench


class TestContract(VocabularyScoring):
    @pytest.fixture(autouse=True)
    def reference(self, plain: Any) -> None:
        self.plain = plain

    def wanted(self, bench: Bench, ids: Sequence[int], n_scored: int) -> tuple[float, ...]:
        return plain_scores(self.plain, ids, n_scored)


def torch_model(bench: Bench) -> Any:
    return bench.backend._scheduler.loaded.model  # type: ignore[attr-defined]


def differ(one: PositionScores, other: PositionScores) -> float:
    return float(np.abs(np.subtract(one.logprobs, other.logprobs)).max())


@pytest.mark.parametrize(("n_scored", "n_each"), [(3, 3), (4, 4)])
def test_the_tokens_computed_are_counted_one_by_one(own_bench: Bench, n_scored: int, n_each: int) -> None:
    score(own_bench, *ASKED)  # the model's test comes first
    seen: list[int] = []
    torch_model(own_bench).register_forward_pre_hook(
        lambda module, args, given: seen.append(given["input_ids"].numel()), with_kwargs=True
    )
    for n in (256, 512, 2048):
        seen.clear()
        scored = score(own_bench, scoring_ids(n, seed=n), range(8, n + 1, 8), ASKED[2], n_scored)
        assert scored.n_forwarded == sum(seen) == n - (n_scored == 4) + n // 8 * n_each


@pytest.mark.parametrize("own_bench", [{"max_batch_tokens": n} for n in (1, 3, 50)], ids=str, indirect=True)
def test_the_size_of_a_pass_changes_no_score_and_no_count(bench: Bench, own_bench: Bench) -> None:
    expected, got = score(bench, *ASKED), score(own_bench, *ASKED)
    assert differ(expected, got) < 1e-5
    assert got.n_forwarded == expected.n_forwarded


@pytest.mark.parametrize("own_bench", [{"max_batch_tokens": 40}], indirect=True)
def test_no_pass_is_larger_than_its_limit_and_only_scored_columns_get_logits(own_bench: Bench) -> None:
    score(own_bench, *ASKED)
    shapes: list[tuple[int, int]] = []
    torch_model(own_bench).register_forward_hook(
        lambda module, args, given, out: shapes.append((given["input_ids"].shape[1], out.logits.shape[1])), with_kwargs=True
    )
    score(own_bench, *ASKED)
    assert max(n for n, _ in shapes) <= 40
    assert sum(n for _, n in shapes) == len(ASKED[1]) * ASKED[3]


def test_short_requests_share_a_pass(own_bench: Bench) -> None:
    requests = [(scoring_ids(20 + i, seed=i), range(4, 20, 4), (40, 41), 1) for i in range(20)]
    score(own_bench, *requests[0])
    passes: list[int] = []
    torch_model(own_bench).register_forward_pre_hook(lambda *_: passes.append(1))

    async def together() -> list[PositionScores]:
        return await asyncio.gather(*(scorer(own_bench).score_at(*request) for request in requests))

    scored = own_bench.runner.run(together())
    assert len(passes) < len(requests) / 2
    assert [one.n_forwarded for one in scored] == [16 + 4 for _ in requests]


def test_a_lack_of_memory_halves_the_pass_and_changes_no_score(bench: Bench, own_bench: Bench) -> None:
    expected = score(bench, *ASKED)
    score(own_bench, (5, 6), (1,), (7,), 1)

    def refuse_many(module: Any, args: Any, given: Any) -> None:
        if given["input_ids"].shape[1] > 40:
            raise torch.OutOfMemoryError("too many columns")

    torch_model(own_bench).model.layers[2].register_forward_pre_hook(
        lambda module, args: refuse_many(module, args, {"input_ids": args[0][..., 0]})
    )
    got = score(own_bench, *ASKED)
    assert differ(expected, got) < 1e-5


def test_an_error_fails_its_requests_and_the_backend_lives_on(own_bench: Bench) -> None:
    score(own_bench, *ASKED)

    def break_it(*_: Any) -> None:
        raise RuntimeError("a kernel broke")

    hook = torch_model(own_bench).register_forward_pre_hook(break_it)
    with pytest.raises(GenerationError, match="a kernel broke"):
        score(own_bench, *ASKED)
    hook.remove()
    assert len(score(own_bench, *ASKED).logprobs) == len(ASKED[1])


def test_logits_that_are_not_numbers_fail_the_request(own_bench: Bench) -> None:
    score(own_bench, *ASKED)
    torch.nn.init.constant_(torch_model(own_bench).get_output_embeddings().weight, torch.nan)
    with pytest.raises(GenerationError, match="not numbers"):
        score(own_bench, *ASKED)


def test_closing_fails_what_is_under_way(own_bench: Bench) -> None:
    long = (scoring_ids(3000, seed=1), range(1, 3000), tuple(range(40, 60)), 1)

    async def close() -> Any:
        task = asyncio.ensure_future(scorer(own_bench).score_at(*long))
        await asyncio.sleep(0.1)
        await own_bench.backend.aclose()
        return (await asyncio.gather(task, return_exceptions=True))[0]

    assert isinstance(own_bench.runner.run(close()), GenerationError)
    with pytest.raises(GenerationError, match="closed"):
        score(own_bench, *ASKED)


def tiny(folder: Path, model: Path, kind: str, **changes: Any) -> Path:
    """A random checkpoint of another architecture, with the tokenizer of the model."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**{**TINY, **changes})
    getattr(transformers, f"{kind}ForCausalLM")(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((model / name).read_bytes())
    return folder


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("Mistral", {"sliding_window": 16}),
        ("Qwen3", {"sliding_window": 16, "use_sliding_window": True, "max_window_layers": 2}),
        ("Gemma2", {"sliding_window": 16, "query_pre_attn_scalar": 8}),
        ("Llama", {}),
        ("OPT", {"ffn_dim": 64, "word_embed_proj_dim": 32}),
    ],
)
def test_other_attention_is_exact_too(tmp_path: Path, model: Path, kind: str, changes: Mapping[str, Any]) -> None:
    folder = tiny(tmp_path, model, kind, **changes)
    plain = plain_model(folder)
    with opened("hf", folder, {**ARGS, "max_batch_tokens": 60}) as bench:
        ids, positions, continuation, n_scored = ASKED
        scored = score(bench, *ASKED)
        wanted = [plain_scores(plain, (*ids[:p], *continuation), n_scored) for p in positions]
        assert np.abs(np.subtract(scored.logprobs, wanted)).max() < 1e-4


def test_a_window_matters_in_the_test_above(tmp_path: Path, model: Path) -> None:
    windowed = tiny(tmp_path / "a", model, "Mistral", sliding_window=16)
    with opened("hf", windowed, ARGS) as bench:
        narrow = score(bench, *ASKED)
        torch_model(bench).config.sliding_window = None
    with opened("hf", tiny(tmp_path / "b", model, "Mistral", sliding_window=None), ARGS) as bench:
        wide = score(bench, *ASKED)
    assert np.abs(np.subtract(narrow.logprobs[0], wide.logprobs[0])).max() < 1e-5
    assert differ(narrow, wide) > 0.01


def test_a_model_that_takes_no_mask_is_refused_by_name(tmp_path: Path, model: Path) -> None:
    folder = tiny(tmp_path, model, "Bloom", n_head=4, n_layer=2)
    with opened("hf", folder, ARGS) as bench, pytest.raises(GenerationError, match=r"no mask of its own.*--backend vllm"):
        score(bench, *ASKED)


def test_where_angles_depend_on_the_length_longer_sequences_are_refused(tmp_path: Path, model: Path) -> None:
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [2.0, 4.0, 6.0, 8.0]}
    folder = tiny(tmp_path, model, "Llama", rope_parameters={**rope, "factor": 8.0, "original_max_position_embeddings": 64})
    plain = plain_model(folder)
    with opened("hf", folder, ARGS) as bench:
        ids, _, continuation, n_scored = ASKED
        wanted = [plain_scores(plain, (*ids[:p], *continuation), n_scored) for p in (30, 60)]

        async def short_and_long() -> list[Any]:
            requests = [scorer(bench).score_at(ids, (30, last), continuation, n_scored) for last in (60, 61)]
            return await asyncio.gather(*requests, return_exceptions=True)

        short, long = bench.runner.run(short_and_long())
        assert np.abs(np.subtract(short.logprobs, wanted)).max() < 1e-4
        assert isinstance(long, GenerationError)
        assert "65 tokens are longer than 64, from where the rotary embedding" in str(long)


def test_a_model_whose_attention_is_not_what_it_says_is_refused(own_bench: Bench) -> None:
    for layer in torch_model(own_bench).model.layers:
        layer.self_attn.register_forward_pre_hook(
            lambda module, args, given: (args, {**given, "attention_mask": None}), with_kwargs=True
        )
    with pytest.raises(GenerationError, match="not causal as its configuration says"):
        score(own_bench, *ASKED)
    assert len(own_bench.draw((ASKED[0], params(max_tokens=3)))[0].token_ids) == 3


def test_a_branch_sees_its_trunk_and_itself() -> None:
    request = ScoreRequest((1, 2, 3), (1, 3), (7, 8), 2, Future())
    columns = Columns([next_piece(request, 100)])
    assert columns.ids == [1, 2, 1, 7, 3, 7]
    assert columns.positions == [0, 1, 0, 1, 2, 3]
    assert columns.scored == [2, 3, 4, 5]
    assert columns.targets == [7, 8, 7, 8]
    seen, near = (mask == 0 for mask in columns.masks(0, [None, 2], torch.float32, "cpu"))
    assert seen.int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [1, 1, 0, 0, 1, 1],
    ]
    assert near[4:].int().tolist() == [[0, 1, 0, 0, 1, 0], [0, 0, 0, 0, 1, 1]]


@pytest.mark.parametrize("n_scored", [1, 2])
def test_what_is_cached_is_seen_but_for_a_window(n_scored: int) -> None:
    """A pass over the rest of a sequence masks as one over all of it does."""
    request = ScoreRequest(tuple(range(1, 9)), (3, 5, 6, 8), (7, 8), n_scored, Future())
    first = next_piece(request, 5)
    whole = Columns([next_piece(request, 100)])
    request.rows += [()] * len(first.positions)
    request.n_trunk = n_cached = first.trunk_end
    rest = Columns([next_piece(request, 100)])
    assert 0 < n_cached < 8
    places = [at for at, on in enumerate(whole.branches) if on == 0 and whole.positions[at] < n_cached]
    new = [
        at for at in range(len(whole.ids))
        if (whole.branches[at] == 0 and whole.positions[at] >= n_cached) or whole.branches[at] > len(first.positions)
    ]  # fmt: skip
    for window in (None, 3):
        (all_,), (part,) = (one.masks(n, [window], torch.float32, "cpu") for one, n in ((whole, 0), (rest, n_cached)))
        assert part.equal(all_[new][:, [*places, *new]])
