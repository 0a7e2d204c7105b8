"""Libraries that only an export needs. They are imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from raml_eval.errors import ConfigError


def need(module: str, package: str, purpose: str) -> Any:
    """The module, imported now. Raises ConfigError with the command that installs its package if it is missing.

    Example: need("inspect_ai.log", "inspect_ai", "a log for Inspect").write_eval_log
    """
    try:
        return import_module(module)
    except ImportError as error:
        lacking = (error.name or "").partition(".")[0] == module.partition(".")[0]
        found = "is missing" if lacking else f"cannot be imported ({error})"
        raise ConfigError(f"{purpose} needs the package {package}, which {found}. Install it: pip install {package}") from error
