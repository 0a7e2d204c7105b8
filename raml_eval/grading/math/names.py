"""Names of quantities: which texts are names, in which order they stand, and when two of them are the same."""

from __future__ import annotations

import re
from collections.abc import Sequence

from raml_eval.grading.math.forms import Alternatives, Form, Many, Named, Value
from raml_eval.grading.math.rewrites import TEXT

_INDEX = r"_(?:\w|\{[\w, '\\/]{1,30}\}|\{[\w, ]{0,10}\\text\{[^{}]{1,30}\}\})"
_PLAIN = (
    r"(?:\\?[a-zA-Z]+|\\(?:angle|overline|bar|hat|tilde|dot|ddot|vec|mathbf|triangle) ?\{?[a-zA-Z]+\}?|\\Delta ?[a-zA-Z])'*"
    rf"(?:{_INDEX})?'*"
)
_NAME = re.compile(rf"{_PLAIN}(?:(?<=[fgh])(?:\^\{{-1\}}|\^-1))?(?:\([a-zA-Z\d, ]+\)|\(\\[a-z]+\))?")
_FUNCTION_NAMES = re.compile(r"\\(?:sin|cos|tan|ln|log|exp|sqrt|pi|emptyset|infty|frac|pm|mp)\b")
_SPECIAL = (
    r"[A-Z](?:\\(?:cap|cup|setminus) ?[A-Z])+",
    r"\|[A-Z]+\|",
    r"\\frac\{(?:d|\\partial ?)(?:\^\{?\d\}?)? ?[a-zA-Z]\}\{(?:d|\\partial ?) ?[a-zA-Z](?:\^\{?\d\}?)?\}",  # dy/dx
    rf"\\frac\{{[A-Z]{{1,2}}(?:{_INDEX})?\}}\{{[A-Z]{{1,2}}(?:{_INDEX})?\}}",  # AB/CD
    rf"{_PLAIN}(?::{_PLAIN}){{1,3}}",  # V_1:V_2
    r"(?:P|E|n|\\mathbb\{[EP]\}|\\operatorname\{[A-Z][a-z]+\})[(\[][A-Z][^()\[\]=]{0,20}[)\]]",  # P(A|B), E[X]
    r"m ?\\angle ?[A-Z]+",
    r"\|\\vec\{[a-zA-Z]+\}\||\\overrightarrow\{[A-Z]{2}\}",
    r"\\(?:det|dim) ?\(?[A-Z]\)?",
)
_SPECIAL_NAME = re.compile("|".join(_SPECIAL))
_FUNCTION = re.compile(r"(\\?[a-zA-Z]+'*(?:_\w)?'*(?:\^\{?-1\}?)?)\((\\?[a-z]+)\)")

_LOOKS = re.compile(r"\\(?:text|mathrm) ?|[{} ]|\\(?=max|min)")
_PARAMETER = re.compile(r"\(\\?[a-z]+\)$")
_DERIVATIVES = {r"\fracdydx": "y'", r"\fracd^2ydx^2": "y''"}  # without braces

# Letters that go together in this order: y=4, x=3 is the point (3,4). Letters of different rows keep the order given.
_FAMILIES = (
    "a b c d e f", "h k", "i j k l m n", "p q r s t", "u v w", "x y z", "A B C D E F", "P Q R S T", "X Y Z",
    r"\alpha \beta \gamma \delta",
)  # fmt: skip


def is_name(text: str) -> bool:
    r"""Whether the text names a quantity: a symbol, f(x), an index, an angle, a ratio of segments; not a formula.

    Example: is_name(r"v_{\max}") and is_name(r"\frac{AB}{CD}") are True, is_name("x+y") is False.
    """
    if re.fullmatch(TEXT, text) or _SPECIAL_NAME.fullmatch(text):
        return True
    return bool(_NAME.fullmatch(text)) and not _FUNCTION_NAMES.match(text)


def names_in_parentheses(text: str) -> list[str] | None:
    """The names in a text such as (x,y); None for any other text."""
    return text[1:-1].split(",") if re.fullmatch(r"\([a-zA-Z](?:,[a-zA-Z])+\)", text) else None


