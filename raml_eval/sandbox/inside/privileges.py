"""Gives up the privileges of a process in the sandbox, and hides it from others."""

from __future__ import annotations

import contextlib
import os
import sys

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def give_up(uid: int | None) -> None:
    """This process runs as that user, with no group and no capability. For None, nothing changes."""
    if uid is None:
        return
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _prctl(_PR_SET_DUMPABLE, 1)  # otherwise a process that changed its user loses /proc/self, and with it /dev/stdin


def hide_from_tracers() -> None:
    """No process of the same user can read or write this one's memory or descriptors."""
    _prctl(_PR_SET_DUMPABLE, 0)


def reap_orphans() -> None:
    """Descendants whose parents ended become children of this process, so that it can find them."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
