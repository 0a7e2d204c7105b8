"""Grading processes, one per core, which take turns at chunks of stored answers."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from raml_eval.errors import RamlError
from raml_eval.grading.pool import describe_exit, end_process
from raml_eval.store.lines import question_line
from raml_eval.types import Finish, Question

CHUNK_ANSWERS = 256  # small enough that the last chunk does not keep one core busy while the others idle
CHUNK_CHARACTERS = 4_000_000

Answer = tuple[str, Finish | None]
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from raml_eval.regrade.worker import serve; serve(int(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == 'unsafe')"
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Distinct answers to one question, as they were stored."""

    question: Question
    answers: tuple[Answer, ...]

    def request(self) -> dict[str, Any]:
        samples = [[text, finish.value if finish else None] for text, finish in self.answers]
        return {"question": _ungraded_fields(self.question), "samples": samples}


def _ungraded_fields(question: Question) -> dict[str, Any]:
    return question_line(replace(question, messages=()))  # prompts are long, and no grader reads them


def split_answers(question: Question, answers: Iterable[Answer]) -> Iterator[Chunk]:
    """The answers in chunks, each limited in number and in size."""
    chunk: list[Answer] = []
    size = 0
    for answer in answers:
        if chunk and (len(chunk) >= CHUNK_ANSWERS or size + len(answer[0]) > CHUNK_CHARACTERS):
            yield Chunk(question, tuple(chunk))
            chunk, size = [], 0
        chunk.append(answer)
        size += len(answer[0])
    if chunk:
        yield Chunk(question, tuple(chunk))


class ProcessDied(Exception):
    """A grading process ended without a reply."""


class _Process:
    """One grading process, used by one thread."""

    def __init__(self, timeout_s: float, allow_unsafe_code: bool) -> None:
        program = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), str(os.getpid()), str(timeout_s)]
        program.append("unsafe" if allow_unsafe_code else "safe")
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            self._read_reply()  # the first reply says that it is ready
        except ProcessDied as died:
            raise RamlError(f"a grading process could not start ({died}). Reinstall raml-eval.") from died

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # _read_reply reports why the process is gone
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        return self._read_reply()

    def _read_reply(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.endswith(b"\n"):
            self.kill()
            raise ProcessDied(describe_exit(self.process.returncode))
        return dict(json.loads(line))

    def kill(self) -> None:
        end_process(self.process)


class Crew:
    """Grading processes, started when first needed. Leaving the context ends all of them, whatever they are doing."""

    def __init__(self, workers: int, timeout_s: float, allow_unsafe_code: bool = False) -> None:
        self.timeout_s, self.allow_unsafe_code = timeout_s, allow_unsafe_code
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="regrading")
        self._own = threading.local()
        self._alive: set[_Process] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._closed = True
            alive = list(self._alive)
        for process in alive:
            process.process.kill()  # wakes the thread that is waiting for a reply
        self._threads.shutdown(wait=True, cancel_futures=True)
        for process in alive:
            process.kill()

    def grade(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, list[dict[str, Any]]]]:
        """Each chunk, as it finishes, with the fields of its verdicts, or {"error": reason}, in the order of its answers."""
        futures = {self._threads.submit(self._grade, chunk): chunk for chunk in chunks}
        for future in as_completed(futures):
            yield futures.pop(future), future.result()

    def classes(self, answers: Iterable[tuple[Question, list[str]]]) -> Iterator[tuple[Question, dict[str, int] | None]]:
        """Each question with the classes of its answers, or None if a comparison failed, so that they must be formed later."""
        futures = {self._threads.submit(self._classes, question, given): question for question, given in answers}
        for future in as_completed(futures):
            yield futures.pop(future), future.result()

    def _grade(self, chunk: Chunk) -> list[dict[str, Any]]:
        try:
            return list(self._ask(chunk.request())["grades"])
        except ProcessDied as died:
            self._refuse_closed()
            if len(chunk.answers) == 1:
                reason = f"the grading process died twice ({died}); is the machine out of memory?"
                return [{"error": reason}]
            # One answer kills the process. Halving the chunk isolates it, so that the others are still graded.
            half = len(chunk.answers) // 2
            parts = (replace(chunk, answers=part) for part in (chunk.answers[:half], chunk.answers[half:]))
            return [verdict for part in parts for verdict in self._grade(part)]

    def _classes(self, question: Question, given: list[str]) -> dict[str, int] | None:
        try:
            return self._ask({"question": _ungraded_fields(question), "answers": given}).get("classes")
        except ProcessDied:
            self._refuse_closed()
            return None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply of this thread's process, or of a second one if the first died."""
        with contextlib.suppress(ProcessDied):
            return self._own_process().ask(request)
        return self._own_process().ask(request)

    def _own_process(self) -> _Process:
        self._refuse_closed()
        own: _Process | None = getattr(self._own, "process", None)
        if own is not None:
            if own.process.poll() is None:
                return own
            own.kill()
        self._own.process = process = _Process(self.timeout_s, self.allow_unsafe_code)
        with self._lock:
            self._alive = {other for other in self._alive if other.process.returncode is None} | {process}
        if self._closed:
            process.kill()
        return process

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ProcessDied("the regrading was given up")
