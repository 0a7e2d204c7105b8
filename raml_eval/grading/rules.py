"""The kinds of grading: what each extracts, and what it can decide at once."""

from __future__ import annotations

from collections.abc import Sequence

from raml_eval.errors import ConfigError, TaskError, near_names
from raml_eval.grading.bracket_equal import equal_bracket, read_gold, same_bracket
from raml_eval.grading.choice import gold_letter
from raml_eval.grading.code_text import normalize_program
from raml_eval.grading.extract import Extraction, drop_thinking, extract_answer
from raml_eval.grading.grid import count_cells, same_grid
from raml_eval.grading.label import gold_label
from raml_eval.grading.math import quick_math
from raml_eval.grading.text import normalize_exact
from raml_eval.types import Grade, Status

KINDS = ("math", "choice", "exact", "label", "bracket", "grid", "code")

# What these find was closed by whoever wrote it, so it stands where the text was cut off later.
CLOSED_RULES = ("boxed", "in brackets", "answer tag", "JSON")

# Equal or not, and what decided; with the share of parts that are right where the kind knows parts.
Decision = tuple[bool, str] | tuple[bool, str, float]


def read_answer(completion: str, kind: str, options: Sequence[str] = ()) -> Extraction | Grade:
    """What the completion answers; a Grade where that already settles it: unfinished or no_answer.

    Raises ConfigError for an unknown kind.
    """
    if kind not in KINDS:
        raise ConfigError(f"unknown grader {kind!r}; there are {', '.join(KINDS)}.{near_names(kind, KINDS)}")
    text = drop_thinking(completion)
    if text is None:
        return Grade(Status.UNFINISHED, None, "unclosed thinking", "a <think> is never closed")
    found = extract_answer(text, kind, options)
    if found.answer is not None:
        return found
    return Grade(Status.NO_ANSWER, None, found.rule, score=0.0 if kind == "grid" else None)  # no cell is right


def quick_decision(gold: str, answer: str, kind: str, options: Sequence[str] = ()) -> Decision | None:
    """Whether the extracted answer equals the gold, where bounded time decides it; None: symbolic_math must.

    Raises TaskError for a gold that can have no right answer: no option, no label, no [[...]], no solved grid.
    """
    if kind == "math":
        return quick_math(gold, answer)
    if kind == "exact":
        return normalize_exact(gold) == normalize_exact(answer), "exact text"
    if kind == "code":  # among answers only: a program is right if it passes its tests
        return normalize_program(gold) == normalize_program(answer), "program text"
    if kind == "bracket":
        return equal_bracket(gold, answer)
    if kind == "grid":
        right, cells = count_cells(gold, answer)
        return right == cells, f"{right} of {cells} cells", right / cells
    return _named_gold(gold, kind, options) == answer, "letter" if kind == "choice" else "label"


def compared_gold(gold: str, kind: str) -> str:
    """The gold as symbolic_math compares it."""
    return read_gold(gold).answers[0] if kind == "bracket" else gold


def quick_equality(left: str, right: str, kind: str) -> Decision | None:
    """Whether two extracted answers to one question are the same answer; None: symbolic_math must decide."""
    if kind in ("choice", "label"):
        return left == right, "letter"  # they are letters and labels already
    if kind == "grid":
        return same_grid(left, right), "cells"
    if kind == "bracket":
        return same_bracket(left, right)
    decisions = [quick_decision(*pair, kind) for pair in ((left, right), (right, left))]  # 5 is x=5, and x=5 is 5
    equal = [decision for decision in decisions if decision is not None and decision[0]]
    return equal[0] if equal else None if None in decisions else decisions[0]


def _named_gold(gold: str, kind: str, options: Sequence[str]) -> str:
    named = gold_letter(gold, options) if kind == "choice" else gold_label(gold, options)
    if named is None and kind == "choice":
        raise TaskError(
            f"the gold {gold[:80]!r} names none of the {len(options) or 16} options; it must be a letter or an option's "
            "text. Correct the task's target or its options."
        )
    if named is None:
        raise TaskError(
            f"the gold {gold[:80]!r} is none of the labels {', '.join(options)[:200] or '(there are none)'}; correct the "
            "task's target or its options."
        )
    return named


def grade_from(found: Extraction, decision: Decision) -> Grade:
    """The verdict correct or incorrect, with what was extracted, how, and what decided."""
    equal, decided_by = decision[:2]
    score = decision[2] if len(decision) == 3 else None
    return Grade(Status.CORRECT if equal else Status.INCORRECT, found.answer, found.rule, decided_by, score)
