"""Times raml-eval from command to table against the engine alone: what no harness on vLLM can be faster than.

The engine alone is a process that imports vLLM, starts the engine as raml-eval does, and draws from the token ids of the same
200 gsm8k prompts with the same sampling and seeds. It renders, grades and stores nothing. Divide the ratio of lm_eval_pair.py
by this one to get the most that could be reached there. Needs `openai/gsm8k` from a hub (HF_ENDPOINT) or in the cache.

    python benchmarks/bare_pair.py --pairs 3
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from lm_eval_pair import ENGINE, ours
from timing import Took, run_pairs, timed

from raml_eval.checkpoint import find_checkpoint

ANSWER = 256


def write_prompts(path: Path, limit: int) -> None:
    """path holds the token ids of the prompts, and the seed of each draw."""
    from raml_eval.config import build_config, load_preset
    from raml_eval.inputs import load_inputs, load_model
    from raml_eval.plan import Plan
    from raml_eval.tasks.catalogue import load_catalogue
    from raml_eval.thinking import derive_seed

    config = build_config([load_preset("pocket"), {"tasks": "gsm8k", "limit": limit, "samples": 1, "out": str(path)}])
    model, catalogue, plan = load_model(config), load_catalogue(), Plan(("gsm8k",), ("unlimited",), 1, limit)
    loaded = load_inputs(config, model, catalogue, plan)
    rows = [
        {"ids": loaded.prompts[key.task, key.question_id]["thinking"], "seed": derive_seed(0, key, "thinking")}
        for key in (sample.key for sample in plan.owed(loaded.questions, set()))
    ]
    path.write_text(json.dumps({"rows": rows, "stop": list(model.end_of_text_ids)}), encoding="utf-8")


async def draw(path: Path) -> None:
    from raml_eval.backends.vllm import open_engine
    from raml_eval.config import parse_backend_args
    from raml_eval.types import SamplingParams

    asked = json.loads(path.read_text(encoding="utf-8"))
    args = parse_backend_args([f"{name}={value}" for name, value in ENGINE.items()])
    engine = await open_engine(find_checkpoint("pocket"), args=args)
    try:
        params = [SamplingParams(1.0, 1.0, 0, 0.0, 1.0, ANSWER, row["seed"], tuple(asked["stop"])) for row in asked["rows"]]
        await asyncio.gather(*(engine.generate(row["ids"], own) for row, own in zip(asked["rows"], params, strict=True)))
    finally:
        await engine.aclose()


def run(folder: Path, limit: int) -> tuple[Took, Took]:
    """What both sides took."""
    write_prompts(folder / "prompts.json", limit)
    bare = [sys.executable, __file__, "bare", str(folder / "prompts.json")]
    return timed(ours(folder, limit), dict(os.environ)), timed(bare, dict(os.environ))


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        asyncio.run(draw(Path(sys.argv[2])))
    else:
        run_pairs(__doc__, "bare engine", run)
