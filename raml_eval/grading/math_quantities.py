"""Equality of two values with units beside them."""

from __future__ import annotations

from collections.abc import Callable

from raml_eval.grading.math_forms import Form, Value
from raml_eval.grading.math_numbers import read_fraction
from raml_eval.grading.math_units import DEGREE, PERCENT

Leaf = Callable[[str, str], bool | None]


def equal_quantities(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    """Whether two values are equal, their units and percent signs considered; None where the leaf could not tell."""
    assert isinstance(gold, Value)
    assert isinstance(answer, Value)
    units = gold.unit, answer.unit
    powers = {unit.power for unit in units if unit and unit.power}
    if len(powers) > 1:
        return False
    plain = leaf(gold.text, answer.text)
    if units[0] == units[1] or (None not in units and "" in (gold.unit.kind, answer.unit.kind)):  # type: ignore[union-attr]
        return plain
    if None not in units:
        return _scaled(gold, answer, leaf)
    if PERCENT in units:
        return _percent(gold, answer, plain, leaf)
    if not plain and DEGREE in units and r"\pi" in gold.text + answer.text:
        angle, radians = (gold, answer) if gold.unit is DEGREE else (answer, gold)
        return leaf(radians.text, rf"\frac{{({angle.text})\pi}}{{180}}")
    return plain


def _percent(gold: Value, answer: Value, plain: bool | None, leaf: Leaf) -> bool | None:
    """50 % is 0.5, and 50 with the sign left out; but 0.5 % is not 0.5 where the gold has no sign."""
    part, whole = (gold, answer) if gold.unit is PERCENT else (answer, gold)
    value = read_fraction(whole.text)
    if plain and (part is gold or value is None or abs(value) >= 1):
        return True
    share = read_fraction(part.text)
    if share is not None and value is not None:
        return share / 100 == value
    return leaf(whole.text, rf"\frac{{{part.text}}}{{100}}")


def _scaled(gold: Value, answer: Value, leaf: Leaf) -> bool | None:
    assert gold.unit is not None
    assert answer.unit is not None
    if gold.unit.kind != answer.unit.kind:
        # 15 cm for 15 cm^2 leaves out what the question asks for anyway
        return leaf(gold.text, answer.text) if gold.unit.text == answer.unit.text else False
    size = answer.unit.size / gold.unit.size
    exact = read_fraction(gold.text), read_fraction(answer.text)
    if exact[0] is not None and exact[1] is not None:
        return exact[0] == exact[1] * size
    return leaf(gold.text, rf"({answer.text})\cdot \frac{{{size.numerator}}}{{{size.denominator}}}")
