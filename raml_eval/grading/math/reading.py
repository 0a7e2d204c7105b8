"""Recognises the form of a mathematical answer from its text.

The text must be simplified (spelling.simplify_latex). It is read part by part, down to numbers and expressions.
"""

from __future__ import annotations

import itertools
import re

from raml_eval.grading.math.forms import (
    CLOSING,
    OPENING,
    Family,
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
    split_top,
)
from raml_eval.grading.math.names import name_all, names_in_parentheses
from raml_eval.grading.math.numbers import read_fraction, read_number
from raml_eval.grading.math.relations import MEMBER, read_gap, read_relation
from raml_eval.grading.math.rewrites import TEXT
from raml_eval.grading.math.units import is_counter, split_unit
from raml_eval.grading.math.words import plain_words
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import CJK

_WORD = re.compile(
    r"\(?[^\W\d_]+\)?\.?(?:[ '\-:]+(?:[^\W\d_]+\.?|\d{1,4}))*(?: ?[ap]\.?m\.?)?|\d{1,2}:\d\d ?[ap]\.?m\.?", re.IGNORECASE
)
_PRODUCTS = re.compile(r"[a-z](?: ?[a-z])?(?:-[a-z](?: ?[a-z])?)+")  # k x-a, kx-a
_TIME = re.compile(r"(\d{1,2})(?:[:.](\d\d))? ?(?:\\text\{ ?)?([ap])\.? ?m\.?\}?", re.IGNORECASE)
_OPTION = re.compile(
    r"(?:\\text\{ ?)?\(([A-P])\)(?!\}?[ ~:]*[+*/^])[ .:]*\}?[ ~:]*(.+)|(?:\\text\{)?([A-P])[.:)] ?\}?(.+)", re.DOTALL
)
_ANOTHER_OPTION = re.compile(
    r"(?:^|[,;/&]) ?(?:\\text\{ ?)?(?:\(([A-P])\)|([A-P])[.:)])|^[,;/&] ?(?:\\text\{ ?)?([A-P])$|^ ?\(([A-P])\)$"
)
_MATRIX = re.compile(r"([^=]{0,60}?)(?:\\cdot ?)?\\begin\{pmatrix\}(.*)\\end\{pmatrix\}", re.DOTALL)
_MODULUS = re.compile(r"\\pmod\{[^{}]*\}$")
_ALL_REALS = re.compile(r"\\mathbb\{R\}|\\R|\\mathbf\{R\}", re.IGNORECASE)
_RATIO = re.compile(r"[^:]{1,40}(?::[^:]{1,40}){1,5}")
_FAMILY = re.compile(r"(.+?),? ?\\where ?(.+)", re.DOTALL)
_BUILDER = re.compile(r"\\\{(.+)\\\}", re.DOTALL)
_CONDITION = re.compile(r"[<>=]|\\(?:in|le|ge|ne|equiv|text)(?![a-zA-Z])")
_COUNTING = re.compile(r"(?<![a-zA-Z\\])([a-z])(?=\\in(?![a-zA-Z]))")
_POSITIVE = re.compile(r"\\mathbb\{[ZN]\}[_^](?:\{(?:\+|>0|\*)\}|\+|\*)|\\mathbb\{[ZN]_\+\}")
_WORDS_BEFORE = re.compile(
    r"\\text\{ ?([A-Za-z][^{}]*)\}(?: ?(?:[A-Za-z]{1,3}|\\[a-z]+ ?\{?[A-Z]{1,3}\}?) ?\\text\{([^{}]*)\})? ?([:=]?) ?"
)
_VALUE_BEGINS = re.compile(r"(?=[-+\d\\(\[{.$A-Za-z])(?!\\(?:text|le|ge|in|cup|approx|cdot|times|ne)(?![a-zA-Z]))")
_BEFORE_VALUE = re.compile(
    r"(?: |(?<=:))(?=[-+\d\\(\[{.$]|[A-Za-z](?![A-Za-z]))(?!\\(?:text|le|ge|in|cup|approx|cdot|times|ne)(?![a-zA-Z]))"
)
_LETTER_RELATED = re.compile(r"[a-z] ?(?:[<>]|\\(?:le|ge|ne)(?![a-zA-Z]))")
_CJK_LEAD = re.compile(rf"^([{CJK}：:]+) ?(?=[-+\d\\(a-zA-Z])")
_CJK_TEXT = re.compile(rf"^\\text\{{ ?([{CJK}：:\s]+)\}}(?=.)")
_CJK_UNIT = re.compile(rf"(?<=[a-zA-Z])\\text\{{ ?([{CJK}]+) ?\}}$")


