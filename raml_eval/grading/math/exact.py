"""The exact value of a formula without letters that only calculates with rational numbers, however large they are.

Its numbers together have a bounded size, so this takes bounded time.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from raml_eval.grading.math.formula import NoFormula, Reader
from raml_eval.grading.math.tokens import Tokens

_MOST_BITS = 600_000  # of all numbers of a formula: 20000! has 257,000


def exact_value(tokens: Tokens) -> Fraction | None:
    r"""The value of a formula as a fraction; None if it has letters, roots or functions, no value, or too large numbers.

    Example: the value of 1-\frac{1}{2024!} is another one than that of 1.
    """
    try:
        return Fraction(_Exact(tokens).read())
    except (NoFormula, ZeroDivisionError, OverflowError, ValueError, TypeError):
        return None


class _Rationals:
    """The part of mpmath's context that a formula of rational numbers needs."""

    def __init__(self) -> None:
        self._bits = 0

    def _count(self, bits: float) -> None:
        """Counts the bits of a number before it is computed. Sums and products have no more than their parts."""
        self._bits += int(bits)
        if self._bits > _MOST_BITS:
            raise OverflowError

    def mpf(self, text: str | int) -> Fraction:
        self._count(text.bit_length() if isinstance(text, int) else 4 * len(text))
        return Fraction(text)

    def isint(self, value: Fraction) -> bool:
        return value.denominator == 1

    def power(self, base: Fraction, exponent: Fraction) -> Fraction:
        if exponent.denominator != 1:
            raise NoFormula
        size = base.numerator.bit_length() + base.denominator.bit_length()
        self._count(abs(exponent.numerator) * (size if abs(base) != 1 else 0))
        return Fraction(base**exponent.numerator)

    def factorial(self, value: Fraction) -> Fraction:
        self._count(math.lgamma(value + 1) / math.log(2))
        return Fraction(math.factorial(int(value)))

    def fac2(self, value: Fraction) -> Fraction:
        self._count(math.lgamma(value + 1) / math.log(2))
        return Fraction(math.prod(range(int(value), 0, -2)))

    def binomial(self, top: Fraction, bottom: Fraction) -> Fraction:
        if top.denominator != 1 or bottom.denominator != 1 or top < 0:
            raise NoFormula
        self._count(int(top))
        return Fraction(math.comb(int(top), int(bottom)) if bottom >= 0 else 0)

    def floor(self, value: Fraction) -> Fraction:
        return Fraction(math.floor(value))

    def ceil(self, value: Fraction) -> Fraction:
        return Fraction(math.ceil(value))

    def mag(self, value: Fraction) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        raise NoFormula  # pi, e, i, functions


class _Exact(Reader):
    """Reads a formula whose every part is rational."""

    _largest = math.inf

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens, {}, _Rationals())

    def _raise(self, base: Any, exponent: Any) -> Any:
        return self._mp.power(base, exponent)

    def _root(self) -> Any:
        raise NoFormula
