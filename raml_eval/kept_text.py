"""The text of a thinking as a budget keeps it. Only the model's tokenizer can tell where it was cut."""

from __future__ import annotations

from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import ModelError
from raml_eval.prompts.tokenizer import load_tokenizer
from raml_eval.protocols import Tokenizer
from raml_eval.types import StoredRun, Trajectory


def tokenizer_at_hand(run: StoredRun) -> Tokenizer | None:
    """The tokenizer of the run's model; None if this machine does not hold it. The hub is not asked."""
    model = run.manifest.get("model", {})
    try:
        checkpoint = find_checkpoint(str(model.get("name")), model.get("revision")).at_hand()
        return load_tokenizer(checkpoint) if checkpoint else None
    except ModelError:
        return None


def decode_first(trajectory: Trajectory, n: int, tokenizer: Tokenizer | None) -> str | None:
    """The text of the first n tokens; None without the tokenizer that gives the trajectory's text for all its tokens."""
    if tokenizer is None or tokenizer.decode(trajectory.token_ids, skip_special_tokens=False) != trajectory.text:
        return None
    return tokenizer.decode(trajectory.token_ids[:n], skip_special_tokens=False)
