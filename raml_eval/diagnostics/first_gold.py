"""Where a gold answer first stands in a text, as a number or a word of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_NUMBER = re.compile(r"[-−+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_FRACTION = re.compile(r"\\[dt]?frac")
_ESCAPED = re.compile(r"\\([%$#&])")
_MINUS = "[-−]"
# A minus belongs to a number unless something stands right before it that a number is subtracted from: 5-12, x-12, )-12.
_UNSIGNED = r"(?<![\w.])(?<!(?<![\w)\]}])[-−])"
_SIGNED = r"(?<![\w)\]}])"
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_ENDED = r"(?!\w)(?!\.\d)(?!(?:,|\{,\}|\\,)\d{3}(?!\d))"


def gold_finder(gold: str) -> Callable[[str], int | None]:
    r"""A function that says where the gold first begins in a text, in characters; None if it never does.

    A number stands alone: 12 is not in 123, 4.12, 12.5, 12,000, -12, x12 or 12th, but it is in 5-12, $12, 12% and "12.", and
    200 is not in 1,200, nor 10 in 2e-10. A minus between two terms is no sign: -12 is not in 17 - 12. Its thousands may be
    set apart by commas (1,200; 1{,}200), and its minus may be the mathematical one.
    A word stands alone, in any case of its letters; a single letter only in its own. Anything else is found as it is spelt,
    with any blanks between its parts; \dfrac and \tfrac are \frac, and 5\% is 5%. No value is computed: 1/2 is not 0.5.

    Example: gold_finder("12")("123 - 111 = 12") == 12
    """
    pattern = _pattern(" ".join(gold.split()))

    signed = gold.strip()[:1] in ("-", "−")

    def find(text: str) -> int | None:
        for found in pattern.finditer(text):
            if not (_subtracts(text, found.start()) if signed else _goes_on(text, found.start())):
                return found.start()
        return None

    return find


def _subtracts(text: str, at: int) -> bool:
    """True if the minus at this place stands between two terms, as in 17 - 12, x - 12 and )-12."""
    before = text[max(0, at - 40) : at].rstrip()
    if before[-1:].isdigit() or before[-1:] in (")", "]", "}"):
        return True
    variable = before[-1:].isalpha() and not before[-2:-1].isalpha()
    return variable and (text[at + 1 : at + 2].isspace() or before.endswith(text[at - 1 : at]))


def _goes_on(text: str, at: int) -> bool:
    """True if what begins at this place belongs to what stands before it: a minus, a factor, or the digits of 2e-10."""
    before = text[max(0, at - 40) : at]
    if text[at] == "\\" and (before[-1:].isalnum() or before[-1:] == "}"):
        return True
    if re.search(r"\d[eE][-−+]?$", before):
        return True
    minus = len(before.rstrip()) - 1
    if minus < 0 or before[minus] not in "-−" or len(before) - minus > 2:
        return False
    place = at - len(before) + minus
    begins_line = not text[:place].rpartition("\n")[2].strip()
    return not (begins_line and minus < len(before) - 1) and not _subtracts(text, place)  # "- 12" may be an item of a list


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
    """The part as it is spelt, with any blanks where it has some and around its marks; LaTeX escapes some of these."""
    pieces = re.findall(r"\w+|[^\w\s]", _ESCAPED.sub(r"\1", part))
    return r"\s*".join(_MINUS if piece in "-−" else _escaped(piece) for piece in pieces)


def _escaped(piece: str) -> str:
    return (r"\\?" if _ESCAPED.fullmatch(f"\\{piece}") else "") + re.escape(piece)


def _bounded(character: str) -> bool:
    """True for a character of a script that sets words apart, where a word must stand alone."""
    return bool(re.fullmatch(r"\w", character)) and not _UNSPACED.fullmatch(character)
