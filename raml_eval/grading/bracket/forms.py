"""Forms of answers in double square brackets, each with what makes two of them equal: grids, lists, sets, matrices, sums.

KOR-Bench's own evaluation chooses the rule by the task (opencompass/datasets/korbench/korbench_utils.py in OpenCompass);
here the form of the gold chooses it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from raml_eval.grading.bracket.arithmetic import Sum, read_sum
from raml_eval.grading.bracket.extract import strip_brackets
from raml_eval.grading.math.equal import quick_math
from raml_eval.grading.text import drop_text_commands, plain_unicode, unwrap

Rules = tuple[tuple[str, Callable[[str, str], bool]], ...]  # names, and functions of the gold and the answer

_QUOTES_AND_BLANKS = re.compile(r"[\s\"“”]|\\[,;:! ]|\\q?quad(?![a-zA-Z])")
_SIZES = re.compile(r"\\(?:left|right)(?![a-zA-Z])")
_ESCAPED = re.compile(r"\\([{}%_#$&])")
WORDS = re.compile(r"[A-Za-z\s,.'’-]+")
SEPARATORS = re.compile(r"[\s,;|]+")
_ROWS = re.compile(r"\S\s+\S.*[,;\n]|[,;\n].*\S\s+\S", re.DOTALL)
# The 'or' of golds such as 650or5or125 is notation, not language.
_OR = re.compile(r"\\?(?:\bor\b|(?<=[\d)}])or(?=[-\d(\\])|\\lor)", re.IGNORECASE)
_ASSIGNED = re.compile(r"([A-Za-z]\w{0,3})=([^=,]{1,40})")
_SET = re.compile(r"\s*\{([^{}∣|:]*)\}[\s.]*")
_SIGNS = re.compile(r"\[[-+](?:,[-+])*\]")
_MATRIX = re.compile(r"\\begin\{[pbv]?matrix\}(.*?)\\end\{[pbv]?matrix\}", re.DOTALL)


def bare(text: str) -> str:
    r"""The text without blanks and double quotes, with one spelling for LaTeX commands; every other character counts.

    Example: bare(r"\text{A} \leq 5\%") is r"A\le5%".
    """
    return _QUOTES_AND_BLANKS.sub("", _plain(text)).rstrip(".")


def _plain(text: str) -> str:
    """The text with one spelling for LaTeX commands, with its blanks: without them, 0 and more would be a product."""
    if "\\" in text:
        text = _ESCAPED.sub(r"\1", drop_text_commands(text))
    text = text if text.isascii() and "\\" not in text else plain_unicode(text)
    text = re.sub(r"\\ge(?:q|qslant)?(?![a-zA-Z])|>=|=>", r"\\ge", re.sub(r"\\le(?:q|qslant)?(?![a-zA-Z])|<=", r"\\le", text))
    if text.count("$") == 2 and text.startswith("$") and text.endswith("$"):
        text = text[1:-1]
    return _SIZES.sub("", text)


def _same_tokens(expected: str, answer: str) -> bool:
    """The same cells in the same order, however they are separated; the cells of a grid need no separators at all."""
    left, right = ([token for token in SEPARATORS.split(text) if token] for text in (expected, answer))
    if not left or not right:
        return False
    fold = WORDS.fullmatch(expected) is not None
    if fold:
        left, right = [t.casefold() for t in left], [t.casefold() for t in right]
    return left == right or (_ROWS.search(expected) is not None and "".join(left) == "".join(right))


def _same_parts(expected: str, answer: str) -> bool:
    """[A];[C] is A;C: brackets around the parts do not count."""
    if ";" not in expected:
        return expected.startswith("[") and bare(strip_brackets(expected)) == bare(answer)
    left, right = ([bare(_unbracket(part)) for part in text.split(";")] for text in (expected, answer))
    return left == right


def _unbracket(part: str) -> str:
    part = part.strip()
    return part[1:-1] if part.startswith("[") and part.endswith("]") and part.count("[") == 1 else part


def _same_alternatives(expected: str, answer: str) -> bool:
    """650or5or125 in any order."""
    left = _OR.split(expected)
    if len(left) < 2:
        return False
    plain = drop_text_commands(answer).replace("$", "")
    right = _OR.split(plain) if _OR.search(plain) else plain.split(",")
    return len(left) == len(right) and _matched(left, right)


def _matched(left: list[str], right: list[str]) -> bool:
    """Whether each on the left equals another one on the right."""
    rest = list(right)
    for one in left:
        place = next((n for n, other in enumerate(rest) if _same_value(one, other)), None)
        if place is None:
            return False
        rest.pop(place)
    return True


def _same_value(left: str, right: str) -> bool:
    if bare(left) == bare(right):
        return True
    decision = quick_math(left, right) if max(len(left), len(right)) <= 200 else None
    return decision is not None and decision[0]


def _same_assignments(expected: str, answer: str) -> bool:
    """x=2,y=3 in any order."""
    left, right = (_ASSIGNED.findall(re.sub(r"[\s$]", "", text)) for text in (expected, answer))
    whole = ",".join(f"{name}={value}" for name, value in left) == re.sub(r"\s", "", expected)
    return whole and len(left) > 1 and sorted(left) == sorted(right)


def _same_set(expected: str, answer: str) -> bool:
    """{1,2,4} in any order."""
    left = _SET.fullmatch(_plain(expected))
    if left is None:
        return False
    right = _SET.fullmatch(_plain(answer))
    members = left[1].split(","), (right[1] if right else _plain(answer)).split(",")
    return len(members[0]) == len(members[1]) and _matched(*members)


def _same_signs(expected: str, answer: str) -> bool:
    """Rows of + and - below their header, in any order."""
    left, right = (bare(text).split(";") for text in (expected, answer))
    rows = len(left) > 2 and all(_SIGNS.fullmatch(part) for part in left[1:])
    return rows and left[0] == right[0] and sorted(left[1:]) == sorted(right[1:])


def _same_matrix(expected: str, answer: str) -> bool:
    """((1,2),(3,4)) in any kind of brackets."""
    if not expected.strip().startswith("(("):
        return False
    as_rows = _MATRIX.sub(
        lambda m: "((" + "),(".join(row.strip().replace("&", ",") for row in re.split(r"\\\\", m[1]) if row.strip()) + "))",
        answer,
    )
    right = re.sub(r"[\s$]", "", unwrap(as_rows)).replace("[", "(").replace("]", ")")
    left = re.sub(r"\s", "", expected)
    return left in (right, f"({right})")


def _same_result(expected: str, answer: str) -> bool:
    """Any true equation with the operators of the gold's equation, or any sum of the gold's numbers with its value."""
    sums = [found for line in expected.split("\n") if (found := read_sum(line)) is not None]
    given = read_sum(answer)
    if given is None or not sums:
        return False
    return any(_same_task(one, given) for one in sums)


def _same_task(gold: Sum, given: Sum) -> bool:
    if gold.result is not None:
        return given.result == gold.result == given.value and given.operators == gold.operators and len(gold.operators) > 1
    target = gold.value
    counted = Counter(gold.numbers) == Counter(given.numbers) and len(gold.numbers) > 2
    return counted and given.value == target and given.result in (None, target)


RULES_OF_FORM: Rules = (
    ("cells", _same_tokens),
    ("parts", _same_parts),
    ("alternatives in any order", _same_alternatives),
    ("assignments in any order", _same_assignments),
    ("set", _same_set),
    ("rows in any order", _same_signs),
    ("matrix", _same_matrix),
)
RULES = (*RULES_OF_FORM, ("calculation", _same_result))
