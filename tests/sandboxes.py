"""Programs tested in the sandbox of this machine, for the tests of code grading."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from raml_eval.sandbox import process_tree
from raml_eval.sandbox.start import Sandbox, Tester
from raml_eval.sandbox.trial import TrialResult, try_program, working_sandbox
from raml_eval.types import Status
from tests.processes import wait_until

# Only where bubblewrap is not installed: one that is there and does not work is a failure.
needs_sandbox = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed (apt-get install bubblewrap)"
)

WRONG = {Status.INCORRECT, Status.TIMEOUT}
OK = [["", "ok"]]


def read_programs(name: str) -> dict[str, str]:
    """The programs of a text file beside this one, each below a line '=== NAME'."""
    sections = (Path(__file__).parent / name).read_text(encoding="utf-8").split("\n=== ")[1:]
    return dict(section.split("\n", 1) for section in sections)


HOSTILE = read_programs("hostile_programs.txt")
MANY_FORKS = """
import os, time
for _ in range({n}):
    if os.fork() == 0:
        os.setsid()
        time.sleep({seconds})
        os._exit(0)
print("ok", flush=True)
time.sleep({seconds})
"""


def here() -> Sandbox:
    found = working_sandbox()
    assert isinstance(found, Sandbox), found
    return found


def try_out(
    program: str, tests: list[Any], style: str = "stdin", wall_s: float = 3.0, sandbox: Sandbox | None = None, **fields: Any
) -> TrialResult:
    """The verdict on one program; fails if anything of the program is left."""
    sandbox = sandbox or here()
    desk = Tester(sandbox)
    try:
        job = {"style": style, "sources": [program], "prefix": "", "setup": "", "names": [], "tests": tests, **fields}
        return try_program(sandbox, desk, job, wall_s)
    finally:
        desk.end()


@contextmanager
def nothing_left() -> Iterator[None]:
    """Checks that at the end of the block no process is left in any process namespace that was created during it."""
    own, before = os.readlink("/proc/self/ns/pid"), set(process_tree.descendants(os.getpid()))
    known = {own, *_namespaces(before)}
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            seen.update(_namespaces(process_tree.descendants(os.getpid())))

    looker = threading.Thread(target=look)
    looker.start()
    try:
        yield
    finally:
        over.set()
        looker.join()
    assert seen - known, "no sandbox was seen at work"
    # What is left sleeps for longer. A sandbox of somebody else may have got the number of one that is gone.
    wait_until(lambda: not (set(_namespaces(everybody())) & (seen - known)), 20.0)
    assert set(process_tree.descendants(os.getpid())) <= before


def everybody() -> Iterator[int]:
    """The processes of this machine."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _namespaces(pids: Iterable[int]) -> Iterator[str]:
    for pid in pids:
        try:
            yield os.readlink(f"/proc/{pid}/ns/pid")
        except OSError:
            continue
