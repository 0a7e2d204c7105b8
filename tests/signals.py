"""Children that take Ctrl-C: a job that a shell put into the background ignores it, and so would they."""

from __future__ import annotations

import signal


def take_interrupts() -> None:
    """For preexec_fn: the child starts with the system's own answer to SIGINT, which Python then makes its own."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
