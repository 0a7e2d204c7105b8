"""Compares a program's output with the wanted one, as LiveCodeBench does."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation


def find_difference(got: str, wanted: str) -> str:
    r"""Where the outputs differ, in a few words; empty if they are the same.

    White space around the whole and around each line does not count. Two lines are the same if they are equal, or if both
    are lists of decimal numbers of equal value (1.0 and 1.00, but not 0.3333333 and 0.3333334).

    Example: find_difference("1.0\n", "1.00") == ""
    """
    got_lines, wanted_lines = _lines(got), _lines(wanted)
    if len(got_lines) != len(wanted_lines):
        return f"wrote {len(got_lines)} lines for {len(wanted_lines)}"
    for number, (mine, theirs) in enumerate(zip(got_lines, wanted_lines, strict=True), 1):
        if mine != theirs and not _same_numbers(mine, theirs):
            return f"line {number} is {shorten(repr(mine))} for {shorten(repr(theirs))}"
    return ""


def shorten(text: str, longest: int = 60) -> str:
    """The text, cut in the middle if it is long."""
    return text if len(text) <= longest else f"{text[: longest // 2]}...{text[-longest // 2 :]}"


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _same_numbers(mine: str, theirs: str) -> bool:
    try:
        return [Decimal(word) for word in mine.split()] == [Decimal(word) for word in theirs.split()]
    except InvalidOperation:
        return False
