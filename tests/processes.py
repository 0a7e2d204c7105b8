"""Processes that tests start, watch and end: what /proc tells of them may be gone from one line to the next."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path

from raml_eval.sandbox import process_tree


def take_interrupts() -> None:
    """For preexec_fn: the child starts with the default action for SIGINT, so that Python installs its own handler.

    A background job of a shell ignores SIGINT, and its children would inherit that.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until(happens: Callable[[], object], limit_s: float = 120.0) -> None:
    """Returns as soon as it has happened. Raises AssertionError if it has not within the limit, in seconds."""
    deadline = time.monotonic() + limit_s
    while not happens():
        assert time.monotonic() < deadline, f"it did not happen within {limit_s:g} s"
        time.sleep(0.02)


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/pid/stat from the state on; empty if the process is gone or a zombie."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if fields[0] != "Z":
            return fields
    return []


def is_running(pid: int) -> bool:
    return bool(stat_of(pid))


def below(pid: int) -> list[int]:
    """The running processes that descend from this one."""
    return list(filter(is_running, process_tree.descendants(pid)))


def command_of(pid: int) -> str:
    """The words of a process' command line; empty if it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
