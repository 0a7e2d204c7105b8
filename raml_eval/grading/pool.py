"""Graders in processes that can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from raml_eval.errors import RamlError
from raml_eval.grading.answer_classes import answer_classes
from raml_eval.grading.code.grader import CodeGrader
from raml_eval.grading.extraction import Extraction
from raml_eval.grading.kinds import KINDS, Decision, grade_decided, grade_unread, kind_of, read_completion
from raml_eval.grading.math.spelling import simplify_latex
from raml_eval.grading.rule.grader import RuleGrader
from raml_eval.sandbox.inside.awake import AwakeTime
from raml_eval.types import Finish, Grade, Question, Status

START_LIMIT_S = 180.0  # importing sympy takes seconds; on a loaded machine many
MEMORY_BYTES = 4 << 30

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from raml_eval.grading.worker import serve; serve(int(sys.argv[2]), int(sys.argv[3]))"
)


class WorkerDied(Exception):
    """The worker ended without a reply."""


class WorkerStopped(Exception):
    """The worker was killed at its time limit."""


class Worker:
    """One process that compares; started, and ready, when the constructor returns. Used by one thread."""

    def __init__(self) -> None:
        program = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), str(os.getpid()), str(MEMORY_BYTES)]
        self.process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        try:
            ready = json.loads(self._read_line(START_LIMIT_S))
        except WorkerStopped:
            raise RamlError(f"a grading worker was not ready after {START_LIMIT_S:.0f} s; is the machine overloaded?") from None
        if "failed" in ready:
            self.kill()
            raise RamlError(f"a grading worker could not load math-verify ({ready['failed']}); reinstall raml-eval")

    def compare(self, gold: str, answer: str, either_order: bool, limit_s: float) -> Decision:
        """What symbolic_math says. Raises WorkerStopped after limit_s seconds, WorkerDied where the process ended."""
        request = json.dumps({"gold": gold, "answer": answer, "either_order": either_order}) + "\n"
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(request.encode())
        except OSError:
            self.kill()
            raise WorkerDied(describe_exit(self.process.returncode)) from None
        reply = json.loads(self._read_line(limit_s))
        return Decision(bool(reply["equal"]), str(reply["decided_by"]))

    def _read_line(self, limit_s: float) -> bytes:
        assert self.process.stdout is not None
        waited = AwakeTime()
        line = b""
        while not line.endswith(b"\n"):
            if not waited.readable(self.process.stdout, limit_s):
                self.kill()
                raise WorkerStopped
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                self.kill()
                raise WorkerDied(describe_exit(self.process.returncode))
            line += chunk
        return line

    def kill(self) -> None:
        """The process is gone and its pipes are closed."""
        end_process(self.process)


def end_process(process: subprocess.Popen[bytes]) -> None:
    """The process is killed and reaped, and its pipes are closed."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def describe_exit(code: int) -> str:
    """How a process of this return code ended."""
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class GradingPool:
    """Grades under a wall-clock limit; safe from any thread and any event loop. Close it when done.

    What spelling and exact numbers decide is decided in the caller; only sympy runs in workers, which start when
    first needed. Equal (gold, answer) pairs are compared once. timeout_s is seconds per comparison, counted from when a
    ready worker has it. workers: processes; by default half the usable cores, from 1 to 4. code grades programs, as many
    at once as there are usable cores. rules grades by verifiers, in as many processes as workers.
    """

    def __init__(
        self, workers: int | None = None, timeout_s: float = 5.0, allow_unsafe_code: bool = False, test_timeout_s: float = 10.0
    ) -> None:
        usable = usable_cores()
        self.workers = workers if workers is not None else max(1, min(4, usable // 2))
        self.timeout_s = timeout_s
        self.n_compared = 0  # comparisons that workers were asked for
        # One thread owns one worker, and outlives it: the kernel kills a worker with the thread that started it.
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="grading")
        self._own = threading.local()
        self._alive: set[Worker] = set()
        self._decisions: dict[tuple[str, str, bool], Future[Decision | None]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._pid = os.getpid()
        self.code = CodeGrader(usable, test_timeout_s, allow_unsafe_code)
        self.rules = RuleGrader(self.workers, timeout_s, allow_unsafe_code)

    async def grade(self, gold: str, answer_text: str, kind: str = "math", options: Sequence[str] = ()) -> Grade:
        """The verdict on a finished answer text, thinking removed.

        Status TIMEOUT if the comparison was stopped at its limit. Raises ConfigError (unknown kind), TaskError (a
        gold that can have no right answer), and RamlError if two workers in a row died: an error is not an answer.
        """
        if (sandboxed := self._in_sandbox(gold, answer_text, kind)) is not None:
            return await asyncio.wrap_future(sandboxed)
        found = read_completion(answer_text, kind, options)
        return await self._verdict(gold, found, kind, options)

    async def grade_sample(self, question: Question, answer: str, finish: Finish | None) -> Grade:
        """The verdict on a sample's answer as it is stored. finish None: no answer could be drawn.

        An answer that was cut off counts only what it had finished saying: a box and its like, or a whole sentence or line.
        One whose end is unknown, since it was imported, counts as finished.
        """
        if finish is None:
            return Grade(Status.UNFINISHED, None, detail="the thinking never closed")
        cut_off, kind = finish is Finish.LENGTH, question.grader
        if (sandboxed := self._in_sandbox(question.gold, answer, kind, cut_off)) is not None:
            return await asyncio.wrap_future(sandboxed)
        found = read_completion(answer, kind, question.options)
        if cut_off and not (found is not None and found.closed):
            whole = answer[: max(answer.rfind("\n"), answer.rfind(". ")) + 1]
            found = read_completion(whole, kind, question.options)
            if found is not None and (found.answer is None or found.concluded):
                return Grade(Status.UNFINISHED, None, detail="the answer ran out of tokens")
        return await self._verdict(question.gold, found, kind, question.options)

    def grade_blocking(self, gold: str, answer_text: str, kind: str = "math", options: Sequence[str] = ()) -> Grade:
        """As grade, for callers without an event loop; blocks the calling thread."""
        if (sandboxed := self._in_sandbox(gold, answer_text, kind)) is not None:
            return sandboxed.result()
        found = read_completion(answer_text, kind, options)
        if found is None or found.answer is None:
            return grade_unread(found, kind)
        decision = self._decide(gold, found.answer, kind, options)
        return self._graded(found, decision.result() if isinstance(decision, Future) else decision)

    async def classes(self, answers: Sequence[str], kind: str = "math") -> dict[str, int]:
        """Each distinct extracted answer of one question with the number of its class; see answer_classes."""
        return await asyncio.to_thread(self.classes_blocking, answers, kind)

    def classes_blocking(self, answers: Sequence[str], kind: str = "math") -> dict[str, int]:
        """As classes, for callers without an event loop; blocks the calling thread."""
        return answer_classes(answers, kind, self._equal)

    def close(self) -> None:
        """No worker is left; what was still being compared raises RamlError. Closing twice is harmless."""
        if self._pid != os.getpid():  # a forked copy: the workers belong to the original
            return
        with self._lock:
            self._closed = True
            alive = list(self._alive)
        self.code.close()
        self.rules.close()
        for worker in alive:
            worker.process.kill()  # wakes the thread that waits for it
        self._threads.shutdown(wait=True)  # what is queued finds the pool closed
        for worker in alive:
            worker.kill()

    def _in_sandbox(self, gold: str, answer: str, kind: str, cut_off: bool = False) -> Future[Grade] | None:
        """The verdict to come of a kind that needs a sandbox; None for any other kind."""
        if kind_of(kind).runs_programs:
            return self.code.grade(gold, answer, cut_off=cut_off)
        return self.rules.grade(gold, answer, cut_off=cut_off) if kind_of(kind).runs_rules else None

    async def _verdict(self, gold: str, found: Extraction | None, kind: str, options: Sequence[str]) -> Grade:
        if found is None or found.answer is None:
            return grade_unread(found, kind)
        decided = self._decide(gold, found.answer, kind, options)
        waited = await asyncio.shield(asyncio.wrap_future(decided)) if isinstance(decided, Future) else decided
        return self._graded(found, waited)

    def _decide(self, gold: str, answer: str, kind: str, options: Sequence[str]) -> Decision | Future[Decision | None]:
        """Whether the answer is the gold: at once if spelling and exact numbers tell, else from a worker."""
        decision = KINDS[kind].compare(gold, answer, options)
        if decision is None:
            return self._compare(KINDS[kind].symbolic_gold(gold), answer, either_order=False)
        return decision

    def _graded(self, found: Extraction, decision: Decision | None) -> Grade:
        if decision is None:
            detail = f"the comparison was stopped after {self.timeout_s:g} s"
            return Grade(Status.TIMEOUT, found.answer, found.rule, detail)
        return grade_decided(found, decision)

    def _equal(self, a: str, b: str) -> bool | None:
        decision = self._compare(min(a, b), max(a, b), either_order=True).result()
        return None if decision is None else decision.equal

    def _compare(self, gold: str, answer: str, either_order: bool) -> Future[Decision | None]:
        """The one future of this pair, shared by all who ask; None in it: stopped at the limit."""
        pair = (simplify_latex(gold), simplify_latex(answer), either_order)
        with self._lock:
            self._refuse_closed()
            future = self._decisions.get(pair)
            if future is None:
                self.n_compared += 1
                future = self._decisions[pair] = self._threads.submit(self._compare_in_worker, *pair)
                future.add_done_callback(lambda done: self._forget_failure(pair, done))
            return future

    def _forget_failure(self, pair: tuple[str, str, bool], done: Future[Decision | None]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._decisions.pop(pair, None)

    def _compare_in_worker(self, gold: str, answer: str, either_order: bool) -> Decision | None:
        reason = ""
        for _ in range(2):
            try:
                worker = self._own_worker()
                return worker.compare(gold, answer, either_order, self.timeout_s)
            except WorkerStopped:
                return None
            except WorkerDied as died:
                self._refuse_closed()
                reason = str(died)
        raise RamlError(
            f"two grading workers died ({reason}) while comparing {answer[:80]!r} with the gold {gold[:80]!r}; nothing "
            "was graded. Is the machine out of memory?"
        )

    def _own_worker(self) -> Worker:
        """This thread's worker, alive; a new one where there is none yet or the last one is gone."""
        worker: Worker | None = getattr(self._own, "worker", None)
        if worker is not None:
            if worker.process.poll() is None:
                return worker
            worker.kill()
        self._refuse_closed()
        self._own.worker = fresh = Worker()
        with self._lock:
            self._alive = {other for other in self._alive if other.process.returncode is None} | {fresh}
        if self._closed:
            fresh.kill()
        self._refuse_closed()
        return fresh

    def _refuse_closed(self) -> None:
        if self._closed:
            raise RamlError("this GradingPool is closed; what it was still comparing is not graded")
