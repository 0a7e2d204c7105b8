"""Scores of an 8-token answer behind the end of thinking, after every 8th position of a trajectory, against the obvious ways.

On vLLM, the obvious way is one request for each position, which returns the log-probabilities of its prompt and recomputes it
(prompt_logprobs=0, flat, no detokenising: the cheapest form). On transformers, it is one forward pass for each position, on as
many threads (one). Both are compared with score_at, run by run: ratios are medians of pairs of runs next to each other, and
every score must agree within 1e-4 nats. Then, on transformers, growth: the tokens computed, the time (by the clock, and of a
core, which other processes disturb less) and the peak of memory above the start for longer and longer trajectories, and the
slope of time against length, both in logarithms. Then many short trajectories at once.

Models: pocket, and a random Qwen3 of 2 million parameters, in float32.

    python benchmarks/scoring.py            # hf, and vllm if it is installed; 5 to 10 minutes on two cores
    python benchmarks/scoring.py --engine hf --repeats 5 --model pocket

The last lines are for machines: one SCORING line for each engine and model.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import math
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tabulate import tabulate

from raml_eval.backends import open_backend
from raml_eval.concurrency import settled_heap
from raml_eval.protocols import PositionScores

STRIDE = 8
CONTINUATION, N_SCORED = (260, 48, 52, 50, 49, 57, 46, 53, 125), 8  # the end of the thinking, and an answer
VLLM_SIZES, HF_SIZE, GROWTH_SIZES = (512, 1024, 2048), 1024, (512, 1024, 2048, 4096, 8192)
N_SHORT = 1600
Rows = Sequence[Sequence[float]]
Way = Callable[[Sequence[int], Sequence[int]], Awaitable[tuple[Rows, int]]]


def build_model(folder: Path) -> Path:
    """A random Qwen3 with pocket's tokenizer and 2.0 million parameters is in the folder."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=261, hidden_size=192, intermediate_size=576, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, head_dim=64, max_position_embeddings=16_384, tie_word_embeddings=True, eos_token_id=258,
        pad_token_id=256, initializer_range=0.1,
    )  # fmt: skip
    Qwen3ForCausalLM(config).save_pretrained(folder)
    for path in pocket().iterdir():
        if path.name.startswith(("tokenizer", "generation_config", "chat_template")):
            shutil.copy(path, folder / path.name)
    return folder


def pocket() -> Path:
    return Path(str(resources.files("raml_eval"))) / "pocket"


def trajectory(n_tokens: int, seed: int) -> tuple[list[int], list[int]]:
    """Random characters, and the positions at which they are scored."""
    rng = random.Random(seed)
    return [rng.randrange(32, 120) for _ in range(n_tokens)], list(range(STRIDE, n_tokens + 1, STRIDE))


