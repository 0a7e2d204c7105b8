"""The checks that every backend makes on a request, and the test for a complete stop string."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from raml_eval.errors import GenerationError
from raml_eval.protocols import Tokenizer
from raml_eval.types import SamplingParams

# Some tokenizers strip the space before the first token they decode, or need another token to complete a character.
_LEAD_IN_TOKENS = 4


def check_request(prompt_ids: Sequence[int], params: SamplingParams, *, context: int, n_vocab: int | None = None) -> None:
    """Raises GenerationError if the request cannot be drawn in full, so that it never reaches the engine.

    context is the engine's longest sequence in tokens. n_vocab is the number of token ids that the model has embeddings for.
    """
    if not prompt_ids:
        raise GenerationError("a request needs a prompt of at least one token id; it has none.")
    n_tokens = len(prompt_ids) + params.max_tokens
    if n_tokens > context:
        raise GenerationError(
            f"prompt ({len(prompt_ids)} tokens) plus max_tokens ({params.max_tokens}) is {n_tokens}; the engine's "
            f"context is {context}. Lower the thinking budget or the answer tokens, or raise max_model_len."
        )
    _check_vocabulary(prompt_ids, "prompt", n_vocab)
    for name, valid, wanted in (
        ("max_tokens", params.max_tokens >= 1, "at least 1"),
        ("temperature", params.temperature >= 0, "0 (greedy) or more"),
        ("top_p", 0 < params.top_p <= 1, "in (0, 1]; 1.0 turns it off"),
        ("top_k", params.top_k >= 0, "0 (off) or more"),
        ("min_p", 0 <= params.min_p <= 1, "in [0, 1]; 0.0 turns it off"),
        ("repetition_penalty", params.repetition_penalty > 0, "above 0; 1.0 turns it off"),
        ("stop_strings", all(params.stop_strings), "without an empty string"),
    ):
        if not valid:
            raise GenerationError(f"{name} is {getattr(params, name)!r}; it must be {wanted}. Change the sampling.")


def check_scoring(
    token_ids: Sequence[int],
    positions: Sequence[int],
    continuation_ids: Sequence[int],
    n_scored: int,
    *,
    context: int,
    n_vocab: int | None = None,
) -> None:
    """Raises GenerationError if the continuation cannot be scored at every position.

    The first arguments are those of PositionScorer.score_at; context and n_vocab are those of check_request.
    """
    if not positions:
        raise GenerationError("score_at needs at least one position; it has none.")
    if any(a >= b for a, b in pairwise(positions)):
        a, b = next((a, b) for a, b in pairwise(positions) if a >= b)
        raise GenerationError(f"position {b} comes after position {a}; positions must ascend. Sort them, each once.")
    if positions[0] < 1 or positions[-1] > len(token_ids):
        wrong = positions[0] if positions[0] < 1 else positions[-1]
        raise GenerationError(f"position {wrong} is not between 1 and the sequence's {len(token_ids)} tokens. Leave it out.")
    if not 1 <= n_scored <= len(continuation_ids):
        raise GenerationError(
            f"n_scored is {n_scored}; it must be between 1 and the continuation's {len(continuation_ids)} tokens. Change it."
        )
    n_tokens = positions[-1] + len(continuation_ids)
    if n_tokens > context:
        raise GenerationError(
            f"position {positions[-1]} plus the continuation ({len(continuation_ids)} tokens) is {n_tokens}; the engine's "
            f"context has room for {context}. Leave out the last positions, or raise max_model_len."
        )
    _check_vocabulary(token_ids, "sequence", n_vocab)
    _check_vocabulary(continuation_ids, "continuation", n_vocab)


def _check_vocabulary(ids: Sequence[int], where: str, n_vocab: int | None) -> None:
    if n_vocab is not None and not (min(ids) >= 0 and max(ids) < n_vocab):
        wrong = next(i for i in ids if not 0 <= i < n_vocab)
        raise GenerationError(
            f"token id {wrong} in the {where} is outside the model's vocabulary of {n_vocab}. "
            "Use the tokenizer that belongs to the model."
        )


def completes_stop(
    tokenizer: Tokenizer, prompt_ids: Sequence[int], drawn_ids: Sequence[int], stop_strings: Sequence[str]
) -> bool:
    """True if the last drawn token completes one of the stop strings in the text drawn so far, special tokens included.

    Only the tail that can hold the longest stop string is decoded, because each token writes at least one byte. The prompt's
    text never counts; its last tokens are decoded with the tail only as context.
    """
    if not stop_strings:
        return False
    n_tail = max(len(stop.encode()) for stop in stop_strings) + _LEAD_IN_TOKENS
    tail = list(drawn_ids[-n_tail:])
    before = [*prompt_ids[-_LEAD_IN_TOKENS:], *drawn_ids[: -len(tail)]][-_LEAD_IN_TOKENS:]
    n_before = len(tokenizer.decode(before, skip_special_tokens=False))
    text = tokenizer.decode(before + tail, skip_special_tokens=False)[n_before:]
    return any(stop in text for stop in stop_strings)
