"""Grading by rules: the verdicts of verifiers, each answer scored once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from raml_eval.errors import RamlError
from raml_eval.grading.extraction import Extraction, drop_thinking
from raml_eval.grading.rule.read import NO_ANSWER_SCORE, extract_ruled, read_rule, without_marks
from raml_eval.sandbox.rule_process import RULES, RuleProcess, RuleProcessDied, Scored
from raml_eval.sandbox.trial import open_sandbox
from raml_eval.types import Grade, Status

_TRIAL_S = 120.0  # of one trial: loading a rule's packages takes seconds, and many on a busy machine


class RuleGrader:
    """Grades by rules, as many answers at a time as there are workers; safe from any thread. Close it when done.

    Equal answers under equal tests are scored once. limit_s is the wall-clock limit in seconds of one answer. rules is the
    folder of the rules' modules.
    """

    def __init__(self, workers: int, limit_s: float, allow_unsafe_code: bool = False, rules: Path = RULES) -> None:
        self.limit_s = limit_s
        self.n_scored = 0
        self._allow_unsafe_code = allow_unsafe_code
        self._rules = rules
        # One thread owns one process, and outlives it: the kernel kills a process with the thread that started it.
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="rules")
        self._verdicts: dict[bytes, Future[Scored]] = {}
        self._own = threading.local()
        self._alive: set[RuleProcess] = set()
        self._lock = threading.Lock()
        self._closed = False

    def open(self) -> str:
        """What verifiers run in, as the manifest names it. Raises ConfigError where there is no sandbox and none may be."""
        return open_sandbox(self._allow_unsafe_code).name

    def grade(self, gold: str, completion: str, cut_off: bool = False) -> Future[Grade]:
        """The verdict to come on a completion; gold is the JSON text of the tests. Raises TaskError for another gold.

        cut_off: the completion ran out of tokens, so that only what it had finished saying counts.
        """
        read = read_rule(gold)["read"]
        done: Future[Grade] = Future()
        done.set_running_or_notify_cancel()  # one caller who gives up must not cancel what others wait for
        found = _extract(completion, read, cut_off)
        if isinstance(found, Grade):
            done.set_result(found)
        else:
            assert found.answer is not None
            self._score(gold, found.answer).add_done_callback(lambda scored: self._pass_on(scored, found, done))
        return done

    def _score(self, gold: str, answer: str) -> Future[Scored]:
        key = hashlib.sha256("\0".join((gold, answer)).encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            self._refuse_closed()
            future = self._verdicts.get(key)
            if future is None:
                self.n_scored += 1
                future = self._verdicts[key] = self._threads.submit(self._score_in_sandbox, gold, answer)
                future.add_done_callback(lambda scored: self._forget_failure(key, scored))
            return future

    def _forget_failure(self, key: bytes, scored: Future[Scored]) -> None:
        if scored.cancelled() or scored.exception() is not None:
            self._verdicts.pop(key, None)

    def _score_in_sandbox(self, gold: str, answer: str) -> Scored:
        reason = ""
        for _ in range(2):
            try:
                return self._score_spellings(gold, answer)
            except RuleProcessDied as died:
                self._refuse_closed()
                reason = str(died)
        raise RamlError(
            f"two processes of the rule {read_rule(gold)['rule']} died ({reason}) while scoring {answer[:80]!r}; nothing was "
            "graded. Is the machine out of memory?"
        )

    def _score_spellings(self, gold: str, answer: str) -> Scored:
        """The verdict on the answer as it stands; if that is not wholly right, the better of it and that without its marks."""
        scored = self._own_process().score(gold, answer, self.limit_s)
        plain = without_marks(answer)
        if scored.score in (None, 1) or plain == answer or read_rule(gold)["read"] == "whole":
            return scored
        other = self._own_process().score(gold, plain, self.limit_s)
        return other if other.score is not None and other.score > (scored.score or 0) else scored

    def _own_process(self) -> RuleProcess:
        """This thread's process, alive; a new one where there is none yet or the last one is gone."""
        self._refuse_closed()
        own: RuleProcess | None = getattr(self._own, "process", None)
        if own is not None:
            if own.process.poll() is None:
                return own
            own.end()
        self._own.process = fresh = RuleProcess(open_sandbox(self._allow_unsafe_code), self._rules)
        with self._lock:
            self._alive = {other for other in self._alive if other.process.poll() is None} | {fresh}
        if self._closed:
            fresh.end()
        self._refuse_closed()
        return fresh

    def _refuse_closed(self) -> None:
        if self._closed:
            raise RamlError("this GradingPool is closed; no answer is scored any more")

    def _pass_on(self, scored: Future[Scored], found: Extraction, done: Future[Grade]) -> None:
        if scored.cancelled():
            done.set_exception(RamlError("this GradingPool was closed before the answer was scored"))
        elif (error := scored.exception()) is not None:
            done.set_exception(error)
        else:
            done.set_result(_verdict(found, scored.result()))

    def close(self) -> None:
        """No process is left; what waited for one raises RamlError. Closing twice is harmless."""
        with self._lock:
            self._closed = True
            alive = list(self._alive)
        for process in alive:
            process.end()  # wakes the thread that waits for it
        self._threads.shutdown(wait=True, cancel_futures=True)


def try_rules(golds: Iterable[str], allow_unsafe_code: bool = False, rules: Path = RULES) -> None:
    """Each of these tests has scored an answer, so that what a rule lacks is known before a run starts its engine.

    Raises RamlError or TaskError, as grading would: a package or its data is missing, or the rule cannot read the tests.
    """
    grader = RuleGrader(1, _TRIAL_S, allow_unsafe_code, rules)
    try:
        for gold in golds:
            grader._score(gold, "0").result()
    finally:
        grader.close()


def _extract(completion: str, read: str, cut_off: bool) -> Extraction | Grade:
    """What the rule is to score, or the verdict on a completion that gives nothing to score."""
    text = drop_thinking(completion)
    if text is None:
        return Grade(Status.UNFINISHED, None, "unclosed thinking", "a <think> is never closed")
    found = extract_ruled(text, read)
    if cut_off and not found.closed:
        found = extract_ruled(text[: max(text.rfind("\n"), text.rfind(". ")) + 1], read)
        if found.answer is None or found.concluded:
            return Grade(Status.UNFINISHED, None, detail="the answer ran out of tokens")
    if found.answer is None:
        return Grade(Status.NO_ANSWER, None, found.rule, score=NO_ANSWER_SCORE)
    return found


def _verdict(found: Extraction, scored: Scored) -> Grade:
    if scored.score is None:
        return Grade(Status.TIMEOUT, found.answer, found.rule, scored.detail)
    status = Status.CORRECT if scored.score == 1 else Status.INCORRECT
    return Grade(status, found.answer, found.rule, scored.detail, scored.score)
