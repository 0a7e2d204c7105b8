"""Starts sandboxes for programs that a model wrote: bubblewrap with resource limits, or, if the user insists, none.

A job uses two sandboxes, each with its own namespaces. The program runs in one, its tester with the tests in the other, and
two sockets connect them (raml_eval.sandbox.inside). Each program gets a new sandbox. A tester, in which no program ever
runs, serves one job after the other. This process reads nothing but the tester's lines.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from raml_eval.errors import RamlError
from raml_eval.sandbox import process_tree
from raml_eval.sandbox.bubblewrap import FOLDERS, HARNESS, INSIDE, interpreter, numpy_folders, other_user, sandbox_command
from raml_eval.sandbox.seccomp import build_filter

MEMORY_BYTES = 2 << 30  # limit of each process, and of all processes of a program together
PROCESSES = 64  # and threads
FILE_BYTES = 16 << 20  # limit of a file, and so of the output
OPEN_FILES = 256
TESTER_BYTES = 4 << 30

_START = (
    "import sys; sys.path[:0] = [sys.argv[1]]; sys.path.append(sys.argv[1] + '/packages'); "
    "from raml_eval.sandbox.inside.{role} import main; main(sys.argv[2])"
)
_ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "PYTHONHASHSEED": "0",  # otherwise the order of sets could change a verdict from one grading to the next
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class Tester:
    """A process that tests one program after the other, in its own sandbox. It belongs to one thread, and dies with it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._contained = bool(sandbox.bwrap)
        self._stack = contextlib.ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="raml-eval-"))
        self.errors = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  (open as long as the tester)
        self._jobs, theirs = socket.socketpair()
        with theirs:
            self.process = sandbox.spawn("tester", {"jobs": theirs}, folder, self.errors)
        self.busy = False  # true from the start of a job until its verdict is read

    def give(self, job: Mapping[str, Any], control: socket.socket, calls: socket.socket, verdicts: int) -> None:
        """The process has the job, and writes the result to the descriptor verdicts. Raises RamlError."""
        self.busy = True
        text = json.dumps(job).encode()
        try:
            socket.send_fds(self._jobs, [len(text).to_bytes(8, "big")], [control.fileno(), calls.fileno(), verdicts])
            self._jobs.sendall(text)
        except OSError:
            said = tail_of(self.errors) or "nothing was said"
            raise RamlError(f"the sandbox of the tests ended or did not start ({said}); run again") from None

    def end_if_busy(self) -> None:
        """If the process still has a job, it has been ended."""
        if self.busy:
            self.end()

    def end(self) -> None:
        """The process, and everything that it started, has ended."""
        self._jobs.close()
        process_tree.end(self.process, self._contained)
        self._stack.close()


