"""Words that depend on a number."""

from __future__ import annotations


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
