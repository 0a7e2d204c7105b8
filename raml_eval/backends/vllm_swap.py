"""Swaps the weights of a running vLLM engine, and tests that it then draws what the new files say.

vLLM's reload is trusted in nothing. After it, three tests must pass, or the engine is given up:

    weights     what every layer of every worker computes with is compared with the files, value by value (loaded_weights)
    logits      the logits after a short prompt are finite (vllm_weights)
    greedy      prompts that were drawn before the swap too are drawn again, and transformers, which loads the same files
                anew, finds each drawn token to be the most probable one, up to rounding. So a prefix cache, or a captured
                graph, that has survived the swap is found
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raml_eval.backends.loaded_weights import stale_error
from raml_eval.backends.tensor_files import name_some, read_tensors
from raml_eval.backends.vllm_weights import OTHER_SOURCE, quiet_transformers
from raml_eval.checkpoint import first_line
from raml_eval.errors import SwapRefused

EXTENSION = "raml_eval.backends.loaded_weights.WorkerExtension"
RELOAD, COMPARE = "raml_reload_weights", "raml_compare_weights"  # methods of the extension
N_PROMPTS, PROMPT_TOKENS, DRAWN_TOKENS = 4, 96, 16  # a prompt fills several blocks of the prefix cache
# How far below the largest logit a drawn token may be, by the engine's type: two correct computations differ by rounding.
TOLERANCE: Mapping[str, float] = {"float32": 0.01, "float16": 0.25, "bfloat16": 1.0}
_PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")


def extension_arguments(args: Mapping[str, Any]) -> dict[str, Any]:
    """The engine argument with which its worker can compare weights.

    A sharded engine has none: it cannot swap, and its workers may run on machines that do not have this package.
    """
    return {} if any(args.get(name, 1) != 1 for name in _PARALLEL) else {"worker_extension_cls": EXTENSION}


def check_can_swap(source: str, args: Mapping[str, Any], config: Any) -> None:
    """Raises SwapRefused if the tests after a swap could not tell a wrong engine from a right one."""
    reasons = [
        f"the engine argument {name} changes what is loaded" for name in OTHER_SOURCE if args.get(name, "auto") != "auto"
    ]
    reasons += [
        f"{name} is {number}, and the parts of a sharded matrix are not compared"
        for name in _PARALLEL
        if (number := getattr(config.parallel_config, name)) > 1
    ]
    if config.model_config.quantization:
        reasons.append(f"the weights are quantised ({config.model_config.quantization})")
    if str(config.model_config.dtype).removeprefix("torch.") not in TOLERANCE:
        reasons.append(f"its type is {config.model_config.dtype}")
    if reasons:
        raise SwapRefused(
            f"the weights of {source} cannot be swapped in and tested: {reasons[0]}. It gets an engine of its own."
        )


def probe_prompts(n_vocab: int, context: int) -> list[list[int]]:
    """Prompts of ids from all over the vocabulary, the same ones every time."""
    rng, length = random.Random(0), max(1, min(PROMPT_TOKENS, context - DRAWN_TOKENS))
    return [[rng.randrange(n_vocab) for _ in range(length)] for _ in range(N_PROMPTS)]


async def reload_weights(engine: Any, source: str, folder: Path) -> str:
    """The engine has the folder's weights and an empty prefix cache. What was compared, in words.

    Raises SwapRefused if vLLM cannot reload them, keeps its cache, or computes with other values in any layer.
    """
    try:
        await engine.collective_rpc(RELOAD, kwargs={"weights_path": str(folder)})
        found = await engine.collective_rpc(COMPARE, args=(str(folder),))
        is_reset = await engine.reset_prefix_cache()
    except Exception as error:
        raise SwapRefused(
            f"vLLM did not reload the weights of {source} ({type(error).__name__}: {first_line(error)}). It gets an engine of "
            "its own."
        ) from error
    if not is_reset:
        raise SwapRefused(f"vLLM kept its prefix cache in the swap to {source}. The model gets an engine of its own.")
    n_compared = sum(n for n, _, _ in found)
    wrong = [name for _, names, _ in found for name in names]
    unknown = [name for _, _, names in found for name in names]
    if wrong:
        raise stale_error(source, wrong)
    if unknown or not n_compared:
        raise SwapRefused(
            f"after the swap to {source}, {name_some(unknown) or 'no weight'} could not be compared with the files. The model "
            "gets an engine of its own."
        )
    return f"{n_compared} parameters have the values of the files"


async def check_greedy(source: str, folder: Path, dtype: str, prompts: Sequence[Sequence[int]], drawn: Sequence[Any]) -> str:
    """What was tested, in words. SwapRefused if a drawn token is not the most probable one to transformers, up to rounding."""
    sequences = [[*prompt, *ids] for prompt, ids in zip(prompts, drawn, strict=True)]
    gap = await asyncio.to_thread(largest_gap, folder, dtype, sequences, len(prompts[0]))
    if not gap <= TOLERANCE[dtype]:
        raise SwapRefused(
            f"after the swap to {source}, the engine drew a token whose logit is {gap:.3g} below the largest one of the same "
            f"files in transformers, wanted at most {TOLERANCE[dtype]}. The model gets an engine of its own."
        )
    return f"{len(prompts)} x {DRAWN_TOKENS} tokens as from transformers (logits within {TOLERANCE[dtype]})"


def largest_gap(folder: Path, dtype: str, sequences: Sequence[Sequence[int]], n_prompt: int) -> float:
    """The largest difference between the largest logit and that of the token that follows, over the tokens after the prompt.

    The model is loaded anew from the folder, onto the CPU. Raises SwapRefused if there is no room, or transformers has no such
    model.
    """
    import torch
    import transformers

    size = sum(tensor.stop - tensor.start for tensor in (read_tensors(folder) or {}).values())
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size * 1.2 > free:
        raise SwapRefused(f"a reference for the swap takes {size / 2**30:.1f} GiB, and {free / 2**30:.1f} are free.")
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1 if size < 2**28 else n_threads)  # an engine may be forked from this process later
    try:
        with quiet_transformers(), torch.inference_mode():
            model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, trust_remote_code=False).eval()
            ids = torch.tensor(sequences)
            logits = model(input_ids=ids).logits[:, n_prompt - 1 : -1].float()
    except Exception as error:
        raise SwapRefused(f"transformers computed no reference for the swap ({first_line(error)}).") from error
    finally:
        torch.set_num_threads(n_threads)
    chosen = logits.gather(-1, ids[:, n_prompt:, None]).squeeze(-1)
    return float((logits.amax(-1) - chosen).amax())
