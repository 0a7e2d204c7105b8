"""A batch of rows that decode together over one key-value cache; rows can join it and leave it."""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional
from transformers.cache_utils import Cache, DynamicLayer

from raml_eval.backends.hf_sampling import BatchSampling, draw_tokens
from raml_eval.types import Completion, SamplingParams, TokenIds


@dataclass(slots=True, eq=False)
class Row:
    """One request that is being drawn: its tokens so far, and the future that gets its completion."""

    prompt_ids: TokenIds
    params: SamplingParams
    future: Future[Completion]
    drawn_ids: list[int] = field(default_factory=list)
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rewind()

    def rewind(self) -> None:
        """The row's noise is in the state that its drawn tokens left it in: one number per token."""
        self.rng = random.Random(self.params.seed)
        for _ in self.drawn_ids:
            self.rng.random()

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.drawn_ids)

    @property
    def token_ids(self) -> TokenIds:
        return (*self.prompt_ids, *self.drawn_ids)


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer in buffers with room to grow, so that a step writes its columns and copies nothing.

    length counts the columns that hold something. A caller may lower it: the next columns overwrite what lies behind.
    """

    def __init__(self) -> None:
        super().__init__()
        self.length = 0

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> tuple[Any, Any]:
        start, self.length = self.length, self.length + key_states.shape[2]
        if start == 0:
            # A prefill attends over its own columns only; join makes the buffers.
            self.keys, self.values, self.is_initialized = key_states, value_states, True
            return key_states, value_states
        if self.length > self.keys.shape[2]:
            self.keys, self.values = _grown(self.keys, start, self.length), _grown(self.values, start, self.length)
        self.keys[:, :, start : self.length] = key_states
        self.values[:, :, start : self.length] = value_states
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def get_seq_length(self) -> int:
        return self.length


def _grown(buffer: torch.Tensor, n_kept: int, n_columns: int) -> torch.Tensor:
    rows, heads, _, size = buffer.shape
    grown = buffer.new_empty(rows, heads, _with_room(n_columns), size)
    grown[:, :, :n_kept] = buffer[:, :, :n_kept]
    return grown


class Batch:
    """Rows that decode together, aligned at their last column: shorter rows have padding in front.

    rows holds None in the place of a row that has left; that place is still computed until the next join. mask, bool of
    shape (rows, columns), is False on padding. The last token of each row, shape (rows,), is drawn but not in the cache yet.
    """

    def __init__(self, model: Any, n_vocab: int, rows: Sequence[Row], cache: Cache, mask: torch.Tensor) -> None:
        self.model = model
        self.n_vocab = n_vocab
        self.rows: list[Row | None] = list(rows)
        self.cache = cache
        self.mask = mask
        self.last = torch.zeros(len(rows), dtype=torch.long, device=mask.device)
        self.positions = mask.sum(1)
        params, token_ids = [row.params for row in rows], [row.token_ids for row in rows]
        self.sampling = BatchSampling.of(params, token_ids, n_vocab, mask.device)
        self.n_steps = 0

    @property
    def live(self) -> list[Row]:
        return [row for row in self.rows if row is not None]

    @property
    def bytes_per_token(self) -> int:
        """The bytes that one token of one row takes in the cache, padding included."""
        tensors = [t for layer in self.cache.layers for t in (layer.keys, layer.values)]
        return sum(t.shape[1] * t.shape[3] * t.element_size() for t in tensors)

    def drop(self, rows: Collection[Row]) -> Collection[Row]:
        """The rows have left the batch, and are returned."""
        self.rows = [None if row in rows else row for row in self.rows]
        return rows

    def step(self) -> None:
        """Every live row has one more drawn token."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.rows), 1)], dim=1)
        logits = _logits(self.model, self.last.unsqueeze(1), self.positions.unsqueeze(1), self.mask, self.cache)
        self.positions = self.positions + 1
        self.n_steps += 1
        self.draw(logits)

    def draw(self, logits: torch.Tensor) -> None:
        """Every live row has the token that its noise picks from its logits, or -1 if those are not numbers."""
        noise = [row.rng.random() if row else 0.0 for row in self.rows]
        tokens = draw_tokens(logits, self.sampling, noise)
        for row, token_id in zip(self.rows, tokens.where(~logits.isnan().any(1), -1).tolist(), strict=True):
            if row is not None:
                row.drawn_ids.append(token_id)
        self.last = tokens


