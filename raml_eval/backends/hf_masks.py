"""Whether a model can be scored in one pass with a mask of its own, as its configuration says and as a test shows."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import torch
from transformers.cache_utils import Cache

from raml_eval.backends.hf_batch import GrowingLayer
from raml_eval.backends.hf_branches import ScoreRequest, compute, next_piece

_TEST_TOKENS = 24
# How far two correct computations of a log-probability may differ, by the model's type.
_TOLERANCE: Mapping[torch.dtype, float] = {torch.float32: 1e-3, torch.float16: 0.1, torch.bfloat16: 0.5}
_NO_WINDOW: Mapping[str, int | None] = {"": None}


class Masks:
    """The attention windows of a model, and what was tested of it."""

    def __init__(self, model: Any, n_vocab: int) -> None:
        config = model.config.get_text_config()
        self._model, self._n_vocab = model, n_vocab
        self._windows = attention_windows(config)
        self._narrowest = min((window for window in self._windows.values() if window), default=0)
        self._longest = longest_rotation(config)
        self._tested: dict[bool, str] = {}  # the problem found, or nothing, with windows that bind and without

    def windows(self, requests: Sequence[ScoreRequest]) -> Mapping[str, int | None]:
        """The windows that the masks of these requests need: none if no token is so far from another."""
        return self._windows if any(map(self._binds, requests)) else _NO_WINDOW

    def problem(self, request: ScoreRequest) -> str:
        """Why this model cannot score the request exactly; empty if it can. The first request costs a test of the model.

        So does the first one that is longer than the narrowest window.
        """
        if (n_tokens := _length(request)) > self._longest:
            return (
                f"{n_tokens} tokens are longer than {self._longest:.0f}, from where the rotary embedding of this model depends "
                "on a sequence's length, so prefixes cannot share a pass. Use --backend vllm."
            )
        binds = self._binds(request)
        if binds not in self._tested:
            self._tested[binds] = self._test(binds)
        return self._tested[binds]

    def _binds(self, request: ScoreRequest) -> bool:
        return 0 < self._narrowest < _length(request)

    def _test(self, binds: bool) -> str:
        """Why a branched pass over random tokens is not what plain passes are. If windows bind, it is longer than one."""
        n_tokens = _TEST_TOKENS + (self._narrowest if binds else 0)
        rng = random.Random(0)
        *ids, first, second = (rng.randrange(self._n_vocab) for _ in range(n_tokens + 2))
        request = ScoreRequest(tuple(ids), (n_tokens // 2, n_tokens), (first, second), 1, Future())
        try:
            got = _score_in_parts(self._model, request, self.windows([request]))
            wanted = [_score_plainly(self._model, [*ids[:position], first, second]) for position in request.positions]
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            return f"this model takes no mask of its own ({error!r}), so the hf backend cannot score it. Use --backend vllm."
        gap, most = max(abs(a - b) for a, b in zip(got, wanted, strict=True)), _TOLERANCE[self._model.dtype]
        if gap <= most:
            return ""
        return (
            f"this model's attention is not causal as its configuration says: a branch differs by {gap:.2g} nats from a plain "
            f"pass, wanted at most {most}. Use --backend vllm."
        )


def _length(request: ScoreRequest) -> int:
    return request.positions[-1] + len(request.continuation_ids)


def _score_in_parts(model: Any, request: ScoreRequest, windows: Mapping[str, int | None]) -> list[float]:
    """The log-probability of the continuation's last token after each position, computed in several passes with a cache."""
    cache = Cache(layer_class_to_replicate=GrowingLayer)
    while len(request.rows) < len(request.positions):
        piece = next_piece(request, len(request.token_ids) // 2 + 1)
        request.rows += compute(model, [piece], cache, windows)[0]
        request.n_trunk = piece.trunk_end
    return [row[-1] for row in request.rows]


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
