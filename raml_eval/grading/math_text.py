"""Spellings of mathematical answers: one spelling for many, and what can be read off without sympy."""

from __future__ import annotations

import functools
import re
from fractions import Fraction

from raml_eval.grading.text import plain_unicode, unwrap

LONGEST = 2000  # characters that are rewritten; a longer text is only stripped

_WRAPPER = re.compile(r"\\(?:boxed|fbox)\s*\{([^{}]*)\}")
_POWERS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_SCALE = rf"([\d.])\s*(?:\\(?:text|textrm|mathrm)\s*\{{\s*)?({'|'.join(_POWERS)})\s*\}}?(?:\s+[a-z]+)*$"
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|displaystyle|textstyle|limits|[bB]igg?[lrm]?)(?![a-zA-Z])", ""),
        (r"(?<=\d)(?:(?<!\\)\\[,!: ]|~)\s*(?=\d{3}(?!\d))|\{,\}\\?!?|(?<=\d,)\\!", lambda m: "," if "{" in m[0] else ""),
        (r"(?<!\\)\\[,;:! ]|\\q?quad(?![a-zA-Z])|~|\s+", " "),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*\{([^{}]*)\}\s*(\d)", r"\\frac{\1}{\2}"),
        (r"(?<![\\a-zA-Z])sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\\sqrt\s*(\d+|[a-zA-Z])(?![a-zA-Z])", r"\\sqrt{\1}"),
        (r"(?<![\\a-zA-Z])(pi|sin|cos|tan|log|ln)(?![a-zA-Z])", r"\\\1 "),
        (r"\*\*|\^\^", "^"),
        (r"\^\s*\(([^()]*)\)", r"^{\1}"),
        (r"\*", r"\\cdot "),
        (r"<=|\\leq(?:slant)?(?![a-zA-Z])", r"\\le "),
        (r">=|\\geq(?:slant)?(?![a-zA-Z])", r"\\ge "),
        (
            r"(\d)\s*\^?\s*\{?\s*(?:\\(?:text|mathrm|textrm)\s*\{\s*(?:st|nd|rd|th)\s*\}|(?:st|nd|rd|th)(?![a-zA-Z]))\s*\}?",
            r"\1",
        ),
        (r"\^\s*\{?\s*\\circ\s*\}?|\\degrees?(?![a-zA-Z])", ""),
        (r"\\(?:varnothing|O)(?![a-zA-Z])|\\\{\s*\\\}", r"\\emptyset"),
        (r"\\(?:mathrm|text|textrm)\s*\{\s*([ie])\s*\}", r"\1"),
        (r"\\text\s*\{\s*,?\s*(?:and|or)\s*\}|,?\s(?:and|or)\s", ", "),
        (r"^\s*(?:\\\$|\$|€|£|US\\?\$)\s*(?=[\d.-])", ""),
        (r"(\d)\s+per\s?cent\b", r"\1\\%"),
        (_SCALE, lambda m: rf"{m[1]}\cdot 10^{{{_POWERS[m[2]]}}}"),
        (
            r"^(-?[\d.,]+)\s+(?!(?:hundred|thousand|million|billion|trillion|dozen|over)\b)[a-z]{3,}(?:\s[a-z]{2,})*$",
            r"\1",
        ),
        (r"\\begin\{array\}\{[lcr| ]*\}", r"\\begin{pmatrix}"),
        (r"\\end\{array\}", r"\\end{pmatrix}"),
        (r"[(\[]\s*(\\begin\{pmatrix\}.*?\\end\{pmatrix\})\s*[)\]]", r"\1"),
        (r"\\cdot\s*|\\times\s*", lambda m: m[0].strip() + " "),
        (r"^(-?\d+) (\d+)/(\d+)$", r"\1\\frac{\2}{\3}"),
        (r" +(?=[^\w ])|(?<=[^\w ,]) +(?!$)", ""),
        (r", +(?!\d{3}(?!\d))", ","),  # 1, 200 stays two numbers
    )
]