def read_form(text: str, depth: int = 0) -> Form:
    """The form of a simplified text. Anything nested deeper than eight levels stays a Value.

    Example: read_form("(1,2)") is a Many with the brackets "()" and two Values.
    """
    text = text.strip()
    for lead in (_CJK_TEXT, _CJK_LEAD):
        found = lead.match(text)
        if found is not None and not PHRASES["changes value behind"].search(found[1].strip()):
            text = text[found.end() :]
    if (unit := _CJK_UNIT.search(text)) is not None and is_counter(unit[1]):  # 2x\text{元}
        text = text[: unit.start()]
    text = text[_end_of_introduction(text) :]
    if depth <= 8 and (family := _split_condition(text)) is not None:
        return Family(read_form(family[0], depth + 1), _read_condition(family[1], depth + 1))
    if depth > 8 or not text:
        return Value(text)
    return (
        _read_option(text, depth)
        or _read_word(text)
        or _read_matrix(text, depth)
        or _read_list(text, depth)
        or read_relation(text, lambda part: read_form(part, depth + 1))
        or _read_enclosed(text, depth)
        or _read_ratio(text)
        or _read_value(text)
    )


def _end_of_introduction(text: str) -> int:
    r"""Where the words end that introduce a value: The area is 5, \text{the value of }x\text{ is }5.

    0 if the text begins otherwise.
    """
    if (marked := _WORDS_BEFORE.match(text)) is not None:
        parts = (marked[1],) if marked[2] is None else (marked[1], "x", marked[2])
        words = " ".join(" ".join(parts).split()) + marked[3]
        fits = PHRASES["introduced value"].fullmatch(words) or (
            PHRASES["introduced letter"].fullmatch(words) and _LETTER_RELATED.match(text, marked.end())
        )
        return marked.end() if fits and _VALUE_BEGINS.match(text, marked.end()) else 0
    places = list(itertools.islice(_BEFORE_VALUE.finditer(text), 20))
    leads = (place for place in reversed(places) if PHRASES["introduced value"].fullmatch(text, 0, place.start()))
    return next((place.end() for place in leads if PHRASES["states a value"].search(text, 0, place.start())), 0)


def _split_condition(text: str) -> tuple[str, str] | None:
    r"""Splits a family 2\pi n, n \in \mathbb{Z}, or a set \{2\pi n : n \in \mathbb{Z}\}, into its form and its condition.

    The letter that counts is called k. None for any other text, and for \{x : x > 2\}, which is an interval.
    """
    if text.count(r"\where") > 1 and len(split_top(text, ",;")) > 1:  # each item of the list has a condition of its own
        return None
    if (family := _FAMILY.fullmatch(text)) is not None:
        form, condition = family[1].strip(" ,"), family[2].strip()
        condition = condition.removesuffix(")") if condition.count("(") < condition.count(")") else condition
    elif (builder := _BUILDER.fullmatch(text)) is not None and _closes_at_end(text):
        inner = re.sub(r"\\mid(?![a-zA-Z])", ":", builder[1])
        inner = inner.replace("|", ":") if inner.count("|") == 1 else inner
        form, *behind = split_top(inner, ":")
        form, condition = form.strip(), ":".join(behind).strip()
        if len(form) < 2 or _CONDITION.search(condition) is None or form.endswith(r"\in\mathbb{R}"):
            return None
    else:
        return None
    counting = _COUNTING.search(condition)
    if counting is not None and not re.search(r"(?<![a-zA-Z\\])k(?![a-zA-Z])", form + condition):
        letter = re.compile(rf"(?<![a-zA-Z\\]){counting[1]}(?![a-zA-Z])")
        form, condition = letter.sub("k", form), letter.sub("k", condition)
    return form, _POSITIVE.sub(r"\\mathbb{N}", condition)


def _read_condition(text: str, depth: int) -> Form:
    """A condition as the words that LaTeX marks as text, or as a formula."""
    if re.match(TEXT, text):
        return Word(" ".join(re.sub(TEXT, r" \1 ", text).casefold().split()), True)
    return read_form(text, depth)


def _read_option(text: str, depth: int) -> Form | None:
    if depth:
        return None
    alone = PHRASES["lone letter"].fullmatch(text)
    if alone is not None and len(text) > 1 and alone["letter"].isupper():
        return Value(alone["letter"])
    match = _OPTION.fullmatch(text)
    if match is None:
        return None
    letter, content = match[1] or match[3], (match[2] or match[4]).strip(" }") if match[1] or match[3] else ""
    if others := [other for found in _ANOTHER_OPTION.findall(content) if (other := "".join(found)) != letter]:
        return Many("", tuple(map(Value, (letter, *others))))  # (C) or (D)
    return Option(letter, read_form(content, depth + 1)) if content else None