@dataclass(frozen=True, slots=True)
class Trial:
    """A program and its tester at work. verdicts gives the tester's lines, errors those of the program's sandbox."""

    tester: Tester
    program: subprocess.Popen[bytes]
    verdicts: int
    errors: IO[bytes]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Starts testers and programs. The manifest stores name. bwrap is the path of bubblewrap, empty for no sandbox."""

    name: str
    bwrap: str

    @contextlib.contextmanager
    def start(self, tester: Tester, job: Mapping[str, Any], cpu_s: int) -> Iterator[Trial]:
        """The job's program runs in a new sandbox, connected to this tester, until the block ends; then it is removed.

        cpu_s is the CPU time in seconds that one process of the program may use for one test. A tester that has given no
        verdict by the end of the block is ended too.
        """
        with (
            tempfile.TemporaryDirectory(prefix="raml-eval-") as folder,
            tempfile.TemporaryFile() as errors,
            contextlib.ExitStack() as stack,
        ):
            stack.callback(tester.end_if_busy)
            control, their_control = _pair(stack)
            calls, their_calls = _pair(stack)
            reading, writing = os.pipe()
            stack.callback(os.close, reading)
            try:
                program = self.spawn("program", {"control": their_control, "calls": their_calls}, folder, errors, cpu_s)
                stack.callback(process_tree.end, program, bool(self.bwrap))
                tester.give({**job, "cpu_s": cpu_s}, control, calls, writing)
            finally:
                os.close(writing)
                for end in (control, their_control, calls, their_calls):
                    end.close()
            yield Trial(tester, program, reading, errors)

    def spawn(
        self,
        role: str,
        sockets: Mapping[str, socket.socket],
        folder: str,
        errors: IO[bytes] | int,
        cpu_s: int = 0,
        binds: Mapping[str, str] = MappingProxyType({}),
        packages: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        """The first process of a new sandbox, in that role and with these sockets. folder is used only without a sandbox.

        binds maps more folders to where they are inside, read-only; packages are folders inside from which it may import.
        """
        fds = {name: end.fileno() for name, end in sockets.items()}
        harness, work = (HARNESS, folder) if self.bwrap else _unboxed(folder, binds)
        settings = {
            **fds,
            "packages": list(packages),
            "alone": bool(self.bwrap),
            "uid": other_user() if self.bwrap else None,
            "folders": list(FOLDERS) if self.bwrap else [work],
            "limits": {
                "cpu_s": cpu_s,
                "memory_bytes": MEMORY_BYTES,
                "tester_bytes": TESTER_BYTES,
                "file_bytes": FILE_BYTES,
                "open_files": OPEN_FILES,
                "processes": PROCESSES + (0 if self.bwrap else process_tree.count_tasks(os.getuid())),
            },
        }
        python = [interpreter(), "-P", "-s", "-S", "-c", _START.format(role=role), harness, json.dumps(settings)]
        with _seccomp_pipe(bool(self.bwrap)) as filter_fds:
            command = [*sandbox_command(self.bwrap, filter_fds[0], _ENVIRONMENT, binds), *python] if self.bwrap else python
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=(*fds.values(), *filter_fds),
                cwd=work,
                env=_ENVIRONMENT | {"HOME": "/tmp" if self.bwrap else work},
                start_new_session=True,  # the parent handles Ctrl-C
            )


def tail_of(errors: IO[bytes]) -> str:
    """The end of a sandbox's messages, in one line; empty if there are none, or if the file is closed."""
    if errors.closed:
        return ""
    errors.seek(0)
    return " ".join(errors.read(10_000).decode(errors="replace").split())[-300:]


def _pair(stack: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    stack.callback(ours.close)
    stack.callback(theirs.close)
    return ours, theirs


@contextlib.contextmanager
def _seccomp_pipe(wanted: bool) -> Iterator[tuple[int, ...]]:
    """The reading end of a pipe that holds the filter of system calls; nothing if no filter is wanted."""
    if not wanted:
        yield ()
        return
    reading, writing = os.pipe()
    try:
        os.write(writing, _filter())
        os.close(writing)
        yield (reading,)
    finally:
        os.close(reading)


@functools.cache
def _filter() -> bytes:
    return build_filter()


def _unboxed(folder: str, binds: Mapping[str, str]) -> tuple[str, str]:
    """Two folders below the given one: where Python finds what a sandbox would show it, and an empty one to work in."""
    harness, work = Path(folder, "harness"), Path(folder, "work")
    work.mkdir()
    more = [(harness / Path(inside).relative_to(HARNESS), Path(source)) for source, inside in binds.items()]
    for link, source in ((harness / "raml_eval" / "sandbox" / "inside", INSIDE), *_packages(harness), *more):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)
    return str(harness), str(work)


def _packages(harness: Path) -> list[tuple[Path, Path]]:
    return [(harness / "packages" / source.name, source) for source in numpy_folders()]


def bubblewrap() -> Sandbox:
    """The sandbox that bubblewrap makes. It is not tried here; a job has to show whether it works."""
    bwrap = shutil.which("bwrap") or "bwrap"
    version = subprocess.run([bwrap, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return Sandbox(version or "bubblewrap", bwrap)


def no_sandbox() -> Sandbox:
    """Plain processes under the same resource limits, as far as the system enforces them."""
    return Sandbox("none", "")
