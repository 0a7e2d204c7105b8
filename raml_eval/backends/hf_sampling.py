"""Draws the next token of every row of a batch, with each row's own sampling and own noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from raml_eval.types import SamplingParams, TokenIds


@dataclass(slots=True)
class BatchSampling:
    """The sampling of a batch's rows as columns: tensors of shape (rows, 1), or None if no row uses that field.

    seen marks the ids in each row's prompt and output, shape (rows, vocabulary), for the repetition penalty.
    """

    greedy: torch.Tensor
    all_greedy: bool
    temperature: torch.Tensor
    min_p: torch.Tensor | None
    top_k: torch.Tensor | None
    top_p: torch.Tensor | None
    n_candidates: int
    penalty: torch.Tensor | None
    seen: torch.Tensor | None

    @classmethod
    def of(
        cls, params: Sequence[SamplingParams], token_ids: Sequence[TokenIds], n_vocab: int, device: torch.device
    ) -> BatchSampling:
        """The columns for these rows. token_ids are the ids that each row holds so far, prompt and output."""

        def column(values: Sequence[float]) -> torch.Tensor:
            return torch.tensor(values, device=device).unsqueeze(1)

        greedy = [p.temperature == 0 for p in params]
        k = [p.top_k or n_vocab for p in params]
        p_cut = [p.top_p if p.top_p < 1 else 2.0 for p in params]  # no cumulated mass reaches 2, even with rounding
        penalised = any(p.repetition_penalty != 1 for p in params)
        seen = None
        if penalised:
            seen = torch.zeros(len(params), n_vocab, dtype=torch.bool, device=device)
            for row, ids in enumerate(token_ids):
                seen[row, torch.tensor(ids, device=device)] = True
        return cls(
            greedy=torch.tensor(greedy, device=device),
            all_greedy=all(greedy),
            temperature=column([p.temperature or 1.0 for p in params]),
            min_p=column([p.min_p for p in params]) if any(p.min_p > 0 for p in params) else None,
            top_k=column(k) if min(k) < n_vocab else None,
            top_p=column(p_cut) if min(p_cut) < 1 else None,
            n_candidates=min(max(k), n_vocab),
            penalty=column([p.repetition_penalty for p in params]) if penalised else None,
            seen=seen,
        )


def draw_tokens(logits: torch.Tensor, sampling: BatchSampling, noise: Sequence[float]) -> torch.Tensor:
    """One token id per row, shape (rows,). logits are (rows, vocabulary) in float32.

    noise is one uniform number in [0, 1) per row. The drawn token is the one at which the cumulated filtered distribution,
    in the order of the vocabulary, exceeds the noise. Filters are applied in vLLM's order: repetition penalty, temperature,
    min-p, top-k, top-p. Exactly k tokens pass top-k, even if there are ties. Greedy rows ignore their noise.
    """
    if sampling.penalty is not None:
        penalised = torch.where(logits > 0, logits / sampling.penalty, logits * sampling.penalty)
        logits = torch.where(sampling.seen, penalised, logits)
    best = logits.argmax(-1)
    if not sampling.all_greedy:
        logits = _filter(logits / sampling.temperature, sampling)
        best = torch.where(sampling.greedy, best, _invert(logits, noise))
    if sampling.seen is not None:
        sampling.seen.scatter_(1, best.unsqueeze(1), True)
    return best


def _filter(logits: torch.Tensor, sampling: BatchSampling) -> torch.Tensor:
    """The logits, with everything that min-p, top-k or top-p excludes set to minus infinity."""
    if sampling.min_p is not None:
        probs = logits.softmax(-1)
        logits = logits.masked_fill(probs < sampling.min_p * probs.amax(-1, keepdim=True), -torch.inf)
    if sampling.top_k is None and sampling.top_p is None:
        return logits
    if sampling.n_candidates < logits.shape[1]:
        values, order = logits.topk(sampling.n_candidates)
    else:
        values, order = logits.sort(descending=True, stable=True)
    if sampling.top_k is not None:
        rank = torch.arange(values.shape[1], device=values.device)
        values = values.masked_fill(rank >= sampling.top_k, -torch.inf)
    if sampling.top_p is not None:
        probs = values.softmax(-1)
        mass_before = probs.cumsum(-1, dtype=torch.float64) - probs
        values = values.masked_fill(mass_before >= sampling.top_p, -torch.inf)
    return torch.full_like(logits, -torch.inf).scatter(1, order, values)


def _invert(logits: torch.Tensor, noise: Sequence[float]) -> torch.Tensor:
    """The token at which the cumulated distribution exceeds the noise, shape (rows,).

    The sum is in float64 and in the order of the vocabulary. Logits differ in their last bit between batches of different
    shapes; this then moves a token's limits by about as much, and never changes the order of the tokens.
    """
    cumulated = logits.softmax(-1).cumsum(-1, dtype=torch.float64)
    total = cumulated[:, -1:]
    target = torch.tensor(noise, dtype=torch.float64, device=logits.device).unsqueeze(1) * total
    # Rounding could raise the largest noise to the total, which is past the last token that has any mass.
    target = torch.minimum(target, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulated, target, right=True).squeeze(1)