def _read_word(text: str) -> Form | None:
    if _ALL_REALS.fullmatch(text) or PHRASES["all reals"].fullmatch(text):
        return Interval("", "()", Value(r"-\infty"), Value(r"\infty"))
    whole = re.fullmatch(rf"{TEXT}(?: ?{TEXT})*(?: ?[a-z])?", text)  # \text{odd }n
    content = " ".join(re.sub(TEXT, r" \1 ", text).split()) if whole else text
    if (time := _TIME.fullmatch(content)) is not None:
        return Word(f"{int(time[1])}:{time[2] or '00'} {time[3].lower()}m", True)
    content = content.rstrip(".")
    for particle in PHRASES.words("particle_cjk"):
        content = content.removesuffix(particle)
    if read_fraction(content) is not None and (whole or content.isascii()):
        return Value(content)
    if not _WORD.fullmatch(content):
        return None
    unmarked = not whole and content.isascii() and (len(content) < 4 or "\\" in content or _PRODUCTS.fullmatch(content))
    if unmarked and content.casefold() not in PHRASES.word_set("yes_no"):  # a product of letters
        return None
    return Word(plain_words(content), bool(whole))


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
    r"""Reads a bare list, a union, or assignments to several names; None if the text is none of these."""
    if (difference := re.fullmatch(r"(.+)\\(?:setminus|backslash) ?\\\{([^{},]+)\\\}", _drop_member(text))) is not None:
        return read_gap(difference[1], difference[2], lambda part: read_form(part, depth + 1))
    if r"\cup" in text or r"\vee" in text or r"\lor" in text:
        parts = [part for part in re.split(r"\\(?:cup|vee|lor)(?![a-zA-Z]) ?", _drop_member(text)) if part]
        if len(parts) > 1 and all(_is_level(part) for part in parts):
            return Joined(tuple(read_form(part, depth + 1) for part in parts))
    name, _, value = text.rpartition("=")
    if ("," not in name and read_number(value) is not None) or PHRASES["piece of"].search(text):
        return None
    parts = _share_modulus([part.strip() for part in split_top(text, ",;")])
    if len(parts) > 1 and all(parts):
        items = tuple(read_form(part, depth + 1) for part in parts)
        names = names_in_parentheses(parts[0].partition("=")[0].strip())
        if names is not None:  # (x,y)=(2,7),(-2,3)
            items = (items[0], *(name_all(names, item) for item in items[1:]))
        if all(isinstance(item, Interval) and item.variable for item in items):
            return Joined(items)
        if isinstance(items[0], Named) and not any(isinstance(item, (Named, Interval)) for item in items[1:]):
            return Named(items[0].name, Many("", (items[0].value, *items[1:])))
        return Many("", items)
    return None


def _share_modulus(parts: list[str]) -> list[str]:
    r"""Gives the modulus behind the last of several residues to each: n\equiv 1, 3\pmod{4}, not n=1, n\equiv 3\pmod{4}."""
    *others, last = parts
    modulus = _MODULUS.search(last)
    if modulus is None or any(r"\pmod" in part or "=" in part for part in others):
        return parts
    if r"\equiv" in last and not all(r"\equiv" in part for part in others):
        return parts
    return [*(f"{part}{modulus[0]}" for part in others), last]


def _is_level(text: str) -> bool:
    return sum((c in OPENING) - (c in CLOSING) for c in text) == 0


def _drop_member(text: str) -> str:
    match = MEMBER.fullmatch(text)
    return match[2] if match else text


def _read_enclosed(text: str, depth: int) -> Form | None:
    r"""Reads a tuple, an interval, a set, a named point such as A(1,2), or one form in superfluous brackets."""
    named = re.fullmatch(r"[A-Z](\(.*,.*\))", text, re.DOTALL)
    body = named[1] if named else text
    if body.startswith(r"\{") and body.endswith(r"\}"):
        opening, closing, inner = r"\{", r"\}", body[2:-2]
    elif body and body[0] in OPENING and body[-1] in CLOSING:
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
        depth += (character in OPENING) - (character in CLOSING)
        if depth == 0 and character in CLOSING:
            return place == len(text) - 1
    return False


def _read_ratio(text: str) -> Form | None:
    if (to := PHRASES["ratio in words"].fullmatch(text)) is not None:
        return Ratio((to["left"], to["right"]))
    if not _RATIO.fullmatch(text) or "\\text" in text or not _is_level(text):
        return None
    return Ratio(tuple(part.strip() for part in text.split(":")))


def _read_value(text: str) -> Form:
    return Value(*split_unit(text))
