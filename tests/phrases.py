"""Rows of the phrase tables taken away, one at a time, and what their examples are read as then."""

from __future__ import annotations

from collections.abc import Iterator

from raml_eval.grading.kinds import extract_answer
from raml_eval.grading.math.equal import quick_math
from raml_eval.grading.statements.table import PHRASES, Row

# What may stand before an example's text: a kind, with the options that it is read with.
READERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "choice": ("choice", ("Paris", "London", "Rome", "New York")),
    "letters": ("choice", ()),
    "ten": ("choice", tuple(f"{n} metres" for n in range(5, 55, 5))),
    "truth": ("choice", ("True", "False")),
    "label": ("label", ("True", "False", "Uncertain")),
    "two": ("label", ("True", "False")),
    "yes": ("label", ("yes", "no")),
    "nli": ("label", ("entailment", "contradiction", "neutral")),
    "math": ("math", ()),
    "exact": ("exact", ()),
    "bracket": ("bracket", ()),
    "entailed": ("label", ("entailed", "not entailed")),
    "entails": ("label", ("entailment", "not entailment")),
    "grid": ("grid", ()),
    "yes or no": ("choice", ("yes", "no")),
    "numbers": ("choice", ("10", "20", "25", "40")),
    "pair": ("pair", ()),  # gold ;; answer => equal, unequal or undecided, without sympy
}


def read_example(example: str) -> tuple[str, str]:
    """What an example's text is read as, and what it says that it is read as; "" for no answer."""
    text, arrow, wanted = example.rpartition(" =>")
    assert arrow, f"{example!r} does not end in ' => answer'"
    name, colon, rest = text.partition(": ")
    if name == "pair":
        return _compared(*rest.split(" ;; ")), wanted.strip()
    kind, options = READERS.get(name, READERS["choice"])
    found = extract_answer(rest if colon and name in READERS else text, kind, options)
    return found.answer or "", wanted.strip()


def _compared(gold: str, answer: str) -> str:
    decision = quick_math(gold, answer)
    return "undecided" if decision is None else "equal" if decision[0] else "unequal"


def notices(row: Row, pattern: str | None) -> bool:
    """Whether one of the row's examples is read otherwise if the row has another pattern, or is gone (None)."""
    with PHRASES.replaced(row, pattern):
        return any(read != wanted for read, wanted in map(read_example, row.examples))


def variants(row: Row) -> Iterator[str | None]:
    """The row taken away (None), and its pattern without each of its alternatives."""
    yield None
    yield from without_alternatives(row.pattern)


def without_alternatives(pattern: str) -> Iterator[str]:
    """The pattern without one alternative of one of its groups, or of its own, for each that there is."""
    opened: list[list[int]] = [[0]]  # where the alternatives of each open group begin
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 1
        elif character == "[":
            position = _end_of_class(pattern, position)
        elif character == "(":
            opened.append([_after_prefix(pattern, position)])
        elif character == "|":
            opened[-1].append(position + 1)
        elif character == ")":
            yield from _each_left_out(pattern, opened.pop(), position)
        position += 1
    yield from _each_left_out(pattern, opened.pop(), len(pattern))


def _each_left_out(pattern: str, begins: list[int], end: int) -> Iterator[str]:
    if len(begins) == 1:
        return
    parts = [pattern[begin : next_ - 1] for begin, next_ in zip(begins, [*begins[1:], end + 1], strict=True)]
    for left_out in range(len(parts)):
        kept = "|".join(part for number, part in enumerate(parts) if number != left_out)
        yield pattern[: begins[0]] + kept + pattern[end:]


def _end_of_class(pattern: str, start: int) -> int:
    position = start + 1
    position += pattern.startswith("^", position)
    position += pattern.startswith("]", position)
    while pattern[position] != "]":
        position += 2 if pattern[position] == "\\" else 1
    return position


def _after_prefix(pattern: str, start: int) -> int:
    """Behind '(', '(?:', '(?=', '(?<!', '(?P<name>', '(?i:' and their like."""
    if not pattern.startswith("(?", start):
        return start + 1
    if pattern.startswith(("(?P<", "(?<"), start) and pattern[start + 3] not in "=!":
        return pattern.index(">", start) + 1
    end = start + 2
    while pattern[end] not in ":=!":
        end += 1
    return end + 1
