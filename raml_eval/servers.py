"""What a run on completion servers needs beside their backend: its settings, and what such an engine cannot do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from raml_eval.budgets import OFF
from raml_eval.checkpoint import find_checkpoint
from raml_eval.config import RunConfig
from raml_eval.endpoint import read_key
from raml_eval.errors import ConfigError, StoreError
from raml_eval.protocols import Backend, LimitedSampling
from raml_eval.types import BackendDescription, Budget, SamplingParams

BACKEND = "openai_server"


def check_settings(config: RunConfig) -> None:
    """Raises ConfigError if addresses are lacking, are no addresses, or are given to an engine that has none.

    Servers hold their own weights, so an adapter would have no effect on them; it is refused too.
    """
    if config.backend == BACKEND:
        from raml_eval.backends.server_args import ServerArgs

        read_key(ServerArgs.parse(server_args(config)).api_key_env)
        _check_weights(config)
        return
    if config.backend == "ray":
        from raml_eval.backends.ray_args import RayArgs

        RayArgs.parse(config.backend_args)
    for name, value in (("base_url", config.base_url), ("api_key_env", config.api_key_env)):
        if value:
            raise ConfigError(f"{name} has no effect on backend {config.backend}. Pass --backend {BACKEND}, or leave it out.")


def _check_weights(config: RunConfig) -> None:
    adapter = config.adapter or find_checkpoint(config.model, config.revision).adapter
    if adapter:
        raise ConfigError(
            f"--backend {BACKEND} draws from the weights that its server holds, and adapter {adapter} would have no effect. "
            "Serve the merged model, or choose another backend."
        )


def check_models(configs: Sequence[RunConfig]) -> None:
    """Raises ConfigError if runs that name the same servers are to have several models: a server holds one."""
    served: dict[tuple[str, ...], str] = {}
    for config in configs:
        if config.backend != BACKEND:
            continue
        first = served.setdefault(tuple(config.base_url), config.model)
        if first != config.model:
            raise ConfigError(
                f"--backend {BACKEND} draws from the weights that its server holds, and both {first} and {config.model} are "
                "asked for. Run each with the server that holds it, or choose another backend."
            )


def server_args(config: RunConfig) -> dict[str, Any]:
    """The engine's arguments; those of servers hold the addresses, and the name of the variable with the key, too."""
    if config.backend != BACKEND:
        return dict(config.backend_args)
    given = {"base_url": config.base_url, "api_key_env": config.api_key_env}
    return {**{name: value for name, value in given.items() if value}, **config.backend_args}


def check_served(stored: Mapping[str, Any], engine: BackendDescription, directory: Path) -> None:
    """Raises StoreError if a run directory was drawn from another model, or another kind of server, than answers now.

    stored is the manifest's description of its engine. What it does not tell is not compared.
    """
    from raml_eval.backends.server_probe import tell_servers

    if told := tell_servers(stored.get("details", {}), engine.details):
        raise StoreError(
            f"run directory {directory} was drawn from another server: {'; '.join(told)}. Choose another "
            "--out, or serve the former one."
        )


def check_engine(engine: Backend, budgets: Sequence[Budget], sampling: SamplingParams) -> None:
    """Raises ConfigError if the open engine cannot enforce one of the budgets, or does not know a field of the sampling."""
    if isinstance(engine, LimitedSampling):
        engine.check_sampling(sampling)
    forced = [budget for budget in budgets if budget != OFF]
    if forced and not engine.description.ids_exact:
        raise ConfigError(
            f"backend {engine.description.name} returns no token ids; a forced end of thinking needs them, and thinking budget "
            f"{forced[0]} may force one. Serve with vLLM or SGLang, or ask for the budget off."
        )


def engine_for(engine: Backend, task: str, question_id: str) -> Backend:
    """The engine for the draws of one question, which an engine of several servers keeps on one of them."""
    # Asked for each draw, and isinstance on a protocol looks at all of its members each time.
    routed: Callable[[str], Backend] | None = getattr(engine, "routed", None)
    return routed(f"{task}/{question_id}") if routed else engine
