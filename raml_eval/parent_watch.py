"""A child process that watches its parent and ends with it, however the parent ended."""

from __future__ import annotations

import os
import signal
import threading
import time


def watch_parent(parent_pid: int | None = None, poll_s: float = 0.5) -> None:
    """Start a daemon thread that kills this process within poll_s seconds of its parent's death.

    parent_pid is the pid the parent had when it started this process. If it is passed, a parent that died before this call
    is noticed too. Otherwise the present parent is watched. The kill is a SIGKILL to this process alone: no
    cleanup runs, so call it only if losing the process loses nothing. The thread needs the interpreter lock: one
    call into C that keeps it (a power of huge integers, say) delays the end until it returns.
    """
    expected = os.getppid() if parent_pid is None else parent_pid

    def poll() -> None:
        while os.getppid() == expected:
            time.sleep(poll_s)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=poll, name="watch-parent", daemon=True).start()
