"""Brings mathematical answers into one spelling, so that more equal answers are the same text."""

from __future__ import annotations

import html
import re

from raml_eval.grading.math.rewrites import REWRITES
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import plain_unicode, unwrap

LONGEST = 2000  # characters that are rewritten; a longer text is only stripped

_REWRITES = [(row.needs, re.compile(row.pattern), row.replacement) for row in REWRITES]


def simplify_latex(text: str) -> str:
    r"""The text in the common spelling. Its value does not change.

    Example: simplify_latex(r"\dfrac12") is r"\frac{1}{2}".

    Texts over LONGEST characters are only stripped.
    """
    return unwrap(text) if len(text) > LONGEST else _simplify(text)


@PHRASES.cached(maxsize=8192)
def _simplify(text: str) -> str:
    text = plain_unicode(html.unescape(text) if "&" in text and ";" in text else text)
    if (dollars := len(_DOLLAR.findall(text))) and dollars != 1:  # of three, one belongs to no pair
        text = _DOLLAR.sub("", text)
    text = _strip_wrappers(_DOTS.sub(r"\\ldots ", text))
    for needed, pattern, replacement in _REWRITES:
        if needed in text:
            text = pattern.sub(replacement, text)
    return unwrap(text)


_WRAPPER = re.compile(
    r"\\(?:boxed|fbox|displaystyle|ensuremath|boldsymbol|bold|bm|mathbf|underline)\s*\{(.*)\}|\*([^*]+)\*|【(.*)】|\$(.*)\$",
    re.DOTALL,
)
_FORMULA = re.compile(r"\\text\s*\{\s*(\\(?:[dt]?frac|sqrt|pi)\b.*)\}", re.DOTALL)
_LISTED = re.compile(r"\\(?:text|textbf|mathrm)\s*\{\s*([^{}]*)\}")
_LIST = re.compile(r"[-\d$]|[^.]{1,60},")
_GROUP = re.compile(r"\{([^{}]*)\}")
_LEADING = re.compile(r"^(?:=|\\approx|\\therefore|:|\\\\)\s*")
_DOLLAR = re.compile(r"(?<!\\)\$")
_DOTS = re.compile(r"\.{3,}")


def _strip_wrappers(text: str) -> str:
    for _ in range(4):
        text = PHRASES["sign in words"].sub("-", text)
        text = _LEADING.sub("", PHRASES["precision behind"].sub("", unwrap(text).removesuffix("\\\\").strip('"')))
        match = _WRAPPER.fullmatch(text) or _GROUP.fullmatch(text) or _read_as_list(text)
        content = "" if match is None else next(group for group in match.groups() if group is not None)
        if match is None or not _is_balanced(content):
            break
        text = content
    return text


def _read_as_list(text: str) -> re.Match[str] | None:
    r"""Matches a \text{...} that contains a formula or a list rather than words."""
    if (formula := _FORMULA.fullmatch(text)) is not None:
        return formula
    match = _LISTED.fullmatch(text)
    if match is None or not (_LIST.match(match[1]) or PHRASES["list in words"].match(match[1])):
        return None
    return match


def _is_balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0


_TOO_LARGE = re.compile(r"\^\{?[+-]?\d{7,}|\d{5,}!|!{3,}|\d{400,}")
_TOWER = re.compile(r"\d+(?:\)?\^\{?\(?\d+){2,}")


def too_large(text: str) -> bool:
    """Whether computing the text could take too long: power towers, large factorials, too many digits or brackets."""
    if _TOO_LARGE.search(text) or max(text.count("{"), text.count("("), text.count("[")) > 100:
        return True
    return any(_tower_too_large(tower) for tower in _TOWER.findall(text))


def _tower_too_large(tower: str) -> bool:
    numbers = [int(digits) for digits in re.findall(r"\d+", tower)]
    exponent = numbers.pop()
    for base in reversed(numbers):
        if base > 1 and exponent * base.bit_length() > 1_000_000:
            return True
        exponent = base**exponent
    return False
