"""A checkpoint's tokenizer, and the ids that end its text."""

from __future__ import annotations

import os
from typing import cast

from raml_eval.checkpoint import Checkpoint, first_line
from raml_eval.errors import ModelError
from raml_eval.protocols import ChatTokenizer
from raml_eval.types import TokenIds

# torch, which transformers imports, reads these once, at its import. An engine in this process would set them too late.
_QUIET_TORCH = {"TORCH_CPP_LOG_LEVEL": "ERROR", "TORCH_LOGS": "-torch._library.triton"}


def load_tokenizer(checkpoint: Checkpoint) -> ChatTokenizer:
    """The tokenizer of a checkpoint. No code from the checkpoint is run. Raises ModelError if it has no usable tokenizer."""
    folder = checkpoint.folder
    for name, value in _QUIET_TORCH.items():
        os.environ.setdefault(name, value)
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except Exception as error:  # a broken folder raises many types: OSError, ValueError, KeyError, a Rust error
        raise ModelError(
            f"model {checkpoint.source} has no usable tokenizer in {folder} ({type(error).__name__}: {first_line(error)}). "
            f"Give a model folder with tokenizer.json, or with another tokenizer that loads without code from the model."
        ) from error
    return cast(ChatTokenizer, tokenizer)


def end_of_text_ids(tokenizer: ChatTokenizer, checkpoint: Checkpoint) -> TokenIds:
    """All ids that end a text, sorted: those of the tokenizer, of generation_config.json and of config.json.

    Engines differ in which of the three they obey, so all of them are given the union. Raises ModelError if none of the
    three names an id: every sample would then run to its token limit.
    """
    found = _ids(tokenizer.eos_token_id)
    for name in ("generation_config.json", "config.json"):
        content = checkpoint.read_json(name)
        text_part = content.get("text_config")  # models that also see images keep their language part here
        found |= _ids(content.get("eos_token_id"))
        found |= _ids(text_part.get("eos_token_id")) if isinstance(text_part, dict) else set()
    if not found:
        config = checkpoint.folder / "config.json"
        raise ModelError(f"model {checkpoint.source} names no end-of-text token. Set eos_token_id in {config}.")
    return tuple(sorted(found))


def _ids(value: object) -> set[int]:
    values = value if isinstance(value, list) else [value]
    return {one for one in values if isinstance(one, int)}
