"""The engine on Ray: several engines of one model, each in an actor, on this machine or on a cluster (docs/clusters.md)."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raml_eval.backends.limits import temperature_problem
from raml_eval.backends.ray_args import RayArgs
from raml_eval.backends.ray_cluster import Cluster, RayReplica
from raml_eval.backends.requests import check_request
from raml_eval.backends.server_pool import ForQuestion, ServerPool
from raml_eval.checkpoint import Checkpoint
from raml_eval.endpoint import EndpointRefused, RequestFailed, Unanswered
from raml_eval.errors import ConfigError, GenerationError, ModelError
from raml_eval.progress import note
from raml_eval.types import BackendDescription, Completion, Finish, SamplingParams

_LOADS = 5  # failed loads in a row after which a replica that was lost is left out
Loaded = Mapping[str, Any]


class RayBackend:
    """Replicas of one model. A request goes to one of them; see ServerPool for what happens if that one ends."""

    def __init__(self, cluster: Cluster, pool: ServerPool[RayReplica], description: BackendDescription) -> None:
        self.description = description
        self._cluster, self._pool = cluster, pool

    async def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        """A replica's draw, in full.

        GenerationError if it cannot fit, if the engine refuses it, if no try succeeded, or once closed; EndpointRefused if
        Ray replaces no replica any more.
        """
        return await self.generate_for("\x1f".join(map(str, prompt_ids[:256])), prompt_ids, params)

    async def generate_for(self, question: str, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        """The draw, on the replica that draws for this question. The errors are those of generate."""
        check_request(prompt_ids, params, context=self.description.context)
        try:
            drawn, redrawn = await self._pool.complete(lambda replica: replica.draw(prompt_ids, params), question)
        except RequestFailed as error:
            raise GenerationError(f"{error}.") from None
        if "failed" in drawn:
            raise GenerationError(drawn["failed"])
        return Completion(
            tuple(drawn["token_ids"]), Finish(drawn["finish"]), redrawn=redrawn and not self.description.reproducible
        )

    def routed(self, question: str) -> ForQuestion:
        """The same replicas, for one question."""
        return ForQuestion(self, question)

    def check_sampling(self, params: SamplingParams) -> None:
        """ConfigError for a temperature that the replicas' engine would change."""
        if problem := temperature_problem(str(self.description.details["engine"]), params.temperature):
            raise ConfigError(problem)

    async def aclose(self) -> None:
        """The replicas have ended, and Ray too if it was started here. Requests that were under way have failed."""
        if not self._pool.closed:
            try:
                await self._pool.close()
            finally:
                self._cluster.leave()


async def open_engine(checkpoint: Checkpoint, *, args: Mapping[str, Any]) -> RayBackend:
    """The first replicas are loaded; others may join later. Ray is started here unless an address says where it runs.

    Raises ConfigError for a wrong argument, for a cluster that cannot be used, and for replicas that differ; ModelError if
    the engine cannot start with this model.
    """
    parsed = RayArgs.parse(args)
    cluster = Cluster(parsed)
    try:
        return await _open(cluster, checkpoint, parsed)
    except BaseException:
        cluster.leave()
        raise


async def _open(cluster: Cluster, checkpoint: Checkpoint, args: RayArgs) -> RayBackend:
    source = str(Path(checkpoint.source).resolve()) if Path(checkpoint.source).is_dir() else checkpoint.source
    adapter = str(Path(checkpoint.adapter).resolve()) if checkpoint.adapter else None
    given = (args.engine, source, checkpoint.revision, adapter, dict(args.engine_args))
    replicas = [cluster.start(number, *given) for number in range(1, args.replicas + 1)]
    loaded = await _first_loaded(cluster, replicas, args)
    (first, found), *others = loaded.items()
    for replica, other in others:
        if other != found:
            raise ConfigError(
                f"{first.address} and {replica.address} differ: {found} and {other}. Give replicas of one model and one kind."
            )
    if found["digest"] != (here := await asyncio.to_thread(checkpoint.digest)):
        raise ModelError(
            f"{first.address} has loaded another {checkpoint.source} (fingerprint {found['digest']}) than lies here ({here}). "
            "Copy the model to every node, and run again."
        )

    async def look(replica: RayReplica) -> None:
        try:
            async with asyncio.timeout(max(1.0, args.watch_s)):
                await replica.ask("ping")
        except TimeoutError:
            raise Unanswered("no sign of life") from None

    async def look_closely(replica: RayReplica) -> None:
        await _rejoin(replica, found)

    pool = ServerPool(
        replicas,
        look,
        look_closely,
        backend="ray",
        advice="Look at the cluster with 'ray status', and run again",
        attempts=args.attempts,
        patience_s=args.patience_s,
        watch_s=args.watch_s,
        pause_s=args.pause_s,
    )
    pool.start()
    return RayBackend(cluster, pool, _describe(found, args, cluster.version))


