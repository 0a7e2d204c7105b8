"""The vectorised sampler against a sampler that takes one row and one token at a time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the hf backend needs torch (pip install 'raml-eval[hf]')")

import torch

from raml_eval.backends.hf_sampling import BatchSampling, draw_tokens
from raml_eval.types import SamplingParams
from tests.backend_bench import params

V = 7
CPU = torch.device("cpu")


def softmax(logits: Sequence[float]) -> list[float]:
    top = max(logits)
    weights = [math.exp(x - top) for x in logits]
    return [w / math.fsum(weights) for w in weights]


def allowed(logits: list[float], p: SamplingParams, seen: Sequence[int]) -> list[float]:
    """The filtered distribution of one row, by the definitions."""
    for i in set(seen):
        logits[i] = logits[i] / p.repetition_penalty if logits[i] > 0 else logits[i] * p.repetition_penalty
    probs = softmax([x / p.temperature for x in logits])
    probs = [q if q >= p.min_p * max(probs) else 0.0 for q in probs]
    order = sorted(range(len(probs)), key=lambda i: -probs[i])
    if p.top_k:
        order = order[: p.top_k]
    total, mass, kept = math.fsum(probs[i] for i in order), 0.0, []
    for i in order:
        if mass / total < p.top_p:
            kept.append(i)
        mass += probs[i]
    total = math.fsum(probs[i] for i in kept)
    return [probs[i] / total if i in kept else 0.0 for i in range(len(probs))]


rows = st.tuples(
    st.permutations([-3.1, -1.7, -0.4, 0.3, 1.2, 2.6, 4.5]),
    st.builds(
        params,
        temperature=st.sampled_from([0.0, 0.6, 1.0, 2.0]),
        top_k=st.sampled_from([0, 1, 2, 5, 50]),
        top_p=st.sampled_from([1.0, 0.95, 0.5, 0.01]),
        min_p=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
        repetition_penalty=st.sampled_from([1.0, 1.3, 5.0, 0.5]),
    ),
    st.lists(st.integers(0, V - 1), min_size=1, max_size=4),
    st.floats(0, 1, exclude_max=True),
)


@settings(max_examples=300)
@given(st.lists(rows, min_size=1, max_size=5))
def test_each_row_of_a_batch_is_sampled_by_the_definitions(
    batch: list[tuple[list[float], SamplingParams, list[int], float]],
) -> None:
    sampling = BatchSampling.of([p for _, p, _, _ in batch], [tuple(seen) for _, _, seen, _ in batch], V, CPU)
    tokens = draw_tokens(torch.tensor([logits for logits, _, _, _ in batch]), sampling, [u for *_, u in batch]).tolist()
    for token, (logits, p, seen, u) in zip(tokens, batch, strict=True):
        if p.temperature == 0:
            greedy = allowed(list(logits), params(temperature=1.0, repetition_penalty=p.repetition_penalty), seen)
            assert token == greedy.index(max(greedy))
            continue
        probs = allowed(list(logits), p, seen)
        assert probs[token] > 0
        below = math.fsum(probs[:token])
        assert below - 1e-6 <= u <= below + probs[token] + 1e-6


def test_frequencies_follow_the_distribution() -> None:
    logits, n = torch.tensor([[0.0, 1.0, 2.0, -1.0]]), 20_000
    sampling = BatchSampling.of([params(temperature=1.0)] * n, [(0,)] * n, 4, CPU)
    noise = torch.rand(n, generator=torch.Generator().manual_seed(0)).tolist()
    counts = Counter(draw_tokens(logits.expand(n, 4), sampling, noise).tolist())
    for token, p in enumerate(logits[0].softmax(0).tolist()):
        assert abs(counts[token] / n - p) < 4 * math.sqrt(p * (1 - p) / n)


@pytest.mark.parametrize("u", [0.0, 0.5, 1 - 2**-53])
def test_no_noise_reaches_a_token_without_mass(u: float) -> None:
    sampling = BatchSampling.of([params(temperature=1.0, top_k=2)], [(0,)], 6, CPU)
    logits = torch.tensor([[-9.0, 5.0, -9.0, 4.0, -9.0, -9.0]])
    assert int(draw_tokens(logits, sampling, [u])) in (1, 3)


def test_the_penalty_covers_what_was_drawn_since() -> None:
    sampling = BatchSampling.of([params(repetition_penalty=100.0)], [(0,)], 4, CPU)
    logits = torch.tensor([[9.0, 8.0, 7.0, 6.0]])
    assert [int(draw_tokens(logits, sampling, [0.0])) for _ in range(3)] == [1, 2, 3]


def test_ties_do_not_widen_top_k() -> None:
    sampling = BatchSampling.of([params(temperature=1.0, top_k=2)] * 50, [(0,)] * 50, 5, CPU)
    assert len(set(draw_tokens(torch.zeros(50, 5), sampling, [i / 50 for i in range(50)]).tolist())) == 2
