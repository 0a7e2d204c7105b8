"""The command line of bubblewrap: what a sandbox shares with the system, and what it does not."""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from raml_eval.sandbox.seccomp import MACHINES

INSIDE = Path(__file__).resolve().parent / "inside"
HARNESS = "/harness"
FOLDERS = ("/tmp", "/dev/shm")  # the only folders that a program can write to
FOLDER_BYTES = 64 << 20


def sandbox_command(bwrap: str, filter_fd: int, environment: Mapping[str, str], binds: Mapping[str, str]) -> list[str]:
    """The words to put before a command to run it in a sandbox. filter_fd holds the filter of system calls.

    binds maps folders to where they are inside, read-only, beside those that every sandbox has.
    """
    variables = [word for name, value in environment.items() for word in ("--setenv", name, value)]
    return [bwrap, *_isolation(), "--clearenv", *variables, *_mounts(tuple(binds.items())), "--seccomp", str(filter_fd), "--"]


def _isolation() -> list[str]:
    """Options for separate namespaces of every kind, without capabilities, and without a way to outlive the parent.

    Root stays in its present user namespace, because the limit on processes never applies to user 0. The first process
    inside gives programs another user id, and keeps the capabilities that it needs for that and for killing them. An
    ordinary user gets a new user namespace, in which the limit counts only the processes of the sandbox.
    """
    spaces = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if os.geteuid() == 0:
        spaces += ["--cap-drop", "ALL"]
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_KILL"):
            spaces += ["--cap-add", capability]
    else:
        spaces += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    return [*spaces, "--hostname", "sandbox", "--die-with-parent", "--new-session", "--as-pid-1"]


@functools.cache
def _mounts(more: tuple[tuple[str, str], ...]) -> list[str]:
    """Options for an empty file system with Python and its libraries, read-only, and two small writable folders in memory."""
    binds = [(folder, folder) for folder in ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache")]
    own = (interpreter(), f"{sys.base_prefix}/lib", f"{sys.base_prefix}/lib64")
    binds += [(path, path) for path in own if path not in ("/usr/lib", "/usr/lib64")]
    binds.append((str(INSIDE), f"{HARNESS}/raml_eval/sandbox/inside"))
    binds += [(str(package), f"{HARNESS}/packages/{package.name}") for package in numpy_folders()]
    binds += more
    mounts: list[str] = []
    for folder in dict.fromkeys(str(above) for _, path in binds for above in reversed(Path(path).parents)):
        mounts += ["--perms", "0755", "--dir", folder]  # otherwise the folders above a mount have mode 0700
    for source, path in binds:
        mounts += ["--symlink", os.readlink(source), path] if os.path.islink(source) else ["--ro-bind-try", source, path]
    mounts += ["--proc", "/proc", "--dev", "/dev"]
    for folder in FOLDERS:
        mounts += ["--perms", "1777", "--size", str(FOLDER_BYTES), "--tmpfs", folder]
    return [*mounts, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]


def interpreter() -> str:
    """The path of the Python that is running, not that of a link to it in a virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def numpy_folders() -> list[Path]:
    """numpy and its own libraries, the one package beyond the standard library that programs may import."""
    found = importlib.util.find_spec("numpy")
    if found is None or not found.submodule_search_locations:
        return []
    package = Path(found.submodule_search_locations[0]).resolve()
    return [path for path in (package, package.with_name("numpy.libs")) if path.is_dir()]


def other_user() -> int | None:
    """A user id that nothing else has, if this process may switch to one; None if it runs as an ordinary user.

    Each program gets its own id, because the limit on processes counts all of a user's processes, in other sandboxes too.
    """
    if os.geteuid() != 0:
        return None
    first, n_mapped = 1000, 64000
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            n_mapped = max(int(line.split()[0]) + int(line.split()[2]) for line in file)
    except (OSError, ValueError):
        pass
    if n_mapped > 0x60000000:
        first, n_mapped = 0x20000000, 0x60000000
    return first + secrets.randbelow(max(n_mapped - first, 1))


def bubblewrap_problem() -> str:
    """The reason why bubblewrap cannot be tried here; empty if it can."""
    if sys.platform != "linux":
        return f"bubblewrap needs Linux, and this is {sys.platform}"
    if platform.machine() not in MACHINES:
        return f"there is no filter of system calls for {platform.machine()}"
    return "" if shutil.which("bwrap") else "the command bwrap is not there"
