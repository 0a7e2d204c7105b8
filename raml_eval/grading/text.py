"""Clean text: what a model typed, without what only changes its looks."""

from __future__ import annotations

import re
import unicodedata

# Controls, soft hyphens, zero-width and direction marks: invisible, and never part of an answer.
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")
_SUBSCRIPTS = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_VULGAR = re.compile("[¼½¾⅐-⅞]")  # one half and its like
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi o pi rho  sigma tau upsilon phi chi psi omega"
)
_SYMBOLS = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "—": "-",
        "×": r"\times ",
        "·": r"\cdot ",
        "⋅": r"\cdot ",
        "÷": "/",
        "⁄": "/",
        "∞": r"\infty ",
        "∅": r"\emptyset ",
        "∪": r"\cup ",
        "∩": r"\cap ",
        "∈": r"\in ",
        "∖": r"\setminus ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "⩽": r"\le ",
        "⩾": r"\ge ",
        "≠": r"\ne ",
        "≈": r"\approx ",
        "≡": r"\equiv ",
        "±": r"\pm ",
        "√": r"\sqrt ",
        "∛": r"\sqrt[3] ",
        "°": r"^\circ",
        "º": r"^\circ",
        "ℝ": r"\mathbb{R}",
        "ℤ": r"\mathbb{Z}",
        "…": r"\ldots ",
        "⟨": r"\langle ",
        "⟩": r"\rangle ",
        "，": ",",
        "、": ",",
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
        "′": "'",
        **{chr(0x3B1 + place): rf"\{name} " for place, name in enumerate(_GREEK.split(" ")) if name and name != "o"},
    }
)
_WRAPPED = re.compile(
    r"""\s*(?:\$\$(?P<a>(?:[^$\\]|\\.)*)\$\$ | \$(?P<b>(?:[^$\\]|\\.)*)\$ | \\\((?P<c>(?:[^\\]|\\(?!\)))*)\\\)
    | \\\[(?P<d>(?:[^\\]|\\(?!\]))*)\\\] | \*\*(?P<e>[^*]*)\*\*
    | `(?P<f>[^`]*)`)\s*""",
    re.VERBOSE | re.DOTALL,
)
_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|textsf|texttt|mathrm|mathbf|mathit|mathsf|mbox|emph)\s*\{([^{}]*)\}")
_TRAILING = " \t\n.,;:。"


def drop_invisible(text: str) -> str:
    """The text without control characters, zero-width characters and direction marks; newlines and tabs stay."""
    return _INVISIBLE.sub("", text)


def plain_unicode(text: str) -> str:
    """The text with look-alike characters (full-width digits, other minus signs, superscripts) in one spelling."""
    if text.isascii():
        return drop_invisible(text)
    text = _SUPERSCRIPTS.sub(lambda m: f"^{{{unicodedata.normalize('NFKC', m[0]).replace('−', '-')}}}", text)
    text = _SUBSCRIPTS.sub(lambda m: f"_{{{unicodedata.normalize('NFKC', m[0])}}}", text)
    text = _VULGAR.sub(lambda m: r"\frac{{{}}}{{{}}}".format(*unicodedata.normalize("NFKC", m[0]).split("⁄")), text)
    return unicodedata.normalize("NFKC", drop_invisible(text).translate(_SYMBOLS)).translate(_SYMBOLS)


def unwrap(text: str) -> str:
    r"""The text without math delimiters, bold or code marks around the whole of it, and without closing punctuation."""
    for _ in range(4):
        text = text.strip().rstrip(_TRAILING).removesuffix("\\")
        match = _WRAPPED.fullmatch(text)
        if match is None:
            break
        text = next(group for group in match.groups() if group is not None)
    return text.strip()


def drop_text_commands(text: str) -> str:
    r"""The text with \text{...}, \mathrm{...} and their like replaced by what they hold."""
    return _TEXT.sub(r"\1", text)


def normalize_exact(text: str) -> str:
    r"""The text in the one spelling that the kind 'exact' compares.

    In this order: look-alike characters unified and invisible ones dropped; \text{...} and its like, math delimiters, bold
    and code marks, and LaTeX spacing removed; case folded; one pair of quotes around the whole removed; every run of
    whitespace one space, and none beside a character that is neither letter nor digit; .,;:!? at the end removed.
    All other punctuation counts: -5 is not 5, 1,2 is not 12, [1] is not 1.
    """
    text = unwrap(drop_text_commands(plain_unicode(text)))
    text = re.sub(r"\\(?:[,;:! ]|q?quad(?![a-zA-Z]))|~", " ", text).replace(r"\{", "{").replace(r"\}", "}")
    text = unwrap(text).casefold()
    if len(text) >= 2 and text[0] in "\"'" and text[-1] == text[0]:
        text = text[1:-1]
    text = re.sub(r"\s+", " ", text)
    return re.sub(r" (?=[^\w ])|(?<=[^\w ]) ", "", text).strip().rstrip(_TRAILING + "!?")
