"""Interfaces between layers that have more than one implementation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from raml_eval.checkpoint import Checkpoint
from raml_eval.types import BackendDescription, Completion, SamplingParams


@runtime_checkable
class Backend(Protocol):
    """An engine: it takes token ids and returns token ids. It knows nothing of thinking, tasks or grades.

    Many coroutines may call generate at once. generate raises GenerationError for a request that failed, and never returns a
    shorter draw instead.
    """

    description: BackendDescription

    async def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Completion: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class NativeBudgets(Protocol):
    """An engine that can end thinking itself, so that thinking and answer are one draw.

    generate_capped draws at most thinking_token_budget thinking tokens after the prompt, which must have opened the thinking;
    then the engine writes the end delimiter and goes on. params.max_tokens counts everything that is drawn. An engine that
    was not opened for this does not have the method. native_budgets.check_native_budgets tells whether it keeps the promise.
    """

    async def generate_capped(
        self, prompt_ids: Sequence[int], params: SamplingParams, thinking_token_budget: int
    ) -> Completion: ...


@runtime_checkable
class Routed(Protocol):
    """An engine of several servers or replicas.

    routed gives the same engine for one question: its draws go to one of them, whose cache holds the prompt, for as long as
    that one answers.
    """

    def routed(self, question: str) -> Backend: ...


@runtime_checkable
class LimitedSampling(Protocol):
    """An engine that may not know every field of the sampling. check_sampling raises ConfigError, which names the field."""

    def check_sampling(self, params: SamplingParams) -> None: ...


@runtime_checkable
class WeightSwap(Protocol):
    """An engine that can go on with another checkpoint's weights, in place of the ones it was opened with.

    After swap_weights, every draw and the description are those of an engine that was opened with the checkpoint; swapped
    says what was tested to be sure of it, and is empty before. No request may be under way. Raises ModelError if the
    checkpoint is broken, and the engine is as it was; SwapRefused if the engine cannot hold it, or if a test failed, and the
    engine must be closed.
    """

    swapped: Mapping[str, str]

    async def swap_weights(self, checkpoint: Checkpoint) -> None: ...


@dataclass(frozen=True, slots=True)
class PositionScores:
    """Log-probabilities in nats, one row for each position and one column for each scored token: (positions, n_scored).

    n_forwarded counts the tokens that the engine computed for them; what it took from a cache does not count.
    """

    logprobs: tuple[tuple[float, ...], ...]
    n_forwarded: int


@runtime_checkable
class PositionScorer(Protocol):
    """An engine that tells how likely a continuation is after many prefixes of one sequence, without drawing it.

    For each position p, score_at gives the log-probabilities of the last n_scored ids of continuation_ids, each after
    token_ids[:p] and the part of the continuation that stands before it. Positions ascend strictly, and lie between 1 and
    len(token_ids); tokens after the last one change nothing. The log-probabilities are the model's own: no temperature and
    no filter changes them. At most one continuation for each position is computed beside the sequence, and a bounded number of
    tokens more (a block of a prefix cache, say), so that the tokens grow linearly.

    Many coroutines may call it at once, and generate too. Raises GenerationError for a request that failed, or that does not
    fit into the context; ConfigError if the engine, as it was opened, cannot give these values.
    """

    async def score_at(
        self, token_ids: Sequence[int], positions: Sequence[int], continuation_ids: Sequence[int], n_scored: int
    ) -> PositionScores: ...


class Tokenizer(Protocol):
    """The part of a transformers tokenizer that this package uses."""

    def encode(self, text: str, add_special_tokens: bool = ...) -> list[int]: ...

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = ...) -> str: ...


class ChatTokenizer(Tokenizer, Protocol):
    """The part of a transformers tokenizer that rendering prompts needs in addition to encode and decode."""

    chat_template: Any  # None, one Jinja text, or several by name
    eos_token_id: int | None
    bos_token_id: int | None

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any: ...

    def get_added_vocab(self) -> dict[str, int]: ...
