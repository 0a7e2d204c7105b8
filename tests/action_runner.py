"""A shell that plays GitHub's runner: a composite action's steps are run as the real one runs them, without a container.

Each step gets its own GITHUB_OUTPUT, GITHUB_ENV, GITHUB_PATH and GITHUB_STEP_SUMMARY, its texts with expressions filled in,
and `bash --noprofile --norc -eo pipefail FILE`. Steps that use another action are recorded, not run.
Source: the runner's documentation (metadata syntax for actions, workflow commands, contexts and expressions).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.expressions import PIECE, STATUS, evaluate, fill

BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
_FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
_COMMAND = re.compile(r"::([\w-]+)(?: (.*?))?::(.*)", re.S)


@dataclass
class Step:
    """One step that was reached: outcome is success, failure or skipped; a step of another action has its `with` in uses."""

    name: str
    outcome: str
    code: int = 0
    log: str = ""
    uses: tuple[str, dict[str, str]] | None = None


@dataclass
class Played:
    """What the runner shows after an action: annotations are (kind, title, text)."""

    outputs: dict[str, str]
    steps: list[Step]
    summary: str
    annotations: list[tuple[str, str, str]]
    path: list[str]

    @property
    def failed(self) -> bool:
        return any(step.outcome == "failure" for step in self.steps)

    @property
    def code(self) -> int:
        """The exit code of the last step that failed, or 0."""
        return next((step.code for step in reversed(self.steps) if step.outcome == "failure"), 0)

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)


@dataclass
class Runner:
    """Plays actions in a workspace. temp is RUNNER_TEMP; env is the job's environment, which steps may add to."""

    workspace: Path
    temp: Path
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def play(self, action: Path, inputs: Mapping[str, str]) -> Played:
        """The action in this folder has been played with these inputs. KeyError for an input that it does not have."""
        described = yaml.safe_load((action / "action.yml").read_text(encoding="utf-8"))
        assert described["runs"]["using"] == "composite"
        values = {name: str(declared.get("default", "")) for name, declared in described["inputs"].items()}
        for name, value in inputs.items():
            _ = values[name]
            values[name] = value
        contexts: dict[str, Any] = {
            "inputs": values,
            "steps": {},
            "github": {"action_path": str(action), "workspace": str(self.workspace)},
            "runner": {"temp": str(self.temp)},
            "env": self.env,
        }
        played = Played({}, [], "", [], [])
        for number, step in enumerate(described["runs"]["steps"]):
            self._step(step, number, contexts, action, played)
        played.outputs = {name: fill(declared["value"], contexts) for name, declared in described["outputs"].items()}
        return played

    def _step(self, step: Mapping[str, Any], number: int, contexts: dict[str, Any], action: Path, played: Played) -> None:
        name = step.get("name", f"step {number}")
        if not _wanted(str(step.get("if", "success()")), contexts, played.failed):
            played.steps.append(Step(name, "skipped"))
            return
        if "uses" in step:
            used = {key: fill(str(value), contexts) for key, value in step.get("with", {}).items()}
            played.steps.append(Step(name, "success", uses=(step["uses"], used)))
            return
        assert step["shell"] == "bash", f"{name}: a composite action's run steps need a shell"
        files = {variable: self.temp / f"{variable.lower()}-{number}" for variable in _FILES}
        for file in files.values():
            file.write_text("", encoding="utf-8")
        ended = self._shell(step, number, contexts, action, files)
        played.steps.append(Step(name, "failure" if ended.returncode else "success", ended.returncode, ended.stdout))
        outputs = {**_commands(ended.stdout, played), **read_pairs(files["GITHUB_OUTPUT"])}
        if "id" in step:
            contexts["steps"][step["id"]] = {"outputs": outputs, "outcome": played.steps[-1].outcome}
        self.env.update(read_pairs(files["GITHUB_ENV"]))
        for line in files["GITHUB_PATH"].read_text(encoding="utf-8").splitlines():
            played.path.append(line)
            self.env["PATH"] = f"{line}{os.pathsep}{self.env['PATH']}"
        played.summary += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")

    def _shell(
        self, step: Mapping[str, Any], number: int, contexts: dict[str, Any], action: Path, files: Mapping[str, Path]
    ) -> subprocess.CompletedProcess[str]:
        script = self.temp / f"step-{number}.sh"
        script.write_text(fill(step["run"], contexts), encoding="utf-8")
        given = {key: fill(str(value), contexts) for key, value in step.get("env", {}).items()}
        made = {variable: str(file) for variable, file in files.items()}
        github = {"GITHUB_ACTION_PATH": str(action), "GITHUB_WORKSPACE": str(self.workspace), "RUNNER_TEMP": str(self.temp)}
        env = {**self.env, "CI": "true", "GITHUB_ACTIONS": "true", **github, **made, **given}
        return subprocess.run(
            [*BASH, str(script)],
            cwd=self.workspace,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def _wanted(condition: str, contexts: Mapping[str, Any], failed: bool) -> bool:
    """True if the step runs. A condition that names no status holds only while nothing has failed."""
    if (whole := PIECE.fullmatch(condition.strip())) is not None:
        condition = whole[1]
    calls = dict(zip(STATUS, (lambda: not failed, lambda: failed, lambda: False, lambda: True), strict=True))
    if not any(f"{name}(" in condition for name in STATUS) and failed:
        return False
    return bool(evaluate(condition, contexts, calls))


def _commands(log: str, played: Played) -> dict[str, str]:
    """The annotations that the log asks for are noted; the outputs set by the old command, which is still obeyed."""
    outputs, until = {}, None
    for line in log.splitlines():
        match = _COMMAND.fullmatch(line.strip())
        if match is None:
            continue
        command, text = match[1], _unescaped(match[3])
        properties = dict(pair.partition("=")[::2] for pair in (match[2] or "").split(","))
        if until is not None:
            until = None if command == until else until
        elif command == "stop-commands":
            until = text
        elif command in ("error", "warning", "notice"):
            played.annotations.append((command, _unescaped(properties.get("title", "")), text))
        elif command == "set-output":
            outputs[properties["name"]] = text
    assert until is None, "workflow commands were stopped and not resumed"
    return outputs


def _unescaped(text: str) -> str:
    for written, meant in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(written, meant)
    return text


def read_pairs(file: Path) -> dict[str, str]:
    """The pairs of an output or environment file: NAME=VALUE, or NAME<<END, lines, END. ValueError for anything else."""
    pairs = {}
    lines = iter(file.read_text(encoding="utf-8").split("\n"))
    for line in lines:
        name, sign, rest = re.match(r"([^=<]*)(<<|=|)(.*)", line, re.S).groups()  # type: ignore[union-attr]
        if sign == "<<":
            held = []
            for held_line in lines:
                if held_line == rest:
                    break
                held.append(held_line)
            else:
                raise ValueError(f"{name} in {file} has no line {rest!r} after it")
            pairs[name] = "\n".join(held)
        elif sign == "=":
            pairs[name] = rest
        elif line:
            raise ValueError(f"{file} has the line {line!r}; wanted NAME=VALUE or NAME<<END")
    return pairs