async def _first_loaded(cluster: Cluster, replicas: Sequence[RayReplica], args: RayArgs) -> dict[RayReplica, Loaded]:
    """What the replicas say that are ready in time; the others count as lost. ConfigError or ModelError if none is."""
    placed = [asyncio.ensure_future(replica.ask("ping")) for replica in replicas]
    done, _ = await asyncio.wait(placed, timeout=args.patience_s, return_when=asyncio.FIRST_COMPLETED)
    for task in placed:
        task.cancel()
    await asyncio.gather(*placed, return_exceptions=True)
    if not done:
        has = {name: n for name, n in cluster.ray.cluster_resources().items() if name in ("CPU", "GPU")}
        raise ConfigError(
            f"Ray found no place for a replica in {args.patience_s:g} s: it needs {cluster.needs} on one node, the cluster has "
            f"{has}. Ask for less with num_cpus, num_gpus or tensor_parallel_size, or add nodes."
        )
    tasks = {asyncio.ensure_future(replica.load()): replica for replica in replicas}
    loaded: dict[RayReplica, Loaded] = {}
    failures: list[str] = []
    waiting = set(tasks)
    while waiting:
        done, waiting = await asyncio.wait(
            waiting, timeout=args.join_s if loaded else None, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            break
        for task in done:
            try:
                loaded[tasks[task]] = _checked(task.result())
            except (Unanswered, RequestFailed, EndpointRefused) as error:
                failures.append(f"{tasks[task].address} did not load: {error}")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    if not loaded:
        raise ModelError(f"{'; '.join(failures)}. Ray's logs show more, on this machine in /tmp/ray/session_latest/logs.")
    for replica in replicas:
        replica.lost = replica not in loaded
    if len(loaded) < len(replicas):
        told = f" ({'; '.join(failures)})" if failures else ""
        note(f"{len(loaded)} of {len(replicas)} replicas are ready{told}; the others join when they are")
    return {replica: loaded[replica] for replica in replicas if replica in loaded}


def _checked(found: Loaded) -> Loaded:
    """What a replica says that is loaded. ConfigError or ModelError if its engine cannot start at all."""
    if problem := found.get("problem"):
        raise (ConfigError if found["kind"] == "config" else ModelError)(problem)
    return found


async def _rejoin(replica: RayReplica, wanted: Loaded) -> None:
    """The replica that was lost is loaded again, with the same model.

    Raises Unanswered if it is not, and EndpointRefused if it is another model or has failed too often.
    """
    found = await replica.load()
    if problem := found.get("problem"):
        replica.failed_loads += 1
        if replica.failed_loads >= _LOADS:
            raise EndpointRefused(f"{replica.address} failed to load {_LOADS} times, the last time: {problem}")
        # Memory that a lost process held may not be free yet, and a failed start may leave something behind.
        replica.restart()
        raise Unanswered(problem)
    if found != wanted:
        raise EndpointRefused(f"{replica.address} is loaded with {found} now, and before {wanted}.")
    replica.failed_loads = 0


def _describe(found: Loaded, args: RayArgs, version: str) -> BackendDescription:
    """The manifest's description. Only its details say how many replicas there are."""
    engine = BackendDescription(**found["description"])
    return dataclasses.replace(
        engine,
        name="ray",
        version=f"{engine.name} {engine.version}",
        details={**engine.details, "engine": engine.name, "replicas": args.replicas, "ray": version},
    )
