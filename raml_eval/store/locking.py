"""A lock on an open file, which the system releases when its process ends, however that ends."""

from __future__ import annotations

import fcntl


def try_lock(file: int) -> bool:
    """True if this open file now has the lock on its path, and False if another open file has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
