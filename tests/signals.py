"""Children that react to Ctrl-C. A background job of a shell ignores it, and its children would inherit that."""

from __future__ import annotations

import signal


def take_interrupts() -> None:
    """For preexec_fn: the child starts with the default action for SIGINT, so that Python installs its own handler."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
