"""Scores continuations after many prefixes for the hf backend, a bounded number of tokens at a time."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

import torch
from transformers.cache_utils import Cache

from raml_eval.backends.hf_batch import GrowingLayer
from raml_eval.backends.hf_branches import Piece, ScoreRequest, compute, next_piece
from raml_eval.backends.hf_model import HfArgs, LoadedModel
from raml_eval.backends.hf_scheduler import is_out_of_memory
from raml_eval.errors import GenerationError
from raml_eval.protocols import PositionScores

# Tokens of one pass. The mask grows with its square, and so does the work on pairs of tokens that never see each other.
_PASS_TOKENS = {"cpu": 384, "cuda": 2048}
_FEWEST = 16  # tokens of a pass below which a lack of memory is no matter of the pass any more
_TEST_TOKENS = 24
_NOT_NUMBERS = "the model's logits are not numbers. Load it with another dtype, for example dtype=float32."
# How far two correct computations of a log-probability may differ, by the model's type.
_TOLERANCE: Mapping[torch.dtype, float] = {torch.float32: 1e-3, torch.float16: 0.1, torch.bfloat16: 0.5}


class Scoring:
    """The requests that are being scored. A failure reaches only the futures of the requests concerned, never the caller.

    Short requests share a pass. A longer one is computed alone, in several passes, which keep its trunk in a cache.
    """

    def __init__(self, loaded: LoadedModel, args: HfArgs) -> None:
        self._loaded = loaded
        self._most = min(args.max_batch_tokens, _PASS_TOKENS.get(loaded.model.device.type, 384))
        self._waiting: deque[ScoreRequest] = deque()
        self._cache: Cache | None = None  # of the first request, if that is a long one under way
        self._windows = attention_windows(loaded.model.config.get_text_config())
        self._longest = longest_rotation(loaded.model.config.get_text_config())
        self._tested: dict[bool, str] = {}  # with windows that bind, and without: why not, or nothing

    @property
    def busy(self) -> bool:
        """True if a pass would do something without new requests."""
        return bool(self._waiting)

    @property
    def requests(self) -> list[ScoreRequest]:
        """Every request that is not complete yet."""
        return list(self._waiting)

    def run_pass(self, arrived: Sequence[ScoreRequest]) -> None:
        """The arrived requests are queued, and one pass is computed. Call it on the thread that owns the model."""
        self._waiting += arrived
        self._drop_cancelled()
        if not self._waiting:
            return
        pieces = self._next_pieces()
        try:
            with torch.inference_mode():
                if problem := self._problem(pieces):
                    self._finish(pieces, GenerationError(problem))
                else:
                    self._compute(pieces)
        except Exception as error:
            n_tokens = sum(piece.n_tokens for piece in pieces)
            if is_out_of_memory(error) and n_tokens > _FEWEST:
                self._most = max(1, n_tokens // 2)
                return
            self._finish(pieces, GenerationError(f"the hf backend failed to score {n_tokens} tokens: {error!r}. Run again."))

    def _drop_cancelled(self) -> None:
        if self._waiting and self._waiting[0].future.done():
            self._cache = None
        self._waiting = deque(request for request in self._waiting if not request.future.done())

    def _next_pieces(self) -> list[Piece]:
        """The next part of the first request, or whole requests that fit into one pass together."""
        pieces: list[Piece] = []
        room = self._most
        for request in self._waiting:
            if request.n_trunk or request.n_tokens > room:
                break
            pieces.append(next_piece(request, request.n_tokens))
            room -= request.n_tokens
        return pieces or [next_piece(self._waiting[0], self._most)]

    def _compute(self, pieces: Sequence[Piece]) -> None:
        """The pieces' rows are with their requests, and requests that are complete have left."""
        first = pieces[0]
        is_long = first.request.n_trunk > 0 or len(first.positions) < len(first.request.positions)
        if is_long and self._cache is None:
            self._cache = Cache(layer_class_to_replicate=GrowingLayer)
        scored = compute(self._loaded.model, pieces, self._cache, self._windows_for(pieces))
        for piece, rows in zip(pieces, scored, strict=True):
            request = piece.request
            request.n_forwarded += piece.n_tokens
            request.n_trunk = piece.trunk_end
            request.rows += rows
            if any(math.isnan(value) for row in rows for value in row):
                self._finish([piece], GenerationError(_NOT_NUMBERS))
            elif len(request.rows) == len(request.positions):
                self._finish([piece])

    def _finish(self, pieces: Sequence[Piece], error: GenerationError | None = None) -> None:
        """The pieces' requests have their scores, or the error, and have left."""
        for request in [piece.request for piece in pieces]:
            if request is self._waiting[0]:
                self._cache = None
            self._waiting.remove(request)
            with suppress(InvalidStateError):
                if error is not None:
                    request.future.set_exception(error)
                else:
                    request.future.set_result(PositionScores(tuple(request.rows), request.n_forwarded))

    def _windows_for(self, pieces: Sequence[Piece]) -> Mapping[str, int | None]:
        """The windows that the masks need: none if every token is nearer than that."""
        return self._windows if any(self._binds(piece.request) for piece in pieces) else {"": None}

    def _binds(self, request: ScoreRequest) -> bool:
        narrowest = min((window for window in self._windows.values() if window), default=math.inf)
        return request.positions[-1] + len(request.continuation_ids) > narrowest

    def _problem(self, pieces: Sequence[Piece]) -> str:
        """Why this model cannot be scored so; empty if it can. The first requests of each kind cost a test."""
        for piece in pieces:
            n_tokens = piece.request.positions[-1] + len(piece.request.continuation_ids)
            if n_tokens > self._longest:
                return (
                    f"{n_tokens} tokens are longer than {self._longest:.0f}, from where the rotary embedding of this model depends "
                    "on a sequence's length, so prefixes cannot share a pass. Use --backend vllm."
                )
            binds = self._binds(piece.request)
            if binds not in self._tested:
                self._tested[binds] = self._test(binds)
            if problem := self._tested[binds]:
                return problem
        return ""

    def _test(self, binds: bool) -> str:
        """Compares a branched pass with plain ones over random tokens, and more of them than the narrowest window if it binds."""
        model, n_tokens = self._loaded.model, _TEST_TOKENS
        if binds:
            n_tokens += min(window for window in self._windows.values() if window)
        rng = random.Random(0)
        *ids, first, second = (rng.randrange(self._loaded.n_vocab) for _ in range(n_tokens + 2))
        positions = (n_tokens // 2, n_tokens)
        try:
            got = _score_in_parts(model, tuple(ids), positions, (first, second), self._windows if binds else {"": None})
            wanted = [_score_plainly(model, [*ids[:position], first, second]) for position in positions]
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            return f"this model takes no mask of its own ({error!r}), so the hf backend cannot score it. Use --backend vllm."
        gap = max(abs(a - b) for a, b in zip(got, wanted, strict=True))
        if gap <= _TOLERANCE[model.dtype]:
            return ""
        return (
            f"this model's attention is not causal as its configuration says: a branch differs by {gap:.2g} nats from a plain "
            f"pass, wanted at most {_TOLERANCE[model.dtype]}. Use --backend vllm."
        )


def _score_in_parts(
    model: Any,
    ids: tuple[int, ...],
    positions: tuple[int, ...],
    continuation: tuple[int, int],
    windows: Mapping[str, int | None],
) -> list[float]:
    """The log-probability of the continuation's second token after each position, computed in two passes with a cache."""
    request = ScoreRequest(ids, positions, continuation, 1, Future())
    cache = Cache(layer_class_to_replicate=GrowingLayer)
    while len(request.rows) < len(positions):
        piece = next_piece(request, len(ids) // 2 + 1)
        request.rows += compute(model, [piece], cache, windows)[0]
        request.n_trunk = piece.trunk_end
    return [row[0] for row in request.rows]


def _score_plainly(model: Any, ids: list[int]) -> float:
    """The log-probability of the last token."""
    out = model(input_ids=torch.tensor([ids[:-1]], device=model.device), use_cache=False, logits_to_keep=1)
    return float(out.logits[0, -1].float().log_softmax(-1)[ids[-1]])


def attention_windows(config: Any) -> dict[str, int | None]:
    """How many tokens each kind of layer attends to, itself included; None for all. Every model has one kind at least."""
    window = getattr(config, "sliding_window", None)
    kinds = dict.fromkeys(getattr(config, "layer_types", None) or ())
    if not kinds:
        return {"": window}
    return {kind: window if kind == "sliding_attention" else None for kind in kinds}


def longest_rotation(config: Any) -> float:
    """The most tokens for which the angles of the rotary embedding do not depend on the sequence's length."""
    given = getattr(config, "rope_parameters", None) or {}
    by_kind = [given, *(value for value in given.values() if isinstance(value, Mapping))]
    return min(
        (rope["original_max_position_embeddings"] for rope in by_kind if rope.get("rope_type") == "longrope"),
        default=math.inf,
    )
