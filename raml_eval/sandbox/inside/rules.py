"""The first process of a sandbox of verifiers. It loads their modules once, and scores each answer in a fork.

It is process 1 of its own process namespace, and the forks have another user id and no descriptor but the pipe for their own
verdict. So an answer that takes a verifier over can neither reach this process nor another answer's verdict, and one kill(-1)
leaves nothing of it behind.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import signal
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NoReturn

from raml_eval.sandbox.inside.awake import AwakeTime
from raml_eval.sandbox.inside.children import Settings, confine, empty, sweep, wipe
from raml_eval.sandbox.inside.plain import read_message, write_message
from raml_eval.sandbox.inside.privileges import hide_from_tracers, reap_orphans

LONGEST_VERDICT = 10_000  # bytes
OF_OWN_USER, OF_SHARED_USER = 1, 3  # processes and threads: a verifier starts none


def main(settings_text: str) -> None:
    """Requests on the socket of jobs have been answered until nobody sent any more.

    A request has tests (the JSON text), answer, and limit_s, the wall-clock limit in seconds. A reply is one of
    {"score": share, "detail": text}, {"timeout": seconds}, {"stopped": why}, {"broken": reason} if the tests are at fault, and
    {"died": how}.
    """
    settings = json.loads(settings_text)
    hide_from_tracers()
    if not settings["alone"]:
        reap_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # otherwise a fork could send it, where it cannot have another user id
    os.umask(0)
    sys.path += settings["packages"]  # after this package's own modules were found
    write_message(settings["jobs"], {"ready": True})
    while (request := read_message(settings["jobs"])) is not None:
        write_message(settings["jobs"], _reply(request, settings))


def _reply(request: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    try:
        tests = json.loads(request["tests"])
        module = _load(tests)
    except Exception as error:
        return {"broken": _line(error)}
    for folder in settings["folders"]:
        empty(folder)  # of what modules wrote while they were loaded, which no answer's fork may remove
    limit_s = float(request["limit_s"])
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _score(module, tests, request["answer"], writing, math.ceil(limit_s), settings)
    os.close(writing)
    try:
        line = _read_line(reading, limit_s)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        sweep(child, settings)
        wipe(settings)
    killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    if line is None or (not line.endswith(b"\n") and killed_by == signal.SIGXCPU):
        return {"timeout": limit_s}
    return _read_verdict(line, killed_by)


def _load(tests: Mapping[str, Any]) -> ModuleType:
    module = importlib.import_module(f"raml_eval.sandbox.rules.{tests['rule']}")
    prepare = getattr(module, "prepare", None)
    if prepare is not None:
        prepare(tests)
    return module


def _score(module: ModuleType, tests: Mapping[str, Any], answer: str, verdict: int, cpu_s: int, settings: Settings) -> NoReturn:
    """In a fork: the verdict is on the pipe."""
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        kept = os.dup(verdict)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)
        os.dup2(kept, 3)
        os.closerange(4, 1024)
        most = OF_OWN_USER if settings["uid"] is not None else OF_SHARED_USER
        confine(settings, cpu_s, most if settings["alone"] else None)
        try:
            share, detail = module.score(tests, answer)
            said: dict[str, Any] = {"score": float(share), "detail": " ".join(str(detail).split())[:300]}
        except MemoryError:  # what an answer makes a verifier build has no end, as a computation may have none
            said = {"stopped": "it ran out of memory"}
        except Exception as error:
            said = {"broken": _line(error)}
        os.write(3, json.dumps(said).encode() + b"\n")
    finally:
        os._exit(0)


def _read_line(fd: int, limit_s: float) -> bytes | None:
    """What the fork wrote up to its first line's end, or up to its own end; None if neither came in time."""
    found, waited = b"", AwakeTime()
    while b"\n" not in found and len(found) < LONGEST_VERDICT:
        if not waited.readable(fd, limit_s):
            return None
        part = os.read(fd, LONGEST_VERDICT)
        if not part:
            return found
        found += part
    return found[: found.find(b"\n") + 1]


def _read_verdict(line: bytes, killed_by: int | None) -> dict[str, Any]:
    try:
        said = json.loads(line)
        if "broken" in said:
            return {"broken": str(said["broken"])[:300]}
        if "stopped" in said:
            return {"stopped": str(said["stopped"])[:300]}
        score = float(said["score"])
        if 0 <= score <= 1:
            return {"score": score, "detail": str(said["detail"])[:300]}
        return {"broken": f"the rule gave the score {score:g}, wanted one from 0 to 1"}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {"died": f"killed by signal {killed_by}" if killed_by else "it ended without a verdict"}


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}"[:300].split()).removesuffix(":")
