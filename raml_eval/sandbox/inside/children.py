"""What the first process of a sandbox does around a fork that runs untrusted text: limits before it, cleaning up after it."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Mapping
from typing import Any

from raml_eval.sandbox.inside.privileges import give_up

Settings = Mapping[str, Any]


def confine(settings: Settings, cpu_s: int, most_processes: int | None = None) -> None:
    """This process runs as the sandbox's other user, under its resource limits."""
    limits = settings["limits"]
    give_up(settings["uid"])
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_NPROC, limits["processes"] if most_processes is None else most_processes),
    ):
        with contextlib.suppress(ValueError, OSError):  # a lower limit may be in force already
            resource.setrlimit(kind, (value, value))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))


def sweep(child: int, settings: Settings) -> None:
    """No process that the child started is left; it leads a session of its own."""
    if settings["alone"]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        while left := _own_children():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid in left:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _own_children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def wipe(settings: Settings) -> None:
    """The writable folders are empty. Raises OSError if they are not, which no program should bring about."""
    folders = settings["folders"]
    for folder in folders:
        with contextlib.suppress(OSError):
            os.chmod(folder, 0o1777)  # where the program is of the same user, it may have closed the folder itself
    if not any(map(os.listdir, folders)):
        return
    cleaner = os.fork()
    if cleaner == 0:
        with contextlib.suppress(BaseException):
            give_up(settings["uid"])
            for folder in folders:
                empty(folder)
        os._exit(0)
    os.waitpid(cleaner, 0)
    if any(map(os.listdir, folders)):
        raise OSError("files of the program are left")


def empty(folder: str) -> None:
    """Nothing is left in the folder, however deep its folders are and whatever their modes. Links are not followed.

    Folders of folders are moved to the top before their own is removed, so that no path becomes long and nothing recurs.
    """
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    n_moved = 0
    while entries := list(os.scandir(top)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=top)
                continue
            os.chmod(entry.name, 0o700, dir_fd=top)
            inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
            for child in list(os.scandir(inner)):
                if child.is_dir(follow_symlinks=False):
                    os.chmod(child.name, 0o700, dir_fd=inner)
                    n_moved += 1
                    os.rename(child.name, f".moved-{os.getpid()}-{n_moved}", src_dir_fd=inner, dst_dir_fd=top)
                else:
                    os.unlink(child.name, dir_fd=inner)
            os.close(inner)
            os.rmdir(entry.name, dir_fd=top)
    os.close(top)
