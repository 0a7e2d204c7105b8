"""Judges each checkpoint's run by a gate, and signals a regression once it is certain."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.comparison import Outcome, judge_runs
from raml_eval.gate_file import GateFile
from raml_eval.types import StoredRun

_COMMAND_S = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's outcome for one checkpoint. certain is true if it is a regression over the whole watch."""

    outcome: str
    headline: str
    cells: Sequence[Any]
    certain: bool

    def fields(self) -> dict[str, Any]:
        """What the history keeps."""
        return {"outcome": self.outcome, "headline": self.headline, "cells": list(self.cells), "regression": self.certain}


@dataclass(frozen=True, slots=True)
class Alarm:
    """A gate against a base run, and what is done about a regression: a file is written, a command is run."""

    gate: GateFile
    base: StoredRun
    file: Path | None = None
    command: Sequence[str] = ()

    def judge(self, run: StoredRun, number: int) -> Verdict:
        """The verdict on the run of the checkpoint that is judged as the number-th, from 1.

        The outcome is that of `raml-eval compare --gate`. With alpha = 1 - level, each gate fails falsely with a chance of at
        most alpha, so that of a hundred checkpoints some would. A regression is certain if the gate still fails with alpha /
        (number (number + 1)) in place of alpha: these add up to alpha, however many checkpoints follow (Bonferroni's
        inequality, which does not need them to be independent). Raises as judge_runs.
        """
        result = judge_runs(self.base, run, self.gate)
        certain = False
        if result.outcome is Outcome.FAILED:
            strict = judge_runs(self.base, run, self.gate, level=lambda own: 1 - (1 - own) / (number * (number + 1)))
            certain = strict.outcome is Outcome.FAILED
        entry = result.entry()
        return Verdict(entry["outcome"], result.headline, entry["cells"], certain)

    def signal(self, step: int, run: Path, verdict: Verdict) -> str:
        """The file is written and the command has run. Returns what went wrong with them, empty if nothing did.

        The command is run without a shell, with RAML_EVAL_STEP and RAML_EVAL_RUN in its environment.
        """
        wrong = []
        if self.file is not None:
            try:
                self._write(self.file, {"step": step, "run": str(run), "gate": verdict.headline})
            except OSError as error:
                wrong.append(f"cannot write {self.file}: {error.strerror}")
        if self.command:
            env = {**os.environ, "RAML_EVAL_STEP": str(step), "RAML_EVAL_RUN": str(run.resolve())}
            try:
                done = subprocess.run(self.command, env=env, timeout=_COMMAND_S, check=False, stdin=subprocess.DEVNULL)
                if done.returncode:
                    wrong.append(f"{self.command[0]} ended with exit code {done.returncode}")
            except (OSError, subprocess.TimeoutExpired) as error:
                wrong.append(f"{self.command[0]} could not be run to its end ({error})")
        return "; ".join(wrong)

    @staticmethod
    def _write(path: Path, content: dict[str, Any]) -> None:
        """The file holds the content; a reader never sees a part of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_text(json.dumps(content) + "\n", encoding="utf-8")
        beside.replace(path)