def name_all(names: Sequence[str], form: Form) -> Form:
    """Names the items of a tuple, or of each tuple in a list or set; any other form stays as it is."""
    if not isinstance(form, Many):
        return form
    if not form.ordered:
        return Many(form.brackets, tuple(name_all(names, item) for item in form.items))
    if len(form.items) != len(names):
        return form
    return Many(form.brackets, tuple(map(Named, names, form.items)))


def in_order_of_names(items: Sequence[Form]) -> Sequence[Form]:
    """Sorts named items by their names if these belong together, such as x, y, z; otherwise they keep their order."""
    names = [item.name for item in items if isinstance(item, Named)]
    if len(names) < len(items) or len(set(names)) < len(names):
        return items
    bases = [name.partition("_")[0] for name in names]
    if len(set(bases)) == 1:
        return sorted(items, key=lambda item: (len(item.name), item.name))  # type: ignore[union-attr]
    for family in _FAMILIES:
        letters = family.split()
        if set(bases) <= set(letters):
            return sorted(items, key=lambda item: letters.index(item.name.partition("_")[0]))  # type: ignore[union-attr]
    return items


def in_groups(items: Sequence[Form]) -> Sequence[Form]:
    """Groups items such as a=4, b=1, a=6, b=1, whose names repeat, into tuples; other items stay as they are."""
    names = [item.name for item in items if isinstance(item, Named)]
    size = len(set(names))
    if len(names) < len(items) or size < 2 or len(names) < 2 * size or len(names) % size:
        return items
    starts = range(0, len(names), size)
    if any(set(names[start : start + size]) != set(names) for start in starts):
        return items
    return [Many("()", tuple(items[start : start + size])) for start in starts]


def same_name(a: str, b: str) -> bool:
    """Whether two names are the same, however they are written; S also names S(r), and y names f(x)."""
    plain = [_DERIVATIVES.get(name, name) for name in (_LOOKS.sub("", name) for name in (a, b))]
    if plain[0] == plain[1]:
        return True
    short = [_PARAMETER.sub("", name) for name in plain]
    if short[0] == short[1] and short != plain and short[0] in plain:
        return True  # S and S(r)
    # The name of y'' has as many primes as that of f''(x).
    return any(
        re.fullmatch("y'*", name) and re.fullmatch(rf"[^'(]+{name[1:]}\(.*", other) for name, other in (plain, plain[::-1])
    )


def rename_parameter(answer: Named, gold: str) -> Form | None:
    """Rewrites the value of f(x)=... in the parameter of the gold's f(t); None unless both name the same function.

    It is also None if the value has the gold's parameter already: f(x)=9t does not say what f(t) is.
    """
    ours, theirs = _FUNCTION.fullmatch(gold), _FUNCTION.fullmatch(answer.name)
    if ours is None or theirs is None or ours[1] != theirs[1]:
        return None
    renamed = rename(answer.value, theirs[2], ours[2])
    return None if renamed == answer.value and _has_letter(answer.value, ours[2]) else renamed


def parameter_of(name: str) -> str | None:
    """The parameter in the name of a function, such as t in h(t); None if there is none."""
    match = _FUNCTION.fullmatch(name)
    return None if match is None else match[2]


def rename(form: Form, old: str, new: str) -> Form:
    """Renames a letter throughout a form. The form stays as it is if it already contains the new name."""
    if isinstance(form, Value):
        if old == new or _letter(new).search(form.text):
            return form
        return Value(_letter(old).sub(lambda _: new, form.text), form.unit)
    if isinstance(form, Many):
        return Many(form.brackets, tuple(rename(item, old, new) for item in form.items))
    if isinstance(form, Alternatives):
        return Alternatives(tuple(rename(item, old, new) for item in form.forms))
    return form


def _has_letter(form: Form, name: str) -> bool:
    return isinstance(form, Value) and _letter(name).search(form.text) is not None


def _letter(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-zA-Z\\]){re.escape(name)}(?![a-zA-Z])")
