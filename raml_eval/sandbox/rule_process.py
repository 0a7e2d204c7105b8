"""The process that runs verifiers: started in a sandbox of its own, asked for one verdict after the other."""

from __future__ import annotations

import compileall
import contextlib
import functools
import json
import re
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.errors import RamlError, TaskError
from raml_eval.sandbox import process_tree
from raml_eval.sandbox.bubblewrap import HARNESS
from raml_eval.sandbox.inside.awake import AwakeTime
from raml_eval.sandbox.start import Sandbox, tail_of

RULES = Path(__file__).resolve().parent / "rules"
START_LIMIT_S = 120.0
GRACE_S = 60.0  # for loading a rule's module, and for a fork on a busy machine


class RuleProcessDied(Exception):
    """The process of the rules, or the fork that scored an answer, ended without a verdict."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The share of an answer that is right and what decided; score None: stopped at the limit."""

    score: float | None
    detail: str


class RuleProcess:
    """One process in a sandbox that scores answers; ready when the constructor returns. Used by one thread.

    rules is the folder of the rules' modules. Raises RamlError if the process does not start.
    """

    def __init__(self, sandbox: Sandbox, rules: Path = RULES) -> None:
        self._contained = bool(sandbox.bwrap)
        self._stack = contextlib.ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="raml-eval-"))
        self._errors = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  (open as long as the process)
        _compile(rules)
        packages = {str(path): f"{HARNESS}/site/{number}" for number, path in enumerate(package_folders())}
        self._jobs, theirs = socket.socketpair()
        self._stack.callback(self._jobs.close)
        with theirs:
            self.process = sandbox.spawn(
                "rules",
                {"jobs": theirs},
                folder,
                self._errors,
                binds={str(rules): f"{HARNESS}/raml_eval/sandbox/rules", **packages},
                packages=list(packages.values()) if self._contained else list(packages),
            )
        try:
            self._receive(START_LIMIT_S)
        except RuleProcessDied as died:
            self.end()
            raise RamlError(f"the sandbox of the verifiers did not start ({died}); run again") from None

    def score(self, tests: str, answer: str, limit_s: float) -> Scored:
        """The verdict of the rule that the tests name. limit_s is the wall-clock limit in seconds.

        Raises RuleProcessDied if no verdict came, TaskError if the tests are at fault.
        """
        text = json.dumps({"tests": tests, "answer": answer, "limit_s": limit_s}).encode()
        try:
            self._jobs.sendall(len(text).to_bytes(8, "big") + text)
        except OSError:
            why = self._last_words()
            self.end()  # or the next try would meet it again
            raise RuleProcessDied(why) from None
        reply = self._receive(limit_s + GRACE_S)
        if "broken" in reply:
            raise TaskError(
                f"the rule {json.loads(tests)['rule']} cannot score: {reply['broken']}. {_advice(reply['broken'])}".rstrip()
            )
        if "died" in reply:
            raise RuleProcessDied(reply["died"])
        if "stopped" in reply:
            return Scored(None, f"the verifier was stopped: {reply['stopped']}")
        if "timeout" in reply:
            return Scored(None, f"the verifier was stopped after {limit_s:g} s")
        return Scored(float(reply["score"]), str(reply["detail"]))

    def _receive(self, limit_s: float) -> dict[str, Any]:
        found, waited = b"", AwakeTime()
        while len(found) < 8 or len(found) < 8 + int.from_bytes(found[:8], "big"):
            try:
                part = self._jobs.recv(65536) if waited.readable(self._jobs, limit_s) else None
            except (OSError, ValueError):  # closed by another thread
                part = b""
            if not part:
                why = f"no reply after {limit_s:.0f} s" if part is None else self._last_words()
                self.end()
                raise RuleProcessDied(why)
            found += part
        return dict(json.loads(found[8:]))

    def _last_words(self) -> str:
        return tail_of(self._errors) or "nothing was said"

    def end(self) -> None:
        """The process, and everything that it started, has ended."""
        process_tree.end(self.process, self._contained)
        self._stack.close()


def package_folders() -> list[Path]:
    """The folders of installed packages that this process imports from; a source checkout is none."""
    folders = dict.fromkeys(Path(entry).resolve() for entry in sys.path if entry)
    return [folder for folder in folders if next(folder.glob("*.dist-info"), None) is not None]


def _advice(reason: str) -> str:
    if "reasoning_gym" in reason and "ModuleNotFound" in reason:
        return "Install it: pip install 'raml-eval[procedural]'."
    if " Run: " in reason:  # the rule itself says what to do
        return ""
    if "nltk.download" in reason:
        data = re.search(r"nltk\.download\('([\w.-]+)'\)", reason)
        folder = next(iter(package_folders()), Path("SITE-PACKAGES")) / "nltk_data"
        return (
            f"Fetch the data to where the sandbox sees it, and run again: python -m nltk.downloader -d {folder} "
            f"{data[1] if data else 'punkt_tab'}."
        )
    return "Correct the task's metadata.raml.tests, or install what the rule imports."


@functools.cache
def _compile(rules: Path) -> None:
    """Once and outside, because a sandbox could not keep the result."""
    compileall.compile_dir(rules, quiet=2)
