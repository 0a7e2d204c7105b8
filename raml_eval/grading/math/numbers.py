"""Reads exact values without sympy: integers, decimals, fractions, numbers in words and in other bases."""

from __future__ import annotations

import functools
import math
import re
from fractions import Fraction

_NUMBER = re.compile(
    r"([+-]?)(\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d*)(?:\.(\d*))?"
    r"(?:[eE]([+-]?\d{1,9})|(?:\\times|\\cdot|x) ?10\^\{?([+-]?\d{1,9})\}?)?"
)
_POWER_OF_TEN = re.compile(r"([+-]?)10\^\{?([+-]?\d{1,4})\}?")
_FRACTION = re.compile(r"(?P<sign>[+-]?)\\frac\{(?P<top>[+-]?[\d,]+)\}\{(?P<bottom>[+-]?[\d,]+)\}")
_SLASHED = re.compile(r"(?P<sign>[+-]?)(?P<top>\d+)/(?P<bottom>\d+)")
_MIXED = re.compile(r"(?P<sign>[+-]?)(?P<whole>\d+)[ +]?\\frac\{(?P<top>\d+)\}\{(?P<bottom>\d+)\}")
_REPEATING = re.compile(r"([+-]?)(\d*)\.(\d*)\\overline\{(\d+)\}")
_BASES = {
    word: base
    for base, word in enumerate(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], start=2
    )
} | {"sixteen": 16, "hex": 16, "binary": 2, "octal": 8}
_BASED = re.compile(
    r"\(?(?:\\text\{)?(\d[0-9A-F]*|[A-F][0-9A-F]*\d[0-9A-F]*)\}?\)?"
    r"(?:_\{?(?:\\text\{)? ?\(?(?:base ?\}? ?)?(\d{1,2}|[a-z]+)\)? ?\}?\}?|"
    r",? ?(?:\\text\{ ?)?\(?(?:in )?base ?-?(\d{1,2}|[a-z]+)\)?\}?)"
)
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_SMALL = {word: value for value, word in enumerate(_UNITS.split())} | {"a": 1, "an": 1}
_TENS = {
    word: 10 * place
    for place, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2)
}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_SCALED = re.compile(
    r"([+-]?[\d.,]+) ?(?:\\text\{ ?)?(hundred|thousand|million|billion|trillion|dozen)s?"
    r"(?: [a-z]+){0,3} ?\}?(?:\\text\{[a-z ]+\})?"
)
_PARTS = {"half": 2, "halve": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10,
          "hundredth": 100, "thousandth": 1000}  # fmt: skip
_PART = re.compile(rf"(\d+) ?(?:\\text\{{ ?)?({'|'.join(_PARTS)})s?\}}?|(\d+),a half|(\d+) out of (\d+)")


