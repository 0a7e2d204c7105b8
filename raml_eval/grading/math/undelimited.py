r"""Formulas that stand in a sentence without delimiters: "the area is 6\sqrt{2}.", "the domain is [2,\infty)."

A number that only begins such a formula is not the answer, so the formula is found as a whole. The search takes time linear
in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from raml_eval.grading.statements.delimited import FORMULA
from raml_eval.grading.statements.table import PHRASES

# Commands that carry no mathematics of their own: beside plain numbers they leave a plain number.
_PLAIN_COMMANDS = re.compile(r"\\(?:[$%,;:! ]|q?quad|text\s*\{[^{}]*\})")

# The parts of which formulas are made, by kind.
_TOKENS = {
    "matrix": r"\\begin\s*\{(?P<name>[a-zA-Z]{1,12}\*?)\}.{0,1000}?\\end\s*\{(?P=name)\}",
    "relation": r"\\(?:cdot|times|div|pm|mp|le|ge|leq|geq|lt|gt|ne|neq|approx|equiv|in|cup|cap|to|bmod|mod)(?![a-zA-Z])",
    "text": r"\\(?:text|mathrm|mathbf|mathbb|operatorname|mbox)\s*\{[^{}]{0,100}\}",
    "command": r"\\(?!(?:begin|end|boxed|fbox)\b)[a-zA-Z]+|\\[|%,;:! ]",
    "number": r"\d+[ ]\d{1,3}/\d{1,3}(?![\d/])|\d+(?:,\d{3}(?!\d))*(?:\.\d+)?|\.\d+",
    "function": r"(?<![A-Za-z]){function}(?![A-Za-z])",
    "letter": r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])|(?<=\d)(?!{no_product}\b)[a-z]{2,3}(?![A-Za-z])",
    "symbol": r"[√∛π∞θαβγφ°²³]",
    "factorial": r"(?<=[\dA-Za-z)])!(?=\s?[-+*/^=.,)\]}]|\s[a-z])",
    "opening": r"\\?\{|[(\[]",
    "closing": r"\\?\}|[)\]]",
    "bar": r"\|",
    "sign": r"[-+−±]",
    "operator": r"(?<!\*)\*(?!\*)|[/=<>≤≥≠≈×÷·^_]|(?<=\d):(?=\d)",
    "dots": r"…|\.\.\.",
    "comma": r",",
}
_BETWEEN = frozenset({"relation", "operator", "sign", "comma", "dots"})  # no formula ends with these
_JOINS = _BETWEEN | {"opening"}  # a blank behind these ends no formula
_BRIDGES = frozenset({"text", "command", "function", "matrix", "symbol"})  # nor does one on either side of these
_NO_START = frozenset({"relation", "operator", "comma", "closing", "dots"})
MOST_TOKENS, DEEPEST = 300, 20  # of one formula
_TERM = re.compile(r"\d+(?:\.\d+)?[inqruvwxyz]")  # 5x; other letters may be units or labels: 5m, 4a
_NUMBER_BEFORE = re.compile(r"\d[ \t\xa0]$")
_BLANKS = re.compile(r"\s{1,40}")
_BLANKS_IN_LINE = re.compile(r"[ \t\xa0]{1,10}")
LONGEST_WHOLE = 500  # characters of a text that is one formula
_FACTOR = re.compile(r"[a-z]\([^()=]{1,20}\)(?!\s*[=<>])")  # (1-e^{-t}) u(t), but (0,1) f(x)=3 begins another formula
_LABEL = re.compile(r"\([a-z]\)$")
_GOES_ON = ("{", "\\", "^", "_")
_ARTICLES = frozenset("aAI")


@PHRASES.cached
def _token() -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<{kind}>{PHRASES.expand(pattern)})" for kind, pattern in _TOKENS.items()), re.DOTALL)


class _Part(NamedTuple):
    kind: str
    start: int
    end: int


class Run(NamedTuple):
    r"""A stretch of a text that reads as one formula.

    plain: it is only a number, a sum of numbers, or x = a number. whole: it is not a part of something that cannot be
    read, as 6\sqrt is before {a word}, and (3, 4) behind the name of a function.
    """

    start: int
    end: int
    plain: bool
    whole: bool


def find_runs(text: str) -> Iterator[Run]:
    """The formulas and numbers of a text without delimiters, each as long as possible.

    Example: in "x = 3y and 5" they stand at 0..6 and 11..12.
    """
    position = 0
    while (token := _token().search(text, position)) is not None:
        position = token.start()
        parts = _trim(_read_run(text, position))
        if parts:
            start, end = parts[0].start, parts[-1].end
            plain, glued = _is_plain(text, parts), start > 0 and text[start - 1].isalnum()
            # An exclamation mark behind a formula may be a factorial: "2^{25} \cdot 26!".
            goes_on = text[end : end + 1] in _GOES_ON or (not plain and text[end : end + 1] == "!")
            yield Run(start, end, plain, not goes_on and (plain or not glued))
        position = max(position + 1, parts[-1].end if parts else 0)


def _read_run(text: str, position: int) -> list[_Part]:
    """The tokens from a position on, up to a word, a blank that separates two formulas, or a bracket that nothing opened."""
    parts: list[_Part] = []
    depth, groups, blank = 0, 0, False
    while (match := _token().match(text, position)) is not None:
        kind = str(match.lastgroup)
        part = _Part(kind, match.start(), match.end())
        if (not parts and kind in _NO_START) or (not depth and kind in ("closing", "comma")):
            break
        if len(parts) >= MOST_TOKENS or depth > DEEPEST or (blank and groups < 1 and not _joins(text, parts[-1], part)):
            break
        if kind in _BETWEEN and _is_between([before.kind for before in parts[-2:]], kind):
            break
        depth += (kind == "opening") - (kind == "closing")
        groups += {"{": 1, "}": -1}.get(text[part.start : part.end], 0)
        parts.append(part)
        position = part.end
        blanks = _BLANKS.match(text, position) if depth else _BLANKS_IN_LINE.match(text, position)
        blank = blanks is not None
        position = blanks.end() if blanks is not None else position
    return parts


def _is_between(before: list[str], kind: str) -> bool:
    """Whether a token is one sign too many behind the last two: + ... = may follow one another, + + + may not."""
    if kind == "dots":
        return before[-1:] == ["dots"]
    return len(before) == 2 and set(before) <= _BETWEEN - {"dots"}


def _joins(text: str, left: _Part, right: _Part) -> bool:
    """Whether a blank between two tokens stands inside one formula."""
    if left.kind in _JOINS or right.kind in _BETWEEN | {"closing"}:
        return True
    if text[right.start] == "{" or (right.kind == "letter" and text[right.end : right.end + 1] in ("^", "_")):
        return True  # \frac{a} {b}; 100 p^2, where p is no unit
    if left.kind in ("number", "closing") and _FACTOR.match(text, right.start) is not None:
        return _LABEL.search(text, max(0, left.end - 3), left.end) is None
    if right.kind == "letter" and text[right.start : right.end] in _ARTICLES:
        return False
    return left.kind in _BRIDGES or right.kind in _BRIDGES


def _trim(parts: list[_Part]) -> list[_Part]:
    """The tokens without those that no formula ends with, cut before a bracket that is never closed."""
    opened: list[int] = []
    for number, part in enumerate(parts):
        if part.kind == "opening":
            opened.append(number)
        elif part.kind == "closing" and opened:
            opened.pop()
    parts = parts[: opened[0]] if opened else parts
    while parts and parts[-1].kind in _BETWEEN:
        parts = parts[:-1]
    return parts


def _is_plain(text: str, parts: list[_Part]) -> bool:
    """Whether reading the numbers of a run one by one misses nothing of what it says."""
    kinds = [part.kind for part in parts]
    run = text[parts[0].start : parts[-1].end]
    if kinds[0] == "letter" and _NUMBER_BEFORE.search(text, max(0, parts[0].start - 3), parts[0].start):
        return True  # a unit: 5 m/s
    if kinds == ["function"]:
        return True
    if not {"matrix", "function", "factorial"}.isdisjoint(kinds) or re.search(
        r"[\^_]|\\[a-zA-Z{}|]", _PLAIN_COMMANDS.sub("", run)
    ):
        return False
    if "comma" in kinds or ":" in run:
        return False
    letters, numbers = kinds.count("letter"), kinds.count("number")
    if "symbol" in kinds:
        return len(parts) <= 2
    named = len(parts) > 2 and parts[0].kind == "letter" and run[1:].lstrip()[:1] in ("=", "≈", "<", ">", "≤", "≥")
    if letters - named == 0 or (letters and not numbers and len(parts) < 3):
        return True
    return not {"operator", "relation", "sign"} & set(kinds) and _TERM.fullmatch(run) is None


def mark_formulas(text: str) -> str | None:
    r"""The text with dollars around the formulas that have no delimiters; plain numbers stay as they are.

    None if a number begins a formula that cannot be read as a whole.

    Example: mark_formulas(r"The area is 6\sqrt{2}.") is r"The area is $6\sqrt{2}$."
    """
    pieces, position = [], 0
    for match in FORMULA.finditer(text):
        pieces += [_mark(text[position : match.start()]), match[0]]
        position = match.end()
    pieces.append(_mark(text[position:]))
    marked = [piece for piece in pieces if piece is not None]
    return "".join(marked) if len(marked) == len(pieces) else None


def _mark(text: str) -> str | None:
    if PHRASES["formula part"].search(text) is None:
        return text
    pieces, position = [], 0
    for run in find_runs(text):
        if not run.whole and any(map(str.isdigit, text[run.start : run.end])):
            return None
        if not run.plain and run.whole:
            pieces += [text[position : run.start], "$", text[run.start : run.end], "$"]
            position = run.end
    return "".join([*pieces, text[position:]])


def is_formula(text: str) -> bool:
    r"""Whether the whole of a text is one formula or number.

    Example: is_formula(r"\frac{5}{7}") and is_formula("y = 4x + 1"), but not is_formula("5 cars").
    """
    if len(text) > LONGEST_WHOLE or _token().match(text) is None:
        return False
    run = next(find_runs(text), None)
    return run is not None and (run.start, run.end) == (0, len(text)) and any(map(str.isalnum, text))
