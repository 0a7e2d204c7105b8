"""Ray clusters on this machine, and the processes of a run on Ray."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.completion_server import free_port
from tests.processes import below, command_of, wait_until

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
        wait_until(lambda: b"started" in (folder / "node.log").read_bytes())
        yield f"127.0.0.1:{port}", client
    finally:
        node.kill()


def replicas(pid: int | None = None) -> list[int]:
    """The processes of the replicas of the run in a process, this one if none is named."""
    return sorted(one for one in below(pid or os.getpid()) if command_of(one).startswith("ray::Replica"))