@functools.lru_cache(maxsize=8192)
def read_number(text: str) -> tuple[str, str, int] | None:
    r"""A plain number as (sign, digits without zeros at either end, exponent); two of these are equal if the values are.

    Integers, decimals, thousands separators, 1e3 and 1.5\times 10^{3}, of any length; None for all else.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, whole, decimals = match[1], re.sub("[, ]", "", match[2]), match[3] or ""
    if not whole + decimals:
        return None
    exponent = int(match[4] or match[5] or 0) - len(decimals)
    digits = (whole + decimals).lstrip("0")
    shorter = digits.rstrip("0")
    if not shorter:
        return "", "", 0
    return "-" if sign == "-" else "", shorter, exponent + len(digits) - len(shorter)


@functools.lru_cache(maxsize=8192)
def read_fraction(text: str) -> Fraction | None:
    """The exact value of a number, a fraction, a mixed number, a repeating decimal or '5 million'; None for any other text.

    Texts over 400 characters are not read.
    """
    if len(text) > 400:
        return None
    number = read_number(text)
    if number is not None:
        sign, digits, exponent = number
        return Fraction(f"{sign}{digits or 0}e{exponent}") if abs(exponent) <= 400 else None
    for pattern in (_FRACTION, _SLASHED, _MIXED):
        if (match := pattern.fullmatch(text)) is not None:
            return _divide(match)
    if (match := _REPEATING.fullmatch(text)) is not None:
        sign, whole, fixed, repeated = match.groups()
        value = int(whole + fixed or "0") + Fraction(int(repeated), 10 ** len(repeated) - 1)
        return Fraction(-1 if sign == "-" else 1, 10 ** len(fixed)) * value
    if (match := _POWER_OF_TEN.fullmatch(text)) is not None:
        return Fraction(f"{match[1]}1e{match[2]}")
    if (match := _SCALED.fullmatch(text)) is not None and (scaled := read_fraction(match[1])) is not None:
        return scaled * _SCALES[match[2]]
    if (match := _PART.fullmatch(text)) is not None:
        if match[3]:
            return int(match[3]) + Fraction(1, 2)
        top, bottom = (int(match[1]), _PARTS[match[2]]) if match[1] else (int(match[4]), int(match[5]))
        return Fraction(top, bottom) if bottom else None
    return _read_words(text)


def _divide(match: re.Match[str]) -> Fraction | None:
    top, bottom = (int(match[name].replace(",", "") or 0) for name in ("top", "bottom"))
    if not bottom:
        return None
    value = int(match.groupdict().get("whole") or 0) + Fraction(top, bottom)
    return -value if match["sign"] == "-" else value


def _read_words(text: str) -> Fraction | None:
    """The value of English number words up to trillions; None for any other text."""
    sign = -1 if text.startswith("-") else 1
    words = text.casefold().replace("-", " ").split()
    if not words or len(words) > 12 or words in (["a"], ["an"]):
        return None
    total = group = 0
    for word in words:
        if word in _SMALL:
            group += _SMALL[word]
        elif word in _TENS:
            group += _TENS[word]
        elif word == "hundred":
            group = (group or 1) * 100
        elif word in _SCALES:
            total, group = total + (group or 1) * _SCALES[word], 0
        elif word != "and":
            return None
    return Fraction(sign * (total + group))


@functools.lru_cache(maxsize=4096)
def read_based(text: str) -> tuple[str, int] | None:
    r"""The digits and the base of a number that names its base, such as 4343_6, 4343_{\text{six}} or 4343 base 6; else None."""
    match = _BASED.fullmatch(text)
    if match is None:
        return None
    named = match[2] or match[3]
    base = int(named) if named.isdigit() else _BASES.get(named, 0)
    return (match[1].lstrip("0") or "0", base) if 2 <= base <= 36 else None


def is_rounding(value: Fraction, decimal: Fraction, decimals: int) -> bool:
    """Whether the decimal is the value, either rounded or cut after this number of decimals."""
    scaled = value * 10**decimals
    return decimal * 10**decimals in (Fraction(round(scaled)), Fraction(math.trunc(scaled)))


def same_decimals(left: str, right: str) -> bool:
    """Whether one of two decimals is the other one rounded or cut, and has six digits or more that count.

    Example: same_decimals("3.141593", "3.14159265") is True; with "3.14" in place of "3.141593" it is False.
    """
    short, long = sorted((left, right), key=lambda text: decimals_of(text) or 0)
    decimals = decimals_of(short.rstrip("0"))
    if decimals is None or decimals_of(long) is None:
        return False
    return is_rounding(Fraction(long), Fraction(short), decimals)


def decimals_of(text: str) -> int | None:
    """The number of decimals of a plain decimal; None if it is none, or if it has fewer than six digits that count.

    Leading zeros do not count.
    """
    match = re.fullmatch(r"[+-]?(\d*)\.(\d+)", text)
    if match is None or len((match[1] + match[2]).lstrip("0")) < 6:
        return None
    return len(match[2])
