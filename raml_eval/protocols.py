"""Interfaces between layers that have more than one implementation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from raml_eval.checkpoint import Checkpoint
from raml_eval.types import BackendDescription, Completion, SamplingParams, TokenIds


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


@dataclass(frozen=True, slots=True)
class Scored:
    """A sequence whose last n_scored tokens are scored after what stands before them."""

    token_ids: TokenIds
    n_scored: int


@dataclass(frozen=True, slots=True)
class Gradient:
    """The gradient of the mean of losses with respect to the weights that move, at the saved weights, as inner products.

    losses are those of the sequences. kept are the inner products with each gradient that is kept, the latest, which is
    this one, last. along are those with the two directions, if these are set.
    """

    losses: tuple[float, ...]
    kept: tuple[float, ...]
    along: tuple[float, ...]


class MovableWeights(Protocol):
    """Weights that can stand at saved + a * d1 + b * d2, for two directions d1 and d2, while a loss is computed.

    A loss is the mean negative log-likelihood of a sequence's scored tokens, in nats per token; it may be not finite far
    away. The weights are moved for the time of a call only: they are the saved ones again, bit by bit, when it has ended, by
    whatever end, and draws wait for that. The names of details are those of the engine.
    """

    digest: str
    details: Mapping[str, Any]

    async def set_random(self, seed: int, scale: Literal["tensor", "filter"]) -> tuple[tuple[float, float], float]:
        """The directions are standard normal, one generator for each (seed, direction, tensor), and scaled.

        tensor: each tensor of a direction has the norm of the saved tensor, as in the repository of the RaML paper. filter:
        each output row has the norm of the saved row, and tensors of one dimension are 0 (Li et al., arXiv:1712.09913,
        section 4). Returns their squared norms, and their inner product.
        """
        ...

    async def set_combined(self, coefficients: Sequence[Sequence[float]]) -> tuple[tuple[float, float], float]:
        """Each direction is a sum of the kept gradients, times its coefficients. Returns as set_random."""
        ...

    async def losses(self, a: float, b: float, sequences: Sequence[Scored]) -> tuple[float, ...]:
        """The loss of each sequence with the weights at (a, b)."""
        ...

    async def gradient(self, sequences: Sequence[Scored], keep: int) -> Gradient:
        """The gradient of the mean loss. The latest keep gradients, this one among them, are kept in memory."""
        ...


@runtime_checkable
class WeightAccess(Protocol):
    """An engine whose weights can be moved.

    movable_weights gives them for the time of a with statement, in which they cannot be swapped. embeddings says whether the
    embedding and the output layer move too. At the end, a digest of all weights is compared with the one at the start.
    Raises ModelError if they differ: nothing that was computed counts, and the engine must be closed.
    """

    def movable_weights(self, embeddings: bool = False) -> AbstractAsyncContextManager[MovableWeights]: ...


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
