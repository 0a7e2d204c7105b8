"""Engines behind one protocol: a table of names. An engine is imported only when it is asked for."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from raml_eval.backends.limits import temperature_problem
from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import ConfigError, ModelError, StoreError, near_names
from raml_eval.protocols import Backend

BACKENDS: Mapping[str, str] = MappingProxyType(
    {
        "fake": "raml_eval.backends.fake",
        "hf": "raml_eval.backends.hf",
        "vllm": "raml_eval.backends.vllm",
        "openai_server": "raml_eval.backends.openai_server",
        "ray": "raml_eval.backends.ray",
    }
)
_LIBRARIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"fake": (), "hf": ("torch",), "vllm": ("vllm",), "openai_server": (), "ray": ("ray",)}
)
_NO_ARGS: Mapping[str, Any] = MappingProxyType({})


def check_name(name: str) -> None:
    """Raises ConfigError if there is no backend of that name."""
    if name not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise ConfigError(f"backend {name!r} does not exist; it must be one of {known}.{near_names(name, BACKENDS)}")


def check_sampling(backend: str, temperature: float, args: Mapping[str, Any] = _NO_ARGS) -> None:
    """Raises ConfigError if the engine would refuse the temperature, which it says only after a long start."""
    if problem := temperature_problem(str(args.get("engine", "vllm")) if backend == "ray" else backend, temperature):
        raise ConfigError(problem)


def check_args_of(manifest: Mapping[str, Any], args: Mapping[str, Any], directory: Path) -> None:
    """Raises StoreError if no session of a complete run had one of these engine arguments, so that they have no effect."""
    sessions = [manifest["config"], *manifest["sessions"]]
    had = [known for session in sessions if isinstance(known := session.get("backend_args"), Mapping)]
    for name, value in args.items():
        values = [known[name] for known in had if name in known]
        if value in values:
            continue
        names = dict.fromkeys(key for known in had for key in known)
        there = f"with {name} = {values[-1]!r}" if values else f"without an argument {name!r}"
        raise StoreError(
            f"run directory {directory} is complete and was drawn {there}, but --backend-arg {name}={value} is asked for and "
            f"would change nothing.{near_names(name, names) if not values else ''} Leave it out, or choose another --out."
        )


async def open_backend(
    name: str, model: str, *, revision: str | None = None, adapter: str | None = None, args: Mapping[str, Any] = _NO_ARGS
) -> Backend:
    """The named engine with the model loaded, ready for generate.

    model is a folder or a hub id; revision is a branch, tag or commit of the hub; adapter is the folder of a LoRA adapter,
    which is merged into the model. args go to the engine (--backend-arg).
    Raises ConfigError for an unknown backend or argument, ModelError if there is no such model or the engine's library is
    missing.

    Example: engine = await open_backend("hf", "pocket", args={"batch_size": 8})
    """
    check_name(name)
    for library in _LIBRARIES[name]:
        if importlib.util.find_spec(library) is None:
            install = f"pip install 'raml-eval[{name}]', or '.[{name}]' in a checkout"
            other = next((one for one in ("hf", "vllm") if one != name and importlib.util.find_spec(_LIBRARIES[one][0])), None)
            instead = f" Or pass --backend {other}, which is installed." if other else ""
            raise ModelError(f"backend {name} needs {library}, which is not installed. Run: {install}.{instead}")
    checkpoint = find_checkpoint(model, revision, adapter)
    checkpoint.check_config()
    checkpoint = checkpoint.pinned()
    module = importlib.import_module(BACKENDS[name])
    backend: Backend = await module.open_engine(checkpoint, args=args)
    return backend
