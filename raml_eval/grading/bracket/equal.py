"""Equality of answers in double square brackets: texts, the forms of bracket_forms, numbers and formulas."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from raml_eval.errors import TaskError
from raml_eval.grading.bracket.extract import find_brackets, strip_brackets
from raml_eval.grading.bracket.forms import RULES, RULES_OF_FORM, SEPARATORS, WORDS, Rules, same_bare
from raml_eval.grading.math.equal import quick_math

Decision = tuple[bool, str]
LONGEST = 5000  # characters of an answer that is compared; the longest gold has some hundreds

_POLYNOMIAL = re.compile(r"(?=.*[xyzei])(?=.*[-+/^])[\dxyzei+\-*/^(){}\s.]+")
_FUNCTION = re.compile(r"\\(?:sqrt|frac|sin|cos|tan|log|ln|exp|pi|cdot|times)(?![a-zA-Z])")
_NO_BRACKETS = str.maketrans("[]", "  ")
_LEADING_ZERO = re.compile(r"[-+]?0\d")


@dataclass(frozen=True, slots=True)
class Gold:
    """The right answers, each of which is enough; with any_order, the words of all of them together in any order are wanted."""

    answers: tuple[str, ...]
    any_order: bool = False


@functools.lru_cache(maxsize=1024)
def read_gold(gold: str) -> Gold:
    """Read a gold: one [[...]] or several, each of which is right, or JSON {"answers": [...], "any_order": true}.

    Raises TaskError if it holds no answer. Example: read_gold("[[A]] or [[B]]").answers is ("A", "B").
    """
    found = _read_json(gold)
    if found is None:
        found = Gold(tuple(content for _, _, content in find_brackets(gold)) or (strip_brackets(gold),))
    if not found.answers or not all(answer.strip() for answer in found.answers):
        raise TaskError(f"the gold {gold[:80]!r} holds no answer; wanted a text in [[...]]. Correct the task's target.")
    return found


def write_bracket(gold: str) -> str:
    """An answer that gives the gold: the first of its alternatives, or all its parts where they count in any order.

    Example: write_bracket("[[A]] or [[B]]") == "[[A]]"
    """
    found = read_gold(gold)
    return f"[[{', '.join(found.answers) if found.any_order else found.answers[0]}]]"


def _read_json(gold: str) -> Gold | None:
    if not gold.lstrip().startswith('{"answers"'):
        return None
    try:
        value = json.loads(gold)
        return Gold(tuple(strip_brackets(str(answer)) for answer in value["answers"]), bool(value.get("any_order", False)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Gold(())


def equal_bracket(gold: str, answer: str) -> Decision | None:
    """Whether the answer is one of the gold's, and what decided it; None if both are formulas that only sympy can compare.

    Example: equal_bracket("[[{1,2}]]", "{2, 1}") is (True, "set").
    """
    right = read_gold(gold)
    if len(answer) > LONGEST:
        return False, f"longer than {LONGEST} characters"
    answer = strip_brackets(answer)
    if right.any_order and len(right.answers) > 1:
        return _equal_words(" ".join(right.answers), answer.translate(_NO_BRACKETS))
    undecided = False
    for expected in right.answers:
        decision = _equal_words(expected, answer) if right.any_order else _equal(expected, answer)
        if decision is not None and decision[0]:
            return decision
        undecided |= decision is None
    return None if undecided and len(right.answers) == 1 else (False, "text")


def same_bracket(left: str, right: str) -> Decision | None:
    """Like equal_bracket, but for two answers of which neither is the gold, so that no gold's form allows more than equality.

    A sum with the right result is as good as the gold's own sum, but two such sums are two answers.
    """
    if left == right or max(len(left), len(right)) > LONGEST:
        return left == right, "text"
    for a, b in ((left, right), (right, left)):
        decision = _equal(a, b, rules=RULES_OF_FORM)
        if decision is None or decision[0]:
            return decision
    return False, "text"


def _equal_words(expected: str, answer: str) -> Decision:
    left, right = (Counter(word.casefold() for word in SEPARATORS.split(text) if word) for text in (expected, answer))
    return left == right, "words in any order"


def _equal(expected: str, answer: str, rules: Rules = ()) -> Decision | None:
    if not answer.strip():
        return False, "empty"
    if same_bare(expected, answer):
        return True, "text"
    if WORDS.fullmatch(expected) and same_bare(expected.casefold(), answer.casefold()):
        return True, "text, in another case"
    for name, rule in rules or RULES:
        if rule(expected, answer):
            return True, name
    return _equal_formulas(expected, answer)


def _equal_formulas(expected: str, answer: str) -> Decision | None:
    """Compare as numbers or formulas; of an answer with an equals sign, only what stands behind the last one counts."""
    if max(len(expected), len(answer)) > 200 or ("%" in expected) != ("%" in answer):
        return False, "text"
    if "=" in answer and "=" not in expected:
        answer = answer.rpartition("=")[2]
        if same_bare(expected, answer):
            return True, "text after ="
    if not re.search(r"[\d\\]|[a-z]", expected) or _LEADING_ZERO.match(expected) or _LEADING_ZERO.match(answer.strip()):
        return False, "text"
    is_formula = _FUNCTION.search(expected) or _POLYNOMIAL.fullmatch(expected)
    if not is_formula and not _is_number(expected):
        return False, "text"
    decision = quick_math(expected, answer)
    return decision if decision is not None or is_formula else (False, "text")


def _is_number(text: str) -> bool:
    try:
        Fraction(text.replace(" ", "").rstrip("%"))
    except (ValueError, ZeroDivisionError):
        return False
    return len(text) <= 60
