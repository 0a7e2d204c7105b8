"""Words that depend on a number, and texts of unknown origin made safe to print."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)")


def plural(n: int, noun: str) -> str:
    """The noun as it stands after the number n.

    Example: plural(1, "sample") == "sample"
    """
    return noun if n == 1 else f"{noun}s"


def count_noun(n: int, noun: str) -> str:
    """The number with the noun.

    Example: count_noun(4000, "sample") == "4,000 samples"
    """
    return f"{n:,} {plural(n, noun)}"


def list_some(items: Sequence[str], most: int = 3, mark: str = ", ") -> str:
    """The first items, then how many more there are.

    Example: list_some(["b", "a", "d", "c"]) == "b, a, d and 1 more"
    """
    more = len(items) - most
    return mark.join(items[:most]) + (f" and {more} more" if more > 0 else "")


def visible(text: str) -> str:
    r"""The text with every control, format and surrogate character, except line breaks and tabs, as an escape such as \x1b.

    Example: visible("\x1b[2J") == "\\x1b[2J"
    """
    return "".join(c if c in "\n\t" or not _steers(c) else _escape(c) for c in text)


def _steers(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str) -> str:
    r"""The text on one line, with escapes as visible() writes them.

    Example: one_line("cannot read a\n\x1b[2J") == "cannot read a \\x1b[2J"
    """
    return " ".join(visible(line) for line in text.split("\n"))


def disarm_terminal(text: str) -> str:
    r"""The text with every control character that steers a terminal as an escape that JSON reads back, such as \u001b.

    Line breaks and tabs stay.

    Example: disarm_terminal("\x1b[2J") == "\\u001b[2J"
    """
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
