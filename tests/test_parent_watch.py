"""A watched child ends when its parent does."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.processes import is_running, wait_until

CHILD = "import sys, time; from raml_eval.parent_watch import watch_parent; watch_parent(*map(int, sys.argv[1:]), poll_s=0.1); "
PARENT = (
    "import os, subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', {child!r}, *{arguments}])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)\n"
)


@pytest.mark.parametrize("arguments", ["[str(os.getpid())]", "[]"])
@pytest.mark.parametrize("work", ["time.sleep(600)", "exec('while True: pass')"])
def test_child_ends_with_a_killed_parent(arguments: str, work: str) -> None:
    program = PARENT.format(child=CHILD + work, arguments=arguments)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(1)  # ten looks
        assert is_running(pid)
        parent.kill()
        wait_until(lambda: not is_running(pid))


def test_a_parent_that_died_before_the_watch_is_noticed() -> None:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    child = subprocess.run([sys.executable, "-c", CHILD + "time.sleep(600)", str(gone.pid)], timeout=30, check=False)
    assert child.returncode == -9
