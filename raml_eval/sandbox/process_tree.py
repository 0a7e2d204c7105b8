"""Measures and ends all processes below a given one, as /proc shows them from outside."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources that a tree of processes has used.

    cpu_s is seconds of CPU time, reaped children included. The memory is the bytes that belong to the tree alone, with what the
    buffers of its sockets may hold if it has a network of its own. waited_s holds, by process, the seconds in which the
    process was ready to run but got no core.
    """

    cpu_s: float
    memory_bytes: int
    waited_s: Mapping[int, float]

    def longest_wait_since(self, before: Usage) -> float:
        """The longest time in seconds that a single process has waited since then."""
        return max((seconds - before.waited_s.get(pid, 0.0) for pid, seconds in self.waited_s.items()), default=0.0)


def descendants(pid: int) -> Iterator[int]:
    """The processes below this one, each before its own children; none if /proc cannot be read."""
    children: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # /proc lists a child under the thread that started it
            children += map(int, _read(pid, f"task/{thread}/children").split())
    for child in children:
        yield child
        yield from descendants(child)


def measure(pid: int) -> Usage:
    """The resources that the processes below this one use; zeros if /proc cannot be read."""
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
    inner = next(iter(reversed(waited)), None)  # the first processes of a sandbox may be outside its network yet
    return Usage(cpu_s, memory + (0 if inner is None else socket_bytes(inner)), waited)


def socket_bytes(pid: int) -> int:
    """The most that the socket buffers in this process's network hold, in bytes; 0 if it is the network of this process.

    /proc tells no sizes of UNIX sockets, so each counts as full; it lists those too that no process has open but a message
    carries. Of the others it tells what is queued, without the kernel's overhead, which is about as much again.
    """
    total = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        if os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            return 0
        total += (_read(pid, "net/unix").count("\n") - 1) * _unix_buffer_bytes()
        for name in ("tcp", "tcp6", "udp", "udp6"):
            for line in _read(pid, f"net/{name}").splitlines()[1:]:
                queued = line.split()[4].split(":")
                total += 2 * sum(int(size, 16) for size in queued)
    return total


@functools.cache
def _unix_buffer_bytes() -> int:
    """The most that one UNIX socket may have sent before it is read: the kernel doubles what a program asks for."""
    with open("/proc/sys/net/core/wmem_max", encoding="ascii") as file:
        return 2 * int(file.read())


def oom_kills() -> int:
    """How many processes the kernel has killed for memory since the start; 0 if it does not tell."""
    with contextlib.suppress(OSError, ValueError), open("/proc/vmstat", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    return 0


def _read(pid: int, name: str) -> str:
    with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
        return file.read()


def count_tasks(uid: int) -> int:
    """The number of a user's processes and threads, which RLIMIT_NPROC counts together; 0 if /proc cannot be read."""
    n_tasks = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == uid:
                    n_tasks += len(os.listdir(f"/proc/{name}/task"))
    return n_tasks


def end(process: subprocess.Popen[bytes], contained: bool) -> None:
    """The process is reaped, and nothing that it started is left.

    contained is true if its only child is the first process of a process namespace. The kernel ends such a process only
    when all others in the namespace are gone, and the process here ends after it.
    """
    if contained and process.poll() is None:
        first = next(descendants(process.pid), None)
        if first is not None:
            _send(first, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
    elif not contained:
        stopped: set[int] = set()
        while new := set(descendants(process.pid)) - stopped:  # a stopped process cannot start others
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
