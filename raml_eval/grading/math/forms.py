"""The forms that a mathematical answer can have. math/reading.py recognises them in its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, Union

from raml_eval.grading.math.units import Unit


@dataclass(frozen=True, slots=True)
class Value:
    """A number or an expression, with its unit if it has one."""

    text: str
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """Words rather than a formula, case folded. If marked, LaTeX marks them as text, so they are no product of variables."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Many:
    r"""Several forms. brackets are those around them, such as "()"; "" for a bare list and "\{\}" for a set."""

    brackets: str
    items: tuple[Form, ...]

    @property
    def ordered(self) -> bool:
        return self.brackets not in ("", r"\{\}")


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers between two ends. The brackets say whether each end belongs to the interval."""

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
    """An equation in which neither side is just a name. Its last side may be meant as the answer."""

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
    """The letter of an option, with the text of that option."""

    letter: str
    content: Form


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Several ways to write one value: 'a = b' if both are numbers, or 'a is about b'."""

    forms: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Family:
    r"""A form and the condition on its letters: 2\pi k with k \in \mathbb{Z}, or a set \{2\pi k : k \in \mathbb{Z}\}."""

    form: Form
    condition: Form


Form: TypeAlias = Union[Value, Word, Many, Interval, Joined, Named, Equation, Ratio, Matrix, Option, Alternatives, Family]  # noqa: UP007  recursive

EMPTY = r"\emptyset"

OPENING, CLOSING = "([{", ")]}"


def split_top(text: str, separators: str) -> list[str]:
    """Splits a text at separators outside all brackets. Any closing bracket closes any opening one, as in [0,1)."""
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
