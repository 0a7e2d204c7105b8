"""Where a gold answer first stands in a text, as a number or a word of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_NUMBER = re.compile(r"[-−+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_FRACTION = re.compile(r"\\[dt]?frac")
_MINUS = "[-−]"
# A minus belongs to a number unless something stands right before it that a number is subtracted from: 5-12, x-12, )-12.
_UNSIGNED = r"(?<![\w.])(?<!(?<![\w)\]}])[-−])"
_SIGNED = r"(?<![\w)\]}])"
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_ENDED = r"(?!\w)(?!\.\d)(?!(?:,|\{,\}|\\,)\d{3}(?!\d))"


def gold_finder(gold: str) -> Callable[[str], int | None]:
    r"""A function that says where the gold first begins in a text, in characters; None if it never does.

    A number stands alone: 12 is not in 123, 4.12, 12.5, 12,000, -12, x12 or 12th, but it is in 5-12, $12, 12% and "12.", and
    200 is not in 1,200. Its thousands may be set apart by commas (1,200; 1{,}200), and its minus may be the mathematical one.
    A word stands alone, in any case of its letters; a single letter only in its own. Anything else is found as it is spelt,
    with any blanks between its parts; \dfrac and \tfrac are \frac. No value is computed: 1/2 is not 0.5.

    Example: gold_finder("12")("123 - 111 = 12") == 12
    """
    pattern = _pattern(" ".join(gold.split()))

    def find(text: str) -> int | None:
        found = pattern.search(text)
        return None if found is None else found.start()

    return find


@lru_cache(maxsize=64)
def _pattern(gold: str) -> re.Pattern[str]:
    if _NUMBER.fullmatch(gold):
        return re.compile(_number(gold))
    parts = _FRACTION.split(gold)
    body = r"\\[dt]?frac\s*".join(_spelt(part) for part in parts)
    before = r"(?<!\w)" if _bounded(gold[:1]) else ""
    after = r"(?!\w)" if _bounded(gold[-1:]) else ""
    if gold[:1].isdigit():
        before = r"(?<![\w.])"
    if gold[-1:].isdigit():
        after = _ENDED
    return re.compile(before + body + after, 0 if len(gold) == 1 else re.IGNORECASE)


def _number(gold: str) -> str:
    """The pattern of a number, whose digits are grouped by threes or not at all."""
    sign, digits = (gold[0], gold[1:]) if gold[0] in "-−+" else ("", gold)
    whole, point, rest = digits.replace(",", "").partition(".")
    groups = [whole[max(0, end - 3) : end] for end in range(len(whole), 0, -3)][::-1]
    body = r"(?:,|\{,\}|\\,)?".join(groups) + (rf"\.{rest}" if point else "")
    lead = _SIGNED + _MINUS + r"\s?" if sign in ("-", "−") and sign else _UNSIGNED
    lead += r"(?<!\d,)(?<!\{,\})(?<!\\,)" if len(groups[0]) == 3 else ""  # 200 is not in 1,200
    return lead + body + _ENDED


def _spelt(part: str) -> str:
    """The part as it is spelt, with any blanks where it has some and around its marks."""
    pieces = re.findall(r"\w+|[^\w\s]", part)
    return r"\s*".join(_MINUS if piece in "-−" else re.escape(piece) for piece in pieces)


def _bounded(character: str) -> bool:
    """True for a character of a script that sets words apart, where a word must stand alone."""
    return bool(re.fullmatch(r"\w", character)) and not _UNSPACED.fullmatch(character)
