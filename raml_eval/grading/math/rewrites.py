"""The rewrites that bring the LaTeX of an answer into one spelling: one row each, applied in this order.

Every row has examples: a text, and what simplify_latex makes of it. Without the row, or without one of the alternatives of
its pattern, the result of an example would be another one (tests/test_grading_math_rewrites.py removes each in turn). To
add a rewrite, add a row with an example for each alternative.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

_TEXTS = r"(?:text|textbf|textit|textrm|textsf|texttt|textnormal|mathrm|mathbf|mathit|mathsf|mbox|hbox|emph|rm|bf|operatorname)"
TEXT = rf"\\{_TEXTS}\s*\{{([^{{}}]*)\}}"
_STYLES = r"(?:mathbf|boldsymbol|bm|underline|mathit|mathrm|textbf|text|textit|[lL]arge|LARGE|[hH]uge|small)"
_TRIG = r"\\(?:sin|cos|tan|cot|sec|csc)"
_DEGREE = r"\s*\^\s*\{?\s*(?:\\circ|o|\\text\{o\}|\\degree)\s*\}?|\s*\\degrees?(?![a-zA-Z])"
_CIS = r"(\\cos(\\frac{\1\\pi}{180})+i\\sin(\\frac{\1\\pi}{180}))"

_SORTS = "odd|even|positive|negative"
_ARGUMENT = r"((?:[^()]|\([^()]*\))*)"


class Rewrite(NamedTuple):
    """A pattern, what replaces each match, and examples: what the whole simplification makes of a text.

    needs is a part that every match has. A text without it is not searched, which saves most of the time.
    """

    pattern: str
    replacement: str | Callable[[re.Match[str]], str]
    examples: Mapping[str, str]
    needs: str = ""


def _lines_to_list(match: re.Match[str]) -> str:
    return re.sub(r"\s*\\\\\s*", ", ", match[1].strip())


def _without_commas(match: re.Match[str]) -> str:
    return match[0].replace(",", "")


REWRITES: tuple[Rewrite, ...] = (
    # sizes, styles and colours that say nothing
    Rewrite(r"\\(?:left|right|middle)\s*\.", "", {r"\left.5\right|": "5|"}),
    Rewrite(
        r"\\(?:left|right|middle|(?:display|text|script)style|(?:no)?limits|[bB]igg?[lrm]?)(?![a-zA-Z])",
        "",
        {r"\left(1,2\right)": "(1,2)", r"\displaystyle\frac12": r"\frac{1}{2}"},
    ),
    Rewrite(
        r"\\(?:normalsize|large|Large|LARGE|huge|Huge|small|bf|rm|it|boldmath|noindent|strut)(?![a-zA-Z])\s*",
        "",
        {r"\bf 12": "12"},
    ),
    Rewrite(
        r"\\(?:textcolor|colorbox)\s*\{[a-zA-Z]*\}|\\color\s*\{[a-zA-Z]*\}",
        "",
        {r"\textcolor{red}{7}": "{7}", r"\color{blue}7": "7"},
    ),
    Rewrite(
        rf"\\{_STYLES}\s*\{{\s*([-+]?[\d.,]+|[A-Z]?\d[0-9A-F]*)\s*\}}",
        r"\1",
        {r"x=\mathbf{12}": "x=12", r"x=\text{-3}": "x=-3"},
    ),
    Rewrite(r"\\underline\s*\{([^{}]*)\}", r"\1", {r"x=\underline{2y}": "x=2y"}),
    Rewrite(r"\\(?:blacksquare|square|qed|checkmark|Box)(?![a-zA-Z])", "", {r"5\blacksquare": "5"}),
    # marks in numbers, money
    Rewrite(
        r"(?<=\d),\s*\\[!,]\s*(?=\d{3}(?!\d))|(?<=\d)\{,\}(?:\\!)?(?=\d{3}(?!\d))", "", {r"1,\!234": "1234", "1{,}234": "1234"}
    ),
    Rewrite(r"(?<=\d)\{\.\}(?=\d)", ".", {"3{.}5": "3.5"}, "{.}"),
    Rewrite(r"^\^\{?(\d+)\}?/_\{?(\d+)\}?$", r"\\frac{\1}{\2}", {"^3/_4": r"\frac{3}{4}"}),
    Rewrite(r"\\(?:pounds|euro|yen)(?![a-zA-Z])\s*|\\text\s*\{\s*[$€£¥]\s*\}", "", {r"\pounds 5": "5", r"\text{€}5": "5"}),
    # commands with another spelling
    Rewrite(r"(?<![a-zA-Z])(?:plus|positive)\s+(?=\\?inf)", "", {"(0, positive infinity)": r"(0,\infty)"}, "inf"),
    Rewrite(r"(?<![a-zA-Z])(?:minus|negative)\s+(?=\\?inf)", "-", {r"(negative \infty, 5)": r"(-\infty,5)"}, "inf"),
    Rewrite(
        r"(?<=[-+(\[,<>])\s*(?:[Ii]nf|[Ii]nfinity|INF)(?![a-zA-Z])|(?<![\\a-zA-Z])[Ii]nf(?:inity)?(?=\s*[)\]])|^[Ii]nf$",
        r"\\infty",
        {"-infinity": r"-\infty", "(2;infinity)": r"(2;\infty)", "inf": r"\infty"},
    ),
    Rewrite(
        r"(?<=[-+(\[,<>])\s*oo(?![a-zA-Z])|(?<![\\a-zA-Z])oo(?=\s*[)\]])",
        r"\\infty",
        {"(-oo, 5)": r"(-\infty,5)", "(2;oo)": r"(2;\infty)"},
        "oo",
    ),
    Rewrite(r"\\lg(?![a-zA-Z])", r"\\log_{10}", {r"\lg 2": r"\log_{10}2"}),
    Rewrite(r"(?<![\w)}])\+\s*\\infty", r"\\infty", {r"(0,+\infty)": r"(0,\infty)"}, "+"),
    Rewrite(r"^\\mp(?![a-zA-Z])", r"\\pm ", {r"\mp 3": r"\pm 3"}, r"\mp"),
    Rewrite(r"\\(max|min|gcd|lcm)\s*\\\{([^{}]*)\\\}", r"\\\1(\2)", {r"\max\{a,b\}": r"\max(a,b)"}),
    Rewrite(r"&\s*=", "=", {"x &= 5": "x=5"}, "&"),
    Rewrite(r"\\\{\s*(?=\\begin\{)", "", {r"\left\{\begin{array}{l}x=1\\y=2\end{array}\right.": "x=1,y=2"}),
    Rewrite(r"\\overline\s*\{([A-Z]{2})\}", r"\1", {r"\overline{AB}": "AB"}),
    Rewrite(r"\\triangle\s*([A-Z]{3})", r"\\text{triangle \1}", {r"\triangle ABC": r"\text{triangle ABC}"}),
    Rewrite(r"(?<!\\)\\[()]", "", {r"\(28\) percent": r"28\%"}),
    Rewrite(r"(?<=[)\]])\s*U\s*(?=[(\[])", r"\\cup ", {"(0,1) U (2,3)": r"(0,1)\cup(2,3)"}, "U"),
    Rewrite(r"\\bigcup(?![a-zA-Z])", r"\\cup ", {r"(0,1)\bigcup(2,3)": r"(0,1)\cup(2,3)"}),
    Rewrite(r"\\colon(?![a-zA-Z])", ":", {r"3\colon 4": "3:4"}),
    Rewrite(r"(?<![a-zA-Z])\{(\w+)\}_", r"\1_", {"{123}_5": "123_5"}),
    Rewrite(r"\\(?:text|mathrm)\s*\{([0-9A-F]+)\}(?=[0-9A-F]*_)", r"\1", {r"\text{A}3_{16}": "A3_{16}"}),
    Rewrite(
        r"\(mod\s*(\d+)\)|\\text\s*\{\s*\(?mod\s*(\d+)\)?\s*\}",
        r"\\pmod{\1\2}",
        {"3 (mod 7)": r"3\pmod{7}", r"3\text{ mod 7}": r"3\pmod{7}"},
    ),
    Rewrite(
        r"\\(?:hat|vec|mathbf)\s*\{?\\?([ijk])(?:math)?\}?(?![a-zA-Z])", r"v_{\1}", {r"3\hat{i}+\mathbf{k}": "3v_{i}+v_{k}"}
    ),
    Rewrite(
        (
            r"\\begin\{(?:cases|aligned|array)\}(?:\{[lcr ]*\})?"
            r"([^&{}]*=[^&{}]*(?:\\\\[^&{}]*=[^&{}]*)+)\\end\{(?:cases|aligned|array)\}"
        ),
        _lines_to_list,
        {r"\begin{cases}x=1\\y=2\end{cases}": "x=1,y=2"},
    ),
    # what is said about a counting letter, and texts
    Rewrite(
        (
            r",?\s*(?:\\text\s*\{[^{}]*\}|for|where)?\s*\(?(?<![a-zA-Z])([kntm])\s*\\in\s*\\(?:mathbb|mathbf)\s*\{?([ZN])\}?"
            r"((?:(?!\\\}).)*)$"
        ),
        r" \\where \1\\in \\mathbb{\2}\3",
        {r"2\pi k, k\in\mathbb{Z}": r"2\pi k\where k\in\mathbb{Z}"},
        r"\in",
    ),
    Rewrite(
        rf"\\text\s*\{{\s*,?\s*(?:for|where|when)\b[^{{}}]*?(?<![a-z-])({_SORTS})\b[^{{}}]*\}}",
        r" \\where \\text{\1}",
        {r"2^n\text{ for odd }n": r"2^n\where\text{odd}n"},
    ),
    Rewrite(
        rf"\\text\s*\{{\s*,?\s*(?:for|where|when)\s*\}}\s*[a-z]\s*\\text\s*\{{(?:\s*is)?\s*({_SORTS})\s*\}}",
        r" \\where \\text{\1}",
        {r"1\text{ for }n\text{ odd},2\text{ for }n\text{ even}": r"1\where\text{odd},2\where\text{even}"},
    ),
    Rewrite(
        (
            r"\\text\s*\{\s*,?\s*(?:for|where)\b[^{}]*\}"
            r"(?=(?:(?!\\\}|\\text).)*?(?:[<>=]|\\(?:le|ge|ne|in)q?(?![a-zA-Z])))"
        ),
        r" \\where ",
        {
            r"2\pi n\text{ for all integers }n\ge 2": r"2\pi n\where n\ge 2",
            r"1\text{ for }n<2,3\text{ for }n>2": r"1\where n<2,3\where n>2",
        },
    ),
    Rewrite(
        r"\\text\s*\{\s*,?\s*(?:for|where)\b([^{}]*[<>=][^{}]*)\}$",
        r" \\where \1",
        {r"2\pi n\text{ for n > 2}": r"2\pi n\where n>2"},
    ),
    Rewrite(
        r"\\text\s*\{\s*,?\s*(?:for (?:all|any|every|some|each)|where|for)\b.*$",
        "",
        {r"2\pi n\text{ for all integers }n": r"2\pi n"},
    ),
    Rewrite(r"(\\(?:text|mathrm)\s*\{[^{}]*)\^\{(-?\d)\}", r"\1^\2", {r"5\text{ cm^{2}}": r"5\text{cm^2}"}),
    # kelvins: 4\text{K} is rather 4000
    Rewrite(
        r"(?<=[\d)}])(?:(?:\\[,;:! ]|~|\s)+\\text\s*\{[\s~]*|\\text\s*\{[\s~]+)K\s*\}",
        r"\\mathrm{K}",
        {r"300\,\text{K}": r"300\mathrm{K}", r"300\text{ K}": r"300\mathrm{K}"},
    ),
    # blanks and thousands
    Rewrite(r"(?<=\d)(?:(?<!\\)\\[,!: ;]|~)\s*(?=\d{3}(?!\d))", "", {r"12\,345": "12345"}),
    Rewrite(r"\{,\}\\?!?", ",", {"(1{,}2)": "(1,2)"}),
    Rewrite(
        r"(?<!\\)\\[,;:!> ]|\\q?quad(?![a-zA-Z])|\\(?:h|v)space\*?\s*\{[^{}]*\}|~|\s+",
        " ",
        {r"5\;x": "5 x", r"x\quad y": "x  y", r"x\hspace{1em}y": "x y", "x~y": "x y", "x  y": "x y"},
    ),
    Rewrite(r"\\(?:textbf|textit|textrm|textsf|textnormal|mbox|hbox|emph)\s*\{", r"\\text{", {r"5\textrm{ cm}": r"5\text{cm}"}),
    Rewrite(r"\\mathbb\s*([A-Z])(?![a-zA-Z])", r"\\mathbb{\1}", {r"\mathbb Z": r"\mathbb{Z}"}),
    # fractions and binomials
    Rewrite(r"\\[dtc]frac(?![a-zA-Z])", r"\\frac", {r"\dfrac{1}{2}": r"\frac{1}{2}"}),
    Rewrite(r"\\[dt]binom(?![a-zA-Z])", r"\\binom", {r"\dbinom{5}{2}": r"\binom{5}{2}"}),
    Rewrite(
        r"(?<![\d.^_{/])(\d+|(?<![a-zA-Z\\])[a-z])/(\d+)(?= ?\\(?:sin|cos|tan|sqrt|pi|ln|log)| [a-zA-Z])",
        r"\\frac{\1}{\2}",
        {r"1/2\pi": r"\frac{1}{2}\pi"},
        "/",
    ),
    Rewrite(r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}", {r"\frac12": r"\frac{1}{2}"}),
    Rewrite(r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{", {r"\frac1{23}": r"\frac{1}{23}"}),
    Rewrite(r"\\frac\s*\{([^{}]*)\}\s*(\d|[a-zA-Z](?![a-zA-Z]))", r"\\frac{\1}{\2}", {r"\frac{12}5": r"\frac{12}{5}"}),
    Rewrite(
        (
            r"\{\s*([^{}]{1,60}?)\s*\\over\s*([^{}]{1,60}?)\s*\}|"
            r"^\s*([^{}\\]{1,60}?)\s*\\over\s*([^{}\\]{1,60}?)\s*$"
        ),
        r"\\frac{\1\3}{\2\4}",
        {r"x+{1\over 2}": r"x+\frac{1}{2}", r"1\over 2": r"\frac{1}{2}"},
        r"\over",
    ),
    Rewrite(
        (
            r"\{\s*([^{}]{1,30}?)\s*\\choose\s*([^{}]{1,30}?)\s*\}|"
            r"^([^{}\\]{1,30}?)\s*\\choose\s*([^{}\\]{1,30}?)$"
        ),
        r"\\binom{\1\3}{\2\4}",
        {r"2{5\choose 2}": r"2\binom{5}{2}", r"5\choose 2": r"\binom{5}{2}"},
        r"\choose",
    ),
    Rewrite(
        r"(?:\\mathrm\{C\}|(?<![a-zA-Z\\])C)_\{?(\d+)\}?\^\{?(\d+)\}?", r"\\binom{\1}{\2}", {"C_5^2": r"\binom{5}{2}"}, "C"
    ),
    Rewrite(r"(?:\{\})?[_^]\{?(\d+)\}?C_\{?(\d+)\}?", r"\\binom{\1}{\2}", {"{}_5C_2": r"\binom{5}{2}"}, "C"),
    Rewrite(
        r"\{(\d+)\}/\{(\d+)\}|\((\d+)\)/\((\d+)\)",
        r"\\frac{\1\3}{\2\4}",
        {"{3}/{4}": r"\frac{3}{4}", "(3)/(4)": r"\frac{3}{4}"},
        "/",
    ),
    # roots and functions
    Rewrite(rf"(?<![\\a-zA-Z])sqrt\s*\({_ARGUMENT}\)", r"\\sqrt{\1}", {"sqrt((x+1)/2)": r"\sqrt{(x+1)/2}"}, "sqrt"),
    Rewrite(rf"(?<![\\a-zA-Z])cbrt\s*\({_ARGUMENT}\)", r"\\sqrt[3]{\1}", {"cbrt(2y)": r"\sqrt[3]{2y}"}, "cbrt"),
    Rewrite(rf"(?<![\\a-zA-Z])abs\s*\({_ARGUMENT}\)", r"|\1|", {"abs(2y-(y+1))": "|2y-(y+1)|"}, "abs"),
    Rewrite(rf"(?<![\\a-zA-Z])floor\s*\({_ARGUMENT}\)", r"\\lfloor \1\\rfloor ", {"floor(x)": r"\lfloor x\rfloor"}, "floor"),
    Rewrite(rf"(?<![\\a-zA-Z])ceil\s*\({_ARGUMENT}\)", r"\\lceil \1\\rceil ", {"ceil(x/2)": r"\lceil x/2\rceil"}, "ceil"),
    Rewrite(r"(?<![\\a-zA-Z])a(sin|cos|tan)\s*(?=\()", r"\\arc\1", {"atan(2)": r"\arctan(2)"}, "("),
    Rewrite(r"(?<![\\a-zA-Z])log(2|10)\s*(?=\()", r"\\log_{\1}", {"log2(3)": r"\log_{2}(3)"}, "log"),
    Rewrite(r"(?<![\\a-zA-Z])sqrt\s*(?=[\d{a-z])", r"\\sqrt ", {"sqrt{3}": r"\sqrt{3}"}, "sqrt"),
    Rewrite(rf"\\sqrt\s*\({_ARGUMENT}\)", r"\\sqrt{\1}", {r"\sqrt(x+1)": r"\sqrt{x+1}"}),
    Rewrite(r"\\sqrt\s*(\[[^\[\]]*\])?\s*(\d+|\\?[a-zA-Z]+)(?![a-zA-Z])", r"\\sqrt\1{\2}", {r"\sqrt 3": r"\sqrt{3}"}),
    Rewrite(
        (
            r"\\(?:mathrm|text|textrm|operatorname|rm)\s*\{\s*"
            r"(ln|log|sin|cos|tan|cot|csc|arcsin|arccos|arctan|exp|gcd|lcm|max)\s*\}"
        ),
        r"\\\1 ",
        {r"\operatorname{gcd}(4,6)": r"\gcd(4,6)"},
    ),
    Rewrite(r"\\operatorname\*?\s*\{\s*(sec|min)\s*\}", r"\\\1 ", {r"2\operatorname{sec}x": r"2\sec x"}),
    # As a text, the same letters are seconds and minutes, unless a letter or a bracket follows.
    Rewrite(
        r"\\(?:mathrm|text|textrm|rm)\s*\{\s*(sec|min)\s*\}(?=(?:\^\{?\d+\}?)?\s*(?:[(a-z]|\\(?:theta|alpha|beta|phi|pi|frac|left)(?![a-zA-Z])))",
        r"\\\1 ",
        {r"\text{sec}^2x": r"\sec^2x"},
    ),
    Rewrite(
        r"(?:^|(?<=[-+*/=(,]))\s*\\(?:mathrm|text|textrm|rm)\s*\{\s*(sec|min)\s*\}(?=\s*\d)",
        r"\\\1 ",
        {r"1+\text{sec}60^\circ": r"1+\sec(\frac{60\pi}{180})", r"\text{sec}60^\circ": r"\sec(\frac{60\pi}{180})"},
    ),
    Rewrite(
        r"\\operatorname\*?\s*\{\s*cis\s*\}|\\cis(?![a-zA-Z])",
        r"\\cis ",
        {r"\operatorname{cis}x": r"\cis x", r"2\cis x": r"2\cis  x"},
    ),
    Rewrite(r"(?<![\\a-zA-Z])(pi|sin|cos|tan|log|ln|exp|arctan|arcsin|arccos)(?![a-zA-Z])", r"\\\1 ", {"2pi": r"2\pi"}),
    Rewrite(r"\\log_\{?e\}?", r"\\ln ", {r"\log_e 2": r"\ln  2"}),
    # powers, products and relations
    Rewrite(r"\*\*|\^\^", "^", {"2**3": "2^3", "2^^3": "2^3"}),
    Rewrite(r"\^\s*\(([^()]*)\)", r"^{\1}", {"2^(n+1)": "2^{n+1}"}, "^"),
    Rewrite(r"\^\s*\{\s*([^{}]*?)\s*\}", r"^{\1}", {r"\sin^{ 2 }30^\circ": r"\sin^{2}(\frac{30\pi}{180})"}, "^"),
    Rewrite(r"\*|\\ast(?![a-zA-Z])", r"\\cdot ", {"2*x": r"2\cdot x", r"2\ast x": r"2\cdot x"}),
    Rewrite(r"<=|=<|\\leq(?:slant|q)?(?![a-zA-Z])\s*", r"\\le ", {"x<=2": r"x\le 2", "x=<2": r"x\le 2", r"x\leq 2": r"x\le 2"}),
    Rewrite(r">=|=>|\\geq(?:slant|q)?(?![a-zA-Z])\s*", r"\\ge ", {"x>=2": r"x\ge 2", "x=>2": r"x\ge 2", r"x\geq 2": r"x\ge 2"}),
    Rewrite(r"\\neq(?![a-zA-Z])\s*|!=|\\not\s*=", r"\\ne ", {r"x\neq 2": r"x\ne 2", "x!=2": r"x\ne 2", r"x\not=2": r"x\ne 2"}),
    Rewrite(r"\\gt(?![a-zA-Z])", ">", {r"x\gt 2": "x>2"}),
    Rewrite(r"\\lt(?![a-zA-Z])", "<", {r"x\lt 2": "x<2"}),
    # ordinals and degrees
    Rewrite(
        rf"(\d)\s*\^\s*\{{\s*(?:\\{_TEXTS}\s*\{{\s*(?:st|nd|rd|th)\s*\}}|st|nd|rd|th)\s*\}}",
        r"\1",
        {r"12^{\text{th}}": "12", "12^{th}": "12"},
    ),
    Rewrite(
        rf"(\d)\s*\^?\s*(?:\\{_TEXTS}\s*\{{\s*(?:st|nd|rd|th)\s*\}}|(?:st|nd|rd|th)(?![a-zA-Z]))",
        r"\1",
        {r"12\text{th}": "12", "12th": "12"},
    ),
    Rewrite(
        rf"({_TRIG}\s*(?:\^\{{?-?\d\}}?)?)\s*\(\s*([\d.]+)(?:{_DEGREE})\s*\)",
        r"\1(\\frac{\2\\pi}{180})",
        {r"\cos(40^\circ)": r"\cos(\frac{40\pi}{180})"},
    ),
    Rewrite(
        rf"({_TRIG}\s*(?:\^\{{?-?\d\}}?)?)\s*([\d.]+)(?:{_DEGREE})",
        r"\1(\\frac{\2\\pi}{180})",
        {r"\cos 40^\circ": r"\cos(\frac{40\pi}{180})"},
    ),
    Rewrite(
        rf"\\cis\s*\(\s*([\d.]+)(?:{_DEGREE})\s*\)",
        _CIS,
        {r"2\cis(60^\circ)": r"2(\cos(\frac{60\pi}{180})+i\sin(\frac{60\pi}{180}))"},
    ),
    Rewrite(
        rf"\\cis\s*([\d.]+)(?:{_DEGREE})", _CIS, {r"2\cis 60^\circ": r"2(\cos(\frac{60\pi}{180})+i\sin(\frac{60\pi}{180}))"}
    ),
    # sets, brackets and words between values
    Rewrite(
        r"\\(?:varnothing|O)(?![a-zA-Z])|\\\{\s*\\\}|\\phi\s*$",
        r"\\emptyset",
        {r"\varnothing": r"\emptyset", r"\{\}": r"\emptyset", r"\phi": r"\emptyset"},
    ),
    Rewrite(r"\\lbrace(?![a-zA-Z])\s*", r"\\{", {r"\lbrace 1,2\}": r"\{1,2\}"}),
    Rewrite(r"\\rbrace(?![a-zA-Z])\s*", r"\\}", {r"\{1,2\rbrace": r"\{1,2\}"}),
    Rewrite(r"\\langle(?![a-zA-Z])\s*", "(", {r"\langle 1,2)": "(1,2)"}),
    Rewrite(r"\\rangle(?![a-zA-Z])\s*", ")", {r"(1,2\rangle": "(1,2)"}),
    Rewrite(r"\\(?:lvert|rvert|lVert|rVert|vert)(?![a-zA-Z])\s*", "|", {r"\lvert x\rvert": "|x|"}),
    Rewrite(rf"\\{_TEXTS}\s*\{{\s*([ie])\s*\}}", r"\1", {r"\mathrm{e}^2": "e^2"}),
    Rewrite(r"\\(?:imath|mathrm i)(?![a-zA-Z])", "i", {r"2\imath": "2i"}),
    Rewrite(
        rf",?\s*\\{_TEXTS}\s*\{{\s*,?\s*(?:and|or|and\s+or|und|et|和|或|与|及)\s*,?\s*\}}\s*,?",
        ", ",
        {r"2\text{ and }3": "2,3"},
    ),
    Rewrite(r",?\s(?:and|or)\s|(?<=[\d})])\s*[和或与及]\s*(?=[-\d\\(a-z])", ", ", {"2 or 3": "2,3", "2和3": "2,3"}),
    # money, percent, moduli
    Rewrite(
        r"^\s*(?:US)?\\?\$\s*(-?[\d,]*\.?\d+)\s*$",
        r"\1\\text{dollars}",
        {r"\$5": r"5\text{dollars}", "US$5": r"5\text{dollars}"},
    ),
    Rewrite(
        r"^\s*€\s*(-?[\d,]*\.?\d+)\s*$|^\s*(-?[\d,]*\.?\d+)\s*€\s*$",
        r"\1\2\\text{euros}",
        {"€5": r"5\text{euros}", "5 €": r"5\text{euros}"},
        "€",
    ),
    Rewrite(
        r"^\s*\$\s*(?=[\d.-])|(?:US)?\\\$\s*(?=-?[\d.])|(?:€|£|¥|USD|US\$)\s*(?=-?[\d.])",
        "",
        {"$5 per day": "5 per day", r"x=\$5": "x=5", "£5": "5"},
    ),
    Rewrite(
        r"(\d)\s+per\s?cent\b|(\d)\s*\\text\s*\{\s*per\s?cent\s*\}",
        r"\1\2\\%",
        {"28 percent": r"28\%", r"28\text{ percent}": r"28\%"},
        "cent",
    ),
    Rewrite(r"(?<!\\)%", r"\\%", {"28%": r"28\%"}, "%"),
    Rewrite(
        r"(?<=[\d)}])\s+mod\s+(\d+)(?=\s*=)|(?<=\d)\s*\\%\s*(\d+)(?=\s*=)",
        r"\\pmod{\1\2}",
        {"17 mod 5 = 2": r"17\pmod{5}=2", "17 % 5 = 2": r"17\pmod{5}=2"},
        "=",
    ),
    Rewrite(
        r"\\(?:pmod|mod|bmod)\s*(?:\{([^{}]*)\}|([^{}()=\\]*))",
        r"\\pmod{\1\2}",
        {r"3\mod 7": r"3\pmod{7}", r"17\bmod 5=2": r"17\pmod{5}=2"},
    ),
    # matrices
    Rewrite(
        r"\\begin\{(?:array|[bpB]?matrix|smallmatrix)\}(?:\{[lcr| ]*\})?",
        r"\\begin{pmatrix}",
        {r"\begin{bmatrix}1&2\end{bmatrix}": r"\begin{pmatrix}1&2\end{pmatrix}"},
    ),
    Rewrite(
        r"\\end\{(?:array|[bpB]?matrix|smallmatrix)\}",
        r"\\end{pmatrix}",
        {r"\begin{bmatrix}1&2\end{bmatrix}": r"\begin{pmatrix}1&2\end{pmatrix}"},
    ),
    Rewrite(
        r"(?:\(|\[|\\\{)\s*(\\begin\{pmatrix\}.*?\\end\{pmatrix\})\s*(?:\)|\]|\\\})",
        r"\1",
        {r"[\begin{array}{cc}1&2\end{array}]": r"\begin{pmatrix}1&2\end{pmatrix}"},
        "pmatrix",
    ),
    # repeating decimals, dots, and what is left of blanks
    Rewrite(r"\\dot\s*\{?(\d)\}?$", r"\\overline{\1}", {r"0.\dot{3}": r"0.\overline{3}"}, r"\dot"),
    Rewrite(
        r"(?<=\d)(\.\d*?)(\d)\2{2,}\s*(?:\\[lcd]?dots\s*|\.{2,})$",
        r"\1\\overline{\2}",
        {r"0.333\ldots": r"0.\overline{3}"},
        ".",
    ),
    Rewrite(r"\\[cd]dots(?![a-zA-Z])", r"\\ldots ", {r"1,2,\cdots": r"1,2,\ldots"}),
    Rewrite(r"\\(cdot|times)(?![a-zA-Z])\s*", r"\\\1 ", {r"2\cdot3": r"2\cdot 3"}),
    Rewrite(r"^(-?\d+) (\d+)/(\d+)$", r"\1\\frac{\2}{\3}", {"2 1/3": r"2\frac{1}{3}"}, "/"),
    Rewrite(r" +(?=[^\w ])|(?<=[^\w ,]) +(?!$)", "", {"2 + x": "2+x", "2+ x": "2+x"}),
    Rewrite(
        r"^(-?\d{1,3}(?:,\d{3})+(?:\.\d+)?)(?= ?(?:\\text|\\mathrm|[a-zA-Z\u4e00-\u9fff]|_))",
        _without_commas,
        {"1,234 cm": "1234 cm"},
    ),
    Rewrite(r", +(?!\d{3}(?!\d))", ",", {"1, 2": "1,2"}),
)
