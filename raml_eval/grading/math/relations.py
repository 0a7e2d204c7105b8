"""Reads assignments, equations and inequalities as forms."""

from __future__ import annotations

import re
from collections.abc import Callable

from raml_eval.grading.math.forms import Alternatives, Equation, Form, Interval, Joined, Many, Named, Value, split_top
from raml_eval.grading.math.names import is_name, name_all, names_in_parentheses, same_name
from raml_eval.grading.math.rewrites import TEXT
from raml_eval.grading.math.tokens import GREEK
from raml_eval.grading.statements.table import PHRASES

Read = Callable[[str], Form]  # reads a part

_RELATION = re.compile(r"<|>|\\le(?![a-zA-Z])|\\ge(?![a-zA-Z])")
_BUILDER = re.compile(r"\\\{ ?([a-z])(?:\\in ?\\mathbb\{R\})? ?(?:\\mid|:|\|) ?(.+)\\\}", re.DOTALL)
_DISTANCE = re.compile(r"\|([a-z])\|(<|>|\\le|\\ge) ?([^<>|]+)")
_CONGRUENT = re.compile(r"([^=]+?) ?\\equiv ?([^=]+)")
MEMBER = re.compile(r"([a-zA-Z]\w*|\([a-z](?:,[a-z])+\))\\in ?(.+)", re.DOTALL)

# A side of one letter that may be asked for itself: a name in words, a function of an angle, a sum, an extreme, a remainder, a
# size, a power of the letter, and x+\frac{1}{x}.
ASKED = re.compile(
    rf"^{TEXT}"
    r"|\\(?:sin|cos|tan|cot|sec|csc|sum|prod|int|lim|max|min|pmod|lfloor|lceil)(?![a-zA-Z])|\|[a-wzA-Z]\||\\[|#]"
    r"|^[a-zA-Z]\^\{?\d+\}?$"
    r"|[a-z](?:\^\{?\d+\}?)?[-+]\\frac\{1\}\{[a-z]"
)


def read_relation(text: str, read: Read) -> Form | None:
    """Reads an assignment, an equation, an inequality in one variable, or a value and its approximation; else None."""
    if r"\approx" in text:
        parts = [part.strip() for part in text.split(r"\approx") if part.strip()]
        return Alternatives(tuple(read(part) for part in parts)) if parts else None
    if (congruent := _CONGRUENT.fullmatch(text)) is not None and is_name(congruent[1]):
        return Named(congruent[1], read(congruent[2]))
    member = MEMBER.fullmatch(text) or _BUILDER.fullmatch(text)
    if member is not None:
        names = names_in_parentheses(member[1])
        return read(member[2]) if names is None else name_all(names, read(member[2]))
    if _RELATION.search(text) and "=" not in text:
        return _read_interval(text, read)
    if (unequal := re.fullmatch(r"([a-zA-Z])\\ne ?(.+)", text)) is not None and _RELATION.search(text) is None:
        gap = read(unequal[2])
        low, high = Value(r"-\infty"), Value(r"\infty")
        return Joined((Interval(unequal[1], "()", low, gap), Interval(unequal[1], "()", gap, high)))
    if PHRASES["piece of"].search(text):  # a function by cases, in which = and the commas belong to the conditions
        name, _, pieces = text.partition("=")
        return Named(name.strip(), Value(pieces.strip())) if is_name(name.strip()) else Value(text)
    sides = [side.strip() for side in split_top(text, "=")]
    if len(sides) < 2 or not all(sides):
        return None
    return _read_equation(sides, read)


def _read_equation(sides: list[str], read: Read) -> Form:
    name = sides[0]
    if (names := names_in_parentheses(name)) is not None:
        return name_all(names, read(sides[-1]))
    if len(sides) == 2 and is_name(sides[1]) and not is_name(name):
        name, sides = sides[1], sides[::-1]
    value = read(sides[-1])  # the last side of a chain counts
    names = [side for side in sides[:-1] if is_name(side)]
    if len(names) > 1 and all(same_name(names[-1], each) for each in names):  # y=f(x)=2x
        return Named(names[-1], value)
    if len(names) > 1 and len(names) == len(sides) - 1:  # x=y=z=1
        return Many("", tuple(Named(each, value) for each in names))
    if is_name(name):
        return Named(name, value)
    letters = re.sub(r"\\[a-zA-Z]+", "", re.sub(TEXT, "", "".join(sides)))
    greek = GREEK & set(re.findall(r"\\[a-zA-Z]+", "".join(sides[:-1])))
    if not any(map(str.isalpha, letters)) and (len(greek) != 1 or ASKED.search("".join(sides[:-1]))):
        return Alternatives((value, Equation(tuple(sides))))
    return Equation(tuple(sides))


def _read_interval(text: str, read: Read) -> Form | None:
    if (distance := _DISTANCE.fullmatch(text)) is not None:  # |x|<4
        name, sign, bound = distance.groups()
        inside, ends = sign in ("<", r"\le"), ("()" if sign in "<>" else "[]")
        low, high = read(f"-({bound})"), read(bound)
        if inside:
            return Interval(name, ends, low, high)
        below = Interval(name, "(" + ends[1], Value(r"-\infty"), low)
        return Joined((below, Interval(name, ends[0] + ")", high, Value(r"\infty"))))
    parts = [part.strip() for part in _RELATION.split(text)]
    signs = _RELATION.findall(text)
    if not all(parts) or len(parts) > 3 or (len(signs) == 2 and (signs[0] in "<\\le") != (signs[1] in "<\\le")):
        return None
    if signs[0] in (">", r"\ge"):
        parts, signs = parts[::-1], [{">": "<", r"\ge": r"\le"}.get(sign, sign) for sign in reversed(signs)]
    if len(parts) == 3 and is_name(parts[1]):
        low, high = read(parts[0]), read(parts[2])
        return Interval(parts[1], ("(" if signs[0] == "<" else "[") + (")" if signs[1] == "<" else "]"), low, high)
    if len(parts) != 2:
        return None
    if is_name(parts[0]):
        return Interval(parts[0], "()" if signs[0] == "<" else "(]", Value(r"-\infty"), read(parts[1]))
    if is_name(parts[1]):
        return Interval(parts[1], "()" if signs[0] == "<" else "[)", read(parts[0]), Value(r"\infty"))
    return None


def read_gap(whole: str, point: str, read: Read) -> Form | None:
    """Reads an interval without one of its points, as the union of two intervals."""
    outer, gap = read(whole), read(point)
    if isinstance(outer, Many) and len(outer.items) == 2 and outer.ordered:
        outer = Interval("", outer.brackets, *outer.items)
    if not isinstance(outer, Interval):
        return None
    low = Interval(outer.variable, outer.brackets[0] + ")", outer.low, gap)
    return Joined((low, Interval(outer.variable, "(" + outer.brackets[1], gap, outer.high)))
