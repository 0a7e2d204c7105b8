"""Grading of programs: what the tests are, and the verdicts, each program tested once."""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from raml_eval.errors import RamlError, TaskError
from raml_eval.grading.code.program import extract_code, is_body, parse
from raml_eval.grading.extraction import Extraction, drop_thinking
from raml_eval.sandbox.start import Tester
from raml_eval.sandbox.trial import TrialResult, open_sandbox, try_program
from raml_eval.types import Grade, Status

STYLES = ("python", "stdin", "calls")


@functools.lru_cache(maxsize=16)
def read_tests(text: str) -> Mapping[str, Any]:
    """The tests of one question from their JSON text (docs/code-tasks.md), with every field there.

    Packed ones, perhaps many megabytes, are for the tester to unpack. Raises TaskError for a text that is none.
    """
    try:
        tests: dict[str, Any] = {"prefix": "", "setup": "", "names": [], "tests": [], "packed": ""} | json.loads(text)
        style = tests["style"]
    except (ValueError, TypeError, KeyError) as error:
        raise TaskError(
            f"the gold of a code question is no JSON text with its tests ({type(error).__name__}: {error}): {text[:80]!r}. "
            "docs/code-tasks.md shows the fields; correct the task's metadata.raml.tests."
        ) from None
    if style not in STYLES or not (tests["tests"] or tests["packed"]):
        raise TaskError(
            f"the tests of a code question have the style {style!r} and {len(tests['tests'])} tests; wanted one of "
            f"{', '.join(STYLES)}, and at least one test."
        )
    return tests


class CodeGrader:
    """Grades programs, as many at a time as there are workers; safe from any thread. Close it when done.

    Equal programs under equal tests are tested once. wall_s is the wall-clock limit in seconds of one test.
    """

    def __init__(self, workers: int, wall_s: float, allow_unsafe_code: bool = False) -> None:
        self.wall_s = wall_s
        self.n_tested = 0
        self._allow_unsafe_code = allow_unsafe_code
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="sandbox")
        self._verdicts: dict[tuple[bytes, int, int], Future[TrialResult]] = {}
        self._own = threading.local()
        self._testers: list[Tester] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def open(self) -> str:
        """What programs run in, as the manifest names it. Raises ConfigError where there is no sandbox and none may be."""
        return open_sandbox(self._allow_unsafe_code).name

    def grade(self, gold: str, completion: str, cut_off: bool = False) -> Future[Grade]:
        """The verdict to come on a completion; gold is the JSON text of the tests. Raises TaskError for another gold.

        cut_off: the completion ran out of tokens, so that only a code block whose end fence is there counts.
        """
        tests = read_tests(gold)
        done: Future[Grade] = Future()
        done.set_running_or_notify_cancel()  # one caller who gives up must not cancel what others wait for
        text = drop_thinking(completion)
        if text is None:
            done.set_result(Grade(Status.UNFINISHED, None, "unclosed thinking", "a <think> is never closed"))
            return done
        found = extract_code(text, tests["names"])
        if found.answer is None and not cut_off:
            done.set_result(Grade(Status.NO_ANSWER, None, found.rule))
            return done
        if cut_off and not found.closed:
            done.set_result(Grade(Status.UNFINISHED, None, detail="the answer ran out of tokens"))
            return done
        self._test(found, gold, tests).add_done_callback(lambda tested: _pass_on(tested, found, done))
        return done

    def _test(self, found: Extraction, gold: str, tests: Mapping[str, Any]) -> Future[TrialResult]:
        sources = assemble(found, tests)
        digest = hashlib.sha256("\0".join(sources).encode("utf-8", "surrogatepass")).digest()
        key = (digest, hash(gold), len(gold))
        with self._lock:
            if self._closed.is_set():
                raise RamlError("this GradingPool is closed; no program is run any more")
            future = self._verdicts.get(key)
            if future is None:
                self.n_tested += 1
                future = self._verdicts[key] = self._threads.submit(self._run, gold, sources)
                future.add_done_callback(lambda tested: self._forget_failure(key, tested))
            return future

    def _run(self, gold: str, sources: list[str]) -> TrialResult:
        sandbox = open_sandbox(self._allow_unsafe_code)
        tester: Tester | None = getattr(self._own, "tester", None)
        if tester is None or tester.process.poll() is not None:
            self._own.tester = tester = Tester(sandbox)
            with self._lock:
                self._testers = [other for other in self._testers if other.process.poll() is None] + [tester]
        return try_program(sandbox, tester, {**read_tests(gold), "sources": sources}, self.wall_s, self._closed)

    def _forget_failure(self, key: tuple[bytes, int, int], tested: Future[TrialResult]) -> None:
        if tested.cancelled() or tested.exception() is not None:
            self._verdicts.pop(key, None)

    def close(self) -> None:
        """No program runs; what waited for one raises RamlError. Closing twice is harmless."""
        with self._lock:
            self._closed.set()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for tester in self._testers:
            tester.end()


def assemble(found: Extraction, tests: Mapping[str, Any]) -> list[str]:
    """The sources that run one after the other: what stands before the program, and the program.

    A function's body is joined with the head that it completes, and so is a program that parses only that way.
    """
    prefix, program = tests["prefix"], found.answer or ""
    if prefix and parse(program) is None and is_body(program):
        return [prefix + program]
    return [prefix, program] if prefix else [program]


def _pass_on(tested: Future[TrialResult], found: Extraction, done: Future[Grade]) -> None:
    if tested.cancelled():
        done.set_exception(RamlError("this GradingPool was closed before the program was run"))
    elif (error := tested.exception()) is not None:
        done.set_exception(error)
    else:
        verdict = tested.result()
        done.set_result(Grade(verdict.status, found.answer, found.rule, verdict.detail))
