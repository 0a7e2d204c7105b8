"""The checks that every backend makes on a request, and the test for a complete stop string."""

from __future__ import annotations

from collections.abc import Sequence

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
    if n_vocab is not None and not (min(prompt_ids) >= 0 and max(prompt_ids) < n_vocab):
        wrong = next(i for i in prompt_ids if not 0 <= i < n_vocab)
        raise GenerationError(
            f"token id {wrong} in the prompt is outside the model's vocabulary of {n_vocab}. "
            "Use the tokenizer that belongs to the model."
        )
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
