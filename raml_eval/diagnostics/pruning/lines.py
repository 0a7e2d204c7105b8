"""Checks the lines of a pruning's journals as they are read back. Each raises as diagnostics.fields does."""

from __future__ import annotations

from typing import Any

from raml_eval.diagnostics.fields import count_of, flag_of, object_of, text_of
from raml_eval.types import Status

Line = dict[str, Any]


def read_answers(line: Line) -> Line:
    """The line of what one rule made of one thinking: why it was skipped, or its tokens and its answers."""
    read_attempt(line)
    if "skipped" in line:
        text_of(line, "skipped")
        return line
    for name in ("n_whole", "n_kept", "n_new"):
        count_of(line, name)
    for name in ("pruned", "forced", "none"):
        _check_answer(object_of(line, name))
    if "cut" in line:
        flag_of(line, "cut")
    return line


def read_summary(line: Line) -> Line:
    """The line of the summary of one thinking, or why it has none."""
    read_attempt(line)
    if "skipped" in line:
        text_of(line, "skipped")
    else:
        text_of(line, "summary")
        flag_of(line, "cut")
    return line


def read_attempt(line: Line) -> Line:
    """A line that names a thinking and a rule, as those of empty summaries do."""
    text_of(line, "trajectory")
    text_of(line, "rule")
    if "drawn" in line:
        text_of(line, "drawn")
    return line


def _check_answer(answer: Line) -> None:
    """An answer is the run's own, at a budget, or one that was drawn, with its status."""
    if "budget" not in answer:
        text_of(answer, "at")
        Status(text_of(answer, "status"))
    elif not isinstance(answer["budget"], int):
        text_of(answer, "budget")
