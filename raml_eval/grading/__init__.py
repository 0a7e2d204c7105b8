"""Grading: from a finished completion and a gold to a verdict."""

from __future__ import annotations

import atexit
import functools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from raml_eval.errors import ConfigError, TaskError
from raml_eval.grading.kinds import KINDS
from raml_eval.types import Grade

if TYPE_CHECKING:
    from raml_eval.grading.pool import GradingPool

__all__ = ["GRADER_VERSION", "KINDS", "grade"]

GRADER_VERSION = "5"  # raised by every change that can alter a verdict


def grade(gold: str, completion: str, kind: str = "math", options: Sequence[str] = ()) -> Grade:
    """The verdict on one finished completion, within 5 seconds of comparing, from any thread.

    kind is one of KINDS; options are the texts of a choice, in order, or the labels that an answer is one of. The gold of
    code is the JSON text of its tests (docs/code-tasks.md); the program runs in bubblewrap, and each test may take 10
    seconds. The gold of task_rule is the JSON object that names the rule (docs/grading.md), which runs there too. A thinking
    up to the last </think> is dropped first; one that is never closed is Status.UNFINISHED and not graded. The first
    comparison that needs sympy starts one worker process, which ends with this one. Raises ConfigError for an unknown kind
    and where code or a rule is to run and no sandbox works, TaskError for a gold that can have no right answer (no option, no
    label, no tests), RamlError where a worker or a sandbox cannot run.
    """
    for name, text in (("gold", gold), ("completion", completion)):
        if not isinstance(text, str):
            raise ConfigError(f"{name} is {text!r}; it must be a text. Write str({name}).")
    if not gold.strip():
        raise TaskError("the gold is empty, so no answer could be right. Give the reference answer.")
    return _shared_pool(os.getpid()).grade_blocking(gold, completion, kind, options)


@functools.cache
def _shared_pool(_pid: int) -> GradingPool:
    from raml_eval.grading.pool import GradingPool

    pool = GradingPool(workers=1)
    atexit.register(pool.close)
    return pool
