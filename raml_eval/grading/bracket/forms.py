"""Forms of answers in double square brackets, each with what makes two of them equal: grids, lists, sets, matrices, sums.

KOR-Bench's own evaluation chooses the rule by the task (opencompass/datasets/korbench/korbench_utils.py in OpenCompass);
here the form of the gold chooses it.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable

from raml_eval.grading.bracket.arithmetic import Sum, read_sum
from raml_eval.grading.bracket.extract import strip_brackets
from raml_eval.grading.math.equal import quick_math
from raml_eval.grading.text import drop_text_commands, plain_unicode, unwrap

Rules = tuple[tuple[str, Callable[[str, str], bool]], ...]  # names, and functions of the gold and the answer

_QUOTES = re.compile(r"[\"“”]")
_BLANKS = re.compile(r"(?:\s|\\[,;:! ]|\\q?quad(?![a-zA-Z]))+")
# Blanks that separate nothing: beside a mark, and between a command and a digit.
_IDLE = re.compile(
    r"(?<![0-9A-Za-zÀ-ɏ]) | (?![0-9A-Za-zÀ-ɏ])|(?<=\\le) (?=\d)|(?<=\\ge) (?=\d)|(?<=\\times) (?=\d)|(?<=\\cdot) (?=\d)"
)
_SIZES = re.compile(r"\\(?:left|right)(?![a-zA-Z])")
_ESCAPED = re.compile(r"\\([{}%_#$&])")
WORDS = re.compile(r"[A-Za-z\s,.'’-]+")
SEPARATORS = re.compile(r"[\s,;|]+")
_ROWS_IN_BRACKETS = re.compile(r"\s*\[[^\[\]]*\](?:[\s,;]*\[[^\[\]]*\])+\s*")
_ROW_OF_CELLS = re.compile(r"[^\s,;|]\s+[^\s,;|]")
_ROW_BREAK = re.compile(r"\s*[,;|\n]\s*")
# A cell of a grid that is drawn with single characters; two of them may have lost the blank between them: 1X.
_SINGLE_CELL = re.compile(r".|\d[A-Za-z]|[A-Za-z]\d")
# The 'or' of golds such as 650or5or125 is notation, not language.
_OR = re.compile(r"\\?(?:\bor\b|(?<=[\d)}])or(?=[-\d(\\])|\\lor)", re.IGNORECASE)
_ASSIGNED = re.compile(r"([A-Za-z]\w{0,3})=([^=,]{1,40})")
_SET = re.compile(r"\s*\{([^{}∣|:]*)\}[\s.]*")
_SIGNS = re.compile(r"\[[-+](?:,[-+])*\]")
_MATRIX = re.compile(r"\\begin\{[pbv]?matrix\}(.*?)\\end\{[pbv]?matrix\}", re.DOTALL)
_BETWEEN_LETTERS = re.compile(r"(?<=[A-Za-zÀ-ɏ]) (?=[A-Za-zÀ-ɏ])")


def bare(text: str) -> str:
    r"""The text without double quotes and idle blanks, with one spelling for LaTeX commands; every other character counts.

    A blank between two letters or digits separates them. Example: bare(r"\text{A} \leq 5\%, 1  2") is r"A\le5%,1 2".
    """
    return _IDLE.sub("", _BLANKS.sub(" ", _QUOTES.sub("", _plain(text))).strip()).rstrip(".")


def same_bare(expected: str, answer: str) -> bool:
    """Whether two texts are the same but for idle blanks.

    In a gold that is written without any blank, those between letters are idle too. A gold of single letters may be joined.
    """
    left, right = bare(expected), bare(answer)
    if left == right or (" " not in left and left == _BETWEEN_LETTERS.sub("", right)):
        return True
    letters = left.split(" ")
    return all(len(letter) == 1 and letter.isalpha() for letter in letters) and "".join(letters) == right


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
    """The same cells in the same rows, however they are separated; rows of single characters need no blanks at all."""
    fold = WORDS.fullmatch(expected) is not None
    if "[" not in expected and _ROW_OF_CELLS.search(expected) and _ROWS_IN_BRACKETS.fullmatch(answer):
        answer = "\n".join(re.sub(r"[\s,;|]+", " ", row) for row in re.findall(r"\[([^\[\]]*)\]", answer))
    left, right = (_rows(text.casefold() if fold else text) for text in (expected, answer))
    if not left or not right:
        return False
    if list(itertools.chain(*left)) == list(itertools.chain(*right)):
        return len(left) == 1 or len(right) == 1 or _breaks(left) <= _breaks(right)
    is_grid = len(left) > 1 and max(map(len, left)) > 1 and all(_SINGLE_CELL.fullmatch(cell) for row in left for cell in row)
    uniform = all(len(row) == 1 for row in right) or all(len(cell) == 1 for row in right for cell in row)
    return is_grid and uniform and list(map("".join, left)) == list(map("".join, right))


def _rows(text: str) -> list[list[str]]:
    """The cells of each row; blanks separate cells, all other separators rows."""
    rows = [[cell for cell in SEPARATORS.split(row) if cell] for row in _ROW_BREAK.split(text)]
    return [row for row in rows if row]


def _breaks(rows: list[list[str]]) -> set[int]:
    """Before which cells, counted through, a row begins."""
    return set(itertools.accumulate(map(len, rows)))


def _same_parts(expected: str, answer: str) -> bool:
    """[A];[C] is A;C: brackets around the parts do not count."""
    if ";" not in expected:
        return expected.startswith("[") and same_bare(strip_brackets(expected), answer)
    left, right = ([_unbracket(part) for part in text.split(";")] for text in (expected, answer))
    return len(left) == len(right) and all(map(same_bare, left, right))


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
    if same_bare(left, right):
        return True
    decision = quick_math(left, right) if max(len(left), len(right)) <= 200 else None
    return decision is not None and decision[0]


def _same_assignments(expected: str, answer: str) -> bool:
    """x=2,y=3 in any order."""
    left, right = (_read_assignments(text) for text in (expected, answer))
    return len(left) > 1 and sorted(left) == sorted(right)


def _read_assignments(text: str) -> list[tuple[str, str]]:
    """The names and values of a text of nothing else; none of any other text, such as -x=2 or 2x=2."""
    parts = [_ASSIGNED.fullmatch(part) for part in re.split(r"[,;\n]", bare(text.replace("$", "")))]
    return [(part[1], part[2]) for part in parts if part] if all(parts) else []


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
