"""Sandboxes for programs that a model wrote: bubblewrap with resource limits, or, where a person insists, none.

A job is judged by two of them, each in its own name spaces: in one the program runs, in the other the tests, and two
sockets join them (raml_eval.grading.inside). What starts them here reads nothing but the judge's lines.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from raml_eval.grading import watch
from raml_eval.grading.bubblewrap import FOLDERS, HARNESS, INSIDE, interpreter, numpy_folders, other_user, sandbox_command
from raml_eval.grading.seccomp import build_filter

MEMORY_BYTES = 2 << 30  # of each process, and of all processes of a program together
PROCESSES = 64  # and threads
FILE_BYTES = 16 << 20  # the largest file, and so the longest output
OPEN_FILES = 256
JUDGE_BYTES = 4 << 30

_START = (
    "import sys; sys.path[:0] = [sys.argv[1]]; sys.path.append(sys.argv[1] + '/packages'); "
    "from raml_eval.grading.inside.{role} import main; main(sys.argv[2])"
)
_ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "PYTHONHASHSEED": "0",  # the order of sets must not change a verdict from one grading to the next
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A judge that has begun to work, and its program. judge writes JSON lines; errors is what both write on stderr."""

    judge: subprocess.Popen[bytes]
    program: subprocess.Popen[bytes]
    errors: IO[bytes]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Starts judges and programs. name stands in the manifest; bwrap is the path of bubblewrap, empty for no sandbox."""

    name: str
    bwrap: str

    @contextmanager
    def start(self, job: Mapping[str, Any], cpu_s: int) -> Iterator[Pair]:
        """Both processes, until the block ends; then they and all that they started are gone, files too.

        cpu_s is the CPU time in seconds that one process of the program may take for one test.
        """
        with tempfile.TemporaryDirectory(prefix="raml-eval-") as folder, tempfile.TemporaryFile() as errors:
            sockets = [*socket.socketpair(), *socket.socketpair()]
            started: list[subprocess.Popen[bytes]] = []
            try:
                ends = {"program": (sockets[0], sockets[2]), "judge": (sockets[1], sockets[3])}
                with tempfile.TemporaryFile() as stdin:
                    stdin.write(json.dumps(job).encode())
                    stdin.seek(0)
                    for role, (control, calls) in ends.items():
                        fds = (control.fileno(), calls.fileno())
                        started.append(self._spawn(role, fds, cpu_s, folder, stdin, errors))
                for end in sockets:
                    end.close()
                yield Pair(started[1], started[0], errors)
            finally:
                for process in reversed(started):
                    watch.end(process, contained=bool(self.bwrap))
                    if process.stdout is not None:
                        process.stdout.close()
                for end in sockets:
                    end.close()

    def _spawn(
        self, role: str, fds: tuple[int, int], cpu_s: int, folder: str, stdin: IO[bytes], errors: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        is_judge = role == "judge"
        settings = {
            "control": fds[0],
            "calls": fds[1],
            "alone": bool(self.bwrap),
            "uid": other_user() if self.bwrap else None,
            "folders": list(FOLDERS) if self.bwrap else [folder],
            "limits": {
                "cpu_s": cpu_s,
                "memory_bytes": MEMORY_BYTES,
                "judge_bytes": JUDGE_BYTES,
                "file_bytes": FILE_BYTES,
                "open_files": OPEN_FILES,
                "processes": PROCESSES + (0 if self.bwrap else watch.count_tasks(os.getuid())),
            },
        }
        harness = HARNESS if self.bwrap else _unboxed_harness()
        python = [interpreter(), "-P", "-s", "-S", "-c", _START.format(role=role), harness, json.dumps(settings)]
        with _seccomp_pipe(bool(self.bwrap)) as filter_fds:
            command = [*sandbox_command(self.bwrap, filter_fds[0], _ENVIRONMENT), *python] if self.bwrap else python
            return subprocess.Popen(
                command,
                stdin=stdin if is_judge else subprocess.DEVNULL,
                stdout=subprocess.PIPE if is_judge else subprocess.DEVNULL,
                stderr=errors,
                pass_fds=(*fds, *filter_fds),
                cwd=folder,
                env=_ENVIRONMENT | {"HOME": "/tmp" if self.bwrap else folder},
                start_new_session=True,  # Ctrl-C is the parent's to handle
            )


@contextmanager
def _seccomp_pipe(wanted: bool) -> Iterator[tuple[int, ...]]:
    """The reading end of a pipe that holds the filter of system calls; nothing where none is wanted."""
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


@functools.cache
def _unboxed_harness() -> str:
    """A folder, kept while this process lives, in which Python finds what the sandbox would show."""
    folder = tempfile.TemporaryDirectory(prefix="raml-eval-harness-")
    _kept.append(folder)
    package = Path(folder.name, "raml_eval", "grading")
    package.mkdir(parents=True)
    package.joinpath("inside").symlink_to(INSIDE)
    packages = Path(folder.name, "packages")
    packages.mkdir()
    for source in numpy_folders():
        packages.joinpath(source.name).symlink_to(source)
    return folder.name


_kept: list[tempfile.TemporaryDirectory[str]] = []


def bubblewrap() -> Sandbox:
    """The sandbox that bubblewrap makes; whether it works is for a job to show."""
    bwrap = shutil.which("bwrap") or "bwrap"
    version = subprocess.run([bwrap, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return Sandbox(version or "bubblewrap", bwrap)


def no_sandbox() -> Sandbox:
    """Plain processes under the same resource limits, as far as the system enforces them."""
    return Sandbox("none", "")
