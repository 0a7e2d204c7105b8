"""Equality of mathematical answers: first what text and exact numbers decide, then math-verify.

quick_math needs no sympy and bounded time: it runs anywhere. symbolic_math may take for ever: it belongs in a worker.
"""

from __future__ import annotations

import functools
import math
import re
from typing import Any

from raml_eval.grading.math_text import (
    is_set,
    is_tuple,
    read_based,
    read_fraction,
    read_number,
    read_word,
    simplify_latex,
    too_large,
)

TOO_LONG = 1000  # characters of one side; longer ones are compared as text and as numbers only

_DECIMAL_ZEROS = re.compile(r"\.(0+)[1-9]|10\^\{?-(\d{1,2})\}?")


def quick_math(gold: str, answer: str) -> tuple[bool, str] | None:
    """Whether the two are equal and what decided, where spelling, numbers or size decide it; None: sympy must.

    Symmetric. Two plain numbers are compared exactly. What is too large for sympy counts as unequal.
    """
    left, right = simplify_latex(gold), simplify_latex(answer)
    if left == right:
        return (bool(left), "identical" if left else "empty")
    numbers = read_number(left), read_number(right)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] == numbers[1], "number"
    if max(len(left), len(right)) > TOO_LONG:
        return False, f"longer than {TOO_LONG} characters and not the same text"
    return _compare_fractions(left, right) or _compare_forms(left, right)


def _compare_fractions(left: str, right: str) -> tuple[bool, str] | None:
    a, b = read_fraction(left), read_fraction(right)
    if a is None or b is None:
        return None
    # A decimal may stand for a fraction that it only approximates; that is left to math-verify's rounding.
    rounded = "." in left or "." in right
    return None if a != b and rounded else (a == b, "number")


def _compare_forms(left: str, right: str) -> tuple[bool, str] | None:
    based = read_based(left), read_based(right)
    if based[0] and based[1]:
        return based[0] == based[1], "number base"
    if based[0] or based[1]:  # the base may be left out where the question names it
        plain = left if based[1] else right
        digits, _ = based[0] or based[1] or ("", 0)
        return (plain == digits, "number base left out") if plain.isalnum() else None
    words = read_word(left), read_word(right)
    if words[0] and words[1]:
        (a, a_marked), (b, b_marked) = words[0], words[1]
        if a_marked or b_marked or (a == b and len(a) >= 4):  # unmarked, short ones may be variables
            return a == b, "word"
    if (is_set(left) and is_tuple(right)) or (is_tuple(left) and is_set(right)):
        return False, "a tuple is not a set"
    for text in (left, right):
        if too_large(text):
            return False, "too large to compute and not the same text"
    return None


def symbolic_math(gold: str, answer: str) -> tuple[bool, str]:
    """Whether math-verify finds the answer equal to the gold. Not symmetric; no limit on time or memory of its own.

    It decides by rounding to six decimals where a decimal meets another number; here the six are counted from the
    first digit that is not zero, so that .0000672 is not .000067.
    """
    from math_verify import verify

    left, right = simplify_latex(gold), simplify_latex(answer)
    zeros = max((len(m[1]) if m[1] else int(m[2]) for m in _DECIMAL_ZEROS.finditer(f"{left} {right}")), default=0)
    parsed = _parse(left), _parse(right)
    if "%" not in left + right and _far_apart(parsed[0][:1], parsed[1][:1]):  # 50 % counts as 50 and as 0.5
        return False, "numeric value"
    equal = verify(
        *parsed,
        float_rounding=6 + zeros,
        numeric_precision=60,
        allow_set_relation_comp=True,  # x > 3 where the gold is (3, oo)
        timeout_seconds=None,  # its limit is a signal; the pool's kill holds for all of sympy
    )
    return bool(equal), "math-verify"


def _far_apart(left: list[Any], right: list[Any]) -> bool:
    """Whether both are finite numbers that differ beyond any rounding; it spares simplify, the slow part."""
    from sympy import Expr

    if not all(isinstance(value, Expr) and value.is_number for value in left + right) or not (left and right):
        return False
    try:
        a, b = complex(left[0].evalf(20)), complex(right[0].evalf(20))
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return False
    return math.isfinite(abs(a)) and math.isfinite(abs(b)) and abs(a - b) > 1e-3 * max(abs(a), abs(b), 1e-3)


@functools.lru_cache(maxsize=1024)
def _parse(latex: str) -> list[Any]:
    from math_verify import LatexExtractionConfig, parse

    # Only the LaTeX reader: the other one hands text to sympy's parse_expr, which evaluates Python.
    config = LatexExtractionConfig(boxed_match_priority=-1)
    parsed: list[Any] = parse(f"${latex}$", [config], parsing_timeout=None)
    return parsed


def equal_math(gold: str, answer: str) -> tuple[bool, str]:
    """Whether the answer equals the gold, and what decided: identical, number, word, ..., math-verify.

    Unlimited in time where sympy decides; a GradingPool runs that part in a worker that it can kill.
    """
    return quick_math(gold, answer) or symbolic_math(gold, answer)
