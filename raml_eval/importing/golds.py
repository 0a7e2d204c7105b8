"""The one gold answer of a question, from the targets as a log keeps them."""

from __future__ import annotations

from collections.abc import Sequence

from raml_eval.errors import SourceError, TaskError
from raml_eval.grading.boxes import last_box
from raml_eval.grading.choice import LETTERS, gold_letter
from raml_eval.grading.rules import quick_decision

NO_TARGET = "no target"
SEVERAL = "several targets"


def read_gold(targets: Sequence[str], kind: str, options: Sequence[str], where: str) -> tuple[str, str]:
    """The gold and "", or "" and the reason why the question has none that can be graded: NO_TARGET or SEVERAL.

    Of a worked solution in math, the gold is what follows its last line's ####, or stands in its last box. A choice's gold
    becomes a letter; a number that is no option's text counts them from 0. Raises SourceError for a gold that does not fit
    the kind of grading.
    """
    distinct = list(dict.fromkeys(text for target in targets if (text := target.strip())))
    if len(distinct) != 1:
        return "", SEVERAL if distinct else NO_TARGET
    gold = distinct[0]
    if kind == "math":
        gold = _read_solution(gold)
    elif kind == "choice":
        gold = _read_letter(gold, options, where)
    try:
        quick_decision(gold, gold, kind, options)
    except TaskError as error:
        raise SourceError(f"{where}: {error} If it is graded otherwise, name the grader with --grader TASK=KIND.") from error
    return gold, ""


def _read_solution(gold: str) -> str:
    _, marked, answer = gold.rpartition("\n")[2].rpartition("####")
    return (answer.strip() if marked else "") or last_box(gold) or gold


def _read_letter(gold: str, options: Sequence[str], where: str) -> str:
    if gold.isdecimal() and any(option.strip().isdecimal() for option in options):
        raise SourceError(
            f"{where}: the target {gold!r} may be an option's text or its place among {', '.join(options)[:80]}; wanted a "
            f"letter. Write such a task as jsonl with letters, or leave it out with --task."
        )
    if gold.isdecimal() and int(gold) < len(options):
        return LETTERS[int(gold)]
    if gold.isdecimal():
        raise SourceError(
            f"{where}: the target {gold!r} names none of the {len(options)} options, which count from 0. Mend the log."
        )
    return gold_letter(gold, options) or gold
