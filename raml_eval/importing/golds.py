"""Reads the one gold answer of a question from the targets in a log."""

from __future__ import annotations

import re
from collections.abc import Sequence

from raml_eval.errors import SourceError, TaskError
from raml_eval.grading.choice.extract import LETTERS, gold_letter
from raml_eval.grading.kinds import kind_of
from raml_eval.grading.statements.boxes import final_boxes

# A number without words: 1, 1., (1), **1**, \boxed{1}. A signed number cannot be an option's place, so it does not match.
_NUMBER = re.compile(r"(?:\\[a-z]*|[^\w+\\-])*(\d+)(?:\\[a-z]*|[^\w+\\-])*")
NO_TARGET = "no target"
SEVERAL = "several targets"


def read_gold(targets: Sequence[str], kind: str, options: Sequence[str], where: str) -> tuple[str, str]:
    r"""The gold and "", or "" and the reason why the question has no gold that can be graded: NO_TARGET or SEVERAL.

    If the target in math is a worked solution, the gold is what follows the #### of its last line, or what is in its last
    boxes, joined like those of an answer. A choice's gold becomes a letter; a number counts the options from 0. Raises
    SourceError for a gold that does not fit the kind of grading, and for a number if one of the options is a number too.

    Example: read_gold(["so 2\n#### 2"], "math", (), "row 1") == ("2", "")
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
        kind_of(kind).check_gold(gold, options)
    except TaskError as error:
        raise SourceError(f"{where}: {error} If it is graded otherwise, name the grader with --grader TASK=KIND.") from error
    return gold, ""


def _read_solution(gold: str) -> str:
    _, marked, answer = gold.rpartition("\n")[2].rpartition("####")
    return (answer.strip() if marked else "") or ", ".join(final_boxes(gold)[1]) or gold


def _read_letter(gold: str, options: Sequence[str], where: str) -> str:
    found = _NUMBER.fullmatch(gold)
    if found is None:
        return gold_letter(gold, options) or gold
    number = found[1]
    if any(_NUMBER.fullmatch(option) for option in options):
        raise SourceError(
            f"{where}: the target {gold!r} may be an option's text or its place among {', '.join(options)[:80]}; wanted a "
            f"letter. Write such a task as jsonl with letters, or leave it out with --task."
        )
    if len(number) > 9 or int(number) >= len(options):
        raise SourceError(
            f"{where}: the target {gold!r} names none of the {len(options)} options, which count from 0. Correct the log."
        )
    return LETTERS[int(number)]
