"""Whether formulas and equations have the same values, exactly or at several points, without sympy.

A text that is no simple formula (math/formula.py) is left open (None). All of this takes bounded time, so it runs anywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from raml_eval.grading.math.exact import exact_value
from raml_eval.grading.math.formula import FUNCTIONS, NoFormula, Reader
from raml_eval.grading.math.numbers import is_rounding
from raml_eval.grading.math.tokens import DIGITS, Tokens, context, has_any_base, letters_of, points, tokenize

_CLOSE = 10 ** -(DIGITS - 15)
_LARGE = 1e30
_SMALL = 10 ** -(DIGITS - 20)
# How many digits are computed: of formulas without functions, with two of them, with more; at points.
_MOST_DIGITS, _DIGITS_OF_FEW, _DIGITS_OF_MANY, _DIGITS_AT_POINTS = 30_000, 12_000, 3000, 1000
_HIDING = 40  # bits of all numbers; fewer cannot hide a difference
_ENOUGH = 3  # real values that agree, if other values do not
_UNREADABLE = object()


def same_value(left: str, right: str) -> bool | None:
    r"""Whether two formulas have the same value, at several points if they have letters; None if either is no formula.

    Letters often stand for positive quantities, so \ln\frac{p}{q} is \ln p-\ln q: at a point that is not positive, only
    two values that are real throughout tell formulas apart. So \sqrt{x^2} is not x. Absolute values and the imaginary unit
    speak of more than positive letters: with them, every difference counts.
    """
    a, b = tokenize(left), tokenize(right)
    if a is None or b is None or _multiplies_vectors(a) or _multiplies_vectors(b):
        return None
    if (exact := exact_value(a)) is not None and (other := exact_value(b)) is not None:
        return exact == other
    if _are_antiderivatives(a, b) and _differ_by_constant(a[:-2], b[:-2]):
        return True
    strict = any(text in ("|", "i") for _, text in (*a, *b))
    compared = real = skipped = 0
    for point in points(a, b):
        values = _values((a, b), point)
        if values is _UNREADABLE:
            return None
        if values is None:
            continue
        is_real = [not isinstance(value, context().mpc) for value in values[:2]]
        agree = _agree(values, DIGITS - 15)
        if values[2] > _HIDING and (agree or not point):
            closely = _agree_closely(a, b, point, values[2], late=compared > 1)
            if closely is None and agree:
                if not point:
                    return False  # too large to compute
                continue  # 2^n and 2^n-1 agree in all digits that are computed; smaller points tell them apart
            agree = bool(closely)
        if not agree:
            positive = all(value > 0 for value in point.values())
            if strict or all(is_real) or (positive and any(is_real)):
                return None if has_any_base(a, b) else False
            skipped += positive
            continue
        compared += 1
        real += all(is_real)
    if skipped and real < _ENOUGH:
        return None
    return True if compared >= (2 if point else 1) else None


def _agree(values: Sequence[Any], digits: int) -> bool:
    size = max(abs(values[0]), abs(values[1]))
    return bool(abs(values[0] - values[1]) <= context().mpf(10) ** -digits * size)


def _agree_closely(a: Tokens, b: Tokens, point: Mapping[str, Any], bits: int, late: bool) -> bool | None:
    r"""Whether two formulas agree in so many digits that none of their numbers can hide a difference, as in 1-e^{-100}.

    None if these would be too many; late: they have been compared at two points already.
    """
    reach = int(bits * math.log10(2)) + 1
    digits = DIGITS + 4 * reach
    slow = _slow(a) + _slow(b)
    most = _MOST_DIGITS if not slow else _DIGITS_OF_FEW if slow < 3 else _DIGITS_OF_MANY
    if digits > (min(most, _DIGITS_AT_POINTS) if late or (point and slow > 2) else most):
        return None
    with context().workdps(digits):
        values = _values((a, b), point)
        return None if values in (None, _UNREADABLE) else _agree(values, 2 * reach + DIGITS - 15)


def _slow(tokens: Tokens) -> int:
    """The number of functions, and of powers and roots that are computed like functions: 2^x, 5^{2/3}."""
    texts = [text for _, text in tokens]
    functions = sum(text in FUNCTIONS or text in (r"\log", "[", "e") for text in texts)
    powers = "".join(" " + text for text in texts).split("^")[1:]
    return functions + sum(re.match(r" \{ -? ?\d+ \}| \d(?= |$)", power) is None for power in powers)


def _are_antiderivatives(a: Tokens, b: Tokens) -> bool:
    """Whether both end in the constant of integration +C, which they have nowhere else, and have one other letter."""
    end = (("sign", "+"), ("symbol", "C"))
    letters = letters_of(a[:-2], b[:-2])
    return a[-2:] == b[-2:] == end and len(letters) == 1 and letters != ["C"]


def _differ_by_constant(a: Tokens, b: Tokens) -> bool:
    """Whether two formulas differ by the same number wherever both are real."""
    first, compared = None, 0
    for point in points(a, b):
        values = _values((a, b), point)
        if values is _UNREADABLE:
            return False
        if values is None or any(isinstance(value, context().mpc) for value in values[:2]):
            continue
        difference, size = values[0] - values[1], max(abs(values[0]), abs(values[1]), 1)
        if size > _LARGE:
            continue
        first = difference if first is None else first
        if abs(difference - first) > _CLOSE * size:
            return False
        compared += 1
    return compared > _ENOUGH


def _multiplies_vectors(tokens: Tokens) -> bool:
    """Whether the formula may multiply vectors, which do not multiply like the numbers that stand for them here."""
    texts = {text for _, text in tokens}
    return any(text.startswith(r"\vec") for text in texts) and bool(texts & {r"\times", r"\cdot", "|"})


def _values(sides: tuple[Tokens, Tokens], point: Mapping[str, Any]) -> Any:
    """The values of both sides at a point and the bits of their numbers; None if a side has none, _UNREADABLE if no formula."""
    mp = context()
    try:
        readers = [Reader(side, point, mp) for side in sides]
        values = [reader.read() for reader in readers]
    except NoFormula:
        return _UNREADABLE
    except (ZeroDivisionError, OverflowError, ValueError, TypeError):
        return None
    return (*values, max(reader.bits for reader in readers)) if all(mp.isfinite(value) for value in values) else None


def same_equation(left: str, right: str) -> bool | None:
    """Whether two equations say the same: the difference of sides of one is a constant multiple of the other's.

    None if a side is no formula, or if that does not decide.

    Example: same_equation("y=2x+3", "2x-y+3=0") is True.
    """
    if left.count("=") != 1 or right.count("=") != 1:
        return None
    a, b, c, d = (tokenize(side) for side in (*left.split("="), *right.split("=")))
    if a is None or b is None or c is None or d is None:
        return None
    factors = []
    for point in points(a, b, c, d):
        values = [_values(pair, point) for pair in ((a, b), (c, d))]
        if _UNREADABLE in values:
            return None
        if None in values:
            continue
        differences = [pair[0] - pair[1] for pair in values]
        if any(isinstance(difference, context().mpc) for difference in differences) and min(point.values(), default=0) <= 0:
            continue  # the letters may be meant to be positive
        if all(_SMALL < abs(difference) < _LARGE for difference in differences):
            factors.append(differences[0] / differences[1])
    if letters_of(a, b) != letters_of(c, d):
        return False
    if len(factors) < 2:
        return None
    return all(abs(factor - factors[0]) <= _CLOSE * abs(factors[0]) for factor in factors)


def rounds_to(formula: str, decimal: str, decimals: int) -> bool | None:
    """Whether the decimal is the value of a formula, rounded or cut; None if the formula has letters or no value."""
    tokens = tokenize(formula)
    if tokens is None or letters_of(tokens):
        return None
    mp = context()
    try:
        value = Reader(tokens, {}, mp).read()
        if isinstance(value, mp.mpc) and value.imag:
            return False
        return is_rounding(Fraction(mp.nstr(mp.re(value), DIGITS - 10, strip_zeros=False)), Fraction(decimal), decimals)
    except (NoFormula, ZeroDivisionError, OverflowError, ValueError, TypeError):
        return None
