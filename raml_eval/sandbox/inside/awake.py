"""Time in which this process was not suspended."""

from __future__ import annotations

import select
from time import monotonic
from typing import Any

GAP_S = 2.0
POLL_S = 0.2


class AwakeTime:
    """The seconds since the start, without gaps of more than GAP_S between two looks. Look more often than that.

    In such a gap this process was suspended (by a scheduler that lets another job run, Ctrl-Z, a frozen container), and what it
    started as a rule was too: a program that it waits for had no chance to end meanwhile.
    """

    def __init__(self) -> None:
        self._started = self._last = monotonic()

    def look(self) -> float:
        now = monotonic()
        if now - self._last > GAP_S:
            self._started += now - self._last
        self._last = now
        return now - self._started

    def readable(self, source: Any, limit_s: float) -> bool:
        """True as soon as there is something to read; false if there is nothing limit_s seconds after the start."""
        while not select.select([source], [], [], min(limit_s, POLL_S))[0]:
            if self.look() >= limit_s:
                return False
        return True
