"""Loads a checkpoint through transformers, and checks the arguments that say how."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Self

import torch
import transformers

from raml_eval.backends import hf_attention
from raml_eval.backends.adapters import loadable
from raml_eval.backends.loaded_weights import compare_weights, stale_error
from raml_eval.backends.tensor_files import read_headers
from raml_eval.backends.weights import (
    WeightChecks,
    check_report,
    flat_error,
    logits_error,
    probe_ids,
    refuse_integers,
    refuse_not_finite,
)
from raml_eval.checkpoint import Checkpoint, first_line
from raml_eval.errors import ConfigError, ModelError, SwapRefused, near_names
from raml_eval.protocols import Tokenizer
from raml_eval.types import BackendDescription

_GIB = 2**30
_ATTENTIONS = {"full_attention", "sliding_attention"}
_TYPES: Mapping[str, Callable[[Any], Any]] = {"str": str, "int": int, "float": float}
_DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class HfArgs:
    """The arguments that --backend-arg may set. batch_size counts rows, max_batch_tokens the padded tokens of one prefill.

    dtype auto is float32 on a CPU, and the checkpoint's own elsewhere. cache_gib 0 means 2 GiB on a CPU, and two thirds of
    the free memory on a GPU. threads 0 means torch's own number, or 1 for a model so small that sharing an operation between
    threads costs more than it saves.
    """

    dtype: str = "auto"
    device: str = "auto"
    batch_size: int = 256
    max_batch_tokens: int = 16_384
    cache_gib: float = 0.0
    threads: int = 0

    @classmethod
    def parse(cls, args: Mapping[str, Any]) -> Self:
        """The arguments, converted from what a command line gives. ConfigError for an unknown name or a wrong value."""
        known: dict[str, Callable[[Any], Any]] = {f.name: _TYPES[str(f.type)] for f in fields(cls)}
        values = {}
        for name, value in args.items():
            if name not in known:
                near = near_names(name, known)
                raise ConfigError(f"the hf backend has no argument {name!r}; it takes {', '.join(known)}.{near}")
            try:
                values[name] = known[name](value)
            except (TypeError, ValueError) as error:
                wanted = getattr(known[name], "__name__", "a number")
                raise ConfigError(f"hf argument {name} is {value!r}; it must be of type {wanted}.") from error
        parsed = cls(**values)
        if parsed.dtype not in _DTYPES:
            raise ConfigError(f"hf argument dtype is {parsed.dtype!r}; it must be one of {', '.join(_DTYPES)}.")
        if min(parsed.batch_size - 1, parsed.max_batch_tokens - 1, parsed.cache_gib, parsed.threads) < 0:
            raise ConfigError(f"an hf argument is too small: {dict(args)}. Leave it out for the default.")
        return parsed


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready for forward passes. tokenizer loads on its first call, because only stop strings need it."""

    model: Any
    n_vocab: int
    tokenizer: Callable[[], Tokenizer]
    description: BackendDescription
    cache_bytes: float
    threads: int


def load_model(checkpoint: Checkpoint, args: HfArgs) -> LoadedModel:
    """The checkpoint is in memory, with its adapter merged in, and its weights are checked. The errors are those of _load."""
    with loadable(checkpoint) as plain:
        return _load(plain, checkpoint, args)


def load_beside(old: LoadedModel, checkpoint: Checkpoint, args: HfArgs) -> tuple[LoadedModel, dict[str, str]]:
    """Another checkpoint's model, loaded while the old one is kept, and in words what of it was compared with its files.

    Raises SwapRefused if a GPU has no room for both, or if a parameter is not what the files say; ModelError as load_model.
    """
    if old.model.device.type == "cuda":
        _check_room(old.model, checkpoint.source)
    with loadable(checkpoint) as plain:
        loaded = replace(_load(plain, checkpoint, args), cache_bytes=old.cache_bytes)
        found = compare_weights(loaded.model, Path(plain.source))
    if found.wrong:
        raise stale_error(checkpoint.source, found.wrong)
    return loaded, {"weights": found.tell()}


def _check_room(model: Any, source: str) -> None:
    """Raises SwapRefused if the model's GPU has no room for another one of its size."""
    torch.cuda.empty_cache()
    size, free = model.get_memory_footprint(), torch.cuda.mem_get_info(model.device)[0]
    if free < 1.1 * size:
        raise SwapRefused(
            f"{source} takes {size / _GIB:.1f} GiB beside the old model, and the GPU has {free / _GIB:.1f} free. It gets an "
            "engine of its own."
        )


