"""The process that grades chunks of stored answers. It reads requests and writes verdicts, one JSON line each.

A GradingPool decides easy cases in its caller's process, on one core. Here there are as many such callers as cores.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import IO, Any

from raml_eval.errors import RamlError
from raml_eval.grading.pool import GradingPool
from raml_eval.parent_watch import watch_parent
from raml_eval.store.lines import grade_fields, read_question
from raml_eval.types import Finish, Question


def serve(parent_pid: int, timeout_s: float, allow_unsafe_code: bool = False) -> None:
    """Requests from standard input have been answered until it closed. The process dies with its parent.

    The first reply is {"ready": true}, which says that the graders are loaded.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C and `timeout` reach the whole group, and the parent handles them
        signal.signal(number, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not end up among the replies
    watch_parent(parent_pid)
    pool = GradingPool(workers=1, timeout_s=timeout_s, allow_unsafe_code=allow_unsafe_code)
    try:
        _write(replies, {"ready": True})
        for line in sys.stdin:
            _write(replies, asyncio.run(answer_request(pool, json.loads(line))))
    finally:
        pool.close()


def _write(replies: IO[str], reply: Mapping[str, Any]) -> None:
    replies.write(json.dumps(reply) + "\n")
    replies.flush()


async def answer_request(pool: GradingPool, request: Mapping[str, Any]) -> dict[str, Any]:
    """The verdicts on a request's samples, each as its fields or {"error": reason}; or the classes of its answers."""
    question = read_question(request["question"])
    if "answers" in request:
        try:
            return {"classes": await pool.classes(request["answers"], question.grader)}
        except Exception as error:
            return {"error": describe(error)}
    return {"grades": await asyncio.gather(*(_grade(pool, question, *sample) for sample in request["samples"]))}


async def _grade(pool: GradingPool, question: Question, answer: str, finish: str | None) -> dict[str, Any]:
    try:
        return grade_fields(await pool.grade_sample(question, answer, Finish(finish) if finish else None))
    except Exception as error:  # a grader that fails on one answer must not lose the verdicts on the others
        return {"error": describe(error)}


def describe(error: Exception) -> str:
    """One line that says what went wrong."""
    text = " ".join(str(error).split())
    return text if isinstance(error, RamlError) else f"the grader failed with {type(error).__name__}: {text[:200]}"
