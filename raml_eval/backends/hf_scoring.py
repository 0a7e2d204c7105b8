"""Scores continuations after many prefixes for the hf backend, a bounded number of tokens at a time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from concurrent.futures import InvalidStateError
from contextlib import suppress
from itertools import islice

import torch
from transformers.cache_utils import Cache

from raml_eval.backends.hf_batch import GrowingLayer
from raml_eval.backends.hf_branches import Piece, ScoreRequest, compute, next_piece
from raml_eval.backends.hf_masks import Masks
from raml_eval.backends.hf_model import HfArgs, LoadedModel
from raml_eval.backends.hf_scheduler import fail, is_out_of_memory
from raml_eval.protocols import PositionScores

# Tokens of one pass. The mask grows with its square, and so does the work on pairs of tokens that never see each other.
_PASS_TOKENS = {"cpu": 384, "cuda": 2048}
_FEWEST = 16  # tokens of a pass below which a lack of memory is no matter of the pass any more
_NOT_NUMBERS = "the model's logits are not numbers. Load it with another dtype, for example dtype=float32."


class Scoring:
    """The requests that are being scored. A failure reaches only the futures of the requests concerned, never the caller.

    Short requests share a pass. A longer one is computed alone, in several passes, which keep its trunk in a cache.
    """

    def __init__(self, loaded: LoadedModel, args: HfArgs) -> None:
        self._loaded = loaded
        self._most = min(args.max_batch_tokens, _PASS_TOKENS.get(loaded.model.device.type, 384))
        self._waiting: deque[ScoreRequest] = deque()
        self._cache: Cache | None = None  # of the first request, if that is a long one under way
        self._masks = Masks(loaded.model, loaded.n_vocab)

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
        while self._waiting and self._waiting[0].future.done():  # cancelled
            self._waiting.popleft()
            self._cache = None
        pieces = self._next_pieces()
        try:
            with torch.inference_mode():
                self._compute(pieces)
        except Exception as error:
            pieces = [piece for piece in pieces if piece.request in self._waiting]
            n_tokens = sum(piece.n_tokens for piece in pieces)
            if is_out_of_memory(error) and n_tokens > _FEWEST:
                self._most = max(1, n_tokens // 2)
            else:
                for piece in pieces:
                    self._fail(piece, f"the hf backend failed to score {n_tokens} tokens: {error!r}. Run again.")

    def _next_pieces(self) -> list[Piece]:
        """The next part of the first request, or whole requests that fit into one pass together."""
        pieces: list[Piece] = []
        room = self._most
        for request in self._waiting:
            if request.n_trunk or request.n_tokens > room:
                break
            pieces.append(next_piece(request, request.n_tokens))
            room -= request.n_tokens
        return pieces or [next_piece(request, self._most) for request in islice(self._waiting, 1)]

    def _compute(self, pieces: Sequence[Piece]) -> None:
        """The pieces' rows are with their requests. Requests that are complete, or that the model cannot score, have left."""
        for piece in pieces:
            if problem := self._masks.problem(piece.request):
                self._fail(piece, problem)
        pieces = [piece for piece in pieces if not piece.request.future.done()]
        if not pieces:
            return
        first = pieces[0]
        if self._cache is None and len(first.positions) < len(first.request.positions):
            self._cache = Cache(layer_class_to_replicate=GrowingLayer)
        windows = self._masks.windows([piece.request for piece in pieces])
        scored = compute(self._loaded.model, pieces, self._cache, windows)
        for piece, rows in zip(pieces, scored, strict=True):
            request = piece.request
            request.n_forwarded += piece.n_tokens
            request.n_trunk = piece.trunk_end
            request.rows += rows
            if any(math.isnan(value) for row in rows for value in row):
                self._fail(piece, _NOT_NUMBERS)
            elif len(request.rows) == len(request.positions):
                self._leave(request)
                with suppress(InvalidStateError):
                    request.future.set_result(PositionScores(tuple(request.rows), request.n_forwarded))

    def _fail(self, piece: Piece, message: str) -> None:
        self._leave(piece.request)
        fail(piece.request, message)

    def _leave(self, request: ScoreRequest) -> None:
        if request is self._waiting[0]:
            self._cache = None
        self._waiting.remove(request)
