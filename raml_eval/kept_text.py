"""The text of a thinking as each budget keeps it. Only the model's tokenizer can tell where it was cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import ModelError
from raml_eval.prompts.tokenizer import load_tokenizer
from raml_eval.protocols import Tokenizer
from raml_eval.types import Trajectory


def tokenizer_at_hand(manifest: Mapping[str, Any]) -> Tokenizer | None:
    """The tokenizer of the run's model; None if this machine does not hold it. The hub is not asked."""
    model = manifest.get("model", {})
    try:
        adapter = model.get("adapter", {})
        base = str(adapter.get("base", model.get("name")))
        checkpoint = find_checkpoint(base, model.get("revision"), adapter.get("name")).at_hand()
        return load_tokenizer(checkpoint) if checkpoint else None
    except ModelError:
        return None


def decode_first(trajectory: Trajectory, n: int, tokenizer: Tokenizer | None) -> str | None:
    """The text of the first n tokens; None without the tokenizer that gives the trajectory's text for all its tokens."""
    if tokenizer is None or not _gives_text(trajectory, tokenizer):
        return None
    return tokenizer.decode(trajectory.token_ids[:n], skip_special_tokens=False)


def _gives_text(trajectory: Trajectory, tokenizer: Tokenizer) -> bool:
    """True if the tokenizer gives the trajectory's text for all its tokens, so that it may be asked for the first of them."""
    return tokenizer.decode(trajectory.token_ids, skip_special_tokens=False) == trajectory.text


def cut_text(trajectory: Trajectory, counts: Sequence[int], tokenizer: Tokenizer | None) -> list[str] | None:
    """The text in parts, one more than counts: parts[i] ends where the first counts[i] tokens do. counts are ascending.

    A cut inside a character of several tokens stands before the character. None without the tokenizer that gives the text.
    """
    if tokenizer is None or not _gives_text(trajectory, tokenizer):
        return None
    text, parts, start = trajectory.text, [], 0
    for count in counts:
        first = tokenizer.decode(trajectory.token_ids[:count], skip_special_tokens=False)
        end = max(start, len(first) if text.startswith(first) else _common(first, text))
        parts.append(text[start:end])
        start = end
    return [*parts, text[start:]]


def _common(first: str, second: str) -> int:
    """How many characters both texts begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(first), len(second)))
