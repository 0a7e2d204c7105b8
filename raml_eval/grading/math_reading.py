"""The form of a mathematical answer, as far as its text alone tells.

It is read from simplified LaTeX (math_text.simplify_latex), part by part, down to values that are numbers or expressions.
"""

from __future__ import annotations

import re

from raml_eval.grading.math_forms import (
    Alternatives,
    Equation,
    Form,
    Interval,
    Joined,
    Many,
    Matrix,
    Named,
    Option,
    Ratio,
    Value,
    Word,
)
from raml_eval.grading.math_numbers import read_fraction, read_number
from raml_eval.grading.math_text import TEXT
from raml_eval.grading.math_units import split_unit

_WORD = re.compile(
    r"\(?[^\W\d_]+\)?\.?(?:[ '\-:]+(?:[^\W\d_]+\.?|\d{1,4}))*(?: ?[ap]\.?m\.?)?|\d{1,2}:\d\d ?[ap]\.?m\.?", re.IGNORECASE
)
_TIME = re.compile(r"(\d{1,2})(?:[:.](\d\d))? ?(?:\\text\{ ?)?([ap])\.? ?m\.?\}?", re.IGNORECASE)
_LETTER = re.compile(r"(?:\\text\{ ?)?(?:(?:option|choice|answer)s?:? ?)?\(?([A-P])\)?[.)]? ?\}?", re.IGNORECASE)
_OPTION = re.compile(r"(?:\\text\{ ?)?\(([A-P])\)[ .:]*\}?[ ~:]*(.+)|(?:\\text\{)?([A-P])[.:)] ?\}?(.+)", re.DOTALL)
_NAME = re.compile(
    r"(?:\\?[a-zA-Z]+|\\(?:angle|overline|vec|mathbf|triangle) ?\{?[a-zA-Z]+\}?)'*"
    r"(?:_\{?\w+\}?)?'*(?:(?<=[fgh])(?:\^\{-1\}|\^-1))?(?:\([a-zA-Z\d, ]+\))?"
)
_FUNCTION_NAMES = re.compile(r"\\(?:sin|cos|tan|ln|log|sqrt|pi|emptyset|infty|frac|pm|mp)\b")
_MATRIX = re.compile(r"([^=]{0,60}?)(?:\\cdot ?)?\\begin\{pmatrix\}(.*)\\end\{pmatrix\}", re.DOTALL)
_RELATION = re.compile(r"<|>|\\le(?![a-zA-Z])|\\ge(?![a-zA-Z])")
_ALL_REALS = re.compile(
    r"(?:\\text\{)?(?:all|any) real (?:numbers?|values?)(?: [a-z])?\}?|\\mathbb\{R\}|\\R|\\mathbf\{R\}", re.IGNORECASE
)
_BUILDER = re.compile(r"\\\{ ?([a-z])(?:\\in ?\\mathbb\{R\})? ?(?:\\mid|:|\|) ?(.+)\\\}", re.DOTALL)
_DISTANCE = re.compile(r"\|([a-z])\|(<|>|\\le|\\ge) ?([^<>|]+)")
_MEMBER = re.compile(r"([a-zA-Z]\w*)\\in ?(.+)", re.DOTALL)
_RATIO = re.compile(r"[^:]{1,40}(?::[^:]{1,40}){1,5}")
_TO = re.compile(r"([\d.]+) ?(?:\\text\{ ?to ?\}|to) ?([\d.]+)")
_INTRODUCTION = re.compile(
    r"^(?:\\text\{ ?[A-Za-z][A-Za-z ,']+:? ?\}:? ?|(?:the )?(?:final )?answers?(?: is| are|:|=) ?:? ?)"
    r"(?=[-+\d\\(\[{.A-Z$a-z])(?!\\(?:text|le|ge|in|cup|approx|cdot|times|ne)\b)",
    re.IGNORECASE,
)
_FAMILY = re.compile(r"(.+?),? ?\\integer\{([a-z])\}", re.DOTALL)  # k in Z, however the letter is called
_CJK_LEAD = re.compile(r"^[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af：:]+ ?(?=[-+\d\\(a-zA-Z])")
_CJK_TEXT = re.compile(r"\\text\{ ?[\u3400-\u9fff：:\s]+\}")
_OPEN, _CLOSE = "([{", ")]}"


