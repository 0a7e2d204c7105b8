"""Compares values with units, percentages and ratios."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from raml_eval.grading.math.forms import Form, Ratio, Value
from raml_eval.grading.math.numbers import read_fraction
from raml_eval.grading.math.units import DEGREE, PERCENT

_MODULUS = re.compile(r"\\pmod\{(\d{1,30})\}")
Leaf = Callable[[str, str], bool | None]


def all_of(verdicts: Sequence[bool | None]) -> bool | None:
    """False if one verdict is False, otherwise None if one is unknown, otherwise True."""
    if False in verdicts:
        return False
    return None if None in verdicts else True


def equal_quantities(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    """Whether two values are equal, with their units and percent signs; None if the leaf could not decide."""
    assert isinstance(gold, Value)
    assert isinstance(answer, Value)
    units = gold.unit, answer.unit
    powers = {unit.power for unit in units if unit and unit.power}
    if len(powers) > 1:
        return False
    plain = leaf(gold.text, answer.text)
    if (modulus := _common_modulus(gold, answer)) and not plain:
        residues = read_fraction(gold.text), read_fraction(answer.text)
        return plain if None in residues else (residues[0] - residues[1]) % modulus == 0  # type: ignore[operator]
    if units[0] == units[1] or (None not in units and "" in (gold.unit.kind, answer.unit.kind)):  # type: ignore[union-attr]
        return plain
    if any(
        unit and unit.text.startswith("degree ") and other and other.text in ("degree", unit.text[-1])
        for unit, other in (units, units[::-1])
    ):
        return plain
    if DEGREE in units and any(unit and unit.kind == "radian" for unit in units):
        return _in_radians(gold, answer, leaf)
    if None not in units:
        return _scaled(gold, answer, leaf)
    if PERCENT in units:
        return _percent(gold, answer, plain, leaf)
    if not plain and DEGREE in units and r"\pi" in gold.text + answer.text:
        return _in_radians(gold, answer, leaf)
    return plain


def _common_modulus(gold: Value, answer: Value) -> int:
    """The modulus of both sides, where -1 is 3 modulo 4; 0 if they have none, or not the same one."""
    kinds = {side.unit.kind if side.unit else "" for side in (gold, answer)}
    match = _MODULUS.fullmatch(kinds.pop())
    return int(match[1]) if match and not kinds else 0


def _in_radians(gold: Value, answer: Value, leaf: Leaf) -> bool | None:
    angle, radians = (gold, answer) if gold.unit is DEGREE else (answer, gold)
    return leaf(radians.text, rf"\frac{{({angle.text})\pi}}{{180}}")


def _percent(gold: Value, answer: Value, plain: bool | None, leaf: Leaf) -> bool | None:
    """Compares a percentage with a bare number: 50 % is 0.5, or 50 without its sign; but 0.5 % is not a gold of 0.5."""
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
        return False
    size = answer.unit.size / gold.unit.size
    exact = read_fraction(gold.text), read_fraction(answer.text)
    if exact[0] is not None and exact[1] is not None:
        return exact[0] == exact[1] * size
    return leaf(gold.text, rf"({answer.text})\cdot \frac{{{size.numerator}}}{{{size.denominator}}}")


def equal_ratios(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    """Whether two ratios, or a ratio and a quotient, are equal; None if the leaf could not decide."""
    if isinstance(gold, Ratio) and isinstance(answer, Ratio):
        if len(gold.parts) != len(answer.parts):
            return False
        same = all_of([leaf(a, b) for a, b in zip(gold.parts, answer.parts, strict=True)])
        if same is not False or any(re.fullmatch(r"\d\d", part) for part in (*gold.parts[1:], *answer.parts[1:])):
            return same  # two digits behind a colon may be minutes
        crossed = [
            leaf(f"({a})\\cdot ({gold.parts[0]})", f"({b})\\cdot ({answer.parts[0]})")
            for a, b in zip(answer.parts, gold.parts, strict=True)
        ]
        return all_of(crossed)
    ratio, other = (gold, answer) if isinstance(gold, Ratio) else (answer, gold)
    assert isinstance(ratio, Ratio)
    if not isinstance(other, Value) or len(ratio.parts) != 2:
        return False
    quotient = rf"\frac{{{ratio.parts[0]}}}{{{ratio.parts[1]}}}"
    return leaf(quotient, other.text) if ratio is gold else leaf(other.text, quotient)
