"""Measures a sweep of thinking budgets against separate runs, one for each budget, on the real vLLM engine.

Every trajectory reaches the largest budget: the model has random weights and cannot write a delimiter or an end of turn. The
engine is opened once and its start is excluded; its prefix cache is emptied before every run, and every round has a seed of
its own. Each round runs both sides in turn, and the median of the rounds' ratios counts. A side's time is that of its
sessions' generation, grading and storing included.

    python benchmarks/sweep.py                     # eight even budgets: 128, 256, ... 1,024
    python benchmarks/sweep.py --budgets powers    # 8, 16, ... 1,024
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BUDGETS = {"even": list(range(128, 1025, 128)), "powers": [2**n for n in range(3, 11)]}
ANSWER = 16
FIRST_SPECIAL = 256  # ids below it are the bytes of ordinary text


def build_model(folder: Path) -> Path:
    """The pocket checkpoint's shape with random weights that never write a special token, and room for long thinking."""
    import shutil

    import torch
    from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

    import raml_eval

    pocket = Path(raml_eval.__file__).parent / "pocket"
    tokenizer = AutoTokenizer.from_pretrained(pocket)
    torch.manual_seed(0)
    own = Qwen3Config.from_pretrained(pocket).to_dict()
    model = Qwen3ForCausalLM(Qwen3Config(**{**own, "tie_word_embeddings": False, "max_position_embeddings": 2048}))
    with torch.no_grad():
        model.lm_head.weight.normal_(0, 1)
        model.lm_head.weight[FIRST_SPECIAL:] = 0
    model.to(torch.float32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        shutil.copy(pocket / name, folder / name)
    return folder


class Kept:
    """An open engine that a session cannot close."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.description = engine.description

    async def generate(self, prompt_ids: Sequence[int], params: Any) -> Any:
        return await self.engine.generate(prompt_ids, params)

    async def aclose(self) -> None:
        pass


async def draw(engine: Any, model: Path, out: Path, budgets: Sequence[int], options: argparse.Namespace, seed: int) -> Any:
    """One session. Returns its seconds and its number of generated tokens."""
    from raml_eval.config import build_config
    from raml_eval.session import run_session

    settings: Mapping[str, Any] = {
        "model": str(model), "backend": "vllm", "tasks": ["pocket_chain"], "limit": options.limit, "samples": options.samples,
        "thinking": {"budgets": list(budgets)}, "answer_tokens": ANSWER, "sampling": {"temperature": 1.0, "top_p": 1.0},
        "seed": seed, "out": out,
    }  # fmt: skip

    async def opener(*_: Any, **__: Any) -> Kept:
        return Kept(engine)

    await engine._engine.reset_prefix_cache()
    run = await run_session(build_config([settings]), quiet=True, opener=opener)
    short = [t.id for t in run.trajectories.values() if len(t.token_ids) < max(budgets)]
    assert not short, f"{len(short)} trajectories ended before the largest budget"
    tokens = sum(len(t.token_ids) for t in run.trajectories.values()) + sum(len(r.answer_ids) for r in run.records)
    return run.manifest["sessions"][-1]["seconds"]["generation"], tokens


async def measure(options: argparse.Namespace, folder: Path) -> None:
    from raml_eval.backends import open_backend

    budgets = BUDGETS[options.budgets]
    model = build_model(folder / "model")
    engine = await open_backend("vllm", str(model), args={"dtype": "float32", "max_model_len": 2048})
    ratios, tokens = [], {"sweep": 0, "apart": 0}
    print("| round | sweep (s) | apart (s) | ratio | tokens, sweep | tokens, apart |\n|---|---|---|---|---|---|")
    try:
        await draw(engine, model, folder / "warm", [64], options, 999)
        for number in range(options.rounds):

            async def sweep(n: int = number) -> tuple[float, int]:
                return await draw(engine, model, folder / f"sweep{n}", budgets, options, 2 * n)

            async def apart(n: int = number) -> tuple[float, int]:
                each = [await draw(engine, model, folder / f"apart{n}-{b}", [b], options, 2 * n + 1) for b in budgets]
                return sum(seconds for seconds, _ in each), sum(n_tokens for _, n_tokens in each)

            sides = {"sweep": sweep, "apart": apart}
            order = list(sides) if number % 2 == 0 else list(sides)[::-1]
            took = {side: await sides[side]() for side in order}
            ratios.append(took["apart"][0] / took["sweep"][0])
            tokens = {side: took[side][1] for side in sides}
            print(
                f"| {number + 1} | {took['sweep'][0]:.1f} | {took['apart'][0]:.1f} | {ratios[-1]:.2f} | {tokens['sweep']:,} | "
                f"{tokens['apart']:,} |",
                flush=True,
            )
    finally:
        await engine.aclose()
    ratio, of_tokens = statistics.median(ratios), tokens["apart"] / tokens["sweep"]
    print(f"\nbudgets {budgets}; ratio of generated tokens {of_tokens:.2f}; share of it {ratio / of_tokens:.2f}")
    print(f"RATIO {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budgets", choices=BUDGETS, default="even")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=32, help="questions")
    parser.add_argument("--samples", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(options, Path(folder)))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