def _load(checkpoint: Checkpoint, named: Checkpoint, args: HfArgs) -> LoadedModel:
    """The checkpoint is in memory, on its device, and its weights are checked. named is the one that errors name.

    Raises ModelError if it cannot be loaded, has other than attention layers, or is broken: files that are missing, cut off or
    ambiguous, tensors that are missing, unexpected, misshapen or not finite, or logits that are not finite or all equal.
    """
    device = args.device if args.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = args.dtype if args.dtype != "auto" or device != "cpu" else "float32"
    model, revision, name = checkpoint.source, checkpoint.revision, named.source
    transformers.utils.logging.disable_progress_bar()
    if Path(model).is_dir():
        refuse_integers(name, checkpoint.read_json("config.json"), read_headers(name, Path(model)))
    try:
        # A wrong shape is reported by name below; transformers' own error names none.
        loaded, report = transformers.AutoModelForCausalLM.from_pretrained(
            model, revision=revision, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True
        )
        loaded = loaded.to(device).eval()
        if device == "cpu":
            _unmap(loaded)
    except Exception as error:
        raise ModelError(f"model {name} cannot be loaded by transformers on {device}: {error}") from error
    text_config = loaded.config.get_text_config()
    other = set(getattr(text_config, "layer_types", None) or []) - _ATTENTIONS
    if other:
        raise ModelError(
            f"model {name} has layers of type {', '.join(sorted(other))}; the hf backend supports only attention layers. "
            "Use --backend vllm."
        )
    if loaded.config._attn_implementation == "sdpa":
        loaded.set_attn_implementation(hf_attention.NAME)
    threads = args.threads or _own_threads(loaded)
    with _threads(threads):
        checks = check_weights(name, loaded, report)

    tokenizer = cache(partial(_load_tokenizer, named))
    n_vocab = loaded.get_output_embeddings().weight.shape[0]
    cache_bytes = args.cache_gib * _GIB or _default_cache_bytes(device)
    description = _describe(loaded, text_config, args, threads, cache_bytes, checks)
    return LoadedModel(loaded, n_vocab, tokenizer, description, cache_bytes, threads)


def _unmap(model: Any) -> None:
    """The weights lie in memory of their own. Those of a type that needs no conversion are views of the mapped file, so that
    whoever writes into the file would change the model while it draws, and whoever cuts it off would end the process."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()


def _load_tokenizer(checkpoint: Checkpoint) -> Tokenizer:
    found: Tokenizer = transformers.AutoTokenizer.from_pretrained(str(checkpoint.tokenizer_folder))
    return found


def check_weights(name: str, model: Any, report: Mapping[str, Any]) -> WeightChecks:
    """What was checked of a loaded model. ModelError if it is broken. report is transformers' own on the names.

    Reads every parameter once, in memory, and computes eight tokens.
    """
    names = check_report(name, model.config, report)
    floats = {key: p for key, p in model.named_parameters() if p.is_floating_point() and p.numel()}
    dtype = str(model.dtype).removeprefix("torch.")
    hint = "They may be too large for float16: pass dtype=bfloat16 or float32. " if dtype == "float16" else ""
    refuse_not_finite(name, tuple(key for key, p in floats.items() if not _is_finite(p.detach())), hint)
    ids = probe_ids(model.get_input_embeddings().weight.shape[0], model.config.get_text_config().max_position_embeddings)
    try:
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids], device=model.device)).logits
    except Exception as error:
        return WeightChecks(names, f"all values of {len(floats)} tensors", f"not made: {first_line(error)}")
    # Single logits may be -inf on purpose; the largest of a row may not.
    largest = logits.float().amax(-1)
    if not bool(largest.isfinite().all()):
        raise logits_error(name, dtype)
    if logits.shape[-1] > 1 and bool((logits.float().amin(-1) == largest).all()):
        raise flat_error(name, f"its logits are all equal after a prompt of {len(ids)} tokens")
    return WeightChecks(names, f"all values of {len(floats)} tensors", f"finite after a prompt of {len(ids)} tokens")


def _is_finite(tensor: torch.Tensor) -> bool:
    if tensor.element_size() == 1:
        tensor = tensor.float()  # torch compares no 8-bit floats
    return all(value.isfinite().item() for value in torch.aminmax(tensor))  # one pass, nothing allocated, NaN goes through


@contextlib.contextmanager
def _threads(number: int) -> Iterator[None]:
    """Inside, this thread shares an operation between the given number of threads; 0 keeps torch's own number."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _own_threads(model: Any) -> int:
    """1 for a small model on a CPU, unless OMP_NUM_THREADS is set; otherwise 0, which keeps torch's own number."""
    small = sum(p.numel() for p in model.parameters()) < 2e7
    return 1 if model.device.type == "cpu" and small and "OMP_NUM_THREADS" not in os.environ else 0


def _default_cache_bytes(device: str) -> float:
    return torch.cuda.mem_get_info(device)[0] * 2 / 3 if device.startswith("cuda") else 2 * _GIB


def _describe(
    model: Any, text_config: Any, args: HfArgs, threads: int, cache_bytes: float, checks: WeightChecks
) -> BackendDescription:
    return BackendDescription(
        name="hf",
        version=transformers.__version__,
        device=str(model.device) if model.device.type == "cpu" else torch.cuda.get_device_name(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        context=text_config.max_position_embeddings,
        reproducible=False,
        details={
            "torch": torch.__version__,
            "attention": model.config._attn_implementation,
            "batch_size": args.batch_size,
            "max_batch_tokens": args.max_batch_tokens,
            "cache_gib": round(cache_bytes / _GIB, 2),
            "threads": threads or torch.get_num_threads(),
            "weight_checks": checks.fields(),
        },
    )
