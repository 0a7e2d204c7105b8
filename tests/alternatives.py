"""The alternatives of a regular expression, and the expression without each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator


def alternatives(pattern: str) -> list[str]:
    """The alternatives of a pattern that stand outside all its groups: 'a|(b|c)' has two."""
    parts, depth, start, in_class = [], 0, 0, False
    place = 0
    while place < len(pattern):
        character = pattern[place]
        if character == "\\":
            place += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
            place += len(re.match(r"\[\^?\]?", pattern[place:])[0]) - 1
        elif character == "|" and depth == 0:
            parts.append(pattern[start:place])
            start = place + 1
        else:
            depth += (character == "(") - (character == ")")
        place += 1
    return [*parts, pattern[start:]]


def without_each(pattern: str) -> Iterator[tuple[str, str]]:
    """Each alternative, and the pattern in which it never matches; groups keep their numbers."""
    parts = alternatives(pattern)
    for place, part in enumerate(parts):
        yield part, "|".join([*parts[:place], f"(?!){part}", *parts[place + 1 :]])
