"""Equality of mathematical answers: text, exact numbers and values at points decide first, then math-verify.

quick_math needs no sympy and takes bounded time, so it runs anywhere. symbolic_math may take for ever, so it belongs in a
worker.
"""

from __future__ import annotations

import itertools
import re
from fractions import Fraction

from raml_eval.grading.math.compare import compare
from raml_eval.grading.math.forms import EMPTY, Alternatives, Form, Named, Value
from raml_eval.grading.math.names import same_name
from raml_eval.grading.math.numbers import decimals_of, is_rounding, read_based, read_fraction, read_number, same_decimals
from raml_eval.grading.math.reading import read_form
from raml_eval.grading.math.spelling import simplify_latex, too_large
from raml_eval.grading.math.tokens import name_functions
from raml_eval.grading.math.units import PERCENT
from raml_eval.grading.math.value import rounds_to, same_equation, same_value
from raml_eval.grading.statements.table import PHRASES

TOO_LONG = 1000  # characters of one side; longer ones are compared as text and as numbers only


def quick_math(gold: str, answer: str) -> tuple[bool, str] | None:
    """Whether the two are equal, and what decided; None if neither spelling, numbers, values nor size decide it.

    Two plain numbers are compared exactly, but for a long decimal that rounds another one. What is too large to compute
    counts as unequal.
    """
    left, right = simplify_latex(gold), simplify_latex(answer)
    if left == right:
        return (bool(left), "identical" if left else "empty")
    numbers = read_number(left), read_number(right)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] == numbers[1] or same_decimals(left, right), "number"
    if max(len(left), len(right)) > TOO_LONG:
        return False, f"longer than {TOO_LONG} characters and not the same text"
    if not left or not right:
        return False, "empty"
    forms = _form(left), _form(right)
    verdict = compare(*forms, quick_leaf)
    if verdict is not None:
        return verdict, _decided_by(*forms)
    if too_large(left) or too_large(right):
        return False, "too large to compute and not the same text"
    return None


def symbolic_math(gold: str, answer: str) -> tuple[bool, str]:
    """Whether the answer equals the gold, and what decided. This has no limit on time or memory of its own."""
    from raml_eval.grading.math.symbolic import verify_expressions

    verified = False

    def leaf(left: str, right: str) -> bool | None:
        nonlocal verified
        verdict = quick_leaf(left, right)
        if verdict is None:
            verified, verdict = True, verify_expressions(left, right)
        return verdict

    forms = _form(simplify_latex(gold)), _form(simplify_latex(answer))
    return bool(compare(*forms, leaf)), "math-verify" if verified else "form"


@PHRASES.cached(maxsize=8192)
def _form(text: str) -> Form:
    return read_form(text)


@PHRASES.cached(maxsize=16384)
def quick_leaf(left: str, right: str) -> bool | None:
    """Whether two expressions are equal; None if spelling, exact numbers and values do not decide it."""
    if left == right:
        return bool(left)
    if not left or not right:
        return False
    numbers = read_number(left), read_number(right)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] == numbers[1] or same_decimals(left, right)
    a, b = read_fraction(left), read_fraction(right)
    if a is not None and b is not None:
        if a == b:
            return True
        counts = decimals_of(left), decimals_of(right)
        if (counts[0] is None) == (counts[1] is None):
            return False
        return is_rounding(b, a, counts[0]) if counts[0] is not None else is_rounding(a, b, counts[1] or 0)
    based = read_based(left), read_based(right)
    if based[0] and based[1]:
        return based[0] == based[1]
    if based[0] or based[1]:  # the base may be left out, since the question names it
        digits, _ = based[0] or based[1] or ("", 0)
        return digits == (left if based[1] else right)
    if EMPTY in (left, right) or (too_large(left) or too_large(right)):
        return False
    if r"\infty" in (left.lstrip("+-"), right.lstrip("+-")):
        return left.lstrip("+") == right.lstrip("+")
    for decimal, formula in ((left, right), (right, left)):
        if (decimals := decimals_of(decimal)) is not None and "=" not in formula:
            rounded = rounds_to(formula, decimal, decimals)
            if rounded is not None:
                return rounded
    left, right = name_functions(left, right)
    if "=" in left + right:
        return same_equation(left, right) if "=" in left and "=" in right else None
    return same_value(_plain(left), _plain(right))


def _plain(text: str) -> str:
    """Removes the thousands separators of a number; any other text stays as it is."""
    return text.replace(",", "").replace(" ", "") if read_number(text) is not None else text


def _decided_by(gold: Form, answer: Form) -> str:
    names = sorted({type(form).__name__.lower() for form in (gold, answer)})
    return " and ".join(names)


def equal_math(gold: str, answer: str) -> tuple[bool, str]:
    """Whether the answer equals the gold, and what decided.

    Unlimited in time where sympy decides; a GradingPool runs that part in a worker that it can kill.
    """
    return quick_math(gold, answer) or symbolic_math(gold, answer)


def same_answer(left: str, right: str) -> bool:
    r"""Whether two texts give one answer: equal values, or an exact value and its rounding, in either order.

    A rounding is a decimal with two digits or more behind its point, or three that count in all. It takes bounded time.

    Example: same_answer(r"\sqrt{2}", "1.414") is True, same_answer(r"\sqrt{2}", "1.4") is False.
    """
    pairs = ((left, right), (right, left))
    decisions = [quick_math(*pair) for pair in pairs]
    if any(decision is not None and decision[0] for decision in decisions):
        return True
    return any(_is_rounded(_form(simplify_latex(exact)), _form(simplify_latex(rounded))) for exact, rounded in pairs)


def _is_rounded(exact: Form, rounded: Form) -> bool:
    if isinstance(exact, Named) and isinstance(rounded, Named) and not same_name(exact.name, rounded.name):
        return False
    exact, rounded = (form.value if isinstance(form, Named) else form for form in (exact, rounded))
    if isinstance(exact, Alternatives) or isinstance(rounded, Alternatives):  # x = \sqrt{2}, and x \approx 1.41
        sides = [side.forms if isinstance(side, Alternatives) else (side,) for side in (exact, rounded)]
        return any(_is_rounded(*pair) for pair in itertools.product(*sides))
    if not isinstance(exact, Value) or not isinstance(rounded, Value):
        return False
    if (None not in (exact.unit, rounded.unit) and exact.unit != rounded.unit) or PERCENT in (exact.unit, rounded.unit):
        return False
    decimal = re.fullmatch(r"[+-]?(\d*)\.(\d+)", rounded.text)
    if decimal is None or (len(decimal[2]) < 2 and len((decimal[1] + decimal[2]).lstrip("0")) < 3):
        return False
    if read_number(exact.text) is not None or len(exact.text) > TOO_LONG or too_large(exact.text):
        return False
    value = read_fraction(exact.text)
    if value is not None:
        return is_rounding(value, Fraction(rounded.text), len(decimal[2]))
    return bool(rounds_to(exact.text, rounded.text, len(decimal[2])))


def spelling_and_number(text: str) -> tuple[object, bool]:
    """The number or spelling that equal answers share, and whether answers that differ in it are surely unequal."""
    spelling = simplify_latex(text)
    number = read_number(spelling)
    if number is None:
        return spelling, False
    return number, decimals_of(spelling) is None  # a long decimal may be another one, rounded
