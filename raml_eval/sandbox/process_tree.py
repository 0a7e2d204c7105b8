"""The processes below one, as /proc shows them from outside: what they use together, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tree of processes has used: seconds of CPU time (reaped children included), bytes of memory that belong to it
    alone, and by process the seconds in which it was ready to run and got no core."""

    cpu_s: float
    memory_bytes: int
    waited_s: Mapping[int, float]

    def longest_wait_since(self, before: Usage) -> float:
        """The seconds that the process which waited longest since then has waited."""
        return max((seconds - before.waited_s.get(pid, 0.0) for pid, seconds in self.waited_s.items()), default=0.0)


def descendants(pid: int) -> Iterator[int]:
    """The processes below this one, each before its own children; none where /proc does not tell."""
    children: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # a child stands under the thread that started it
            children += map(int, _read(pid, f"task/{thread}/children").split())
    for child in children:
        yield child
        yield from descendants(child)


def measure(pid: int) -> Usage:
    """What the processes below this one use; zeros where /proc does not tell."""
    cpu_s, memory = 0.0, 0
    waited: dict[int, float] = {}
    for child in descendants(pid):
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = _read(child, "stat").rpartition(")")[2].split()
            cpu_s += sum(map(int, words[11:15])) / _TICKS
            for line in _read(child, "status").splitlines():
                if line.startswith(("RssAnon:", "RssShmem:")):
                    memory += int(line.split()[1]) << 10
            waited[child] = int(_read(child, "schedstat").split()[1]) / 1e9
    return Usage(cpu_s, memory, waited)


def _read(pid: int, name: str) -> str:
    with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
        return file.read()


def count_tasks(uid: int) -> int:
    """The processes and threads of a user, which RLIMIT_NPROC counts together; 0 where /proc does not tell."""
    n_tasks = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == uid:
                    n_tasks += len(os.listdir(f"/proc/{name}/task"))
    return n_tasks


def end(process: subprocess.Popen[bytes], contained: bool) -> None:
    """The process is reaped, and nothing that it started is left.

    contained: its one child is the first process of a process namespace. The kernel ends such a process only when all
    others in the namespace are gone, and the process here ends after it.
    """
    if contained and process.poll() is None:
        first = next(descendants(process.pid), None)
        if first is not None:
            _send(first, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
    elif not contained:
        stopped: set[int] = set()
        while new := set(descendants(process.pid)) - stopped:  # those that are stopped start no others
            for pid in new:
                _send(pid, signal.SIGSTOP)
            stopped |= new
        for pid in stopped:
            _send(pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
