"""The process that runs sympy: requests in, verdicts out, one JSON line each.

A process of its own rather than a multiprocessing one, because those import the caller's script again (an unguarded
script would run twice) and share locks that a killed worker may hold for ever.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
from typing import IO

from raml_eval.grading.math.equal import symbolic_math
from raml_eval.parent_watch import watch_parent

_PR_SET_PDEATHSIG = 1


def serve(parent_pid: int, memory_bytes: int) -> None:
    """Answer requests from standard input until it closes; returns then. Dies with the parent even while computing.

    The first reply says that sympy is loaded, {"ready": true}, or why it is not, {"failed": reason}.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C and `timeout` reach the whole group, and are the parent's to handle
        signal.signal(number, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not land among the replies
    watch_parent(parent_pid)
    _die_with_starting_thread()
    logging.disable(logging.CRITICAL)
    try:
        _limit_memory(memory_bytes)
        symbolic_math(r"\frac{\sqrt{2}}{2}", r"\sin(\frac{\pi}{4})")  # imports, and builds the grammar's tables
    except Exception as error:
        _reply(replies, {"failed": f"{type(error).__name__}: {error}"})
        return
    _reply(replies, {"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        gold, answer = request["gold"], request["answer"]
        equal, decided_by = symbolic_math(gold, answer)
        if not equal and request["either_order"]:
            equal, decided_by = symbolic_math(answer, gold)
        _reply(replies, {"equal": equal, "decided_by": decided_by})


def _reply(replies: IO[str], message: dict[str, object]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def _die_with_starting_thread() -> None:
    """Let the Linux kernel kill this process with the thread that started it: at once, whatever Python is busy with."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit_memory(memory_bytes: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
