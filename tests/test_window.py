"""Spans of dates: what is known to lie within, day by day and month by month."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.window import Window, is_date

DAYS = st.dates(datetime.date(2020, 1, 1), datetime.date(2030, 12, 31))


@pytest.mark.parametrize("text", ["2025-06", "2025-06-30", "2024-02-29"])
def test_dates(text: str) -> None:
    assert is_date(text)


@pytest.mark.parametrize("text", ["", "2025", "2025-6", "2025-13", "2025-02-30", "2025-06-1", "contest_date", "2025-06-01 "])
def test_no_dates(text: str) -> None:
    assert not is_date(text)


@pytest.mark.parametrize(
    ("after", "before", "date", "held"),
    [
        ("2025-06", "", "2025-06", True),
        ("2025-06", "", "2025-05-31", False),
        ("2025-06-15", "", "2025-06", False),  # it may have been the 1st
        ("2025-06-15", "", "2025-06-15", True),
        ("", "2025-06", "2025-05", True),
        ("", "2025-06", "2025-06-01", False),
        ("", "2025-06-15", "2025-06", False),
        ("", "2025-06-15", "2025-06-14", True),
        ("2024-08", "2025-02", "2025-01-31", True),
        ("2024-08", "2025-02", "", False),
    ],
)
def test_what_a_window_holds(after: str, before: str, date: str, held: bool) -> None:
    assert Window(after, before).holds(date) is held


@given(DAYS, DAYS, DAYS)
def test_days_are_held_as_their_order_says(after: datetime.date, before: datetime.date, day: datetime.date) -> None:
    assert Window(str(after), str(before)).holds(str(day)) is (after <= day < before)


@given(DAYS, DAYS)
def test_a_month_is_held_only_if_all_its_days_are(after: datetime.date, day: datetime.date) -> None:
    days = (day.replace(day=1) + datetime.timedelta(days=i) for i in range(31))
    every = all(Window(str(after)).holds(str(one)) for one in days if one.month == day.month)
    assert Window(str(after)).holds(str(day)[:7]) is every
