"""Equality of two expressions by math-verify, which decides what neither spelling nor values could (math/value.py).

It has no limit on time or memory of its own, so it belongs in a worker.
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import Any

from raml_eval.grading.math.numbers import decimals_of, is_rounding

_FUNCTIONS = re.compile(r"\\(gamma|beta|zeta|lambda|chi|psi|phi)(?![a-zA-Z])")

# What sympy's reader drops or takes for something else: y' becomes y, \gcd(m,n) 1, \lcm(m,n) mn, and A^T a.
_DROPPED = re.compile(r"(?<=[a-zA-Z)}])'|\\(?:prime|gcd|lcm)(?![a-zA-Z])|[A-Z]\^\{?T(?![a-zA-Z])")


def verify_expressions(left: str, right: str) -> bool:
    r"""Whether math-verify finds two whole texts equal, gold first. False if it cannot read all of both.

    Example: verify_expressions(r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}") is True.
    """
    from math_verify import verify

    if _DROPPED.search(left) or _DROPPED.search(right):
        return False
    parsed = _parse(left), _parse(right)
    if parsed[0] is None or parsed[1] is None:
        return False
    for decimal, other in ((left, parsed[1]), (right, parsed[0])):
        decimals = decimals_of(decimal)
        if decimals is not None and (value := _real_value(other)) is not None:
            return is_rounding(value, Fraction(decimal), decimals)
    return bool(verify(*parsed, float_rounding=15, numeric_precision=60, allow_set_relation_comp=True, timeout_seconds=None))


def _real_value(expression: Any) -> Fraction | None:
    """The value of an integral, a sum or the like to thirty digits; None if it has no real value."""
    try:
        value = expression.doit().evalf(30)
        return Fraction(str(value)) if value.is_Float else None
    except Exception:
        return None


@functools.lru_cache(maxsize=2048)
def _parse(text: str) -> Any:
    """The whole text as a sympy object: a number, a set or a relation. None if sympy cannot read it.

    The text is never evaluated as Python.
    """
    from latex2sympy2_extended import latex2sympy
    from sympy import nan, zoo

    try:
        # sympy has functions of these names, and would apply them to what follows
        parsed = latex2sympy(_FUNCTIONS.sub(r"v_{\1}", text))
        return None if parsed.has(nan, zoo) else parsed
    except Exception:
        return None
