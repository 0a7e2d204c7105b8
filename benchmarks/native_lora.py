"""Compares vLLM's own LoRA (enable_lora, LoRARequest) with merged adapters that are swapped in place, on the real engine.

Two seeded adapters (rank 8, all linear layers) of the pocket checkpoint in TYPE, 32 prompts of 128 ids, 64 greedy tokens each.
It prints how many outputs are the same, the largest difference of log-probability up to the first other token, and the times.
Half a minute on two cores, in a checkout, in an environment that has vLLM:

    OMP_NUM_THREADS=1 python benchmarks/native_lora.py [float32|bfloat16]
"""

from __future__ import annotations

import gc
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from raml_eval.backends.adapters import merge_adapter
from raml_eval.backends.vllm_swap import COMPARE, EXTENSION, RELOAD
from tests.checkpoints import save_adapter

POCKET = Path(__file__).parents[1] / "raml_eval" / "pocket"
LAYERS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
MODULES = [f"model.layers.{i}.{name}" for i in range(4) for name in (*LAYERS, "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")]
NAMES = ("a", "b")
Drawn = list[tuple[list[int], list[float]]]


def main() -> None:
    os.environ.update(VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_CPU_KVCACHE_SPACE="1", VLLM_LOGGING_LEVEL="ERROR")
    from vllm import LLM
    from vllm.lora.request import LoRARequest

    dtype = sys.argv[1] if len(sys.argv) > 1 else "float32"
    common: dict[str, Any] = {"dtype": dtype, "max_model_len": 1024, "max_num_batched_tokens": 1024}
    common |= {"enable_chunked_prefill": False, "enforce_eager": True, "skip_tokenizer_init": True, "block_size": 32}
    with tempfile.TemporaryDirectory(prefix="raml_eval_lora_") as place:
        folder, merged = Path(place), {}
        targets = sorted({module.rsplit(".", 1)[1] for module in MODULES})
        for seed, name in enumerate(NAMES):
            save_adapter(folder / name, POCKET, MODULES, seed, rank=8, target_modules=targets)
        engine = LLM(str(POCKET), worker_extension_cls=EXTENSION, **common)
        draw(engine)
        for name in NAMES:
            swap_s, _ = timed(lambda name=name: swap(engine, folder / name, folder / f"merged_{name}"))
            merged[name] = (swap_s, *repeated(engine))
        del engine  # the end of the first engine would take the process groups of the second one with it
        gc.collect()
        engine = LLM(str(POCKET), enable_lora=True, max_lora_rank=8, max_loras=2, **common)
        draw(engine)
        for number, name in enumerate(NAMES, 1):
            request = LoRARequest(name, number, str(folder / name))
            add_s, _ = timed(lambda request=request: engine.llm_engine.add_lora(request))
            native_s, drawn = repeated(engine, request)
            swap_s, merged_s, wanted = merged[name]
            print(
                f"LORA {dtype} {name}: {compare(wanted, drawn)}; switch {swap_s:.3f} s merged, {add_s:.3f} s native", end="; "
            )
            print(f"draw {merged_s:.2f} s merged, {native_s:.2f} s native, ratio {native_s / merged_s:.2f}", flush=True)


def swap(engine: Any, adapter: Path, out: Path) -> None:
    """The engine has the merged weights, compared with the files. A run also checks greedy tokens against transformers."""
    out.mkdir()
    merge_adapter(POCKET, adapter, out)
    engine.collective_rpc(RELOAD, kwargs={"weights_path": str(out)})
    engine.collective_rpc(COMPARE, args=(str(out),))
    if not engine.reset_prefix_cache():
        raise SystemExit("vLLM kept its prefix cache")


def repeated(engine: Any, request: Any = None) -> tuple[float, Drawn]:
    """The median time of five batches after a first one, whose output this returns: it has no cached prefix."""
    first = draw(engine, request)
    return statistics.median(timed(lambda: draw(engine, request))[0] for _ in range(5)), first


def draw(engine: Any, request: Any = None) -> Drawn:
    from vllm import SamplingParams

    rng = random.Random(0)
    prompts = [{"prompt_token_ids": [rng.randrange(256) for _ in range(128)]} for _ in range(32)]
    params = SamplingParams(temperature=0, max_tokens=64, logprobs=1, ignore_eos=True, detokenize=False)
    outputs = [out.outputs[0] for out in engine.generate(prompts, params, lora_request=request, use_tqdm=False)]
    return [(list(o.token_ids), [row[i].logprob for row, i in zip(o.logprobs, o.token_ids, strict=True)]) for o in outputs]


def compare(wanted: Drawn, drawn: Drawn) -> str:
    n_same, gap = sum(a[0] == b[0] for a, b in zip(wanted, drawn, strict=True)), 0.0
    for (ids, values), (other_ids, others) in zip(wanted, drawn, strict=True):
        for i, other_id, value, other in zip(ids, other_ids, values, others, strict=True):
            if i != other_id:
                break
            gap = max(gap, abs(value - other))
    return f"{n_same} of {len(wanted)} outputs the same, log-probabilities within {gap:.1e} nats"


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = act()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
