"""Reads exact values without sympy: integers, decimals, fractions, numbers in words and in other bases."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from raml_eval.grading.statements.table import PHRASES

_NUMBER = re.compile(
    r"([+-]?)(\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d*)(?:\.(\d*))?"
    r"(?:[eE]([+-]?\d{1,9})|(?:\\times|\\cdot|x) ?10\^\{?([+-]?\d{1,9})\}?)?"
)
_POWER_OF_TEN = re.compile(r"([+-]?)10\^\{?([+-]?\d{1,4})\}?")
_FRACTION = re.compile(r"(?P<sign>[+-]?)\\frac\{(?P<top>[+-]?[\d,]+)\}\{(?P<bottom>[+-]?[\d,]+)\}")
_SLASHED = re.compile(r"(?P<sign>[+-]?)(?P<top>\d+)/(?P<bottom>\d+)")
_MIXED = re.compile(r"(?P<sign>[+-]?)(?P<whole>\d+)[ +]?\\frac\{(?P<top>\d+)\}\{(?P<bottom>\d+)\}")
_REPEATING = re.compile(r"([+-]?)(\d*)\.(\d*)\\overline\{(\d+)\}")

# What the words of a table mean, in the order in which every language lists them.
_NUMBERS: Mapping[str, Sequence[int]] = {
    "zero_word": (0,),
    "one_word": (1,),
    "number_unit": range(1, 10),
    "number_teen": range(10, 20),
}
_TENS: Mapping[str, Sequence[int]] = {"number_ten": range(20, 100, 10)}
_SCALES: Mapping[str, Sequence[int]] = {
    "number_scale": (100, 10**3, 10**6, 10**9),
    "other_scale": (10**12, 12, 10**5, 10**7, 144, 20, 10, 10**9, 10**6),
}
_PARTS: Mapping[str, Sequence[int]] = {"part_word": (2, 2, 3, 4, 5, 6, 8, 10, 100, 1000, 7, 9, 12)}
_BASES: Mapping[str, Sequence[int]] = {"base_adjective": (2, 8, 16)}


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


@PHRASES.cached(maxsize=8192)
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
    if (match := PHRASES["scaled number"].fullmatch(text)) is not None and (count := read_fraction(match["count"])) is not None:
        return count * _scales()[match["scale"]]
    if (match := PHRASES["part of"].fullmatch(text)) is not None:
        if match["half"]:
            return int(match["half"]) + Fraction(1, 2)
        bottom = _meanings(_PARTS)[match["part"]] if match["part"] else int(match["whole"])
        return Fraction(int(match["top"] or match["share"]), bottom) if bottom else None
    return _read_words(text)


def _meanings(tables: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """What each word of the tables means; a language lists its words in the order of the meanings."""
    return {
        word: meanings[place % len(meanings)]
        for table, meanings in tables.items()
        for place, word in enumerate(PHRASES.words(table))
    }


@PHRASES.cached
def _numbers() -> dict[str, int]:
    return _meanings({**_NUMBERS, **_TENS})


@PHRASES.cached
def _scales() -> dict[str, int]:
    return _meanings(_SCALES)


@PHRASES.cached
def _bases() -> dict[str, int]:
    return _meanings({**_NUMBERS, **_BASES})


def _divide(match: re.Match[str]) -> Fraction | None:
    top, bottom = (int(match[name].replace(",", "") or 0) for name in ("top", "bottom"))
    if not bottom:
        return None
    value = int(match.groupdict().get("whole") or 0) + Fraction(top, bottom)
    return -value if match["sign"] == "-" else value


def _read_words(text: str) -> Fraction | None:
    """The value of number words up to trillions; None for any other text."""
    sign = -1 if text.startswith("-") else 1
    words = text.casefold().replace("-", " ").split()
    if not words or len(words) > 12 or (len(words) == 1 and words[0] in PHRASES.word_set("one_word")):
        return None
    numbers, scales = _numbers(), _scales()
    total = group = 0
    for word in words:
        if word in numbers:
            group += numbers[word]
        elif word in scales and scales[word] == 100:
            group = (group or 1) * 100
        elif word in scales:
            total, group = total + (group or 1) * scales[word], 0
        elif word not in PHRASES.word_set("number_joint"):
            return None
    return Fraction(sign * (total + group))


@PHRASES.cached(maxsize=4096)
def read_based(text: str) -> tuple[str, int] | None:
    r"""The digits and the base of a number that names its base, such as 4343_6, 4343_{\text{six}} or 4343 base 6; else None."""
    match = PHRASES["number with base"].fullmatch(text)
    if match is None:
        return None
    named = match["base"]
    base = int(named) if named.isdigit() else _bases().get(named, 0)
    return (match["digits"].lstrip("0") or "0", base) if 2 <= base <= 36 else None


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
