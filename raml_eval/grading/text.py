"""Clean text: what a model typed, without what only changes its looks."""

from __future__ import annotations

import re
import unicodedata

CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # Japanese, Chinese and Korean characters, for a character class
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
LOOKED_AT = 100_000  # characters, from the end: an answer stands there, and the time stays bounded
TRAILING = " \t\n.,;:。"
# Most lines are plain words, which need none of the patterns below.
SPECIAL = re.compile(r"[\\{}$*`~\"“”«»„「」『』_'‘’]")
_COLOURS = re.compile(r"\\(?:textcolor|color|colorbox)\s*\{[^{}]*\}")
_COMMANDS = re.compile(
    r"\\(?:text[a-z]*|math[a-z]*|mbox|emph|boxed|fbox|underline|[lL]arge|LARGE|[hH]uge|bf|rm|bm|sf|displaystyle|textstyle|"
    r"left|right|"
    r"ensuremath|operatorname|checkmark)(?![a-zA-Z])\s*"
)
_SPACES = re.compile(r"\\q?quad(?![a-zA-Z])|\\[ ,;:!]|\\\\|(?<=[\w})])~(?=[\w\\({])")
_MARKS = re.compile(r"\\?[{}$]|\\[()\[\]]|[*`]|__|``|''")
_QUOTES = re.compile("[\"“”«»„「」『』]|^['‘’]|['‘’]$")
_BLANKS = re.compile(r"\s+")


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
        text = text.strip().rstrip(TRAILING).removesuffix("\\")
        match = _WRAPPED.fullmatch(text)
        if match is None:
            break
        text = next(group for group in match.groups() if group is not None)
    return text.strip()


def drop_text_commands(text: str) -> str:
    r"""The text with \text{...}, \mathrm{...} and their like replaced by what they hold."""
    return _TEXT.sub(r"\1", text)


def flat(text: str) -> str:
    r"""The text without what only changes its looks: LaTeX text commands and delimiters, bold, quotes, closing punctuation."""
    if SPECIAL.search(text) is None:
        return " ".join(text.split()).strip(" .,;:!")
    if "\\" in text:
        text = text.replace(r"\mathrm{~", r"\mathrm{ ")  # before a unit; elsewhere ~ before a letter is 'not'
        text = _COMMANDS.sub("", _COLOURS.sub("", text))
    text = _MARKS.sub("", _SPACES.sub(" ", text))
    return _BLANKS.sub(" ", _QUOTES.sub("", text)).strip(" .,;:!\\")


def soft_key(text: str) -> str:
    """flat, in one spelling of look-alike characters and in lower case: what sentences are compared by."""
    plain = text if text.isascii() else re.sub(r"_\{(\d+)\}", r"\1", plain_unicode(text))
    return flat(plain).casefold()


def lower(text: str) -> str:
    """The text in lower case, of the same length."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def clean(text: str) -> str:
    r"""The end of a finished answer as the kinds read it: LOOKED_AT characters, without invisible ones.

    A log whose escapes were read once too often holds a backspace for \b and a form feed for \f; those are \boxed, \frac
    and \fbox again.
    """
    text = text.rstrip()[-LOOKED_AT:].replace("\x08oxed", "\\boxed").replace("\x0crac", "\\frac").replace("\x0cbox", "\\fbox")
    return drop_invisible(text)