_NUMBER = re.compile(
    r"([+-]?)(\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d*)(?:\.(\d*))?"
    r"(?:[eE]([+-]?\d{1,9})|(?:\\times|\\cdot) ?10\^\{?([+-]?\d{1,9})\}?)?"
)
_FRACTION = re.compile(r"(?P<sign>[+-]?)\\frac\{(?P<top>[+-]?\d+)\}\{(?P<bottom>[+-]?\d+)\}")
_SLASHED = re.compile(r"(?P<sign>[+-]?)(?P<top>\d+)/(?P<bottom>\d+)")
_MIXED = re.compile(r"(?P<sign>[+-]?)(?P<whole>\d+)\\frac\{(?P<top>\d+)\}\{(?P<bottom>\d+)\}")
_REPEATING = re.compile(r"([+-]?)(\d*)\.(\d*)\\overline\{(\d+)\}")
_BASE_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "sixteen")
_BASES = {word: base for base, word in enumerate(_BASE_WORDS, start=2)} | {"sixteen": 16}
_BASED = re.compile(r"(\d[0-9A-F]*)_(?:\{?(?:\\text\{)?\(?(\d{1,2}|[a-z]+)\)?\}?\}?)")
_MARKED_WORD = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox)\{([^{}\\]*)\}")
_WORD = re.compile(r"\(?[^\W\d_]+\)?(?:[ '\-]+[^\W\d_]+)*")
_TOO_LARGE = re.compile(r"\^\{?[+-]?\d{7,}|\d{5,}!|!{3,}|\d{400,}")
_TOWER = re.compile(r"\d+(?:\)?\^\{?\(?\d+){2,}")


def simplify_latex(text: str) -> str:
    """The text in a spelling that equal answers share more often; the value it names is unchanged.

    A bare number's units, currency and degree signs go; texts over LONGEST characters are only stripped.
    """
    return unwrap(text) if len(text) > LONGEST else _simplify(text)


@functools.lru_cache(maxsize=4096)
def _simplify(text: str) -> str:
    text = unwrap(plain_unicode(text))
    if (box := _WRAPPER.fullmatch(text)) is not None:
        text = unwrap(box[1])
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return unwrap(text)


def read_number(text: str) -> tuple[str, str, int] | None:
    """A plain number as (sign, digits without zeros at either end, exponent), equal if and only if the values are.

    Integers, decimals, thousands separators, 1e3 and 1.5 \\times 10^{3}, of any length; None for all else.
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


def read_fraction(text: str) -> Fraction | None:
    """The exact value of a number, a/b, a mixed number or a repeating decimal up to 400 characters; None for all else."""
    if len(text) > 400:
        return None
    number = read_number(text)
    if number is not None:
        sign, digits, exponent = number
        return Fraction(f"{sign}{digits or 0}e{exponent}") if abs(exponent) <= 400 else None
    for pattern in (_FRACTION, _SLASHED, _MIXED):
        if (match := pattern.fullmatch(text)) is not None:
            sign, whole, top, bottom = match["sign"], match.groupdict().get("whole", "0"), match["top"], match["bottom"]
            if not int(bottom):
                return None
            value = int(whole) + Fraction(int(top), int(bottom))
            return -value if sign == "-" else value
    if (match := _REPEATING.fullmatch(text)) is not None:
        sign, whole, fixed, repeated = match.groups()
        value = int(whole + fixed or "0") + Fraction(int(repeated), 10 ** len(repeated) - 1)
        return Fraction(-1 if sign == "-" else 1, 10 ** len(fixed)) * value
    return None


def read_based(text: str) -> tuple[str, int] | None:
    r"""(digits, base) of a number with its base as a subscript, such as 4343_6 or 4343_{\text{six}}."""
    match = _BASED.fullmatch(text)
    if match is None:
        return None
    base = int(match[2]) if match[2].isdigit() else _BASES.get(match[2], 0)
    return (match[1].lstrip("0") or "0", base) if base >= 2 else None


def read_word(text: str) -> tuple[str, bool] | None:
    r"""The words that a text consists of, case folded, and whether \text{...} marks them as words; None for all else."""
    marked = _MARKED_WORD.fullmatch(text)
    content = unwrap(marked[1]) if marked else text
    return (content.strip("()").casefold(), marked is not None) if _WORD.fullmatch(content) else None


def is_tuple(text: str) -> bool:
    """Whether one pair of parentheses encloses the whole text and a comma stands directly in it."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth, comma = 0, False
    for position, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        comma |= character == "," and depth == 1
        if depth == 0:
            return comma and position == len(text) - 1
    return False


def is_set(text: str) -> bool:
    r"""Whether the text is \{...\} with a comma in it."""
    return text.startswith(r"\{") and text.endswith(r"\}") and "," in text


def too_large(text: str) -> bool:
    """Whether sympy would compute something huge: power towers, large factorials, digits and nesting without end."""
    if _TOO_LARGE.search(text) or max(text.count("{"), text.count("("), text.count("[")) > 100:
        return True
    return any(_tower_too_large(tower) for tower in _TOWER.findall(text))


def _tower_too_large(tower: str) -> bool:
    numbers = [int(digits) for digits in re.findall(r"\d+", tower)]
    exponent = numbers.pop()
    for base in reversed(numbers):
        if base > 1 and exponent * base.bit_length() > 1_000_000:
            return True
        exponent = base**exponent
    return False
