"""Whether one engine can hold two checkpoints in turn: their architectures and tokenizers must agree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raml_eval.backends.tensor_files import name_some
from raml_eval.checkpoint import Checkpoint
from raml_eval.errors import SwapRefused

# What the saving of a checkpoint writes into its configuration and no computation reads.
_NAMES = ("_name_or_path", "name_or_path", "transformers_version", "_commit_hash")
# An engine gets token ids: of the tokenizer it needs the vocabulary, and never the chat template.
_VOCABULARY = (
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json"),
    *("special_tokens_map.json", "*.tiktoken"),
)
_TEMPLATE = ("chat_template", *_NAMES)


def check_alike(old: Checkpoint, new: Checkpoint) -> None:
    """Raises SwapRefused, naming what differs, unless an engine that was opened for old can hold new.

    config.json may differ in names and versions only, tokenizer_config.json also in the chat template; the files of the
    vocabulary must be the same bytes.
    """
    before, after = _shape(old), _shape(new)
    differing = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    if differing:
        raise SwapRefused(
            f"{new.source} and {old.source} differ in {name_some(differing)}, so one engine cannot hold both in turn. "
            "Each gets an engine of its own."
        )


def _shape(checkpoint: Checkpoint) -> dict[str, Any]:
    """Everything that an engine derives from a checkpoint besides its weights, by the name to tell."""
    config, folder = checkpoint.read_json("config.json"), checkpoint.tokenizer_folder
    shape = {f"config.json {key}": _plain(value) for key, value in config.items() if key not in _NAMES}
    for pattern in _VOCABULARY:
        for path in folder.glob(pattern):
            shape[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    settings = Checkpoint(str(folder)).read_json("tokenizer_config.json")
    shape |= {f"tokenizer_config.json {key}": _plain(value) for key, value in settings.items() if key not in _TEMPLATE}
    return shape


def _plain(value: Any) -> str:
    """The value as text, nested names and versions left out, so that two can be compared."""
    if isinstance(value, Mapping):
        value = {key: inner for key, inner in value.items() if key not in _NAMES}
    return json.dumps(value, sort_keys=True)


def is_folder(checkpoint: Checkpoint) -> bool:
    """True if the weights lie in a folder here. Those of a hub id may not have been downloaded yet."""
    return Path(checkpoint.source).is_dir()
