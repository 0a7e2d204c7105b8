"""The arguments of the backend of completion servers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from raml_eval.backends.server_requests import SPELLINGS
from raml_eval.endpoint import check_address
from raml_eval.errors import ConfigError, near_names

_TUPLES = ("base_url", "assume_off")


@dataclasses.dataclass(frozen=True, slots=True)
class ServerArgs:
    """The backend's arguments.

    base_url holds the servers' addresses; api_key_env names the environment variable with their key. served_model is the
    model's name there. context is the longest sequence in tokens; a server's own limit if it is not given. timeout_s limits
    one request, attempts its tries, and patience_s how long it waits while no server can be reached. A server that is drawing
    is looked at every watch_s seconds. reproducible says that a seeded draw does not depend on what else is drawn there.
    assume_off names the fields of the sampling that the servers do not know, and that do nothing there unless asked for.
    """

    base_url: tuple[str, ...] = ()
    api_key_env: str | None = None
    served_model: str | None = None
    context: int | None = None
    timeout_s: float = 1800.0
    attempts: int = 6
    patience_s: float = 600.0
    watch_s: float = 30.0
    pause_s: float = 1.0
    reproducible: bool = False
    assume_off: tuple[str, ...] = ()

    @classmethod
    def parse(cls, args: Mapping[str, Any]) -> ServerArgs:
        """The checked arguments. ConfigError for an unknown one, a wrong value, or no address."""
        fields = {field.name: field for field in dataclasses.fields(cls)}
        values = dict(args)
        for name, value in args.items():
            if name not in fields:
                raise ConfigError(
                    f"backend openai_server has no argument {name!r}; it takes {', '.join(fields)}.{near_names(name, fields)}"
                )
            if name in _TUPLES:
                words = value.split(",") if isinstance(value, str) else value
                if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
                    raise ConfigError(f"{name} of backend openai_server is {value!r}, wanted words by comma. Correct it.")
                values[name] = tuple(word.strip() for word in words)
            elif not _fits(name, value, fields[name].default):
                raise ConfigError(f"{name} of backend openai_server is {value!r}, which cannot be. Correct it.")
        parsed = cls(**values)
        if not parsed.base_url:
            raise ConfigError("backend openai_server has no server. Pass --base-url, such as http://localhost:8000/v1.")
        if wrong := [name for name in parsed.assume_off if name not in SPELLINGS]:
            raise ConfigError(f"assume_off is {wrong[0]!r}; it can name {', '.join(SPELLINGS)}. Correct it.")
        addresses = dict.fromkeys(check_base_url(address) for address in parsed.base_url)
        return dataclasses.replace(parsed, base_url=tuple(addresses))


def _fits(name: str, value: Any, default: Any) -> bool:
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, float):
        return type(value) in (int, float) and 0 < value < float("inf")
    if name in ("context", "attempts"):
        return value is None or (type(value) is int and value >= 1)
    return value is None or (isinstance(value, str) and bool(value))


def check_base_url(address: str) -> str:
    """The address below which a server answers, ConfigError unless it is a plain http address. /v1 is added to a bare host.

    Example: check_base_url("http://localhost:8000") == "http://localhost:8000/v1"
    """
    checked = check_address(address, "--base-url").removesuffix("/completions")
    return f"{checked}/v1" if checked.count("/") == 2 else checked
