"""The process that decides. In its own sandbox, it runs the tests, and asks the program's sandbox for what they need.

The program never runs here, and everything that comes from it is plain data that was rebuilt. So it cannot patch the
checker, and a success that it prints, an exit, an __eq__ of its own or a killed parent decide nothing.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import resource
import signal
import socket
import sys
import traceback
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from raml_eval.sandbox.inside.outputs import find_difference, shorten
from raml_eval.sandbox.inside.plain import NotPlain
from raml_eval.sandbox.inside.privileges import give_up, hide_from_tracers
from raml_eval.sandbox.inside.remote import Function, Program, ProgramEnded, UnfitArgument

Job = Mapping[str, Any]
Report = Callable[[int], None]  # is called with the number of each test before it runs


class Failed(Exception):
    """A test did not pass. The text says which and why."""


class Broken(Exception):
    """The tests themselves cannot be run."""


def main(settings_text: str) -> None:
    """Jobs have been tested, each in a fork of this process, until nobody sent any more.

    A job comes on the socket of jobs with three descriptors: the two sockets that lead to its program, and a pipe for one
    JSON line for each test that begins and one with the verdict.
    """
    settings = json.loads(settings_text)
    hide_from_tracers()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks, so the kernel must reap them
    with socket.socket(fileno=settings["jobs"]) as jobs:
        while True:
            head, fds, _, _ = socket.recv_fds(jobs, 8, 3)
            if len(head) < 8:
                return
            text = _read_text(jobs, int.from_bytes(head, "big"))
            if "import numpy" in text:
                with contextlib.suppress(ImportError):
                    import numpy  # noqa: F401  # once here rather than in every fork
            if os.fork() == 0:
                jobs.close()
                _test_one(unpack(json.loads(text)), fds, settings)
            for fd in fds:
                os.close(fd)


def _read_text(jobs: socket.socket, size: int) -> str:
    parts = bytearray()
    while len(parts) < size:
        part = jobs.recv(min(size - len(parts), 1 << 20))
        if not part:
            sys.exit()
        parts += part
    return parts.decode()


def unpack(job: Job) -> Job:
    """The job with its packed tests (base64 of zlib of their JSON) after its other tests."""
    if not job.get("packed"):
        return job
    return {**job, "tests": job["tests"] + json.loads(zlib.decompress(base64.b64decode(job["packed"])))}


def _test_one(job: Job, fds: list[int], settings: Mapping[str, Any]) -> NoReturn:
    control, calls, verdicts = fds
    give_up(settings["uid"])
    hide_from_tracers()
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (settings["limits"]["tester_bytes"],) * 2)
    limits = {**settings["limits"], "cpu_s": job["cpu_s"]}

    def say(message: Mapping[str, Any]) -> None:
        os.write(verdicts, json.dumps(message).encode() + b"\n")

    try:
        say(run_tests(job, Program(control, calls, limits), lambda number: say({"test": number})))
    finally:
        os._exit(0)


def run_tests(job: Job, program: Program, report: Report) -> dict[str, Any]:
    """{"passed": true or false, "detail": ...}, {"broken": reason} if the tests are at fault, {} if no sandbox came up."""
    if not program.started():
        return {}
    styles = {"stdin": _test_outputs, "calls": _test_calls, "python": _test_python}
    try:
        styles[job["style"]](job, program, report)
    except Failed as failed:
        return {"passed": False, "detail": str(failed), "doubt": program.doubt}
    except Broken as broken:
        return {"broken": str(broken)}
    return {"passed": True, "detail": f"passed {_count(len(job['tests']))}"}


def _count(n: int) -> str:
    return "the test" if n == 1 else f"all {n} tests"


def _test_outputs(job: Job, program: Program, report: Report) -> None:
    for number, (given, wanted) in enumerate(job["tests"], 1):
        report(number)
        where = f"test {number} of {len(job['tests'])}"
        ended = program.run_script(job, given)
        if how := program.describe_end(ended):
            raise Failed(f"{where}: {how}")
        if difference := find_difference(ended["stdout"], wanted):
            raise Failed(f"{where}: {difference}")


def _test_calls(job: Job, program: Program, report: Report) -> None:
    """Functions tested as LiveCodeBench does: one JSON argument per line, a JSON result; a tuple may stand for a list."""
    try:
        cases = [([json.loads(line) for line in given.split("\n")], json.loads(wanted)) for given, wanted in job["tests"]]
    except ValueError as error:
        raise Broken(f"an input or output is not JSON: {error}") from None
    (name,) = job["names"]
    function = Function(program, name, method=True)
    _load(job, program, report)
    for number, (args, wanted) in enumerate(cases, 1):
        report(number)
        where = f"test {number} of {len(cases)}"
        try:
            got = function(*args)
            same = (list(got) if isinstance(got, tuple) else got) == wanted
        except (ProgramEnded, Exception) as error:
            raise Failed(f"{where}: {_name(error)}") from None
        if not same:
            raise Failed(f"{where}: {name} returned {_show(got)} for {_show(wanted)}")


def _test_python(job: Job, program: Program, report: Report) -> None:
    """Tests in Python. What they call is remote, except for what the prefix (the question's own code) defines completely."""
    space: dict[str, Any] = {"__name__": "tests"}
    try:
        codes = [compile(test, "<test>", "exec", dont_inherit=True) for test in job["tests"]]
        exec(compile(job["prefix"], "<prefix>", "exec", dont_inherit=True), space)
        setup = compile(job["setup"], "<setup>", "exec", dont_inherit=True)
    except Exception as error:
        raise Broken(f"the tests do not compile, or the code before them fails: {_name(error)}") from None
    space |= {name: Function(program, name) for name in job["names"]}
    _load(job, program, report)
    for number, code in enumerate([setup, *codes]):
        report(max(number, 1))
        program.n_calls = 0
        try:
            exec(code, space)
        except UnfitArgument as error:
            raise Broken(str(error)) from None
        except (ProgramEnded, Exception, SystemExit) as error:
            raise Failed(_explain(error, number, job["tests"], program)) from None


def _load(job: Job, program: Program, report: Report) -> None:
    report(1)
    try:
        program.load(job)
    except (ProgramEnded, Exception) as error:
        raise Failed(f"the program does not load: {_name(error)}") from None


def _name(error: BaseException) -> str:
    if isinstance(error, ProgramEnded):
        return str(error)
    if isinstance(error, NotPlain):
        return f"the program sent {error}"
    return " ".join(f"{type(error).__name__}: {error}"[:300].split()).removesuffix(":")


def _explain(error: BaseException, number: int, tests: list[str], program: Program) -> str:
    """Which test failed, at which of its calls if there were several, by which line, and what was returned."""
    where = f"test {number} of {len(tests)}" if number else "the setup of the tests"
    if program.n_calls > 1:
        where += f", call {program.n_calls}"
    if not isinstance(error, AssertionError):
        return f"{where}: {_name(error)}"
    lines = [frame.lineno or 1 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<test>"]
    line = tests[number - 1].split("\n")[lines[-1] - 1].strip() if number and lines else ""
    said = " ".join(str(error).split())[:100]
    returned = f"; {program.last_call} returned {_show(program.last_value)}" if program.last_call else ""
    return f"{where}: {line[:160]} failed{f' ({said})' if said else ''}{returned}"


def _show(value: Any) -> str:
    try:
        return shorten(repr(value))
    except (ValueError, RecursionError):  # ValueError: a number with more digits than Python writes
        return f"a large {type(value).__name__}"
