"""The kinds of grading: what each extracts, and what it can decide at once."""

from __future__ import annotations

from collections.abc import Sequence

from raml_eval.errors import ConfigError, TaskError, near_names
from raml_eval.grading.choice import gold_letter
from raml_eval.grading.code_text import normalize_program
from raml_eval.grading.extract import Extraction, drop_thinking, extract_answer
from raml_eval.grading.math import quick_math
from raml_eval.grading.text import normalize_exact
from raml_eval.types import Grade, Status

KINDS = ("math", "choice", "exact", "code")

Decision = tuple[bool, str]  # equal or not, and what decided


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
    return found if found.answer is not None else Grade(Status.NO_ANSWER, None, found.rule)


def quick_decision(gold: str, answer: str, kind: str, options: Sequence[str] = ()) -> Decision | None:
    """Whether the extracted answer equals the gold, where bounded time decides it; None: symbolic_math must.

    Raises TaskError for a gold of kind choice that names no option.
    """
    if kind == "math":
        return quick_math(gold, answer)
    if kind == "exact":
        return normalize_exact(gold) == normalize_exact(answer), "exact text"
    if kind == "code":  # among answers only: a program is right if it passes its tests
        return normalize_program(gold) == normalize_program(answer), "program text"
    letter = gold_letter(gold, options)
    if letter is None:
        raise TaskError(
            f"the gold {gold[:80]!r} names none of the {len(options) or 16} options; it must be a letter or an option's "
            "text. Correct the task's target or its options."
        )
    return letter == answer, "letter"


def grade_from(found: Extraction, decision: Decision) -> Grade:
    """The verdict correct or incorrect, with what was extracted, how, and what decided."""
    equal, decided_by = decision
    return Grade(Status.CORRECT if equal else Status.INCORRECT, found.answer, found.rule, decided_by)
