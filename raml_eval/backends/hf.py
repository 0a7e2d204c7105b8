"""The engine on transformers: coroutines hand in rows, and one worker thread decodes them in batches."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import torch

from raml_eval.backends.alike import check_alike
from raml_eval.backends.hf_batch import Row
from raml_eval.backends.hf_branches import ScoreRequest
from raml_eval.backends.hf_losses import HeldWeights, hold_weights
from raml_eval.backends.hf_model import HfArgs, LoadedModel, load_beside, load_model
from raml_eval.backends.hf_scheduler import Scheduler, fail
from raml_eval.backends.hf_scoring import Scoring
from raml_eval.backends.requests import check_request, check_scoring
from raml_eval.checkpoint import Checkpoint
from raml_eval.errors import GenerationError, ModelError, SwapRefused
from raml_eval.protocols import PositionScores
from raml_eval.types import BackendDescription, Completion, SamplingParams


class HfBackend:
    """A checkpoint in this process. One thread owns the model; what is asked for is queued, and its caller waits for it.

    While rows are drawn and others scored, the thread does a step of the one and a pass of the other in turn.
    """

    def __init__(self, checkpoint: Checkpoint, loaded: LoadedModel, args: HfArgs) -> None:
        self.description: BackendDescription = loaded.description
        self.swapped: Mapping[str, str] = {}
        self._checkpoint, self._args = checkpoint, args
        self._n_vocab = loaded.n_vocab
        self._threads = loaded.threads
        self._scheduler = Scheduler(loaded, args)
        self._scoring = Scoring(loaded, args)
        self._waiting: deque[Row] = deque()
        self._unscored: deque[ScoreRequest] = deque()
        self._jobs: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._held = False
        self._wake = threading.Condition()
        self._closed = False
        self._worker = threading.Thread(target=self._work, name="hf-worker", daemon=True)
        self._worker.start()

    async def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        """The row's draw, in full. GenerationError if it cannot fit, its batch failed, or the backend is closed."""
        check_request(prompt_ids, params, context=self.description.context, n_vocab=self._n_vocab)
        row = Row(tuple(prompt_ids), params, Future())
        self._queue(row, self._waiting)
        return await asyncio.wrap_future(row.future)

    async def score_at(
        self, token_ids: Sequence[int], positions: Sequence[int], continuation_ids: Sequence[int], n_scored: int
    ) -> PositionScores:
        """The model's log-probabilities, at most len(token_ids) + len(positions) * len(continuation_ids) tokens computed.

        The errors are those of generate, and for a model whose tokens depend on more than a causal attention's mask.
        """
        fits = {"context": self.description.context, "n_vocab": self._n_vocab}
        check_scoring(token_ids, positions, continuation_ids, n_scored, **fits)
        request = ScoreRequest(tuple(token_ids), tuple(positions), tuple(continuation_ids), n_scored, Future())
        self._queue(request, self._unscored)
        return await asyncio.wrap_future(request.future)

    def _queue(self, asked: Any, queue: deque[Any]) -> None:
        """The worker will see to it. GenerationError if the backend is closed."""
        with self._wake:
            if self._closed:
                raise GenerationError("the hf backend is closed. Open a new one.")
            queue.append(asked)
            self._wake.notify()

    async def swap_weights(self, checkpoint: Checkpoint) -> None:
        """The other checkpoint's model stands in place of this one, and its weights are those of its files.

        It is loaded beside the old one, as at the start and with the same checks, so that nothing old can be left in it, and
        the worker, the libraries and their start are kept. The errors are those of WeightSwap.
        """
        check_alike(self._checkpoint, checkpoint)
        if self._held:
            raise SwapRefused("the hf backend's weights are being moved, so they cannot be swapped. Wait for the end of that.")
        if self._closed or any(not one.future.done() for one in self._asked()):
            raise SwapRefused(
                "the hf backend is closed or still drawing, so its weights cannot be swapped. Wait for its draws."
            )
        loaded, tested = await asyncio.to_thread(load_beside, self._scheduler.loaded, checkpoint, self._args)
        details = {**self.description.details, "weight_checks": loaded.description.details["weight_checks"]}
        self.description = replace(self.description, details=details)
        self._scheduler, self._scoring = Scheduler(loaded, self._args), Scoring(loaded, self._args)
        self._checkpoint, self.swapped = checkpoint, tested

    @asynccontextmanager
    async def movable_weights(self, embeddings: bool = False) -> AsyncIterator[HeldWeights]:
        """The weights, which can be moved (WeightAccess). ModelError if somebody else moves them at this time."""
        if self._held:
            raise ModelError("the hf backend's weights are being moved already. Wait for the end of that.")
        self._held = True
        try:
            loaded, most = self._scheduler.loaded, self._args.max_batch_tokens
            async with hold_weights(loaded, embeddings, self._alone, self.description.context, most) as held:
                yield held
        finally:
            self._held = False

    async def _alone(self, job: Callable[[], Any]) -> Any:
        """What the job returns, or raises. It runs on the worker, between two steps of the draws, and to its end."""
        future: Future[Any] = Future()
        with self._wake:
            if self._closed:
                raise GenerationError("the hf backend is closed. Open a new one.")
            self._jobs.append((job, future))
            self._wake.notify()
        return await asyncio.wrap_future(future)

    async def aclose(self) -> None:
        """The worker has ended, and rows that were still being drawn have failed."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        await asyncio.to_thread(self._worker.join)

    def _work(self) -> None:
        if self._threads:
            torch.set_num_threads(self._threads)  # for this thread only; the main thread keeps its own number
        while True:
            with self._wake:
                self._wake.wait_for(self._has_work)
                if self._closed:
                    break
                rows, requests, jobs = list(self._waiting), list(self._unscored), list(self._jobs)
                self._waiting.clear()
                self._unscored.clear()
                self._jobs.clear()
            for job, future in jobs:
                _run_job(job, future)
            if rows or self._scheduler.busy:
                self._scheduler.run_step(rows)
            if requests or self._scoring.busy:
                self._scoring.run_pass(requests)
        for one in self._asked():
            fail(one, "the hf backend was closed before the request was complete. Run again.")
        for _, future in self._jobs:
            with suppress(InvalidStateError):
                future.set_exception(GenerationError("the hf backend was closed before the work was done. Run again."))

    def _has_work(self) -> bool:
        return bool(self._closed or self._jobs or self._waiting or self._unscored or self._scheduler.busy or self._scoring.busy)

    def _asked(self) -> list[Row | ScoreRequest]:
        """Everything that is queued or under way."""
        return [*self._waiting, *self._scheduler.rows, *self._unscored, *self._scoring.requests]


def _run_job(job: Callable[[], Any], future: Future[Any]) -> None:
    """The future has what the job returns or raises, unless nobody waits for it any more."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job())
    except BaseException as error:
        future.set_exception(error)


async def open_engine(checkpoint: Checkpoint, *, args: Mapping[str, Any]) -> HfBackend:
    """The checkpoint is loaded and its worker started. ConfigError for a wrong argument, ModelError if it cannot be loaded."""
    parsed = HfArgs.parse(args)
    return HfBackend(checkpoint, await asyncio.to_thread(load_model, checkpoint, parsed), parsed)
