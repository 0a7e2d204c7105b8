"""Ray clusters on this machine, and the processes of a run on Ray."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.completion_server import free_port

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
HEAD = ("gcs_server", "raylet/raylet")


class Node:
    """A node that 'ray start' holds open. It ends with kill, and no other node does."""

    def __init__(self, folder: Path, *options: str) -> None:
        script = "from ray.scripts.scripts import main; main()"
        command = [
            sys.executable,
            "-c",
            script,
            "start",
            "--block",
            "--num-cpus=1",
            "--object-store-memory=100000000",
            *options,
        ]
        with (folder / "node.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env={**os.environ, **QUIET}, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """The node is gone, as after a power failure."""
        for pid in [self.process.pid, *below(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, int]]:
    """A cluster of one CPU: its address, and the port of its server for ray:// addresses."""
    port, client = free_port(), free_port()
    options = (
        f"--port={port}",
        f"--ray-client-server-port={client}",
        "--include-dashboard=false",
        "--node-ip-address=127.0.0.1",
    )
    node = Node(folder, "--head", *options)
    try:
        wait_for(lambda: "started" in (folder / "node.log").read_text())
        yield f"127.0.0.1:{port}", client
    finally:
        node.kill()


def wait_for(true: object, limit_s: float = 120) -> None:
    deadline = time.monotonic() + limit_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def parents() -> dict[int, int]:
    """The parent of every living process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found[int(path.parent.name)] = int(parent)
    return found


def below(pid: int) -> list[int]:
    """The living processes that descend from this one."""
    tree, found = parents(), [pid]
    for known in found:
        found += [child for child, parent in tree.items() if parent == known]
    return found[1:]


def command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def replicas(pid: int | None = None) -> list[int]:
    """The processes of the replicas of the run in a process, this one if none is named."""
    return sorted(one for one in below(pid or os.getpid()) if command(one).startswith("ray::Replica"))
