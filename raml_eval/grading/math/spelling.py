"""Spellings of mathematical answers: one spelling for many, so that equal answers are more often the same text."""

from __future__ import annotations

import functools
import html
import re

from raml_eval.grading.text import plain_unicode, unwrap

LONGEST = 2000  # characters that are rewritten; a longer text is only stripped

_TEXTS = r"(?:text|textbf|textit|textrm|textsf|texttt|textnormal|mathrm|mathbf|mathit|mathsf|mbox|hbox|emph|rm|bf|operatorname)"
TEXT = rf"\\{_TEXTS}\s*\{{([^{{}}]*)\}}"
_STYLES = r"(?:mathbf|boldsymbol|bm|underline|mathit|mathrm|textbf|text|textit|[lL]arge|LARGE|[hH]uge|small)"
_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TRIG = r"\\(?:sin|cos|tan|cot|sec|csc)"
_DEGREE = r"\s*\^\s*\{?\s*(?:\\circ|o|\\text\{o\}|\\degree)\s*\}?|\s*\\degrees?(?![a-zA-Z])"


_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|middle)\s*\.|"
         r"\\(?:left|right|middle|(?:display|text|script)style|(?:no)?limits|[bB]igg?[lrm]?)(?![a-zA-Z])", ""),
        (r"\\(?:normalsize|large|Large|LARGE|huge|Huge|small|bf|rm|it|boldmath|noindent|strut)(?![a-zA-Z])\s*", ""),
        (r"\\(?:textcolor|colorbox)\s*\{[a-zA-Z]*\}|\\color\s*\{[a-zA-Z]*\}", ""),
        (rf"\\{_STYLES}\s*\{{\s*([-+]?[\d.,]+|[A-Z]?\d[0-9A-F]*)\s*\}}", r"\1"),
        (r"\\underline\s*\{([^{}]*)\}", r"\1"),
        (r"\\(?:blacksquare|square|qed|checkmark|Box)(?![a-zA-Z])", ""),
        (r"(?<=\d),\s*\\[!,]\s*(?=\d{3}(?!\d))|(?<=\d)\{,\}(?:\\!)?(?=\d{3}(?!\d))", ""),
        (r"(?<=\d)\{\.\}(?=\d)", "."),
        (r"^\^\{?(\d+)\}?/_\{?(\d+)\}?$", r"\\frac{\1}{\2}"),
        (r"\\(?:pounds|euro|yen)(?![a-zA-Z])\s*|\\text\s*\{\s*[$€£¥]\s*\}", ""),
        (r"\\lg(?![a-zA-Z])", r"\\log_{10}"),
        (r"(?<![\w)}])\+\s*\\infty", r"\\infty"),
        (r"^\\mp(?![a-zA-Z])", r"\\pm "),
        (r"\\(max|min|gcd|lcm)\s*\\\{([^{}]*)\\\}", r"\\\1(\2)"),
        (r"&\s*=", "="),
        (r"\\\{\s*(?=\\begin\{)", ""),
        (r"\\overline\s*\{([A-Z]{2})\}|\\triangle\s*([A-Z]{3})", lambda m: m[1] or rf"\text{{triangle {m[2]}}}"),
        (r"\\bigcup(?![a-zA-Z])", r"\\cup "),
        (r"\\colon(?![a-zA-Z])|\\!:\\!", ":"),
        (r"(?<![a-zA-Z])\{(\w+)\}_", r"\1_"),
        (r"\\(?:text|mathrm)\s*\{([0-9A-F]+)\}(?=[0-9A-F]*_)", r"\1"),
        (r"\(mod\s*(\d+)\)|\\text\s*\{\s*\(?mod\s*(\d+)\)?\s*\}", lambda m: rf"\pmod{{{m[1] or m[2]}}}"),
        (r"\\(?:hat|vec|mathbf)\s*\{?\\?([ijk])(?:math)?\}?(?![a-zA-Z])", r"v_{\1}"),
        (r"\\begin\{(?:cases|aligned|array)\}(?:\{[lcr ]*\})?"
         r"([^&{}]*=[^&{}]*(?:\\\\[^&{}]*=[^&{}]*)+)\\end\{(?:cases|aligned|array)\}",
         lambda m: re.sub(r"\s*\\\\\s*", ", ", m[1].strip())),
        (r",?\s*(?:\\text\s*\{[^{}]*\}|for|where)?\s*\(?(?<![a-zA-Z])([kntm])\s*\\in\s*\\(?:mathbb|mathbf)\s*\{?[ZN]\}?"
         r"(?:[_^]\{?[+*\d]*\}?)?.*$", r" \\integer{\1}"),
        (r"\\text\s*\{\s*,?\s*(?:for (?:all|any|every|some|each)|where|for)\b.*$", ""),
        (r"(\\(?:text|mathrm)\s*\{[^{}]*)\^\{(-?\d)\}", r"\1^\2"),
        (r"(\\(?:text|mathrm)\s*\{[^{}]*)\\[, ]", r"\1 "),
        (r"(?<=\d)(?:(?<!\\)\\[,!: ;]|~)\s*(?=\d{3}(?!\d))|\{,\}\\?!?|(?<=\d,)\\!", lambda m: "," if "{" in m[0] else ""),
        (r"(?<!\\)\\[,;:!> ]|\\q?quad(?![a-zA-Z])|\\(?:h|v)space\*?\s*\{[^{}]*\}|~|\s+", " "),
        (r"\\(?:textbf|textit|textrm|textsf|textnormal|mbox|hbox|emph)\s*\{", r"\\text{"),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\[dt]binom(?![a-zA-Z])", r"\\binom"),
        (r"(?<![\d.^_{/])(\d+|(?<![a-zA-Z\\])[a-z])/(\d+)(?= ?\\(?:sin|cos|tan|sqrt|pi|ln|log)| [a-zA-Z])", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*\{([^{}]*)\}\s*(\d|[a-zA-Z](?![a-zA-Z]))", r"\\frac{\1}{\2}"),
        (r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", lambda m: rf"\frac{{{m[1].strip()}}}{{{m[2].strip()}}}"),
        (r"\{\s*([^{}]{1,60}?)\s*\\over\s*([^{}]{1,60}?)\s*\}|^\s*([^{}\\]{1,60}?)\s*\\over\s*([^{}\\]{1,60}?)\s*$",
         lambda m: rf"\frac{{{m[1] or m[3]}}}{{{m[2] or m[4]}}}"),
        (r"\{\s*([^{}]{1,30}?)\s*\\choose\s*([^{}]{1,30}?)\s*\}|^([^{}\\]{1,30}?)\s*\\choose\s*([^{}\\]{1,30}?)$",
         lambda m: rf"\binom{{{m[1] or m[3]}}}{{{m[2] or m[4]}}}"),
        (r"(?:\\mathrm\{C\}|(?<![a-zA-Z\\])C)_\{?(\d+)\}?\^\{?(\d+)\}?", r"\\binom{\1}{\2}"),
        (r"(?:\{\})?[_^]\{?(\d+)\}?C_\{?(\d+)\}?", r"\\binom{\1}{\2}"),
        (r"\{(\d+)\}/\{(\d+)\}|\((\d+)\)/\((\d+)\)", lambda m: rf"\frac{{{m[1] or m[3]}}}{{{m[2] or m[4]}}}"),
        (r"(?<![\\a-zA-Z])sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"(?<![\\a-zA-Z])sqrt\s*(?=[\d{a-z])", r"\\sqrt "),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\\sqrt\s*(\[[^\[\]]*\])?\s*(\d+|\\?[a-zA-Z]+)(?![a-zA-Z])", lambda m: rf"\sqrt{m[1] or ''}{{{m[2]}}}"),
        (r"\\sqrt\s*(\[[^\[\]]*\])?\s*\{\s*([^{}]*?)\s*\}", r"\\sqrt\1{\2}"),
        (r"\\(?:mathrm|text|textrm|operatorname|rm)\s*\{\s*(ln|log|sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|exp|gcd|lcm|max|min)\s*\}",
         r"\\\1 "),
        (r"\\operatorname\*?\s*\{\s*cis\s*\}|\\cis(?![a-zA-Z])", r"\\cis "),
        (r"(?<![\\a-zA-Z])(pi|sin|cos|tan|log|ln|arctan|arcsin|arccos)(?![a-zA-Z])", r"\\\1 "),
        (r"\\log_\{?e\}?", r"\\ln "),
        (r"\*\*|\^\^", "^"),
        (r"\^\s*\(([^()]*)\)", r"^{\1}"),
        (r"\^\s*\{\s*([^{}]*?)\s*\}", r"^{\1}"),
        (r"\*|\\ast(?![a-zA-Z])", r"\\cdot "),
        (r"<=|=<|\\leq(?:slant|q)?(?![a-zA-Z])", r"\\le "),
        (r">=|=>|\\geq(?:slant|q)?(?![a-zA-Z])", r"\\ge "),
        (r"\\neq(?![a-zA-Z])|!=|\\not\s*=", r"\\ne "),
        (r"\\(?:gt|lt)(?![a-zA-Z])", lambda m: ">" if m[0] == r"\gt" else "<"),
        (rf"(\d)\s*\^\s*\{{\s*(?:\\{_TEXTS}\s*\{{\s*(?:st|nd|rd|th)\s*\}}|st|nd|rd|th)\s*\}}", r"\1"),
        (rf"(\d)\s*\^?\s*(?:\\{_TEXTS}\s*\{{\s*(?:st|nd|rd|th)\s*\}}|(?:st|nd|rd|th)(?![a-zA-Z]))", r"\1"),
        (rf"({_TRIG}\s*(?:\^\{{?-?\d\}}?)?)\s*(?:\(\s*([\d.]+)(?:{_DEGREE})\s*\)|([\d.]+)(?:{_DEGREE}))",
         lambda m: rf"{m[1]}(\frac{{{m[2] or m[3]}\pi}}{{180}})"),
        (rf"\\cis\s*(?:\(\s*([\d.]+)(?:{_DEGREE})\s*\)|([\d.]+)(?:{_DEGREE}))",
         lambda m: "(" + "+i".join(rf"\{name}(\frac{{{m[1] or m[2]}\pi}}{{180}})" for name in ("cos", "sin")) + ")"),
        (r"\\(?:varnothing|O)(?![a-zA-Z])|\\\{\s*\\\}|\\phi\s*$", r"\\emptyset"),
        (r"\\(?:lbrace|lvert|rvert|lVert|rVert|vert|rbrace|langle|rangle)(?![a-zA-Z])\s*",
         lambda m: {"lb": r"\{", "rb": r"\}", "la": "(", "ra": ")"}.get(m[0][1:3], "|")),
        (rf"\\{_TEXTS}\s*\{{\s*([ie])\s*\}}", r"\1"),
        (r"\\(?:imath|mathrm i)(?![a-zA-Z])", "i"),
        (rf",?\s*\\{_TEXTS}\s*\{{\s*,?\s*(?:and|or|and\s+or|und|et|和|或|与|及)\s*,?\s*\}}\s*,?|"
         r",?\s(?:and|or)\s|(?<=[\d})])\s*[和或与及]\s*(?=[-\d\\(a-z])", ", "),
        (r"^\s*(?:US)?\\?\$\s*(-?[\d,]*\.?\d+)\s*$", r"\1\\text{dollars}"),
        (r"^\s*\$\s*(?=[\d.-])|(?:US)?\\\$\s*(?=-?[\d.])|(?:€|£|¥|USD|US\$)\s*(?=-?[\d.])", ""),
        (r"(\d)\s+per\s?cent\b|(\d)\s*\\text\s*\{\s*per\s?cent\s*\}", r"\1\2\\%"),
        (r"(?<!\\)%", r"\\%"),
        (r"\\(?:pmod|mod|bmod)\s*\{?([^{}]*)\}?", r"\\pmod{\1}"),
        (r"\\begin\{(?:array|[bpB]?matrix|smallmatrix)\}(?:\{[lcr| ]*\})?", r"\\begin{pmatrix}"),
        (r"\\end\{(?:array|[bpB]?matrix|smallmatrix)\}", r"\\end{pmatrix}"),
        (r"(?:\(|\[|\\\{)\s*(\\begin\{pmatrix\}.*?\\end\{pmatrix\})\s*(?:\)|\]|\\\})", r"\1"),
        (r"\\dot\s*\{?(\d)\}?$", r"\\overline{\1}"),
        (r"(?<=\d)(\.\d*?)(\d)\2{2,}\s*(?:\\[lcd]?dots\s*|\.{2,})$", r"\1\\overline{\2}"),
        (r"\.{3,}|\\[cd]dots(?![a-zA-Z])", r"\\ldots "),
        (r"\\(?:cdot|times)(?![a-zA-Z])\s*", lambda m: m[0].strip() + " "),
        (r"^(-?\d+) (\d+)/(\d+)$", r"\1\\frac{\2}{\3}"),
        (r" +(?=[^\w ])|(?<=[^\w ,]) +(?!$)", ""),
        (r"^(-?\d{1,3}(?:,\d{3})+(?:\.\d+)?)(?= ?(?:\\text|\\mathrm|[a-zA-Z\u4e00-\u9fff]|_))",
         lambda m: m[0].replace(",", "")),
        (r", +(?!\d{3}(?!\d))", ","),  # 1, 200 stays two numbers
    )
]  # fmt: skip


def simplify_latex(text: str) -> str:
    """The text in a spelling that equal answers share more often; the value it names is unchanged.

    Texts over LONGEST characters are only stripped.
    """
    return unwrap(text) if len(text) > LONGEST else _simplify(text)


@functools.lru_cache(maxsize=8192)
def _simplify(text: str) -> str:
    text = plain_unicode(html.unescape(text) if "&" in text and ";" in text else text)
    if (dollars := len(_DOLLAR.findall(text))) and dollars % 2 == 0:
        text = _DOLLAR.sub("", text)
    text = _strip_wrappers(_DOTS.sub(r"\\ldots ", text))
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return unwrap(text)


_WRAPPER = re.compile(
    r"\\(?:boxed|fbox|displaystyle|ensuremath|boldsymbol|bold|bm|mathbf|underline)\s*\{(.*)\}|\*([^*]+)\*|【(.*)】|\$(.*)\$",
    re.DOTALL,
)
_FORMULA = re.compile(r"\\text\s*\{\s*(\\(?:[dt]?frac|sqrt|pi)\b.*)\}", re.DOTALL)
_LISTED = re.compile(r"\\(?:text|textbf|mathrm)\s*\{\s*([^{}]*)\}")
_GROUP = re.compile(r"\{([^{}]*)\}")
_LEADING = re.compile(r"^(?:=|\\approx|\\therefore|:|\\\\)\s*")
_DOLLAR = re.compile(r"(?<!\\)\$")
_DOTS = re.compile(r"\.{3,}")
_SIGN_WORD = re.compile(r"^(?:minus|negative)\s+(?=\w)", re.IGNORECASE)
_TAIL = re.compile(r"\s*\((?:approximately|approx\.?|exactly|exact)\)\s*$", re.IGNORECASE)


def _strip_wrappers(text: str) -> str:
    for _ in range(4):
        text = _SIGN_WORD.sub("-", text)
        text = _LEADING.sub("", _TAIL.sub("", unwrap(text).removesuffix("\\\\").strip('"')))
        match = _WRAPPER.fullmatch(text) or _GROUP.fullmatch(text) or _read_as_list(text)
        content = "" if match is None else next(group for group in match.groups() if group is not None)
        if match is None or not _is_balanced(content):
            break
        text = content
    return text


def _read_as_list(text: str) -> re.Match[str] | None:
    r"""A \text{...} that holds a formula or a list rather than words."""
    if (formula := _FORMULA.fullmatch(text)) is not None:
        return formula
    match = _LISTED.fullmatch(text)
    return match if match is not None and re.match(r"[-\d$]|[^.]{1,60}(?:,| and )", match[1]) else None


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
    """Whether sympy would compute something huge: power towers, large factorials, digits and nesting without end."""
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
