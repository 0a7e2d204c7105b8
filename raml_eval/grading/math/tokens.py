"""The tokens of a simple formula, its letters, and the points at which two formulas are compared."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator
from typing import Any

Tokens = tuple[tuple[str, str], ...]

DIGITS = 50
ANY_BASE = r"\log"  # without an index; the base is a letter of its own
_REALS = ("1.3719", "-0.7431", "2.2361", "-1.618", "17.283", "-23.461", "1234.567")
_POSITIVE = ("0.618", "2.7459", "0.2679", "5.1962")
_WHOLE = (7, 4, 9, 5, 11, 6, 8, 10, 13, 3, 12, 14, 57, 101, 1002)
_STEPS = tuple(f"{0.31 + 0.47 * step:.2f}" for step in range(40))  # where a value is rounded to whole numbers
_COUNTING = frozenset("nmkijNMK")
_contexts = threading.local()
_INDEX = r"_(?:\{\w{1,8}\}|\w)"
_NAMES = "alpha beta gamma delta epsilon varepsilon theta lambda mu nu rho sigma tau phi varphi omega Delta Omega hbar"
GREEK = frozenset(f"\\{name}" for name in _NAMES.split())
_TOKEN = re.compile(
    rf"(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<symbol>\\vec\{{[a-zA-Z]\}}|[a-zA-Z]'*(?:{_INDEX})?'*|"
    rf"\\(?:{_NAMES.replace(' ', '|')}){_INDEX})|(?P<command>\\[a-zA-Z]+)|(?P<sign>[-+/^!(){{}}|\[\]_,])| +"
)


_APPLIED = re.compile(
    rf"\\d?dot ?\{{?(?:\\(?:{_NAMES.replace(' ', '|')})|[a-zA-Z])\}}?(?:\([a-z]\))?"
    rf"|(?:\\(?:{_NAMES.replace(' ', '|')})|(?<![a-zA-Z\\])[a-zA-Z])'*(?:{_INDEX})?\([a-z]\)"
)
_UNBRACED = re.compile(r"[{} ]")


def name_functions(left: str, right: str) -> tuple[str, str]:
    r"""Two formulas with a letter for each function of one letter, f(t), and each derivative by time, \dot x.

    The functions are independent of one another, so the formulas are equal for all of them if they are for all letters. The
    texts stay as they are unless both have the same functions; k(t) may also be a product.
    """
    found = [sorted({_UNBRACED.sub("", name) for name in _APPLIED.findall(text)}) for text in (left, right)]
    if found[0] != found[1] or not 0 < len(found[0]) < 10:
        return left, right
    letters = {name: f"{{y_{{u{number}}}}}" for number, name in enumerate(found[0])}
    named = [_APPLIED.sub(lambda match: letters[_UNBRACED.sub("", match[0])], text) for text in (left, right)]
    return named[0], named[1]


@functools.lru_cache(maxsize=8192)
def tokenize(text: str) -> Tokens | None:
    """The tokens of a formula as (kind, text); None if a part of it is no token, or if there are more than 300."""
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or len(tokens) > 300:
            return None
        position = match.end()
        if match.lastgroup is not None:
            tokens.append((match.lastgroup, match[0].replace("{", "").replace("}", "") if match["symbol"] else match[0]))
    return tuple(tokens)


def context() -> Any:
    """This thread's own mpmath context with DIGITS digits; any caller can change the precision of the shared one."""
    found = getattr(_contexts, "own", None)
    if found is None:
        from mpmath import MPContext

        found = _contexts.own = MPContext()
        found.dps = DIGITS
    return found


def letters_of(*sides: Tokens) -> list[str]:
    """The variables in the formulas, sorted."""
    names = {text for side in sides for kind, text in side if kind == "symbol" or text in GREEK}
    return sorted(names - {"i", "e"})


def has_any_base(*sides: Tokens) -> bool:
    r"""Whether a logarithm has no base: \log x may be one to the base 10 or e."""
    return any(
        text == ANY_BASE and (*side, ("", ""))[place + 1][1] != "_" for side in sides for place, (_, text) in enumerate(side)
    )


def points(*sides: Tokens) -> Iterator[dict[str, Any]]:
    """The points at which formulas are compared, each a value for every letter; positive values come first.

    Formulas without letters have one empty point.
    """
    letters = letters_of(*sides) + ([ANY_BASE] if has_any_base(*sides) else [])
    if not letters:
        yield {}
        return
    texts = {text for side in sides for _, text in side}
    all_whole = texts & {"!", r"\binom", r"\gcd", r"\lcm"} or (
        # n/2 rounded down is (n-1)/2 for odd n only
        texts & {r"\lfloor", r"\lceil"} and all(letter[0] in _COUNTING for letter in letters)
    )
    whole = set(letters) if all_whole else set().union(*map(_alternating, sides))
    mp = context()
    more = (_STEPS,) if texts & {r"\lfloor", r"\lceil"} else ()
    for values in (_WHOLE,) if all_whole else (_POSITIVE, _REALS, *more):
        for shift in range(len(values)):
            # Each letter has its own offset, so that x+y differs from 2x.
            point = {
                name: mp.mpf((_WHOLE if name in whole else values)[(shift + place) % len(values)]) + place
                for place, name in enumerate(letters)
            }
            if ANY_BASE in point:
                point[ANY_BASE] = abs(point[ANY_BASE]) + 2
            yield point


def _alternating(side: Tokens) -> set[str]:
    r"""The letters that stand for whole numbers, as (-1)^n and \cos n\pi say."""
    texts = [text for _, text in side]
    found: set[str] = set()
    for place, text in enumerate(texts):
        before, behind = texts[:place], texts[place + 1 :]
        if text == "^" and before[-4:] == ["(", "-", "1", ")"]:
            power = behind[1 : behind.index("}")] if behind[:1] == ["{"] and "}" in behind else behind[:1]
        elif text == r"\cos":
            power = [part for part in behind[:5] if part not in "(){}"][:2]
            power = power if r"\pi" in power else []
        else:
            continue
        if all(part in _COUNTING or not part.isalpha() for part in power):
            found.update(part for part in power if part in _COUNTING)
    return found
