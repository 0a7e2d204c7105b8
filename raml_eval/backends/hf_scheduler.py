"""Decides which rows decode together: rows join a running batch, leave it when complete, and share a bounded cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import InvalidStateError
from contextlib import suppress

import torch

from raml_eval.backends.hf_batch import Batch, Row, join, prefill
from raml_eval.backends.hf_branches import ScoreRequest
from raml_eval.backends.hf_model import HfArgs, LoadedModel
from raml_eval.backends.requests import completes_stop
from raml_eval.errors import GenerationError
from raml_eval.types import Completion, Finish

# Joining copies the cache, which costs about as much as a step. While rows are waiting, they join only this often.
_STEPS_BETWEEN_JOINS = 16


class Scheduler:
    """The rows that are being drawn. A failure reaches only the futures of the rows concerned, never the caller."""

    def __init__(self, loaded: LoadedModel, args: HfArgs) -> None:
        self._loaded = loaded
        self._max_rows = args.batch_size
        self._max_prefill_tokens = args.max_batch_tokens
        self._max_cache_tokens: int | None = None  # known once a first batch shows how many bytes a token takes
        self._waiting: list[Row] = []
        self._starting: list[Row] = []
        self._batch: Batch | None = None

    @property
    def loaded(self) -> LoadedModel:
        """The model that draws."""
        return self._loaded

    @property
    def busy(self) -> bool:
        """True if a step would do something without new rows."""
        return bool(self._waiting or self._batch)

    @property
    def rows(self) -> list[Row]:
        """Every row that is not complete yet."""
        return [*self._waiting, *self._starting, *(self._batch.live if self._batch else [])]

    def run_step(self, arrived: Sequence[Row]) -> None:
        """The arrived rows are queued, and every row of the batch has one more token."""
        self._waiting += arrived
        try:
            with torch.inference_mode():
                self._advance()
        except Exception as error:
            rows = [row for row in self.rows if row not in self._waiting and not row.future.done()]
            self._batch, self._starting = None, []
            if is_out_of_memory(error) and len(rows) > 1:
                self._retry_smaller(rows)
            else:
                for row in rows:
                    fail(row, f"the hf backend failed in a batch of {len(rows)}: {error!r}. Run again to draw it.")

    def _advance(self) -> None:
        if self._batch is None or self._must_reform(self._batch):
            self._reform()
        else:
            self._batch.step()
            self._settle(self._batch)

    def _must_reform(self, batch: Batch) -> bool:
        n_live = len(batch.live)
        if 4 * n_live <= 3 * len(batch.rows) or n_live > self._capacity(batch.live):
            return True
        return bool(self._waiting) and n_live < self._max_rows and batch.n_steps >= _STEPS_BETWEEN_JOINS

    def _reform(self) -> None:
        """The batch holds live rows only, and as many of the waiting ones have joined as there is room for."""
        self._waiting = [row for row in self._waiting if not row.future.done()]
        batches = [self._batch] if self._batch else []
        staying = self._batch.live if self._batch else []
        capacity = self._capacity(staying)
        if self._batch and len(staying) > capacity:
            # Drop an eighth more than needed, so that the rows that stay can grow for a while before the next copy.
            self._waiting[:0] = self._batch.drop(staying[max(1, 7 * capacity // 8) :])
        else:
            self._starting = self._admitted(staying)
        for rows in self._prefill_groups(self._starting):
            batches.append(prefill(self._loaded.model, rows, self._loaded.n_vocab))
            self._learn_cache_limit(batches[-1])
            self._settle(batches[-1])
        live = {row for batch in batches for row in batch.live}
        self._batch = join(batches, live) if live else None
        self._starting = []

    def _admitted(self, staying: Sequence[Row]) -> list[Row]:
        """The first waiting rows that fit beside the staying ones, taken from the queue."""
        n = min(len(self._waiting), self._max_rows - len(staying))
        while n > 0 and len(staying) + n > self._capacity([*staying, *self._waiting[:n]]):
            n -= 1
        if not staying and self._waiting:
            n = max(n, 1)  # a row wider than the whole cache limit still runs, alone
        admitted, self._waiting = self._waiting[:n], self._waiting[n:]
        return admitted

    def _capacity(self, rows: Sequence[Row]) -> int:
        """The number of rows, as wide as the widest of these, that the cache limit allows."""
        if self._max_cache_tokens is None or not rows:
            return self._max_rows
        return max(1, min(self._max_rows, self._max_cache_tokens // max(map(len, rows))))

    def _prefill_groups(self, rows: Sequence[Row]) -> Iterator[list[Row]]:
        """The rows sorted by length, in groups whose padded tokens stay below the limit of one forward pass."""
        group: list[Row] = []
        for row in sorted(rows, key=len):
            if group and len(row) * (len(group) + 1) > self._max_prefill_tokens:
                yield group
                group = []
            group.append(row)
        if group:
            yield group

    def _learn_cache_limit(self, batch: Batch) -> None:
        if self._max_cache_tokens is None:
            self._max_cache_tokens = int(self._loaded.cache_bytes / batch.bytes_per_token)

    def _settle(self, batch: Batch) -> None:
        """Rows that are complete, cancelled or broken have left the batch."""
        for i, row in enumerate(batch.rows):
            if row is None:
                continue
            if row.drawn_ids[-1] < 0:
                fail(row, "the model's logits are not numbers. Load it with another dtype, for example dtype=float32.")
            elif finish := self._finish(row):
                complete(row, Completion(tuple(row.drawn_ids), finish))
            elif not row.future.cancelled():
                continue
            batch.rows[i] = None

    def _finish(self, row: Row) -> Finish | None:
        params = row.params
        if row.drawn_ids[-1] in params.stop_ids:
            return Finish.STOP
        if params.stop_strings and completes_stop(self._loaded.tokenizer(), row.prompt_ids, row.drawn_ids, params.stop_strings):
            return Finish.STOP
        return Finish.LENGTH if len(row.drawn_ids) >= params.max_tokens else None

    def _retry_smaller(self, rows: list[Row]) -> None:
        """The rows are waiting again, with the tokens they have, for batches of half the size."""
        self._max_rows = max(1, len(rows) // 2)
        for row in rows:
            row.rewind()
        self._waiting[:0] = rows


def complete(row: Row, completion: Completion) -> None:
    """The row's caller has its completion, unless it was cancelled in the meantime."""
    with suppress(InvalidStateError):
        row.future.set_result(completion)


def fail(asked: Row | ScoreRequest, message: str) -> None:
    """The caller has a GenerationError, unless it was cancelled in the meantime."""
    with suppress(InvalidStateError):
        asked.future.set_exception(GenerationError(message))


def is_out_of_memory(error: Exception) -> bool:
    """True if the error says that the device had no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
