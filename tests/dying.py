"""Processes that are killed at a line that they write: the kill falls in the midst of the work on a machine of any speed."""

from __future__ import annotations

from pathlib import Path

_DIE = """
import os, pathlib, signal
from raml_eval.store import journal
write = journal._write
def write_until(file, text):
    if os.readlink(f"/proc/self/fd/{{file}}") == {path!r}:
        for line in text.splitlines(keepends=True):
            if journal.count_lines(pathlib.Path({path!r})) == {n}:
                write(file, line[: len(line) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            write(file, line)
    else:
        write(file, text)
journal._write = write_until
"""


def dies_at(path: Path, n: int) -> str:
    """Python to run first in a process: kill -9 when the journal has n lines, and half of the next one."""
    return _DIE.format(path=str(path.resolve()), n=n)


def command_that_dies_at(path: Path, n: int) -> str:
    """The program of `python -c` that is the command line, and dies so."""
    return f"{dies_at(path, n)}\nfrom raml_eval.cli import main\nmain()"
