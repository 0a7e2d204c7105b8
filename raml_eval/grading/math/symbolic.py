"""Equality of two expressions by sympy: by value at points first, by math-verify where that cannot be had.

No limit on time or memory of its own: it belongs in a worker.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from raml_eval.grading.math.numbers import decimals_of, is_rounding

_DIGITS = 40  # of the values that are compared
_CLOSE = 10 ** -(_DIGITS - 10)
# Where free symbols are put: no symmetry between them, both signs; whole numbers for what is defined on those only.
_REALS = ("1.3719", "-0.7431", "2.2361", "0.4142", "-1.6180", "3.3019", "17.283", "-23.461", "1234.567", "-987.654")
_LARGE = 1e30  # above it, the difference is exact or none
_WHOLE = (7, 4, 9, 5, 11, 6, 8, 10, 13, 3, 12, 14)
_FUNCTIONS = re.compile(r"\\(gamma|beta|zeta|lambda|chi|psi|phi)(?![a-zA-Z])")


def equal_expressions(left: str, right: str) -> tuple[bool, str]:
    """Whether two LaTeX expressions or equations are equal, and what decided: values, or math-verify.

    Where both can be evaluated they are equal if and only if they are so at several points, to thirty digits. A decimal
    with six digits or more stands for any number that it rounds or cuts; shorter ones are exact.
    """
    both = "=" in left and "=" in right
    decided = _equal_equations(left, right) if both else _equal_values(left, right)
    if decided is not None:
        return decided, "value"
    return _verify(left, right), "math-verify"


def _equal_values(left: str, right: str) -> bool | None:
    a, b = parse_latex(left), parse_latex(right)
    if a is None or b is None:
        return None
    for decimal, other in ((left, b), (right, a)):
        decimals = decimals_of(decimal)
        if decimals is not None and not other.free_symbols:
            return _rounds_to(other, decimal, decimals)
    if not a.free_symbols | b.free_symbols:
        with contextlib.suppress(Exception):
            difference = (a - b).doit()
            if difference.is_number and abs(complex(a.evalf(15))) > _LARGE:
                return bool(difference.simplify() == 0)
    points = list(_points(a, b))
    values = [(_value(a, point), _value(b, point)) for point in points]
    known = [pair for pair in values if None not in pair]
    if not known or (len(points) > 1 and len(known) < 2):
        return None
    return all(_close(x, y) for x, y in known)


def _equal_equations(left: str, right: str) -> bool | None:
    """Equations are equal where one's difference of sides is a multiple of the other's, the same at all points."""
    sides = [text.split("=") for text in (left, right)]
    if any(len(pair) != 2 for pair in sides):
        return None
    parsed = [[parse_latex(side) for side in pair] for pair in sides]
    if any(side is None for pair in parsed for side in pair):
        return None
    a, b = (pair[0] - pair[1] for pair in parsed)
    if a.free_symbols != b.free_symbols:
        return False
    factors = []
    for point in _points(a, b):
        x, y = _value(a, point), _value(b, point)
        if x is not None and y is not None and abs(x) > _CLOSE and abs(y) > _CLOSE:
            factors.append(x / y)
    return all(_close(factor, factors[0]) for factor in factors) if len(factors) > 1 else None


@functools.lru_cache(maxsize=2048)
def _parse_any(text: str) -> Any:
    """What the whole text is to sympy, a set or a relation too; None where it is nothing. It is never evaluated as Python."""
    from latex2sympy2_extended import latex2sympy
    from sympy import nan, zoo

    try:
        # sympy has functions of these names, and would apply them to what follows
        parsed = latex2sympy(_FUNCTIONS.sub(r"v_{\1}", text))
        return None if parsed.has(nan, zoo) else parsed
    except Exception:
        return None


@functools.lru_cache(maxsize=2048)
def parse_latex(text: str) -> Any:
    """The text as a sympy expression, decimals exact, with i as the imaginary unit; None where it is none."""
    from sympy import Expr, Float, I, Rational, Symbol

    parsed = _parse_any(text)
    if not isinstance(parsed, Expr):
        return None
    try:
        exact = {number: Rational(str(number)) for number in parsed.atoms(Float)}
        return parsed.xreplace({**exact, Symbol("i"): I})
    except Exception:
        return None


def _points(a: Any, b: Any) -> Iterator[dict[Any, Any]]:
    from sympy import Mod, Product, Rational, Sum, binomial, ceiling, factorial, floor

    symbols = sorted(a.free_symbols | b.free_symbols, key=str)
    if not symbols:
        yield {}
        return
    steps = any(side.has(Sum, Product, binomial, factorial, floor, ceiling, Mod) for side in (a, b))
    values = [Rational(value) for value in (_WHOLE if steps else _REALS)]
    for shift in range(len(values)):
        # A step of its own for each symbol keeps x+y and 2x apart.
        yield {symbol: values[(shift + place) % len(values)] + place for place, symbol in enumerate(symbols)}


def _value(expression: Any, point: dict[Any, Any]) -> Any:
    """The complex value at a point; None where there is none to so many digits."""
    try:
        parts = expression.subs(point).doit().evalf(_DIGITS).as_real_imag()
    except Exception:
        return None
    if not all(part.is_Number and part.is_finite for part in parts):
        return None
    import mpmath

    with mpmath.workdps(_DIGITS):
        return mpmath.mpc(*(str(part.evalf(_DIGITS)) for part in parts))


def _close(x: Any, y: Any) -> bool:
    return bool(abs(x - y) <= _CLOSE * max(abs(x), abs(y)))


def _rounds_to(expression: Any, decimal: str, decimals: int) -> bool | None:
    import mpmath

    value = _value(expression, {})
    if value is None:
        return None
    if value.imag:
        return False
    return is_rounding(Fraction(mpmath.nstr(value.real, _DIGITS - 10, strip_zeros=False)), Fraction(decimal), decimals)


def _verify(left: str, right: str) -> bool:
    """math-verify's verdict on the two texts as wholes, gold first; never on a part that it could make out."""
    from math_verify import verify

    parsed = _parse_any(left), _parse_any(right)
    if parsed[0] is None or parsed[1] is None:
        return False
    return bool(verify(*parsed, float_rounding=15, numeric_precision=60, allow_set_relation_comp=True, timeout_seconds=None))
