"""Markdown tables whose cells are plain text, whatever stands in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any


def markdown_table(rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table, the first row as its head, in which no cell can end its cell or begin markup."""
    lines = [" | ".join(plain(cell) for cell in row) for row in rows]
    rule = " | ".join("---" for _ in rows[0])
    return "\n".join(f"| {line} |" for line in (lines[0], rule, *lines[1:]))


def setting_rows(settings: Mapping[str, Any]) -> list[list[Any]]:
    """The rows of a table of settings, with their head."""
    shown = ((key, ", ".join(map(str, value)) if isinstance(value, list) else value) for key, value in settings.items())
    return [["setting", "value"], *([key, value] for key, value in shown)]


def plain(value: Any) -> str:
    """The value as text on one line in which nothing is markup; empty for None.

    Example: plain("a|b") == r"a\\|b"
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    text = "".join(char if char.isprintable() else " " for char in str(value))
    return re.sub(r"([\\`*_{}\[\]<>#|!&~$])", r"\\\1", text)
