"""A checkpoint without its weights: the folder it stands in, its tokenizer, the ids that end its text."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any, cast

from raml_eval.errors import ModelError
from raml_eval.formats import ChatTokenizer
from raml_eval.types import TokenIds

# Everything but weights: configuration, tokenizer in any of its forms, chat template.
_LIGHT_FILES = ("*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken")


def locate_model(model: str | Path, revision: str | None = None) -> Path:
    """The local folder with the model's configuration and tokenizer; a hub id is downloaded, weights left out.

    A hub that cannot be reached is asked once and not again: the cached copy is taken, or ModelError comes at once. Of a hub
    id, the last part of the folder is the commit. Raises ModelError for a path that is not there and for an id that the hub
    does not have.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if folder.exists():
        raise ModelError(f"model {model} is a file; a model is a folder with config.json and a tokenizer, or a hub id.")
    if isinstance(model, Path) or str(model).startswith((".", "/", "~")) or str(model).count("/") > 1:
        raise ModelError(f"model {model} is not there. Check the path, or give a hub id such as OWNER/NAME.")
    return _download(str(model), revision)


@cache
def _download(model: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    start = f"model {model} is no folder here, and"
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(_LIGHT_FILES)))
    except HFValidationError as error:
        raise ModelError(f"{start} no hub id either. Give the path of a model folder, or OWNER/NAME.") from error
    except GatedRepoError as error:
        raise ModelError(f"{start} the hub guards it. Accept its terms there and log in (hf auth login).") from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"{start} the hub has none of that name. Check the name, or log in if it is private.") from error
    except RevisionNotFoundError as error:
        raise ModelError(f"model {model} has no revision {revision!r} on the hub. Check --revision.") from error
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"{start} the hub cannot be reached and no copy is cached. Check the network and HF_ENDPOINT, or download the "
            f"model elsewhere and give its folder."
        ) from error
    except HfHubHTTPError as error:
        raise ModelError(f"{start} the hub failed: {_first_line(error)}. Try again later.") from error


# torch, which transformers imports, reads these once: engines that share its process would be too late.
_QUIET_TORCH = {"TORCH_CPP_LOG_LEVEL": "ERROR", "TORCH_LOGS": "-torch._library.triton"}


def load_tokenizer(model: str | Path, revision: str | None = None) -> ChatTokenizer:
    """The tokenizer of a model folder or hub id, without running code from it.

    Raises ModelError where there is no such model (see locate_model) or it holds no usable tokenizer.
    """
    folder = locate_model(model, revision)
    for name, value in _QUIET_TORCH.items():
        os.environ.setdefault(name, value)
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except Exception as error:  # a broken folder fails in many ways: OSError, ValueError, KeyError, a Rust error
        raise ModelError(
            f"model {model} has no usable tokenizer in {folder} ({type(error).__name__}: {_first_line(error)}). "
            f"A model folder needs tokenizer.json or another tokenizer that loads without code from the model."
        ) from error
    return cast(ChatTokenizer, tokenizer)


def end_of_text_ids(tokenizer: ChatTokenizer, model: str | Path, revision: str | None = None) -> TokenIds:
    """All ids that end a text, sorted: the tokenizer's, generation_config.json's and config.json's.

    Engines differ in which of the three they obey, so the union is passed to all of them. Raises ModelError where the three
    name none: every sample would then run to its token limit.
    """
    folder = locate_model(model, revision)
    found = _ids(tokenizer.eos_token_id)
    for name in ("generation_config.json", "config.json"):
        content = _read_json(folder / name)
        text_part = content.get("text_config")  # where models that also see images keep their language part
        found |= _ids(content.get("eos_token_id"))
        found |= _ids(text_part.get("eos_token_id")) if isinstance(text_part, dict) else set()
    if not found:
        raise ModelError(f"model {model} names no end-of-text token. Set eos_token_id in {folder / 'config.json'}.")
    return tuple(sorted(found))


def _ids(value: object) -> set[int]:
    values = value if isinstance(value, list) else [value]
    return {one for one in values if isinstance(one, int)}


def _read_json(path: Path) -> dict[str, Any]:
    """The object in a file, empty where the file is not there."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({_first_line(error)}). Repair or remove it.") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}, not an object. Repair or remove it.")
    return content


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".")
