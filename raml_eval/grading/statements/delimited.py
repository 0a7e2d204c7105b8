r"""Formulas between delimiters: $...$, $$...$$, \(...\), \[...\] and environments such as align.

These patterns stand only here. Each is bounded, so the time of a search is linear in the length of the text.
"""

from __future__ import annotations

import re

from raml_eval.grading.statements.table import PHRASES

LONGEST = 2000  # characters of one formula

ENVIRONMENTS = ("align", "aligned", "alignat", "displaymath", "eqnarray", "equation", "gather", "gathered", "multline", "split")

_NAMES = "|".join(ENVIRONMENTS)
# A backslash escapes the character behind it, so \$ ends no formula.
_DOLLAR_CONTENT = rf"((?:[^$\\]|\\.){{1,{LONGEST}}})"
_INLINE = (rf"\${_DOLLAR_CONTENT}\$", rf"\\\(((?:[^\\]|\\(?!\))){{1,{LONGEST}}})\\\)")
_ON_LINES_OF_ITS_OWN = (
    rf"\$\${_DOLLAR_CONTENT}\$\$",
    rf"\\\[((?:[^\\]|\\(?!\])){{1,{LONGEST}}})\\\]",
    rf"\\begin\{{(?:{_NAMES})\*?\}}((?:[^\\]|\\(?!end\{{(?:{_NAMES})\*?\}})){{1,{LONGEST}}})\\end\{{(?:{_NAMES})\*?\}}",
)
_BOLD = r"\*\*([^*\n]{1,500})\*\*"
_QUOTED = (r"「([^」\n]{1,500})」", r"『([^』\n]{1,500})』")

DISPLAY = re.compile("|".join(_ON_LINES_OF_ITS_OWN))
INLINE = re.compile("|".join(_INLINE))
FORMULA = re.compile("|".join((*_ON_LINES_OF_ITS_OWN, *_INLINE)))
MARKED = re.compile("|".join((*_ON_LINES_OF_ITS_OWN, *_INLINE, _BOLD)))  # formulas and bold words
QUOTED = re.compile("|".join((*_ON_LINES_OF_ITS_OWN, *_INLINE, _BOLD, *_QUOTED)))  # and words in East Asian quotes
BOLD = re.compile(_BOLD)

_ENVIRONMENT = re.compile(_ON_LINES_OF_ITS_OWN[-1])
_GOES_ON = re.compile(r"=|<|>|\\(?:approx|leq?|geq?|equiv|implies|Rightarrow|to)(?![a-zA-Z])")
_ASSIGNED = re.compile(r"([a-zA-Z](?:_\{?\w{1,3}\}?)?|\\[a-zA-Z]{1,8})\s*=[^=]*")


def content_of(match: re.Match[str]) -> str:
    r"""What stands between the delimiters of a match; for an environment, the chain or statement that its rows end with.

    Example: for "\begin{align*} a &= 2+3 \\ &= 5 \end{align*}" it is "a = 2+3 = 5".
    """
    content = next(group for group in match.groups() if group is not None).strip()
    inner = _ENVIRONMENT.fullmatch(match[0]) or _ENVIRONMENT.fullmatch(content)
    return _join_rows(inner[1].strip()) if inner is not None else content


def read_marked(text: str, marked: re.Pattern[str] = MARKED) -> list[str]:
    r"""The contents with which a text begins, as far as they follow one another joined by commas, 'and' or 'or'.

    Example: read_marked(r"$x=2$, \(y=3\) and **4**, or so") is ["x=2", "y=3", "4"].
    """
    found, position = [], 0
    while (match := marked.match(text, position)) is not None:
        found.append(content_of(match))
        joint = PHRASES["contents joined"].match(text, match.end())
        position = joint.end() if joint and joint[0].strip() else len(text)
    return found


def _join_rows(content: str) -> str:
    """The rows as one statement: a row that begins with a relation continues the row before it.

    Of several statements that remain, the last one counts, or all of them if each gives another name its value.
    """
    if r"\begin" in content:  # a matrix has rows of its own
        return content
    statements: list[str] = []
    for row in content.split(r"\\"):
        row = row.replace("&", " ").strip()
        if statements and _GOES_ON.match(row):
            statements[-1] += f" {row}"
        elif row:
            statements.append(row)
    names = [match[1] for row in statements if (match := _ASSIGNED.fullmatch(row.rstrip(".,;"))) is not None]
    if len(names) == len(statements) == len(set(names)):
        return ", ".join(row.rstrip(".,;") for row in statements)
    return " ".join(statements[-1].split())
