"""vLLM's CPU build: settings that keep its seeds reproducible, and a start that suits a machine with two cores."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from raml_eval.backends.vllm_plugin import watch_forked
from raml_eval.concurrency import settled_heap

_GIB = 2**30
# A step that prefills only part of a seeded request kills the CPU engine, so each prompt is prefilled whole.
_DEFAULTS = {
    "block_size": 32,
    "dtype": "float32",
    "enable_chunked_prefill": False,
    "enforce_eager": True,
    "max_num_seqs": 256,
}
_PARALLEL = ("distributed_executor_backend", "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
_BINDINGS = ("OMP_NUM_THREADS", "VLLM_CPU_OMP_THREADS_BIND")


def cpu_defaults(args: Mapping[str, Any]) -> dict[str, Any]:
    """The engine arguments that the CPU build uses unless the caller gives others."""
    # By default the engine would take half of the machine's memory for its cache.
    cache = {} if os.environ.get("VLLM_CPU_KVCACHE_SPACE") else {"kv_cache_memory_bytes": _GIB}
    return {**_DEFAULTS, **cache, **({"distributed_executor_backend": "uni"} if forks_engine(args) else {})}


def forks_engine(args: Mapping[str, Any]) -> bool:
    """True if the engine is forked from this process and computes in the fork, on one thread.

    On a CPU, vLLM itself starts one process for the scheduler and one for the model, and each imports everything anew. On
    two cores the model has one core either way, and one forked process starts in a fifth of the time. On more cores, or if
    the caller says how to spread the work, vLLM's own way is kept: it binds threads to cores, and a fork of a process whose
    thread pools have run could hang with more than one thread.
    """
    told = any(name in args for name in _PARALLEL) or any(os.environ.get(name, "1") != "1" for name in _BINDINGS)
    return sys.platform == "linux" and not told and len(os.sched_getaffinity(0)) <= 2


def start_forked(engine_args: Any) -> Any:
    """An AsyncLLM whose engine is a fork of this process and ends with it."""
    import torch
    from vllm.v1.engine.async_llm import AsyncLLM

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the fork inherits it
    try:
        # vLLM allows one process for scheduler and model only if it believes that it is running in that process.
        with environment(VLLM_ENABLE_V1_MULTIPROCESSING="0"):
            config = engine_args.create_engine_config()
        # Settled, because vLLM collects garbage in the fork, which would look through all that this process has imported.
        with environment(VLLM_WORKER_MULTIPROC_METHOD="fork"), watch_forked(), settled_heap():
            return AsyncLLM.from_vllm_config(
                config,
                enable_log_requests=engine_args.enable_log_requests,
                disable_log_stats=engine_args.disable_log_stats,
            )
    finally:
        torch.set_num_threads(n_threads)


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """Inside, these environment variables have these values."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
