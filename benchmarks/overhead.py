"""Measures what the harness adds to the bare engine: `raml-eval run` against a blocking two-phase LLM.generate, in pairs.

Both sides draw the same thinking and answers with the same engine settings, each in its own engine process. The engine's
start is excluded on both sides. A pair runs both sides in turn, each in a fresh process. The ratio is taken pair by pair,
and the median counts.

    python benchmarks/overhead.py --pairs 7
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTINGS = {"dtype": "float32", "max_model_len": 1024}
BUDGET, ANSWER = 64, 24


def config(out: str, limit: int, samples: int):  # type: ignore[no-untyped-def]
    from raml_eval.config import build_config, load_preset

    return build_config(
        [
            load_preset("pocket"),
            {"backend": "vllm", "backend_args": SETTINGS, "thinking": {"budgets": [BUDGET]}, "answer_tokens": ANSWER},
            {"limit": limit, "samples": samples, "max_total_tokens": None, "out": out},
        ]
    )


def harness(limit: int, samples: int) -> None:
    """One run. Prints the seconds of its generation, including grading and storing."""
    from raml_eval.session import run_session

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        run = asyncio.run(run_session(config(str(out), limit, samples), quiet=True))
        tokens = sum(r.n_thinking_tokens + len(r.answer_ids) for r in run.records)
        print(json.dumps({"seconds": run.manifest["sessions"][-1]["seconds"]["generation"], "tokens": tokens}))


def bare(limit: int, samples: int) -> None:
    """The same draws through the engine's own blocking interface, phase by phase. Prints the seconds of both phases."""
    from raml_eval import inputs
    from raml_eval.backends.vllm import engine_arguments, engine_params
    from raml_eval.backends.vllm_cpu import forks_engine
    from raml_eval.plan import Plan
    from raml_eval.tasks.catalogue import load_catalogue
    from raml_eval.thinking import derive_seed
    from raml_eval.types import SamplingParams

    settings = config("unused", limit, samples)
    catalogue = load_catalogue()
    plan = Plan(tuple(catalogue.expand(settings.tasks)), (BUDGET,), samples, settings.limit)
    loaded = inputs.load_inputs(settings, inputs.load_model(settings), catalogue, plan)
    questions = loaded.questions
    prompts = {key: rendered["thinking"] for key, rendered in loaded.prompts.items()}
    owed = [sample.key for sample in plan.owed(questions, set())]
    from vllm import LLM
    from vllm.engine.arg_utils import EngineArgs
    from vllm.platforms import current_platform

    on_cpu = current_platform.is_cpu()
    if on_cpu and forks_engine(SETTINGS):  # make the engine process alike: scheduler and model in one, on one thread
        os.environ["OMP_NUM_THREADS"] = "1"
        create = EngineArgs.create_engine_config

        def create_alike(self, *words, **names):  # type: ignore[no-untyped-def]
            os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
            try:
                return create(self, *words, **names)
            finally:
                del os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"]

        EngineArgs.create_engine_config = create_alike
    engine = LLM(**engine_arguments(loaded.model.checkpoint, SETTINGS, on_cpu=on_cpu))
    print(engine.llm_engine.vllm_config.parallel_config.distributed_executor_backend, file=sys.stderr)
    model = loaded.model
    closer = model.tokenizer.convert_tokens_to_ids("</think>")

    def params(seed: int, tokens: int, stop: tuple[int, ...]) -> object:
        return engine_params(SamplingParams(1.0, 1.0, 0, 0.0, 1.0, tokens, seed, stop))

    started = time.monotonic()
    stop = (*model.end_of_text_ids, closer)
    first = engine.generate(
        [{"prompt_token_ids": list(prompts[key.task, key.question_id])} for key in owed],
        [params(derive_seed(0, key, "thinking"), BUDGET + 1, stop) for key in owed],
        use_tqdm=False,
    )
    thoughts = {key: list(output.outputs[0].token_ids) for key, output in zip(owed, first, strict=True)}
    ended = [len(ids) - 1 for ids in thoughts.values() if ids[-1] in model.end_of_text_ids]  # the harness draws no answer
    thoughts = {
        key: ids if ids[-1] == closer else [*ids[:BUDGET], closer]
        for key, ids in thoughts.items()
        if ids[-1] not in model.end_of_text_ids
    }
    second = engine.generate(
        [{"prompt_token_ids": [*prompts[key.task, key.question_id], *ids]} for key, ids in thoughts.items()],
        [
            params(derive_seed(0, key, "answer", len(ids) - 1, (closer,)), ANSWER, model.end_of_text_ids)
            for key, ids in thoughts.items()
        ],
        use_tqdm=False,
    )
    seconds = time.monotonic() - started
    tokens = sum(ended) + sum(len(ids) - 1 for ids in thoughts.values()) + sum(len(o.outputs[0].token_ids) for o in second)
    print(json.dumps({"seconds": seconds, "tokens": tokens}))


def measure(side: str, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, side, "--limit", str(options.limit), "--samples", str(options.samples)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env={**os.environ, "VLLM_LOGGING_LEVEL": "ERROR"})
    return dict(json.loads(done.stdout.decode().strip().splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", nargs="?", choices=("harness", "bare"))
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--limit", type=int, default=100, help="questions of each of the four pocket tasks")
    parser.add_argument("--samples", type=int, default=8)
    options = parser.parse_args()
    if options.side:
        (harness if options.side == "harness" else bare)(options.limit, options.samples)
        return
    print("| pair | harness (s) | bare (s) | ratio | tokens |\n|---|---|---|---|---|")
    ratios = []
    for pair in range(options.pairs):
        sides = ["harness", "bare"] if pair % 2 == 0 else ["bare", "harness"]
        took = {side: measure(side, options) for side in sides}
        if took["harness"]["tokens"] != took["bare"]["tokens"]:
            raise SystemExit(f"the two sides did not draw the same: {took}")
        ratios.append(took["harness"]["seconds"] / took["bare"]["seconds"])
        row = [took["harness"]["seconds"], took["bare"]["seconds"], ratios[-1]]
        print(f"| {pair + 1} | {row[0]:.2f} | {row[1]:.2f} | {row[2]:.3f} | {took['bare']['tokens']:,.0f} |", flush=True)
    print(f"\nmedian ratio {statistics.median(ratios):.3f} (min {min(ratios):.3f}, max {max(ratios):.3f})")


if __name__ == "__main__":
    main()
