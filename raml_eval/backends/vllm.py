"""The engine on vLLM's asynchronous interface, for the GPU build and the CPU build."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from raml_eval.backends.adapters import loadable
from raml_eval.backends.alike import check_alike, is_folder
from raml_eval.backends.limits import temperature_problem
from raml_eval.backends.requests import check_request, check_scoring
from raml_eval.backends.vllm_budgets import count_open, reasoning_config
from raml_eval.backends.vllm_cpu import cpu_defaults, forks_engine, start_forked
from raml_eval.backends.vllm_plugin import declare_plugin
from raml_eval.backends.vllm_scoring import Scorer
from raml_eval.backends.vllm_swap import (
    DRAWN_TOKENS,
    check_can_swap,
    check_greedy,
    extension_arguments,
    probe_prompts,
    reload_weights,
)
from raml_eval.backends.vllm_weights import check_downloaded, check_files, check_logits, loaded_source
from raml_eval.backends.weights import WeightChecks
from raml_eval.checkpoint import Checkpoint, first_line
from raml_eval.errors import ConfigError, GenerationError, ModelError, SwapRefused, near_names
from raml_eval.protocols import PositionScores
from raml_eval.types import BackendDescription, Completion, Finish, SamplingParams

_FINISH = {"stop": Finish.STOP, "length": Finish.LENGTH}
_OURS = {
    "model": "It is --model.",
    "revision": "It is --revision.",
    "skip_tokenizer_init": "Stop strings need the tokenizer.",
    "generation_config": "Every sampling field is explicit here, so the checkpoint's own defaults must not enter.",
}
_QUIET_LOGS = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "TORCH_LOGS": "-torch._library.triton",
    "TQDM_DISABLE": "1",  # the capture of CUDA graphs has no argument against its bars
}
_DEFAULTS = {"disable_log_stats": True, "seed": 0, "use_tqdm_on_load": False}
_RECORDED = {
    "cache_config": ("block_size", "cache_dtype", "enable_prefix_caching"),
    "scheduler_config": ("enable_chunked_prefill", "max_num_batched_tokens", "max_num_seqs", "async_scheduling"),
    "parallel_config": ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "distributed_executor_backend"),
    "model_config": ("enforce_eager", "quantization"),
}


class VllmBackend:
    """A checkpoint in vLLM's own process. That process ends when this one does, however this one ends."""

    def __init__(self, engine: Any, checkpoint: Checkpoint, args: Mapping[str, Any], on_cpu: bool) -> None:
        self.description = _describe(engine.vllm_config, args, on_cpu)
        self.swapped: Mapping[str, str] = {}
        self._checkpoint, self._args = checkpoint, args
        self._engine = engine
        self._n_vocab: int = engine.model_config.get_vocab_size()
        self._scorer = Scorer(self._ask, engine.vllm_config)
        self._numbers = itertools.count()
        self._pending: set[str] = set()
        # The CPU engine never ends within vLLM's five seconds of grace, and has nothing to release.
        self._shutdown_s = 0.1 if on_cpu else None
        self._closed = False

    @property
    def dead(self) -> bool:
        """True if the engine's process has ended without being asked to."""
        return self._engine is not None and bool(self._engine.errored)

    async def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        """The engine's draw, in full. GenerationError if it cannot fit, or if the engine refused it, died or was closed."""
        return await self._generate(prompt_ids, params)

    async def _generate(
        self, prompt_ids: Sequence[int], params: SamplingParams, thinking_token_budget: int | None = None
    ) -> Completion:
        check_request(prompt_ids, params, context=self.description.context, n_vocab=self._n_vocab)
        output = (await self._ask(list(prompt_ids), engine_params(params, thinking_token_budget))).outputs[0]
        return Completion(tuple(output.token_ids), _FINISH[str(output.finish_reason)])

    async def score_at(
        self, token_ids: Sequence[int], positions: Sequence[int], continuation_ids: Sequence[int], n_scored: int
    ) -> PositionScores:
        """The model's log-probabilities. The errors are those of generate, and ConfigError for another logprobs_mode.

        The engine draws one token behind what it scores, which must fit into the context too.
        """
        fits = {"context": self.description.context - 1, "n_vocab": self._n_vocab}
        check_scoring(token_ids, positions, continuation_ids, n_scored, **fits)
        return await self._scorer.score(token_ids, positions, continuation_ids, n_scored)

    async def _ask(self, prompt_ids: list[int], params: Any) -> Any:
        """The engine's own output of one request, in full. GenerationError if it was refused, or the engine died or closed."""
        from vllm import TokensPrompt

        if self._closed:
            raise GenerationError("the vllm backend is closed. Open a new one.")
        request_id = str(next(self._numbers))
        self._pending.add(request_id)
        found = None
        try:
            async for output in self._engine.generate(TokensPrompt(prompt_token_ids=prompt_ids), params, request_id):
                found = output
        except Exception as error:
            dead = self._engine is None or self._engine.errored
            state = "is dead and will draw nothing more" if dead else "refused the request"
            raise GenerationError(f"the vLLM engine {state}: {type(error).__name__}: {error}") from error
        finally:
            self._pending.discard(request_id)
        drawn = found.outputs[0] if found else None
        finish = _FINISH.get(str(drawn.finish_reason)) if drawn else None
        if drawn is None or finish is None or (finish is Finish.LENGTH and len(drawn.token_ids) != params.max_tokens):
            reason = f"{len(drawn.token_ids)} tokens, {drawn.finish_reason}" if drawn else "no output"
            raise GenerationError(f"the vLLM engine ended a request early ({reason}). Run again to draw it.")
        return found

    async def check_weights(self, checkpoint: Checkpoint, files: WeightChecks) -> None:
        """The engine's logits are checked too, and the description says what was. ModelError if they are not finite."""
        described = self.description
        logits = await check_logits(self._engine, checkpoint.source, described.dtype, self._n_vocab, described.context)
        checks = dataclasses.replace(files, logits=logits).fields()
        self.description = dataclasses.replace(described, details={**described.details, "weight_checks": checks})

    async def swap_weights(self, checkpoint: Checkpoint) -> None:
        """The engine draws with the other checkpoint's weights, after the tests of vllm_swap. The errors are WeightSwap's."""
        check_alike(self._checkpoint, checkpoint)
        check_can_swap(checkpoint.source, self._args, self._engine.vllm_config)
        if self._closed or self._pending:
            raise SwapRefused(
                "the vllm backend is closed or still drawing, so its weights cannot be swapped. Wait for its draws."
            )
        with loadable(checkpoint) as plain:
            if not is_folder(plain):
                raise SwapRefused(
                    f"{checkpoint.source} is a hub id, and only a folder's files can be compared. It is opened anew."
                )
            with _quiet():
                files = check_files(checkpoint.source, Path(plain.source), self._args)
            with loaded_source(plain) as source:
                self.swapped = await self._swap(checkpoint, Path(source).resolve(), files)
        self._checkpoint = checkpoint

    async def _swap(self, checkpoint: Checkpoint, folder: Path, files: WeightChecks) -> dict[str, str]:
        dtype, name = self.description.dtype, checkpoint.source
        prompts = probe_prompts(self._n_vocab, self.description.context)
        await self._draw_probes(prompts)  # a prefix cache that survives the swap then holds the old weights' keys
        weights = await reload_weights(self._engine, name, folder)
        await self.check_weights(checkpoint, files)
        drawn = await self._draw_probes(prompts)
        return {"weights": weights, "greedy": await check_greedy(name, folder, dtype, prompts, drawn)}

    async def _draw_probes(self, prompts: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
        greedy = SamplingParams(
            temperature=0.0, top_p=1.0, top_k=0, min_p=0.0, repetition_penalty=1.0, max_tokens=DRAWN_TOKENS, seed=0, stop_ids=()
        )
        try:
            drawn = await asyncio.gather(*(self.generate(prompt, greedy) for prompt in prompts))
        except GenerationError as error:
            raise SwapRefused(f"the engine did not draw the prompts that test a swap ({first_line(error)}).") from error
        return [completion.token_ids for completion in drawn]

    async def aclose(self) -> None:
        """The engine's processes have ended, and requests that were still being drawn have failed."""
        if self._closed:
            return
        self._closed = True
        engine, self._engine = self._engine, None  # its destructor must not run at interpreter exit
        if self._pending and not engine.errored:
            await engine.abort(list(self._pending))
            await asyncio.sleep(0)
        engine.shutdown(timeout=self._shutdown_s)


class CappedVllmBackend(VllmBackend):
    """A backend that can also leave a thinking budget to vLLM. It was opened with reasoning_config."""

    async def generate_capped(
        self, prompt_ids: Sequence[int], params: SamplingParams, thinking_token_budget: int
    ) -> Completion:
        """The draw of thinking and answer, in full. The errors are those of generate.

        vLLM counts what follows its start delimiter, in the prompt too; thinking_token_budget counts the drawn tokens only.
        """
        reasoning = self._engine.vllm_config.reasoning_config if self._engine else None
        n_open = 0 if reasoning is None else count_open(prompt_ids, reasoning)
        if thinking_token_budget < 0:
            raise GenerationError(f"the thinking budget is {thinking_token_budget}; it must be 0 or more. Change it.")
        if params.stop_strings:
            raise GenerationError("stop strings would act inside the thinking of a capped draw. Draw it in two phases.")
        return await self._generate(prompt_ids, params, thinking_token_budget + n_open)


def engine_params(params: SamplingParams, thinking_token_budget: int | None = None) -> Any:
    """vLLM's sampling parameters, with every field explicit that could change a token."""
    from vllm import SamplingParams as EngineParams
    from vllm.sampling_params import RequestOutputKind

    if problem := temperature_problem("vllm", params.temperature):
        raise GenerationError(problem)
    return EngineParams(
        n=1,
        temperature=params.temperature,
        top_p=params.top_p,
        top_k=params.top_k,
        min_p=params.min_p,
        repetition_penalty=params.repetition_penalty,
        presence_penalty=0.0,
        frequency_penalty=0.0,
        seed=params.seed,
        max_tokens=params.max_tokens,
        min_tokens=0,
        ignore_eos=True,  # stop_ids hold every end-of-text id, so the engine's own list is not needed
        stop_token_ids=list(params.stop_ids),
        stop=list(params.stop_strings),
        detokenize=bool(params.stop_strings),
        include_stop_str_in_output=True,
        skip_special_tokens=False,
        spaces_between_special_tokens=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
        **({} if thinking_token_budget is None else {"thinking_token_budget": thinking_token_budget}),
    )


async def open_engine(checkpoint: Checkpoint, *, args: Mapping[str, Any]) -> VllmBackend:
    """The engine's process is started, and the checkpoint is loaded into it.

    An adapter is merged into its base first. args are fields of vLLM's AsyncEngineArgs; on a CPU, the defaults keep seeds
    reproducible. Raises ConfigError for an unknown argument and for one that would make results depend on the batch,
    ModelError if vLLM cannot start with this model or its weights are broken. A folder's files are checked before the start,
    a hub id's after it, when they are here.
    """
    declare_plugin()
    with loadable(checkpoint) as plain, _quiet():
        on_cpu = _check_args(args)
        files = check_files(checkpoint.source, Path(plain.source), args) if is_folder(plain) else None
        with loaded_source(plain) as source:
            backend = _start(checkpoint, source, args, on_cpu)
    try:
        if files is None:
            with _quiet():
                files = check_downloaded(checkpoint, args)
        await backend.check_weights(checkpoint, files)
    except BaseException:
        await backend.aclose()
        raise
    return backend


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Inside, vLLM and the processes it starts log only errors, and print nothing to stdout, which is for the tables.

    Variables that the user has set in the environment keep their values.
    """
    for name, value in _QUIET_LOGS.items():
        os.environ.setdefault(name, value)
    filters = os.environ.get("PYTHONWARNINGS")
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        if filters is None:
            del os.environ["PYTHONWARNINGS"]


def _start(checkpoint: Checkpoint, source: str, args: Mapping[str, Any], on_cpu: bool) -> VllmBackend:
    from vllm import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    backend = CappedVllmBackend if args.get("reasoning_config") else VllmBackend
    arguments = {**engine_arguments(checkpoint, args, on_cpu), "model": source}
    try:
        engine_args = AsyncEngineArgs(**arguments)
        # No local name for the engine: vLLM keeps a traceback through this frame, and the engine would outlive aclose.
        if on_cpu and forks_engine(args):
            return backend(start_forked(engine_args), checkpoint, args, on_cpu)
        return backend(AsyncLLM.from_engine_args(engine_args), checkpoint, args, on_cpu)
    except Exception as error:
        given = f" with {dict(args)}" if args else ""
        raise ModelError(
            f"vLLM cannot start with model {checkpoint.source}{given}: {type(error).__name__}: {error} "
            "The engine's log above may show the cause; VLLM_LOGGING_LEVEL=INFO shows more."
        ) from error


def engine_arguments(checkpoint: Checkpoint, args: Mapping[str, Any], on_cpu: bool) -> dict[str, Any]:
    """The engine's arguments. The platform's take precedence over ours, and the caller's over both."""
    return {
        "model": checkpoint.source,
        "revision": checkpoint.revision,
        "tokenizer_revision": checkpoint.revision,
        "generation_config": "vllm",
        **_DEFAULTS,
        **extension_arguments(args),
        **(cpu_defaults(args) if on_cpu else {}),
        **args,
        **({"reasoning_config": reasoning_config(args["reasoning_config"])} if args.get("reasoning_config") else {}),
    }


def _check_args(args: Mapping[str, Any]) -> bool:
    """True if the engine runs on the CPU. ConfigError for an argument that is unknown or must not be set."""
    from vllm import AsyncEngineArgs
    from vllm.platforms import current_platform

    known = [field.name for field in dataclasses.fields(AsyncEngineArgs)]
    on_cpu: bool = current_platform.is_cpu()
    for name in args:
        if name not in known:
            raise ConfigError(f"vLLM has no engine argument {name!r}.{near_names(name, known)}")
        if name in _OURS:
            raise ConfigError(f"the engine argument {name} cannot be set. {_OURS[name]}")
    if on_cpu and args.get("enable_chunked_prefill"):
        raise ConfigError(
            "enable_chunked_prefill is true; on the CPU it must be false, because a seeded request whose prompt is prefilled "
            "in parts kills the engine. Leave it out."
        )
    if on_cpu and os.environ.get("VLLM_BATCH_INVARIANT", "0") not in ("", "0"):
        raise ConfigError("VLLM_BATCH_INVARIANT is set, which kills vLLM's CPU engine; it is invariant without. Unset it.")
    return on_cpu


def _describe(config: Any, args: Mapping[str, Any], on_cpu: bool) -> BackendDescription:
    import torch
    import vllm

    dtype = str(config.model_config.dtype).removeprefix("torch.")
    details = {name: getattr(getattr(config, part), name, None) for part, names in _RECORDED.items() for name in names}
    batch_invariant = os.environ.get("VLLM_BATCH_INVARIANT") == "1"
    return BackendDescription(
        name="vllm",
        version=vllm.__version__,
        device="cpu" if on_cpu else torch.cuda.get_device_name(),
        dtype=dtype,
        context=config.model_config.max_model_len,
        # Measured on the CPU with these two types. On a GPU (H200, vLLM 0.26, bfloat16), 2 of 800 draws differed between
        # two runs even with VLLM_BATCH_INVARIANT.
        reproducible=on_cpu and dtype in ("float32", "bfloat16"),
        details={
            **{name: _plain(value) for name, value in details.items()},
            "batch_invariant": batch_invariant,
            "torch": torch.__version__,
            "args": {
                name: value if isinstance(value, int | float | str | None) else str(value) for name, value in args.items()
            },
        },
    )


def _plain(value: Any) -> int | float | str | None:
    return value if isinstance(value, int | float | str | None) else str(value)
