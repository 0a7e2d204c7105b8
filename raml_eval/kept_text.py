"""The text of a thinking as each budget keeps it. Only the model's tokenizer can tell where it was cut."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import ModelError
from raml_eval.prompts.tokenizer import load_tokenizer
from raml_eval.protocols import Tokenizer
from raml_eval.types import Trajectory

ABOVE = 4  # folders above a run's directory in which its model is looked for


def tokenizer_at_hand(manifest: Mapping[str, Any], directory: Path | None = None) -> Tokenizer | None:
    """The tokenizer of the run's model; None if this machine does not hold it. The hub is not asked.

    With the run's directory, a model that is named by a relative path is looked for beside it too (model_places).
    """
    model = manifest.get("model", {})
    for place in model_places(manifest, directory):
        try:
            checkpoint = find_checkpoint(place, model.get("revision"), model.get("adapter", {}).get("name")).at_hand()
            if checkpoint:
                return load_tokenizer(checkpoint)
        except ModelError:
            continue
    return None


def model_places(manifest: Mapping[str, Any], directory: Path | None = None) -> list[str]:
    """Where the run's model may be: under its own name, and for a relative path in the folders above the run's directory.

    The command that drew the run knew the path from its own working directory, which is often one of these. Of an adapter, it
    is the base that is looked for.
    """
    model = manifest.get("model", {})
    name = str(model.get("adapter", {}).get("base", model.get("name")))
    if directory is None or name.startswith("~") or Path(name).is_absolute():
        return [name]
    above = list(directory.resolve().parents)[:ABOVE]
    return [name, *(str(folder / name) for folder in above if (folder / name).is_dir())]


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


def token_at(trajectory: Trajectory, character: int, tokenizer: Tokenizer | None) -> int | None:
    """In which token the character at this place of the text begins, counted from 0.

    None without the tokenizer that gives the trajectory's text. The places of ends are bisected: each is the length that the
    first tokens' text shares with the whole one, which grows with their number.
    """
    if tokenizer is None or not _gives_text(trajectory, tokenizer):
        return None
    ids, text = trajectory.token_ids, trajectory.text

    def end_of(count: int) -> int:
        return _common(tokenizer.decode(ids[:count], skip_special_tokens=False), text)

    count = bisect_left(range(len(ids) + 1), character, key=end_of)
    return count if end_of(count) == character else count - 1


def _common(first: str, second: str) -> int:
    """How many characters both texts begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(first), len(second)))
