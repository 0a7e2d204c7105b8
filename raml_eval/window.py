"""A span of dates: which questions are recent enough that a model cannot have seen them, or of one window of a benchmark."""

from __future__ import annotations

import calendar
import datetime
import re
from dataclasses import dataclass

_DATE = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")


def is_date(text: str) -> bool:
    """True for a day or a month that exists, such as 2025-02-15 or 2025-02."""
    return _span(text) is not None


@dataclass(frozen=True, slots=True)
class Window:
    """The questions from the first day of after on, and up to the day before before; "" is no limit.

    A month stands for all its days: a question that is only known to be of 2025-06 is not from after 2025-06-15.
    """

    after: str = ""
    before: str = ""

    def holds(self, date: str) -> bool:
        """Whether a question of that day or month lies within.

        Example: Window(after="2025-06").holds("2025-06-12")
        """
        span, first, end = _span(date), _span(self.after), _span(self.before)
        if span is None:
            return False
        return (first is None or span[0] >= first[0]) and (end is None or span[1] < end[0])

    def __bool__(self) -> bool:
        return bool(self.after or self.before)

    def __str__(self) -> str:
        said = [f"from {self.after} on" if self.after else "", f"before {self.before}" if self.before else ""]
        return " and ".join(filter(None, said))


def _span(text: str) -> tuple[datetime.date, datetime.date] | None:
    """The first and the last day of a date; None for a text that is none."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = (int(part) if part else 0 for part in match.groups())
    try:
        first = datetime.date(year, month, day or 1)
        return first, first if day else datetime.date(year, month, calendar.monthrange(year, month)[1])
    except ValueError:
        return None
