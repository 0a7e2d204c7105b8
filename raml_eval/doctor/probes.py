"""Questions that only a heavy or fragile import can answer, each put to a process of its own with a time limit."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

MARK = "raml-eval-doctor: "  # before the answer, because libraries print too
POLL_S = 0.02
_Started = tuple[subprocess.Popen[str], IO[str], IO[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a process answered, or why it did not. late is true if it was still at work at the time limit."""

    found: Mapping[str, Any] | None
    problem: str = ""
    late: bool = False


def ask_all(questions: Mapping[str, Mapping[str, Any]], limit_s: float) -> dict[str, Answer]:
    """The answers of raml_eval.doctor.inside to the questions, by name, all asked at once. It never takes longer than limit_s.

    questions maps a function's name to what it is given. A process that crashes, or is killed, is an answer too.
    """
    deadline = time.monotonic() + limit_s
    with contextlib.ExitStack() as files:
        started = {name: _start(name, given, files) for name, given in questions.items()}
        try:
            while any(process.poll() is None for process, _, _ in started.values()) and time.monotonic() < deadline:
                time.sleep(POLL_S)
            return {name: _read(one, limit_s) for name, one in started.items()}
        finally:
            for process, _, _ in started.values():
                _end(process)


def _start(name: str, given: Mapping[str, Any], files: contextlib.ExitStack) -> _Started:
    package = Path(__file__).resolve().parents[2]
    paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "VLLM_LOGGING_LEVEL": "ERROR", "TQDM_DISABLE": "1"}
    told, said, errors = _file(files), _file(files), _file(files)
    json.dump(given, told)
    told.seek(0)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "raml_eval.doctor.inside", name],
        env=environment,
        stdin=told,
        stdout=said,
        stderr=errors,
        text=True,
        start_new_session=True,  # what it starts ends with it
    )
    return process, said, errors


def _file(files: contextlib.ExitStack) -> IO[str]:
    return files.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))


def _read(started: _Started, limit_s: float) -> Answer:
    process, said, errors = started
    code = process.poll()
    if code is None:
        return Answer(None, f"no answer within {limit_s:g} s", late=True)
    for line in _lines(said):
        if line.startswith(MARK):
            with contextlib.suppress(ValueError):
                return Answer(json.loads(line.removeprefix(MARK)))
    if code < 0:
        return Answer(None, f"its process was killed by {_signal_name(-code)}")
    last = next((line.strip() for line in reversed(_lines(errors)) if line.strip()), "nothing was said")
    return Answer(None, last[:500])


def _lines(file: IO[str]) -> list[str]:
    file.seek(0)
    try:
        return file.read().splitlines()
    except ValueError:  # not UTF-8
        return []


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
