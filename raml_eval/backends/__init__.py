"""Engines behind one protocol: a table of names, each imported only when it is asked for."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from raml_eval.errors import ConfigError, ModelError, near_names
from raml_eval.protocols import Backend

BACKENDS: Mapping[str, str] = MappingProxyType(
    {
        "fake": "raml_eval.backends.fake",
        "hf": "raml_eval.backends.hf",
        "vllm": "raml_eval.backends.vllm",
    }
)
_LIBRARIES: Mapping[str, tuple[str, ...]] = MappingProxyType({"fake": (), "hf": ("torch",), "vllm": ("vllm",)})
_NO_ARGS: Mapping[str, Any] = MappingProxyType({})


async def open_backend(name: str, model: str, *, revision: str | None = None, args: Mapping[str, Any] = _NO_ARGS) -> Backend:
    """The named engine with the model loaded, ready for generate.

    model is a folder or a hub id; revision a branch, tag or commit of the hub. args go to the engine (--backend-arg).
    ConfigError: no such backend or argument. ModelError: no such model, or the engine's library is not installed.
    """
    if name not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise ConfigError(f"backend {name!r} does not exist; it must be one of {known}.{near_names(name, BACKENDS)}")
    for library in _LIBRARIES[name]:
        if importlib.util.find_spec(library) is None:
            raise ModelError(f"backend {name} needs {library}, which is not installed. Run: pip install 'raml-eval[{name}]'")
    check_model(model, revision)
    module = importlib.import_module(BACKENDS[name])
    backend: Backend = await module.open_engine(model, revision=revision, args=args)
    return backend


def check_model(model: str, revision: str | None = None) -> None:
    """The folder or hub id has a config.json within reach; otherwise ModelError, in seconds."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelError(f"folder {model} has no config.json: it is no checkpoint. Pass the folder that holds one.")
        return
    if model.count("/") > 1 or model.startswith((".", "/", "~")):
        raise ModelError(f"model folder {model} is not there. Pass an existing folder or a hub id such as Qwen/Qwen3-8B.")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError

    try:
        hf_hub_download(model, "config.json", revision=revision)
    except (OSError, ValueError, HFValidationError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"model {model!r} is neither a folder nor within reach on the hub ({reason}). "
            "Check the spelling and the revision, log in for a gated model, or pass a local folder."
        ) from error
