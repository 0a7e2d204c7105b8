"""Efficiency of a session against the number of engine replicas, with simulated latencies, and what the order of draws adds.

Part 1 is the harness itself: run_session draws, grades and stores from REPLICAS engines of SLOTS draws at a time each. An
engine sleeps in proportion to a draw's length, which is lognormal: one draw in a hundred is several times as long as the rest;
an answer is short. Each replica gets the same number of draws, so that perfect scaling keeps the wall time. Efficiency is the
time that slots slept over all slots' wall time. "possible" is that of the same lengths on slots that take the next draw at
once, without any harness; the tail is the part of the wall time after 95 of 100 draws have ended.

Part 2 is no measurement but a simulation of the order alone, for the draws of 200 questions x 16: as they come (question by
question); longest first by the length that the question had in an earlier run, whose draws are others; and longest first if
every length were known.

    python benchmarks/replicas.py
    python benchmarks/replicas.py --replicas 1,8 --seconds 0.5
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from tabulate import tabulate

from raml_eval.backends.fake import open_engine
from raml_eval.checkpoint import find_checkpoint
from raml_eval.config import build_config, load_preset
from raml_eval.session import run_session
from raml_eval.types import Completion, SamplingParams

SLOTS, DRAWS = 4, 8  # draws at a time on one replica; draws per slot in a whole run
SPREAD = 0.8  # the standard deviation of the logarithm of a thinking's length, as reasoning models have on mixed questions
ANSWER = 0.05  # an answer's length, as a share of the mean thinking
N_QUESTIONS, N_SAMPLES, BETWEEN = 200, 16, 0.7  # of the simulation; BETWEEN: the share of the variance between questions


class Replicas:
    """Engines that sleep before they answer. A draw goes to the replica that has the fewest."""

    def __init__(self, engine: Any, n_replicas: int, mean_s: float) -> None:
        self.description = engine.description
        self._engine, self._mean_s = engine, mean_s
        self._slots = [asyncio.Semaphore(SLOTS) for _ in range(n_replicas)]
        self._load = [0] * n_replicas
        self.took: list[float] = []
        self.ended: list[float] = []

    async def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        """The engine's draw, after the time that one of its length takes."""
        replica = self._load.index(min(self._load))
        self._load[replica] += 1
        length = random.Random(params.seed).lognormvariate(-(SPREAD**2) / 2, SPREAD)
        took = self._mean_s * (length if params.max_tokens > 1000 else ANSWER)
        self.took.append(took)
        async with self._slots[replica]:
            await asyncio.sleep(took)
            drawn: Completion = await self._engine.generate(prompt_ids, params)
        self._load[replica] -= 1
        self.ended.append(time.monotonic())
        return drawn

    async def aclose(self) -> None:
        """The engine is closed."""
        await self._engine.aclose()


async def measure(n_replicas: int, mean_s: float, folder: Path) -> dict[str, float]:
    """One run's number of draws, seconds of generation, efficiency, and the share of the tail."""
    slots = n_replicas * SLOTS
    n_draws = slots * DRAWS
    samples = max(1, -(-n_draws // 400))
    engines: list[Replicas] = []

    async def opener(backend: str, source: str, **more: Any) -> Replicas:
        engine = await open_engine(find_checkpoint("pocket"), args={})
        engines.append(Replicas(engine, n_replicas, mean_s))
        return engines[0]

    settings = {
        "backend": "fake", "tasks": ["pocket_chain", "pocket_logic"], "samples": samples, "concurrency": slots,
        "limit": max(1, n_draws // samples // 2), "thinking": {"budgets": ["unlimited"]}, "answer_tokens": 48,
        "out": str(folder / f"{n_replicas}"),
    }  # fmt: skip
    config = build_config([load_preset("pocket"), settings, {"max_total_tokens": None}])
    run = await run_session(config, quiet=True, opener=opener)
    seconds = run.manifest["sessions"][-1]["seconds"]["generation"]
    took, ended = engines[0].took, sorted(engines[0].ended)
    return {
        "replicas": n_replicas,
        "draws": len(run.records),
        "seconds": seconds,
        "efficiency": sum(took) / slots / seconds,
        "possible": sum(took) / slots / makespan(took, slots),
        "tail": (ended[-1] - ended[int(0.95 * len(ended))]) / seconds,
    }


def makespan(lengths: Sequence[float], slots: int) -> float:
    """The time until all draws are done if each slot takes the next one as soon as it is free."""
    free = [0.0] * slots
    for length in lengths:
        heapq.heapreplace(free, free[0] + length)
    return max(free)


def simulate(slots: int, rng: random.Random) -> dict[str, float]:
    """The efficiency of three orders of the same draws on that many slots, the mean of ten repeats."""
    found: dict[str, list[float]] = {"as they come": [], "by an earlier run": [], "lengths known": []}
    within, between = SPREAD * (1 - BETWEEN) ** 0.5, SPREAD * BETWEEN**0.5
    for _ in range(10):
        level = [rng.gauss(0, between) for _ in range(N_QUESTIONS)]
        drawn, earlier = ([[rng.lognormvariate(mu, within) for _ in range(N_SAMPLES)] for mu in level] for _ in range(2))
        by_question = sorted(range(N_QUESTIONS), key=lambda one: -mean(earlier[one]))
        orders = {
            "as they come": [length for own in drawn for length in own],
            "by an earlier run": [length for one in by_question for length in drawn[one]],
            "lengths known": sorted((length for own in drawn for length in own), reverse=True),
        }
        for name, lengths in orders.items():
            found[name].append(sum(lengths) / slots / makespan(lengths, slots))
    return {"slots": slots, **{name: mean(values) for name, values in found.items()}}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--replicas", default="1,8,64,512")
    arguments.add_argument("--seconds", type=float, default=4.0, help="the mean time of a thinking")
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [asyncio.run(measure(int(n), asked.seconds, Path(folder))) for n in asked.replicas.split(",")]
    print(f"the harness, {SLOTS} slots a replica, {DRAWS} draws a slot, thinking of {asked.seconds:g} s in the mean")
    print(tabulate(rows, headers="keys", floatfmt=".2f"))
    print(f"\nsimulated efficiency of the order, {N_QUESTIONS} questions x {N_SAMPLES} draws")
    print(tabulate([simulate(slots, random.Random(0)) for slots in (4, 32, 256, 2048)], headers="keys", floatfmt=".2f"))
    told = " ".join(f"{int(row['replicas'])}:{row['efficiency']:.2f}" for row in rows)
    print(f"REPLICAS efficiency {told}")


if __name__ == "__main__":
    main()
