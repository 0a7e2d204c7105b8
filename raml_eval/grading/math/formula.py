r"""The value of a simple formula at a point: numbers, letters, + - \cdot / ^ !, fractions, roots and functions.

Every operation is bounded, so this runs anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from raml_eval.grading.math.tokens import ANY_BASE, GREEK, Tokens

_LARGEST_EXPONENT, _LARGEST_FACTORIAL, _DEEPEST = 100_000, 20_000, 40
FUNCTIONS = {r"\sin": "sin", r"\cos": "cos", r"\tan": "tan", r"\ln": "log", r"\exp": "exp", r"\cot": "cot", r"\sec": "sec",
              r"\csc": "csc", r"\arcsin": "asin", r"\arccos": "acos", r"\arctan": "atan"}  # fmt: skip
_ENDS = ("+", "-", ")", "}", "]", ",", r"\rfloor", r"\rceil")  # these end a product


class NoFormula(Exception):
    """The text is no formula that this module can read."""


class Reader:
    """Evaluates a formula at one point by recursive descent over its tokens."""

    _largest: float = 1e30  # number of which a gcd is taken; more is not exact

    def __init__(self, tokens: Tokens, point: Mapping[str, Any], mp: Any) -> None:
        self._tokens, self._point, self._at, self._depth = tokens, point, 0, 0
        self._mp, self._in_bars = mp, False
        self.bits = 0  # of the numbers and powers in it: how far its digits may reach

    def read(self) -> Any:
        """The value of the whole formula."""
        value = self._sum()
        if self._at != len(self._tokens):
            raise NoFormula
        return value

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str) -> None:
        if self._peek() != wanted:
            raise NoFormula
        self._at += 1

    def _sum(self) -> Any:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NoFormula
        value = self._signed()
        while self._peek() in ("+", "-"):
            sign = self._peek()
            self._at += 1
            value = value + self._product() if sign == "+" else value - self._product()
        self._depth -= 1
        return value

    def _signed(self) -> Any:
        sign = self._peek()
        if sign in ("+", "-"):
            self._at += 1
            return -self._product() if sign == "-" else self._product()
        return self._product()

    def _product(self) -> Any:
        value, divided = self._power(), False
        while (token := self._peek()) and token not in _ENDS and not (token == "|" and self._in_bars):
            if token in (r"\cdot", r"\times"):
                self._at += 1
                value = value * self._factor()
            elif token in ("/", r"\div"):
                self._at += 1
                value, divided = value / self._factor(), True
            elif divided or (self._tokens[self._at][0] == "number" and self._tokens[self._at - 1][1] != "!"):
                raise NoFormula  # 1/2x has two readings, and 2 3 has none
            else:
                value = value * self._power()
        return value

    def _factor(self) -> Any:
        if self._peek() == "-":
            self._at += 1
            return -self._power()
        return self._power()

    def _power(self) -> Any:
        value = self._atom()
        while self._peek() == "!":
            marks = [text for _, text in self._tokens[self._at : self._at + 3]]
            double = marks[1:2] == ["!"]  # 5!! is 5\cdot 3\cdot 1
            if marks == ["!"] * 3 or not self._mp.isint(value) or value < 0:
                raise NoFormula
            if value > _LARGEST_FACTORIAL:
                raise OverflowError
            self._at += 1 + double
            value = self._counted(self._mp.fac2(value) if double else self._mp.factorial(value))
        if self._peek() != "^":
            return value
        self._at += 1
        return self._raise(value, self._group())

    def _raise(self, base: Any, exponent: Any) -> Any:
        if abs(exponent) > _LARGEST_EXPONENT or abs(self._mp.log(abs(base) or 1)) > _LARGEST_EXPONENT:
            raise OverflowError  # other points may work
        return self._counted(self._mp.power(base, exponent))

    def _counted(self, value: Any) -> Any:
        """Counts the size of a value, which may be large or small enough to hide a difference from fifty digits."""
        if value:
            self.bits += abs(self._mp.mag(value))
        return value

    def _group(self) -> Any:
        """Reads braces or a single token: an exponent, a numerator, the argument of a root."""
        if self._peek() == "{":
            return self._enclosed("{", "}")
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if kind == "number" and len(text) > 1:  # LaTeX typesets x^12 as x^1 2, which is never meant
            raise NoFormula
        return self._atom()

    def _enclosed(self, opening: str, closing: str) -> Any:
        outside, self._in_bars = self._in_bars, opening == "|"
        self._take(opening)
        value = self._sum()
        self._take(closing)
        self._in_bars = outside
        return value

    def _atom(self) -> Any:
        if self._at >= len(self._tokens):
            raise NoFormula
        kind, text = self._tokens[self._at]
        if text in ("(", "{", "|"):
            value = self._enclosed(text, {"(": ")", "{": "}", "|": "|"}[text])
            return abs(value) if text == "|" else value
        self._at += 1
        if kind == "number":
            return self._mixed(self._counted(self._mp.mpf(text)), text)
        if kind == "symbol":
            if text in ("i", "e"):
                return self._mp.mpc(0, 1) if text == "i" else self._mp.e
            called = [token for _, token in self._tokens[self._at : self._at + 3]]
            if called[:1] == ["("] and (text[0] in "fghFGHP" or called[2:] == [")"]):
                raise NoFormula  # f(x+1), or I(0): a function's value
        if text in self._point and text != ANY_BASE:
            return self._point[text]
        return self._command(text)

    def _mixed(self, whole: Any, text: str) -> Any:
        parts = [token for _, token in self._tokens[self._at : self._at + 7]]
        braced = parts[:2] + parts[3:5] + parts[6:] == [r"\frac", "{", "}", "{", "}"]
        if text.isdigit() and braced and parts[2].isdigit() and parts[5].isdigit():
            self._at += 7
            return whole + type(whole)(parts[2]) / type(whole)(parts[5])
        return whole

    def _command(self, text: str) -> Any:
        if text == r"\pi":
            return +self._mp.pi
        if text == r"\frac":
            top = self._group()
            return top / self._group()
        if text == r"\binom":
            top, bottom = self._group(), self._group()
            if max(abs(top), abs(bottom)) > _LARGEST_FACTORIAL:
                raise NoFormula
            return self._counted(self._mp.binomial(top, bottom))
        if text in (r"\lfloor", r"\lceil"):
            value = self._sum()
            self._take(text.replace(r"\l", r"\r"))
            return self._mp.floor(value) if text == r"\lfloor" else self._mp.ceil(value)
        if text == r"\sqrt":
            return self._root()
        if text in FUNCTIONS:
            return self._function(FUNCTIONS[text])
        if text == r"\log":
            return self._logarithm()
        if text in (r"\max", r"\min", r"\gcd", r"\lcm"):
            return self._of_several(text)
        raise NoFormula

    def _root(self) -> Any:
        degree = self._enclosed("[", "]") if self._peek() == "[" else self._mp.mpf(2)
        value = self._group()
        if self._mp.isint(degree) and degree % 2 == 1 and not isinstance(value, self._mp.mpc) and value < 0:
            return -self._mp.root(-value, int(degree))  # the cube root of -8 is -2
        return self._raise(value, 1 / degree)

    def _function(self, name: str) -> Any:
        power = None
        if self._peek() == "^":
            self._at += 1
            power = self._group()
            if power == -1:
                name, power = f"a{name}", None
        value = self._counted(getattr(self._mp, name)(self._argument()))
        return value if power is None else self._raise(value, power)

    def _argument(self) -> Any:
        r"""Reads the argument of a function: parentheses, or a number and the letters after it, as in 2x or x^2."""
        if self._peek() in ("(", "{"):
            return self._atom()
        value = self._atom()
        while self._at < len(self._tokens) and (self._tokens[self._at][0] == "symbol" or self._peek() in (r"\pi", *GREEK)):
            value = value * self._atom()
        if self._peek() == "^":
            self._at += 1
            value = self._raise(value, self._group())
            if self._at < len(self._tokens) and self._tokens[self._at][0] in ("number", "symbol"):
                raise NoFormula
        if self._peek() in ("^", "/", "!"):
            raise NoFormula
        return value

    def _logarithm(self) -> Any:
        if self._peek() == "_":
            self._at += 1
            base = self._group()
        elif ANY_BASE in self._point and self._peek() != "^":
            base = self._point[ANY_BASE]  # e or 10, as one likes
        else:
            raise NoFormula
        return self._mp.log(self._argument()) / self._mp.log(base)

    def _of_several(self, name: str) -> Any:
        r"""Reads \max(a,b) and its like. \gcd and \lcm take whole numbers only."""
        self._take("(")
        values = [self._sum()]
        while self._peek() == ",":
            self._at += 1
            values.append(self._sum())
        self._take(")")
        if name in (r"\max", r"\min"):
            return max(values) if name == r"\max" else min(values)
        if not all(self._mp.isint(value) and abs(value) < self._largest for value in values):
            raise NoFormula
        whole = [int(value) for value in values]
        return self._mp.mpf(math.gcd(*whole) if name == r"\gcd" else math.lcm(*whole))
