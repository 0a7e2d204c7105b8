"""One program before its tester: the verdict, within limits of time and memory for all its processes together."""

from __future__ import annotations

import compileall
import contextlib
import functools
import json
import math
import os
import select
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from raml_eval.errors import ConfigError, RamlError, TaskError
from raml_eval.sandbox import process_tree
from raml_eval.sandbox.bubblewrap import INSIDE, bubblewrap_problem
from raml_eval.sandbox.inside.awake import AwakeTime
from raml_eval.sandbox.start import MEMORY_BYTES, PROCESSES, Sandbox, Tester, Trial, bubblewrap, no_sandbox, tail_of
from raml_eval.types import Status

START_LIMIT_S = 120.0
POLL_S = 0.05
TRIES = 3  # at a program that was killed
LOST_S = 10.0  # for a sandbox to end whose first process is gone

Job = Mapping[str, Any]  # style, sources, tests, and for tests in Python names, prefix and setup


@dataclass(frozen=True, slots=True)
class TrialResult:
    """CORRECT, INCORRECT or TIMEOUT, and what decided."""

    status: Status
    detail: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits in seconds of one test, all derived from its wall-clock limit.

    A program is too slow if it uses cpu_s of CPU time, or if it is not done after idle_s in which it could have run. Too
    slow is INCORRECT, as in the benchmarks that the tests come from. It is the program's own fault, and it comes out the
    same on every machine that is not far slower. As TIMEOUT, it would keep a run with many such answers from ever being
    compared. TIMEOUT is for what says nothing about the program: wall_s passed because the machine was busy with other
    work, or because the tests themselves did not end. While this process is suspended, no limit comes nearer.
    """

    wall_s: float

    @property
    def cpu_s(self) -> float:
        return 0.6 * self.wall_s

    @property
    def idle_s(self) -> float:
        return 0.8 * self.wall_s


class _Doubtful(Exception):
    """The program did not end by itself, or not certainly. certain is true if somebody outside has killed its sandbox."""

    def __init__(self, verdict: TrialResult, certain: bool) -> None:
        self.verdict, self.certain = verdict, certain


def try_program(sandbox: Sandbox, tester: Tester, job: Job, wall_s: float, stop: threading.Event | None = None) -> TrialResult:
    """The tester's verdict on the program, or the limit that the program broke. Tests after the first failure are not run.

    wall_s is the wall-clock limit of each test; see Limits. A program that was killed is tried again, up to TRIES times in
    all: one that kills itself does it each time. Raises TaskError if the tests cannot be run, RamlError if the sandbox ended
    without a verdict, if it was killed from outside or for the machine's memory in every trial, or if stop was set: none of
    these says anything about the program.
    """
    n_before = process_tree.oom_kills()
    for _ in range(TRIES):
        try:
            return _try_once(sandbox, tester, job, Limits(wall_s), stop or threading.Event())
        except _Doubtful as doubtful:
            last = doubtful
    if last.certain or process_tree.oom_kills() != n_before:
        raise RamlError(
            f"the sandbox of a program was killed from outside, {TRIES} times ({last.verdict.detail}); nothing was graded. Is "
            "the machine out of memory?"
        )
    return last.verdict


def _try_once(sandbox: Sandbox, tester: Tester, job: Job, limits: Limits, stop: threading.Event) -> TrialResult:
    """The verdict of one trial. Raises _Doubtful if the program may have been killed by somebody else."""
    with sandbox.start(tester, job, math.ceil(limits.cpu_s)) as trial:
        for message in _messages(trial, limits, stop):
            if isinstance(message, TrialResult):
                return message
            if "broken" in message:
                raise TaskError(f"the tests of this question cannot be run: {message['broken']}. Correct the task's tests.")
            if not message:
                break
            if "passed" in message:
                verdict = TrialResult(Status.CORRECT if message["passed"] else Status.INCORRECT, message["detail"])
                if message.get("doubt"):
                    _consider(sandbox, trial, message["doubt"], verdict)
                return verdict
        said = tail_of(trial.errors) or tail_of(tester.errors)
    raise RamlError(f"the sandbox of a program ended without a verdict ({said or 'nothing was said'}); run again")


def _consider(sandbox: Sandbox, trial: Trial, doubt: str, verdict: TrialResult) -> None:
    """Raises _Doubtful unless the program itself brought its end about.

    Nothing inside a sandbox can signal its first process, which bubblewrap reports as 128 and the signal. Without a sandbox, a
    program can kill whatever its user may.
    """
    if not sandbox.bwrap:
        return
    if doubt == "killed":
        raise _Doubtful(verdict, certain=False)
    with contextlib.suppress(subprocess.TimeoutExpired):
        code = trial.program.wait(LOST_S)
        if code < 0 or code > 128:
            raise _Doubtful(verdict, certain=True)


def _messages(trial: Trial, limits: Limits, stop: threading.Event) -> Iterator[dict[str, Any] | TrialResult]:
    """The tester's lines as they arrive, a verdict as soon as a limit is broken, and the end if the tester ends."""
    clock = _Clock(trial, limits)
    buffer = b""
    while not stop.is_set():
        if select.select([trial.verdicts], [], [], POLL_S)[0]:
            part = os.read(trial.verdicts, 65536)
            if not part:
                return
            *whole, buffer = (buffer + part).split(b"\n")
            for line in whole:
                message = json.loads(line)
                if "test" in message:
                    clock.begin(message["test"])
                else:
                    trial.tester.busy = False
                yield message
        elif (broken := clock.check()) is not None:
            yield broken
    raise RamlError("this GradingPool is closed; the program that ran is not graded")


