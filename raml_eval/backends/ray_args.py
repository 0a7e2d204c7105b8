"""The arguments of the backend on Ray. What it does not know goes to the engine in each replica."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from raml_eval.errors import ConfigError

ENGINES = ("vllm", "hf")
LOCAL = "local"
_SECONDS = ("patience_s", "watch_s", "pause_s", "join_s")
_PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")


@dataclasses.dataclass(frozen=True, slots=True)
class RayArgs:
    """The backend's arguments; engine_args are those of the engine in each replica.

    replicas counts the engines, and engine names their backend. address is a Ray cluster's, or auto for the one on this
    machine; without one, RAY_ADDRESS is used, and without that, Ray is started here and ended with the run. Each replica
    holds num_cpus and num_gpus of the cluster; num_gpus None is what the engine needs where there are GPUs, otherwise 0.
    attempts are the tries of one request, and patience_s is how long it waits while no replica can be reached. Once one
    replica is ready, the others are waited for up to join_s seconds; those that come later join the run. A replica that is
    drawing is looked at every watch_s seconds.
    """

    replicas: int = 1
    address: str | None = None
    engine: str = "vllm"
    num_cpus: float = 1.0
    num_gpus: float | None = None
    attempts: int = 6
    patience_s: float = 600.0
    watch_s: float = 30.0
    pause_s: float = 1.0
    join_s: float = 60.0
    engine_args: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def parse(cls, args: Mapping[str, Any]) -> RayArgs:
        """The checked arguments. ConfigError for a wrong value; the engine checks its own."""
        own = {field.name for field in dataclasses.fields(cls)} - {"engine_args"}
        for name, value in args.items():
            if name in own and (wanted := _problem(name, value)):
                raise ConfigError(f"{name} of backend ray is {value!r}, wanted {wanted}. Correct it.")
        engine_args = {name: value for name, value in args.items() if name not in own}
        return cls(**{name: value for name, value in args.items() if name in own}, engine_args=engine_args)

    @property
    def where(self) -> str:
        """The address for ray.init."""
        return self.address or os.environ.get("RAY_ADDRESS") or LOCAL

    def gpus_each(self, on_gpus: bool) -> float:
        """The GPUs that one replica asks of Ray. on_gpus tells whether the cluster has any."""
        if self.num_gpus is not None:
            return self.num_gpus
        if not on_gpus or self.engine_args.get("device") == "cpu":
            return 0
        sizes = [self.engine_args.get(name, 1) for name in _PARALLEL] if self.engine == "vllm" else []
        total = 1
        for size in sizes:
            total *= size if type(size) is int and size > 0 else 1  # the engine refuses any other
        return total


def _problem(name: str, value: Any) -> str:
    """What the value should be; empty if it is."""
    if name in ("replicas", "attempts"):
        return "" if type(value) is int and value >= 1 else "an integer from 1 on"
    if name == "engine":
        return "" if value in ENGINES else " or ".join(ENGINES)
    if name == "address":
        return "" if isinstance(value, str) and value else "auto, or an address such as ray://host:10001"
    number = type(value) in (int, float) and value < float("inf")
    if name in _SECONDS:
        return "" if number and value > 0 else "seconds above 0"
    return "" if number and value >= 0 else "a number from 0 on"
