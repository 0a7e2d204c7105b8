"""Sums of whole numbers, worked out exactly: the calculations that puzzles ask for. Text is parsed, never evaluated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

LONGEST = 200  # characters
_TOKEN = re.compile(r"\s*(?:(\d{1,9})|([-+*/()=]))")
_SPELLINGS = str.maketrans(
    {"×": "*", "÷": "/", "−": "-", "–": "-", "·": "*", "⋅": "*", "[": "(", "]": ")", "（": "(", "）": ")"}
)


@dataclass(frozen=True, slots=True)
class Sum:
    """A calculation: the value, the numbers and the operators of its left side, and the result stated behind '=' if any."""

    value: Fraction
    result: Fraction | None
    numbers: tuple[int, ...]
    operators: str


def read_sum(text: str) -> Sum | None:
    """Read a calculation of whole numbers with + - * / and parentheses and at most one '='; None for anything else.

    Division by zero is no calculation. Example: read_sum("6 × 2 = 12").value is 12.
    """
    text = text.strip().strip("$ .").replace(r"\times", "*").replace(r"\cdot", "*").replace(r"\div", "/").translate(_SPELLINGS)
    if not text or len(text) > LONGEST:
        return None
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        tokens.append(match[1] or match[2])
        at = match.end()
    left, equals, right = (tokens, "", [""]) if "=" not in tokens else _split(tokens)
    reader = _Tokens(left)
    value = reader.read_terms()
    if value is None or reader.at != len(left) or (equals and _number(right) is None):
        return None
    numbers = tuple(int(token) for token in left if token.isdigit())
    return Sum(value, _number(right) if equals else None, numbers, "".join(token for token in left if token in "+-*/"))


def _split(tokens: list[str]) -> tuple[list[str], str, list[str]]:
    place = tokens.index("=")
    return tokens[:place], "=", tokens[place + 1 :]


def _number(tokens: list[str]) -> Fraction | None:
    text = "".join(tokens)
    return Fraction(text) if re.fullmatch(r"-?\d{1,9}", text) else None


class _Tokens:
    """Reads tokens by precedence, and gives None if they form no sum or divide by zero. LONGEST bounds the depth."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def _next(self, choices: str) -> str | None:
        if self.at < len(self.tokens) and self.tokens[self.at] in choices:
            self.at += 1
            return self.tokens[self.at - 1]
        return None

    def read_terms(self) -> Fraction | None:
        value = self._read_factors()
        while value is not None and (operator := self._next("+-")):
            other = self._read_factors()
            value = None if other is None else value + other if operator == "+" else value - other
        return value

    def _read_factors(self) -> Fraction | None:
        value = self._read_one()
        while value is not None and (operator := self._next("*/")):
            other = self._read_one()
            if other is None or (operator == "/" and not other):
                return None
            value = value * other if operator == "*" else value / other
        return value

    def _read_one(self) -> Fraction | None:
        if self._next("("):
            value = self.read_terms()
            return value if self._next(")") else None
        if self.at < len(self.tokens) and self.tokens[self.at].isdigit():
            self.at += 1
            return Fraction(int(self.tokens[self.at - 1]))
        return None
