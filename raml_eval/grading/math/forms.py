"""The forms that a mathematical answer may have (math_reading reads them off its text)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, Union

from raml_eval.grading.math.units import Unit


@dataclass(frozen=True, slots=True)
class Value:
    """A number or an expression, with the unit that stood beside it."""

    text: str
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A text that is no formula, case folded. marked: LaTeX says that it is text, so it is no product of variables."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Many:
    r"""Several forms: brackets "()" and the like where something encloses them, "" for a bare list, "\{\}" for a set."""

    brackets: str
    items: tuple[Form, ...]

    @property
    def ordered(self) -> bool:
        return self.brackets not in ("", r"\{\}")


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers of a variable between two ends; brackets say whether an end belongs to it."""

    variable: str
    brackets: str
    low: Form
    high: Form


@dataclass(frozen=True, slots=True)
class Joined:
    r"""A union: \cup between its parts, or 'or' between inequalities."""

    parts: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """An assignment: a name and its value."""

    name: str
    value: Form


@dataclass(frozen=True, slots=True)
class Equation:
    """Two sides of which none is a mere name; value is the last side, which may be meant as the answer."""

    sides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """a : b, or more parts."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of cells."""

    rows: tuple[tuple[Form, ...], ...]


@dataclass(frozen=True, slots=True)
class Option:
    """A choice's letter with what it says."""

    letter: str
    content: Form


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Several ways to say one value: 'a = b' of numbers, 'a is about b'."""

    forms: tuple[Form, ...]


Form: TypeAlias = Union[Value, Word, Many, Interval, Joined, Named, Equation, Ratio, Matrix, Option, Alternatives]  # noqa: UP007  recursive

EMPTY = r"\emptyset"

OPENING, CLOSING = "([{", ")]}"


def split_top(text: str, separators: str) -> list[str]:
    """The text split at single characters that stand outside all brackets; any closing bracket closes any opening one."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        if character in OPENING:
            depth += 1
        elif character in CLOSING:
            depth -= 1
        elif depth == 0 and character in separators:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]