class _Clock:
    """The time and memory that one test has used so far."""

    def __init__(self, trial: Trial, limits: Limits) -> None:
        self._processes = trial.program.pid, trial.tester.process.pid
        self._limits = limits
        self._time = AwakeTime()
        self._test = 0
        self._before: tuple[process_tree.Usage, process_tree.Usage] | None = None

    def begin(self, test: int) -> None:
        """A new test begins, and the limits count from now on.

        What was used before is measured only at the first check, so that quick tests cost nothing. The program then has up
        to POLL_S more.
        """
        self._time = AwakeTime()
        self._test = test
        self._before = None

    def check(self) -> TrialResult | None:
        """The verdict if a limit is broken, otherwise None."""
        wall_s = self._time.look()
        if self._test == 0:
            if wall_s > START_LIMIT_S:
                raise RamlError(f"a sandbox was not ready after {START_LIMIT_S:.0f} s; is the machine overloaded?")
            return None
        program, tester = map(process_tree.measure, self._processes)
        if self._before is None:
            self._before = program, tester
        cpu_s = program.cpu_s - self._before[0].cpu_s
        tester_cpu_s = tester.cpu_s - self._before[1].cpu_s
        # Only one of the two works at a time, so the tester's time is not the program's.
        waited_s = program.longest_wait_since(self._before[0]) + tester.longest_wait_since(self._before[1])
        able_s = wall_s - waited_s - max(tester_cpu_s, 0.0)
        where = f"test {self._test}"
        if program.memory_bytes > MEMORY_BYTES:
            return TrialResult(Status.INCORRECT, f"{where}: used more than {MEMORY_BYTES >> 30} GiB of memory")
        if len(program.waited_s) > PROCESSES + 2:  # the system's own limit does not bind root without a sandbox
            return TrialResult(Status.INCORRECT, f"{where}: started more than {PROCESSES} processes")
        if cpu_s >= self._limits.cpu_s:
            return TrialResult(Status.INCORRECT, f"{where}: used up its {self._limits.cpu_s:g} s of CPU time")
        if tester_cpu_s >= self._limits.idle_s:
            return TrialResult(Status.TIMEOUT, f"{where}: the test itself was stopped after {wall_s:.0f} s")
        if able_s >= self._limits.idle_s:
            return TrialResult(Status.INCORRECT, f"{where}: not done after {wall_s:.1f} s, of which it computed {cpu_s:.1f} s")
        if wall_s >= self._limits.wall_s:
            return TrialResult(
                Status.TIMEOUT, f"{where}: stopped after {wall_s:.0f} s, in which it got {cpu_s:.1f} s of a core"
            )
        return None


_PROBE = """
import decimal, os, sys
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
print(sys.stdin.read())
"""


@functools.cache
def working_sandbox() -> Sandbox | str:
    """bubblewrap, after a first program has run in it; otherwise the reason why it cannot be used. Tried once per process."""
    if problem := bubblewrap_problem():
        return problem
    sandbox = bubblewrap()
    compileall.compile_dir(INSIDE, quiet=2)  # once and outside, because a sandbox could not keep the result
    tester = Tester(sandbox)
    job = {"style": "stdin", "sources": [_PROBE], "prefix": "", "tests": [["ready", "ready"]]}
    try:
        verdict = try_program(sandbox, tester, job, 60.0)
    except (RamlError, OSError) as error:
        return f"{sandbox.name} does not work here: {error}"
    finally:
        tester.end()
    return sandbox if verdict.status is Status.CORRECT else f"{sandbox.name} does not work here: {verdict.detail}"


def open_sandbox(allow_unsafe_code: bool = False) -> Sandbox:
    """A sandbox that works here, or no sandbox if none works and that is allowed. Raises ConfigError if it is not allowed."""
    found = working_sandbox()
    if isinstance(found, Sandbox):
        return found
    if allow_unsafe_code:
        return no_sandbox()
    raise ConfigError(
        f"code that a model wrote runs only in a sandbox, but none works here: {found}. Install bubblewrap "
        "(apt-get install bubblewrap), or run it unprotected with --allow-unsafe-code."
    )