def split_top(text: str, separators: str) -> list[str]:
    """The text split at single characters that stand outside all brackets; any closing bracket closes any opening one."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        if character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth -= 1
        elif depth == 0 and character in separators:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def read_form(text: str, depth: int = 0) -> Form:
    """The form of a simplified text; what is nested deeper than eight levels stays a Value."""
    text = _CJK_TEXT.sub("", text.strip()) or text.strip()
    text = _CJK_LEAD.sub("", text) or text
    text = _INTRODUCTION.sub("", text) or text
    if (family := _FAMILY.fullmatch(text)) is not None:
        text = re.sub(rf"(?<![a-zA-Z\\]){family[2]}(?![a-zA-Z])", "k", family[1].strip(" ,"))
    if depth > 8 or not text:
        return Value(text)
    return (
        _read_option(text, depth)
        or _read_word(text)
        or _read_matrix(text, depth)
        or _read_list(text, depth)
        or _read_relation(text, depth)
        or _read_enclosed(text, depth)
        or _read_ratio(text)
        or _read_value(text)
    )


def _read_option(text: str, depth: int) -> Form | None:
    if depth:
        return None
    if len(text) > 1 and (alone := _LETTER.fullmatch(text)) is not None and alone[1].isupper():
        return Value(alone[1])
    match = _OPTION.fullmatch(text)
    if match is None:
        return None
    letter, content = match[1] or match[3], (match[2] or match[4]).strip(" }") if match[1] or match[3] else ""
    return Option(letter, read_form(content, depth + 1)) if content else None


def _read_word(text: str) -> Form | None:
    if _ALL_REALS.fullmatch(text):
        return Interval("", "()", Value(r"-\infty"), Value(r"\infty"))
    whole = re.fullmatch(rf"{TEXT}(?: ?{TEXT})*", text)
    content = " ".join(re.sub(TEXT, r" \1 ", text).split()) if whole else text
    if (time := _TIME.fullmatch(content)) is not None:
        return Word(f"{int(time[1])}:{time[2] or '00'} {time[3].lower()}m", True)
    content = content.rstrip(".").removesuffix("的")
    if read_fraction(content) is not None and (whole or content.isascii()):
        return Value(content)
    if not _WORD.fullmatch(content):
        return None
    if not whole and (len(content) < 4 or "\\" in content) and content.casefold() not in ("yes", "no") and content.isascii():
        return None
    return Word(_plain_words(content), bool(whole))


def _plain_words(text: str) -> str:
    text = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", text)
    text = re.sub(r"(?<=[apAP])\.?(?=[mM]\.?$)", "", text.strip("()")).casefold().replace(".", "")
    text = re.sub(r"^(?:an?|the) (?=\w)", "", text)
    text = re.sub(r"(\d) ?([ap]m)$", r"\1 \2", text)
    if re.fullmatch(r"(?:there (?:is|are) )?no (?:real |such |integer )?(?:solutions?|values?|answers?)(?: exists?)?", text):
        return "no solution"
    return {
        "dne": "does not exist",
        "无解": "no solution",
        "infinite": "infinity",
        "infinitely many solutions": "infinitely many",
    }.get(text, text)


def _read_matrix(text: str, depth: int) -> Form | None:
    match = _MATRIX.fullmatch(text)
    if match is None or r"\begin" in match[2]:
        return None
    factor = match[1].strip()
    if factor:
        cells = re.sub(
            r"[^&\\]+(?:\\(?!\\)[^&\\]*)*", lambda m: rf"{factor}\cdot ({m[0].strip()})" if m[0].strip() else "", match[2]
        )
        return _read_matrix(rf"\begin{{pmatrix}}{cells}\end{{pmatrix}}", depth)
    rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", match[2].replace(r"\hline", "")) if row.strip()]
    return Matrix(tuple(tuple(read_form(cell.strip(), depth + 1) for cell in row.split("&")) for row in rows))


def _read_list(text: str, depth: int) -> Form | None:
    r"""A bare list, a union, or the assignments of several names."""
    if (difference := re.fullmatch(r"(.+)\\(?:setminus|backslash) ?\\\{([^{},]+)\\\}", _drop_member(text))) is not None:
        return _read_gap(difference[1], difference[2], depth)
    if r"\cup" in text or r"\vee" in text or r"\lor" in text:
        parts = [part for part in re.split(r"\\(?:cup|vee|lor)(?![a-zA-Z]) ?", _drop_member(text)) if part]
        if len(parts) > 1 and all(_is_level(part) for part in parts):
            return Joined(tuple(read_form(part, depth + 1) for part in parts))
    name, _, value = text.rpartition("=")
    if ("," not in name and read_number(value) is not None) or r"\text{if}" in text:
        return None
    parts = [part.strip() for part in split_top(text, ",;")]
    if len(parts) > 1 and all(parts):
        items = tuple(read_form(part, depth + 1) for part in parts)
        if all(isinstance(item, Interval) and item.variable for item in items):
            return Joined(items)
        if isinstance(items[0], Named) and not any(isinstance(item, Named) for item in items[1:]):
            return Named(items[0].name, Many("", (items[0].value, *items[1:])))
        return Many("", items)
    return None


def _read_gap(whole: str, point: str, depth: int) -> Form | None:
    """An interval without one of its points."""
    outer, gap = read_form(whole, depth + 1), read_form(point, depth + 1)
    if isinstance(outer, Many) and len(outer.items) == 2 and outer.ordered:
        outer = Interval("", outer.brackets, *outer.items)
    if not isinstance(outer, Interval):
        return None
    low = Interval(outer.variable, outer.brackets[0] + ")", outer.low, gap)
    return Joined((low, Interval(outer.variable, "(" + outer.brackets[1], gap, outer.high)))


def _is_level(text: str) -> bool:
    return sum((c in _OPEN) - (c in _CLOSE) for c in text) == 0


def _drop_member(text: str) -> str:
    match = _MEMBER.fullmatch(text)
    return match[2] if match else text


def _read_relation(text: str, depth: int) -> Form | None:
    """An assignment, an equation, an inequality in one variable, a value with what it is about."""
    if r"\approx" in text:
        parts = [part.strip() for part in text.split(r"\approx") if part.strip()]
        return Alternatives(tuple(read_form(part, depth + 1) for part in parts)) if parts else None
    member = _MEMBER.fullmatch(text) or _BUILDER.fullmatch(text)
    if member is not None:
        return read_form(member[2], depth + 1)
    if _RELATION.search(text) and "=" not in text:
        return _read_interval(text, depth)
    if (unequal := re.fullmatch(r"([a-zA-Z])\\ne ?(.+)", text)) is not None and _RELATION.search(text) is None:
        gap = read_form(unequal[2], depth + 1)
        low, high = Value(r"-\infty"), Value(r"\infty")
        return Joined((Interval(unequal[1], "()", low, gap), Interval(unequal[1], "()", gap, high)))
    sides = [side.strip() for side in split_top(text, "=")]
    if len(sides) < 2 or not all(sides):
        return None
    return _read_equation(sides, depth)


def is_name(text: str) -> bool:
    """Whether the text names a quantity: a symbol, f(x), an index, an angle; not a formula."""
    if re.fullmatch(TEXT, text):
        return True
    if re.fullmatch(r"[A-Z](?:\\(?:cap|cup|setminus) ?[A-Z])+|\|[A-Z]+\|", text):
        return True
    return bool(_NAME.fullmatch(text)) and not _FUNCTION_NAMES.match(text)


def _read_equation(sides: list[str], depth: int) -> Form:
    if (function := re.fullmatch(r"([a-zA-Z])\(([a-wyz])\)", sides[0])) is not None:
        rename = re.compile(rf"(?<![a-zA-Z\\]){function[2]}(?![a-zA-Z])")
        sides = [rename.sub("x", side) for side in sides]
    name = sides[0]
    if re.fullmatch(r"\([a-zA-Z](?:,[a-zA-Z])+\)", name):
        return read_form(sides[-1], depth + 1)
    if len(sides) == 2 and is_name(sides[1]) and not is_name(name):
        name, sides = sides[1], sides[::-1]
    value = read_form(sides[-1], depth + 1)  # of a chain the last side counts
    names = [side for side in sides[:-1] if is_name(side)]
    if len(names) > 1 and len(names) == len(sides) - 1:  # x=y=z=1
        return Many("", tuple(Named(each, value) for each in names))
    if is_name(name):
        return Named(name, value)
    if not any(map(str.isalpha, re.sub(r"\\[a-zA-Z]+", "", re.sub(TEXT, "", "".join(sides))))):
        return Alternatives((value, Equation(tuple(sides))))
    return Equation(tuple(sides))


def _read_interval(text: str, depth: int) -> Form | None:
    if (distance := _DISTANCE.fullmatch(text)) is not None:  # |x|<4
        name, sign, bound = distance.groups()
        inside, ends = sign in ("<", r"\le"), ("()" if sign in "<>" else "[]")
        low, high = read_form(f"-({bound})", depth + 1), read_form(bound, depth + 1)
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
        low, high = read_form(parts[0], depth + 1), read_form(parts[2], depth + 1)
        return Interval(parts[1], ("(" if signs[0] == "<" else "[") + (")" if signs[1] == "<" else "]"), low, high)
    if len(parts) != 2:
        return None
    if is_name(parts[0]):
        return Interval(parts[0], "()" if signs[0] == "<" else "(]", Value(r"-\infty"), read_form(parts[1], depth + 1))
    if is_name(parts[1]):
        return Interval(parts[1], "()" if signs[0] == "<" else "[)", read_form(parts[0], depth + 1), Value(r"\infty"))
    return None


def _read_enclosed(text: str, depth: int) -> Form | None:
    r"""A tuple, an interval, a set, or one form in superfluous brackets; also a point with its name, A(1,2)."""
    named = re.fullmatch(r"[A-Z](\(.*,.*\))", text, re.DOTALL)
    body = named[1] if named else text
    if body.startswith(r"\{") and body.endswith(r"\}"):
        opening, closing, inner = r"\{", r"\}", body[2:-2]
    elif body and body[0] in _OPEN and body[-1] in _CLOSE:
        opening, closing, inner = body[0], body[-1], body[1:-1]
    else:
        return None
    if not _closes_at_end(body):
        return None
    parts = [part.strip() for part in split_top(inner, ",;")]
    if not all(parts):
        return None
    if opening == "{":
        return read_form(inner, depth + 1) if len(parts) == 1 else Many(r"\{\}", tuple(read_form(p, depth + 1) for p in parts))
    items = tuple(read_form(part, depth + 1) for part in parts)
    if len(items) == 1 and opening in "(\\{[":
        return items[0]
    return Many(opening + closing, items)


def _closes_at_end(text: str) -> bool:
    depth = 0
    for place, character in enumerate(text):
        depth += (character in _OPEN) - (character in _CLOSE)
        if depth == 0 and character in _CLOSE:
            return place == len(text) - 1
    return False


def _read_ratio(text: str) -> Form | None:
    if (to := _TO.fullmatch(text)) is not None:
        return Ratio((to[1], to[2]))
    if not _RATIO.fullmatch(text) or "\\text" in text or not _is_level(text):
        return None
    return Ratio(tuple(part.strip() for part in text.split(":")))


def _read_value(text: str) -> Form:
    return Value(*split_unit(text))