def prefill(model: Any, rows: Sequence[Row], n_vocab: int) -> Batch:
    """A batch of these rows. The tokens of each row are in the cache, and one more is drawn."""
    width = max(map(len, rows))
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = torch.tensor(row.token_ids)
        mask[i, width - len(row) :] = True
    ids, mask = ids.to(model.device), mask.to(model.device)
    batch = Batch(model, n_vocab, rows, Cache(layer_class_to_replicate=GrowingLayer), mask)
    batch.draw(_logits(model, ids, (mask.cumsum(1) - 1).clamp(min=0), mask, batch.cache))
    return batch


def join(batches: Sequence[Batch], rows: Collection[Row]) -> Batch:
    """One batch of the given rows of these batches, without the columns that none of them needs.

    The old caches are taken apart layer by layer, so that the peak of memory is one layer above old and new caches together.
    """
    parts: list[tuple[Batch, torch.Tensor]] = []
    kept: list[Row] = []
    for batch in batches:
        places = [i for i, row in enumerate(batch.rows) if row in rows]
        if places:
            parts.append((batch, torch.tensor(places, device=batch.mask.device)))
            kept += [row for row in batch.rows if row is not None and row in rows]
    width = max(int(batch.mask[at].sum(1).max()) for batch, at in parts)
    layers = []
    for olds in zip(*(batch.cache.layers for batch, _ in parts), strict=True):
        layer = GrowingLayer()
        columns = [(old.length, at) for old, (_, at) in zip(olds, parts, strict=True)]
        layer.keys = _stack([(old.keys[:, :, :n], at) for old, (n, at) in zip(olds, columns, strict=True)], width)
        layer.values = _stack([(old.values[:, :, :n], at) for old, (n, at) in zip(olds, columns, strict=True)], width)
        layer.length, layer.is_initialized = width, True
        layers.append(layer)
        for old in olds:
            old.keys = old.values = None
    mask = torch.cat(
        [functional.pad(batch.mask[at], (max(0, width - batch.mask.shape[1]), 0))[:, -width:] for batch, at in parts]
    )
    joined = Batch(batches[0].model, batches[0].n_vocab, kept, Cache(layers=layers), mask)
    joined.last = torch.cat([batch.last[at] for batch, at in parts])
    return joined


def _stack(parts: Sequence[tuple[torch.Tensor, torch.Tensor]], width: int) -> torch.Tensor:
    """The chosen rows of tensors (rows, heads, columns, size). They end at column width, with zeros before and room after."""
    heads, size = parts[0][0].shape[1], parts[0][0].shape[3]
    # Zeros, not uninitialised memory: a masked column still enters the sum, and 0 times a stray NaN is NaN.
    stacked = parts[0][0].new_zeros(sum(len(at) for _, at in parts), heads, _with_room(width), size)
    start = 0
    for tensor, at in parts:
        n = min(width, tensor.shape[2])
        stacked[start : start + len(at), :, width - n : width] = tensor[:, :, tensor.shape[2] - n :].index_select(0, at)
        start += len(at)
    return stacked


def _with_room(n_columns: int) -> int:
    return n_columns + max(64, n_columns // 4)


def _logits(model: Any, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: Cache) -> torch.Tensor:
    """The logits after the last column, (rows, vocabulary), in float32."""
    out = model(
        input_ids=ids,
        position_ids=positions,
        attention_mask=mask,
        use_cache=True,
        logits_to_keep=1,
        **{cache_argument(type(model)): cache},  # type: ignore[arg-type]
    )
    return out.logits[:, -1].float()


@functools.cache
def cache_argument(kind: Any) -> str:
    """The name of the cache argument, which transformers 5.24 changed for one model after the other."""
    return "cache" if "cache" in inspect.signature(kind.forward).parameters else "past_key_values"
