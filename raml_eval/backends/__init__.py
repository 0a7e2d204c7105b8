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


def check_name(name: str) -> None:
    """There is a backend of that name. Raises ConfigError where there is none."""
    if name not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise ConfigError(f"backend {name!r} does not exist; it must be one of {known}.{near_names(name, BACKENDS)}")


async def open_backend(name: str, model: str, *, revision: str | None = None, args: Mapping[str, Any] = _NO_ARGS) -> Backend:
    """The named engine with the model loaded, ready for generate.

    model is a folder or a hub id; revision a branch, tag or commit of the hub. args go to the engine (--backend-arg).
    ConfigError: no such backend or argument. ModelError: no such model, or the engine's library is not installed.
    """
    check_name(name)
    for library in _LIBRARIES[name]:
        if importlib.util.find_spec(library) is None:
            install = f"pip install 'raml-eval[{name}]', or '.[{name}]' in a checkout"
            raise ModelError(f"backend {name} needs {library}, which is not installed. Run: {install}.")
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
    if reason := _hub_refusal(model, revision):
        raise ModelError(
            f"model {model!r} is neither a folder nor within reach on the hub ({reason}). "
            "Check the spelling and the revision, log in for a gated model, or pass a local folder."
        )


def _hub_refusal(model: str, revision: str | None) -> str | None:
    """Why the hub will not give the model; None where it is cached, or where the hub answers and loading may try.

    One request without the retries of the client library, which take half a minute where there is no network.
    """
    from huggingface_hub import get_session, get_token, hf_hub_url, try_to_load_from_cache

    try:
        if isinstance(try_to_load_from_cache(model, "config.json", revision=revision), str):
            return None
        url = hf_hub_url(model, "config.json", revision=revision)
        headers = {"authorization": f"Bearer {token}"} if (token := get_token()) else {}
        status = get_session().head(url, headers=headers, timeout=10).status_code
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"it answers {status}" if status in (401, 403, 404) else None
