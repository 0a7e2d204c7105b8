"""A child process that watches its parent and ends with it, however the parent ended."""

from __future__ import annotations

import os
import signal
import threading
import time


def watch_parent(parent_pid: int | None = None, poll_s: float = 0.5) -> None:
    """A daemon thread kills this process within poll_s seconds of its parent's death.

    parent_pid is the pid that the parent had when it started this process. If it is passed, the death of a parent before
    this call is noticed too; otherwise the present parent is watched. The kill is a SIGKILL to this process alone, and no
    cleanup runs, so call this only if losing the process loses nothing. The thread needs the interpreter lock: a long call
    into C that keeps the lock (a power of huge integers, say) delays the kill until it returns.
    """
    expected = os.getppid() if parent_pid is None else parent_pid

    def poll() -> None:
        while os.getppid() == expected:
            time.sleep(poll_s)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=poll, name="watch-parent", daemon=True).start()