async def pairs(way: Way, plain: Way, n_tokens: int, repeats: int, between: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    """Both ways' medians, the median of their ratios, and the tokens that each computed. Exits if a score differs."""
    times: list[tuple[float, float]] = []
    counts = (0, 0)
    for repeat in range(repeats):
        asked = trajectory(n_tokens, seed=repeat)
        found = []
        for one in (way, plain):
            await between()
            start = time.perf_counter()
            rows, n_forwarded = await one(*asked)
            found.append((np.array(rows), n_forwarded, time.perf_counter() - start))
        (ours, n_ours, t_ours), (wanted, n_wanted, t_wanted) = found
        if not np.abs(ours - wanted).max() < 1e-4:
            raise SystemExit(f"scores of {n_tokens} tokens differ by {np.abs(ours - wanted).max()} nats")
        times.append((t_ours, t_wanted))
        counts = (n_ours, n_wanted)
    return {
        "T": n_tokens,
        "score_at s": statistics.median(ours for ours, _ in times),
        "plain s": statistics.median(wanted for _, wanted in times),
        "ratio": statistics.median(wanted / ours for ours, wanted in times),
        "tokens": counts[0],
        "plain tokens": counts[1],
        "token ratio": counts[1] / counts[0],
    }


async def measure_vllm(model: Path, repeats: int) -> list[dict[str, Any]]:
    """One row for each length."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    backend: Any = await open_backend("vllm", str(model), args={"dtype": "float32", "max_model_len": 4096})
    params = SamplingParams(
        temperature=0.0, max_tokens=1, prompt_logprobs=0, flat_logprobs=True, detokenize=False, ignore_eos=True,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )  # fmt: skip

    async def ours(ids: Sequence[int], positions: Sequence[int]) -> tuple[Rows, int]:
        scored: PositionScores = await backend.score_at(ids, positions, CONTINUATION, N_SCORED)
        return scored.logprobs, scored.n_forwarded

    async def plain(ids: Sequence[int], positions: Sequence[int]) -> tuple[Rows, int]:
        prompts = [[*ids[:position], *CONTINUATION] for position in positions]
        outputs = await asyncio.gather(*(backend._ask(prompt, params) for prompt in prompts))
        return [output.prompt_logprobs.logprobs[-N_SCORED:] for output in outputs], sum(map(len, prompts))

    async def empty_cache() -> None:
        if not await backend._engine.reset_prefix_cache():
            raise SystemExit("vLLM did not empty its prefix cache")

    try:
        await ours(*trajectory(100, seed=99))
        await plain(*trajectory(100, seed=99))
        with settled_heap():  # as in a diagnosis
            return [await pairs(ours, plain, n, repeats, empty_cache) for n in VLLM_SIZES]
    finally:
        await backend.aclose()


async def measure_hf(model: Path, repeats: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], float]:
    """The row against plain forward passes, the rows of growth, and the seconds of the short trajectories."""
    backend: Any = await open_backend("hf", str(model), args={"dtype": "float32", "threads": 1})
    torch.set_num_threads(1)
    network = backend._scheduler.loaded.model

    async def ours(ids: Sequence[int], positions: Sequence[int]) -> tuple[Rows, int]:
        scored: PositionScores = await backend.score_at(ids, positions, CONTINUATION, N_SCORED)
        return scored.logprobs, scored.n_forwarded

    async def plain(ids: Sequence[int], positions: Sequence[int]) -> tuple[Rows, int]:
        targets = torch.tensor(CONTINUATION[-N_SCORED:])[:, None]
        rows, n_forwarded = [], 0
        with torch.inference_mode():
            for position in positions:
                asked = torch.tensor([[*ids[:position], *CONTINUATION[:-1]]])
                logits = network(input_ids=asked, use_cache=False, logits_to_keep=N_SCORED).logits[0]
                rows.append(logits.log_softmax(-1).gather(1, targets)[:, 0].tolist())
                n_forwarded += asked.numel()
        return rows, n_forwarded

    async def nothing() -> None:
        pass

    try:
        await ours(*trajectory(100, seed=99))
        with settled_heap():
            against = await pairs(ours, plain, HF_SIZE, repeats, nothing)
            growth = await measure_growth(ours, repeats)
        rng = random.Random(1)
        short = [trajectory(rng.randint(60, 150), seed) for seed in range(N_SHORT)]
        start = time.perf_counter()
        await asyncio.gather(*(ours(*asked) for asked in short))
        return [against], growth, time.perf_counter() - start
    finally:
        await backend.aclose()


async def measure_growth(way: Way, repeats: int) -> list[dict[str, Any]]:
    """One row for each length, measured in turn: tokens computed, median seconds by the clock and of a core, peak of memory."""
    times: dict[int, list[tuple[float, float]]] = {n: [] for n in GROWTH_SIZES}
    tokens, peaks = dict.fromkeys(GROWTH_SIZES, 0), dict.fromkeys(GROWTH_SIZES, 0.0)
    for repeat in range(repeats):
        for n in GROWTH_SIZES:
            before = reset_peak_mb()
            start, core = time.perf_counter(), time.process_time()
            _, tokens[n] = await way(*trajectory(n, seed=repeat))
            times[n].append((time.perf_counter() - start, time.process_time() - core))
            peaks[n] = max(peaks[n], read_mb("VmHWM") - before)
    medians = {n: [statistics.median(column) for column in zip(*times[n], strict=True)] for n in GROWTH_SIZES}
    return [
        {"T": n, "tokens": tokens[n], "s": medians[n][0], "core s": medians[n][1], "peak MB": peaks[n]} for n in GROWTH_SIZES
    ]


def reset_peak_mb() -> float:
    """The process's memory; its peak is counted from here on (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return read_mb("VmRSS")


def read_mb(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def slope(rows: Sequence[dict[str, Any]], key: str) -> float:
    """The slope of the value against T, both in logarithms, by least squares."""
    fitted = np.polyfit([math.log(row["T"]) for row in rows], [math.log(row[key]) for row in rows], 1)
    return float(fitted[0])


def show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    print(f"\n{title}\n{tabulate(rows, headers='keys', floatfmt='.3f')}", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--engine", choices=("hf", "vllm", "both"), default="both")
    arguments.add_argument("--model", choices=("pocket", "random", "both"), default="both")
    arguments.add_argument("--repeats", type=int, default=3)
    asked = arguments.parse_args()
    last = []
    with tempfile.TemporaryDirectory(prefix="raml_eval_scoring_") as folder:
        models = {"pocket": pocket(), "random": build_model(Path(folder))}
        for name in [name for name in models if asked.model in (name, "both")]:
            if asked.engine != "hf" and (asked.engine == "vllm" or importlib.util.find_spec("vllm")):
                rows = asyncio.run(measure_vllm(models[name], asked.repeats))
                show(f"{name} on vLLM, {N_SCORED} tokens after every {STRIDE}th position", rows)
                ratios = " ".join(f"ratio_{row['T']}={row['ratio']:.1f}" for row in rows)
                last.append(f"SCORING engine=vllm model={name} {ratios}")
            if asked.engine != "vllm":
                against, growth, short_s = asyncio.run(measure_hf(models[name], asked.repeats))
                show(f"{name} on transformers, one thread", against)
                show(f"{name} on transformers, growth", growth)
                print(f"{N_SHORT} trajectories of 60 to 150 tokens at once: {short_s:.1f} s", flush=True)
                last.append(
                    f"SCORING engine=hf model={name} ratio={against[0]['ratio']:.1f} tokens={against[0]['token ratio']:.1f} "
                    f"exponent={slope(growth, 's'):.2f} core_exponent={slope(growth, 'core s'):.2f} "
                    f"tokens_exponent={slope(growth, 'tokens'):.3f} short_s={short_s:.0f}"
                )
    print("\n" + "\n".join(last))


if __name__ == "__main__":
    main()
