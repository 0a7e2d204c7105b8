"""Tells whether two texts look alike, more crudely than any grader may. The results are hints for a person, never verdicts."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 2000  # characters; a longer text is never found to look like another
_SPELLINGS = (
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\*\*|`|\$|\\(?:left|right|displaystyle|textstyle)(?![a-zA-Z])|\\[,;:! ]"), " "),
)
_DRESSING = re.compile(
    r"\\(?:[bB]igg?[lr]?|(?:text|math)(?:bf|it|rm|sf|tt|cal)?|mbox|operatorname|boxed|fbox|q?quad)(?![a-zA-Z])|\\(?=[%$#&{}])"
)
_NO_MEANING = re.compile(r"[^\w+\-./^=<>()\[\]%,]")
_NO_VALUE = re.compile(r"[^\w+\-./^<>]")
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|[^\s\w]|_")
_PLAIN_NUMBER = re.compile(r"[-+]?[\d.,]+(?:e[-+]?\d+)?%?|[-+]?(?:frac)?\d+/?\d+")
_SEVERAL = re.compile(r"[<>≤≥,;]|\\(?:leq?|geq?|lt|gt|cup|infty)(?![a-zA-Z])|\b(?:and|or)\b")
_THOUSANDS = re.compile(r",(?=\d{3}(?!\d))|\{,\}")


def soften(text: str) -> str:
    """The text with look-alike characters unified, and without math and bold marks. What it says is unchanged."""
    text = unicodedata.normalize("NFKC", text)
    for pattern, plain in _SPELLINGS:
        text = pattern.sub(plain, text)
    return text


def firm_text(text: str) -> str:
    """The text without layout, spaces, braces and case. Signs, points, slashes and brackets are kept."""
    if len(text) > LONGEST:
        return ""
    undressed = _DRESSING.sub(" ", soften(text)).replace("}{", "/").casefold()
    return _NO_MEANING.sub("", undressed).rstrip(".,")


def bare_text(text: str) -> str:
    """Only the letters and digits, case folded: -5 and 5 are the same here.

    Example: bare_text("(-5)") == bare_text("5")
    """
    return "".join(filter(str.isalnum, firm_text(text)))


def looks_equal(a: str, b: str) -> float:
    """1 if two texts differ only in layout, 0.5 if also in brackets and commas, 0.25 if also in signs and points, else 0.

    Example: looks_equal("$5$", "5") == 1.0
    """
    firm = firm_text(a), firm_text(b)
    if firm[0] and firm[0] == firm[1]:
        return 1.0
    bare = bare_text(a)
    if not bare or bare != bare_text(b):
        return 0.0
    return 0.5 if _NO_VALUE.sub("", firm[0]) == _NO_VALUE.sub("", firm[1]) else 0.25


def text_pattern(text: str) -> re.Pattern[str] | None:
    """A pattern that finds the text as a whole in a softened text, whatever its spaces: 5 is not in 15, -5, 5.2, 5/2 or 1,500.

    A single letter is found only in its own case, and an A not if it is the article. None for an empty or a long text.

    Example: text_pattern("5").search("15 or 5.2") is None
    """
    tokens = _TOKEN.findall(soften(text))
    if not tokens or len(text) > LONGEST:
        return None
    before, after = r"(?<![\w\\])", r"(?!\w)"
    if tokens[0][0].isdigit():
        before += r"(?<![-−.])(?<!\d,)"
    if tokens[-1][-1].isdigit():
        after += r"(?![.,]\d|\s{0,3}[/^])"
    is_letter = len(tokens) == 1 and len(tokens[0]) == 1 and tokens[0].isalpha()
    after += r"(?!\s[a-z])" if is_letter else ""
    return re.compile(before + r"\s{0,3}".join(map(re.escape, tokens)) + after, 0 if is_letter else re.IGNORECASE)


def differ_oddly(gold: str, answer: str) -> tuple[float, str] | None:
    """How suspicious it is that these two were found equal, from 0 to 1, and why; None if it is not suspicious."""
    a, b = firm_text(gold), firm_text(answer)
    if a == b or (_PLAIN_NUMBER.fullmatch(a) and _PLAIN_NUMBER.fullmatch(b)):
        return None
    if not b or len(b) > 4 * len(a) + 30:
        return 0.55, "the answer is much longer than the gold"
    kinds = _kind(gold), _kind(answer)
    if kinds[0] != kinds[1]:
        return 0.6, f"the gold is {kinds[0]} and the answer {kinds[1]}"
    words = set(_TOKEN.findall(a)), set(_TOKEN.findall(b))
    shared = len(words[0] & words[1]) / max(1, len(words[0] | words[1]))
    return (0.35, "the two share little text") if shared < 0.2 else None


def _kind(text: str) -> str:
    plain = _THOUSANDS.sub("", _DRESSING.sub(" ", soften(text))).replace("{", " ").replace("}", " ")
    if _SEVERAL.search(plain):
        return "several values or a range"
    return "words" if re.fullmatch(r"[^\W\d_]{3,}(?:\s+[^\W\d_]+){0,20}", plain.strip()) else "one expression"
