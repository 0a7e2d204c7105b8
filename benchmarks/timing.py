"""What a command costs, with every process that it starts."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def adopt_orphans() -> None:
    """From now on, a process below this one whose parent ends becomes this one's child, so that timed counts it."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def timed(command: Sequence[str], env: Mapping[str, str], folder: Path | None = None) -> tuple[float, float]:
    """The seconds on the clock, and the CPU seconds of the process and of all below it, once the last of them has ended."""
    started, before = time.monotonic(), _cpu()
    with tempfile.TemporaryFile("w+") as said:  # not a pipe, which an orphan would keep open
        done = subprocess.run(command, env=env, cwd=folder, stdout=said, stderr=said, check=False)
        clock = time.monotonic() - started
        said.seek(0)
        if done.returncode:
            raise SystemExit(f"{' '.join(command[:2])} failed:\n{said.read()[-2000:]}")
    try:
        while True:
            os.wait()
    except ChildProcessError:  # none is left
        return clock, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
