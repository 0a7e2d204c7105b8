"""The Ray cluster of a run: joined and left, or started here and ended. Everything that calls Ray is in this module."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from raml_eval.backends.ray_args import LOCAL, RayArgs
from raml_eval.backends.ray_replica import Replica
from raml_eval.backends.server_pool import Died, Member
from raml_eval.checkpoint import first_line
from raml_eval.endpoint import EndpointRefused, RequestFailed, Unanswered
from raml_eval.errors import ConfigError
from raml_eval.types import SamplingParams

_ENVIRONMENT = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # otherwise Ray warns of a default that will change
    "RAY_USAGE_STATS_ENABLED": "0",
}
_STORE_BYTES = 128 * 2**20  # replies are small enough to go without the object store
_IN_FLIGHT = 100_000  # requests in one replica; how many it draws at a time, its engine decides
_CLOSE_S = 10.0


class Cluster:
    """Ray, connected. What is started here ends with leave, or with this process, however that ends."""

    def __init__(self, args: RayArgs) -> None:
        """Raises ConfigError if there is no cluster at the address, or if this machine has too few GPUs for the replicas."""
        self._restore: Any = None
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self.ray: Any = importlib.import_module("ray")
        self.version: str = self.ray.__version__
        self._joined = not self.ray.is_initialized()  # otherwise the caller's own program uses Ray, and goes on to do so
        if self._joined:
            _connect(self.ray, args)
            self._silence()
        try:
            self._options = self._plan(args)
        except BaseException:
            self.leave()
            raise

    def _plan(self, args: RayArgs) -> dict[str, Any]:
        has = float(self.ray.cluster_resources().get("GPU", 0))
        gpus = args.gpus_each(has > 0)
        if args.where == LOCAL and self._joined and gpus * args.replicas > has:
            raise ConfigError(
                f"{args.replicas} replicas of {gpus:g} GPUs need {gpus * args.replicas:g}, but Ray finds {has:g} on this "
                "machine. Ask for fewer replicas, or give a cluster with --backend-arg address=ADDRESS."
            )
        return {
            "num_cpus": args.num_cpus,
            "num_gpus": gpus,
            "max_restarts": -1,
            # A call that Ray repeats waits for the same replica. The pool moves it to another one, and notes the lost draw.
            "max_task_retries": 0,
            "max_concurrency": _IN_FLIGHT,
            "scheduling_strategy": "SPREAD",
        }

    @property
    def needs(self) -> str:
        """What one replica asks of Ray, in words."""
        return f"{self._options['num_cpus']:g} CPUs and {self._options['num_gpus']:g} GPUs"

    def start(self, number: int, *given: Any) -> RayReplica:
        """A replica that Ray starts as soon as it finds a place for it."""
        return RayReplica(
            f"replica {number}", actor=self.ray.remote(Replica).options(**self._options).remote(*given), cluster=self
        )

    def leave(self) -> None:
        """Ray is ended if it was started here, and left if it was joined. The replicas end with that."""
        if self._joined:
            self._joined = False
            self.ray.shutdown()
        if self._restore is not None:
            module, kept = self._restore
            module.print_to_stdstream, self._restore = kept, None

    def _silence(self) -> None:
        """What Ray says of lost workers does not stand in stdout, which is for the tables; a note on stderr says it."""
        module: Any = importlib.import_module("ray._private.worker")
        if hasattr(module, "print_to_stdstream"):  # Ray has no setting for this
            self._restore = (module, module.print_to_stdstream)
            module.print_to_stdstream = lambda *_, **__: None


def _connect(ray: Any, args: RayArgs) -> None:
    """Ray is connected, with the settings that keep it quiet."""
    given: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if args.where == LOCAL:
        need = math.ceil(args.replicas * args.num_cpus)
        here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        given |= {"include_dashboard": False, "object_store_memory": _STORE_BYTES, "num_cpus": max(need, here)}
    try:
        # In this thread, the main one: what Ray starts ends with the thread that started it.
        ray.init(address=args.where, **given)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        told = f"Ray cannot be used at {args.where}: {type(error).__name__}: {first_line(error)}."
        key = "" if "RAY_AUTH_MODE" in os.environ else " If it has a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH."
        raise ConfigError(f"{told} Start one there with 'ray start --head', or leave the address out.{key}") from error


@dataclasses.dataclass(slots=True, eq=False, kw_only=True)
class RayReplica(Member):
    """One replica of the pool. failed_loads counts the loads in a row that failed after it was lost."""

    actor: Any
    cluster: Cluster
    failed_loads: int = 0

    async def ask(self, method: str, *given: Any) -> Any:
        """The reply of the replica.

        Raises Died if its process ended, EndpointRefused if Ray does not replace it, RequestFailed for an error inside of it,
        Unanswered for any other failure of Ray's.
        """
        errors = self.cluster.ray.exceptions
        ref = getattr(self.actor, method).remote(*given)
        try:
            return await ref
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):  # it may have ended meanwhile
                self.cluster.ray.cancel(ref)
            raise
        except errors.ActorUnavailableError:
            raise Died("its process ended") from None
        except errors.ActorDiedError as error:
            raise EndpointRefused(f"{self.address} has ended, and Ray does not replace it: {last_line(error)}.") from None
        except errors.RayTaskError as error:
            raise RequestFailed(f"{self.address} failed: {last_line(error)}") from None
        except errors.RayError as error:
            raise Unanswered(f"{type(error).__name__}: {first_line(error)}") from None

    async def draw(self, prompt_ids: Sequence[int], params: SamplingParams) -> Mapping[str, Any]:
        """What Replica.generate says. The errors are those of ask."""
        drawn: Mapping[str, Any] = await self.ask("generate", list(prompt_ids), dataclasses.asdict(params))
        if drawn.get("unloaded"):
            raise Unanswered("its process ended", reached=False)
        return drawn

    async def load(self) -> Mapping[str, Any]:
        """What Replica.load says. The errors are those of ask."""
        found: Mapping[str, Any] = await self.ask("load")
        return found

    def restart(self) -> None:
        """Ray ends the replica's process and starts another one."""
        self.cluster.ray.kill(self.actor, no_restart=False)

    async def close(self) -> None:
        """The replica has ended, and its engine has released what it held if it could do so in time."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                await self.ask("close")
        with contextlib.suppress(Exception):
            self.cluster.ray.kill(self.actor)


def last_line(error: BaseException) -> str:
    """The last line of Ray's message, where the reason stands below a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")
