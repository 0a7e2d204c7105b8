"""The action in .github/actions/evaluate, run step by step by a shell that plays the runner."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.action_runner import Played, Runner, read_pairs
from tests.expressions import PIECE, evaluate, fill, names_in

ROOT = Path(__file__).resolve().parents[1]
ACTION = ROOT / ".github" / "actions" / "evaluate"
DESCRIBED = yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = DESCRIBED["runs"]["steps"]
SMALL = {
    "model": "pocket", "backend": "fake", "tasks": "pocket_chain,pocket_logic", "samples": "2", "limit": "3",
    "thinking-budget": "0,16", "args": "--answer-tokens=16\n--max-total-tokens=256", "install": "",
}  # fmt: skip
REPORTED = re.compile(r"pocket_chain")


def runner(folder: Path) -> Runner:
    """A runner with an empty workspace, and the raml-eval of this environment on its path."""
    for name in ("workspace", "temp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return Runner(folder / "workspace", folder / "temp", {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)})


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Runner, Played]:
    """A small run by the action, without a baseline."""
    made = runner(tmp_path_factory.mktemp("first"))
    return made, made.play(ACTION, {**SMALL, "gate": "gate.yaml"})


def test_a_run_without_a_baseline(first: tuple[Runner, Played]) -> None:
    made, played = first
    assert (played.failed, played.code) == (False, 0), [step.log for step in played.steps]
    assert played.outputs == {
        "run": "evaluation/run", "exit-code": "0", "verdict": "", "comparison": "", "comment": "", "report": "evaluation/report.md",
    }  # fmt: skip
    assert len((made.workspace / "evaluation/run/samples.jsonl").read_text().splitlines()) == 2 * 3 * 2 * 2
    report = (made.workspace / "evaluation/report.md").read_text()
    assert "pocket_chain" in report
    assert report in played.summary
    assert "nothing was compared" in played.summary
    assert [(kind, title) for kind, title, _ in played.annotations] == [("warning", "raml-eval: no baseline")]
    outcomes = {step.name: step.outcome for step in played.steps if step.outcome == "skipped"}
    assert set(outcomes) == {"Install raml-eval", "Compare with the baseline", "Enter the run into the leaderboard", "Pass or fail"}
    assert played.step("Set up Python").uses == ("actions/setup-python@v5", {"python-version": "3.11"})


def test_a_second_job_on_the_same_folder_continues_the_run(first: tuple[Runner, Played]) -> None:
    made, _ = first
    samples = made.workspace / "evaluation/run/samples.jsonl"
    before = samples.read_bytes()
    played = made.play(ACTION, SMALL)
    assert "the engine was not started" in played.step("Draw the samples").log
    assert samples.read_bytes() == before


def test_a_run_that_cannot_be_made_fails_with_its_own_code(tmp_path: Path) -> None:
    played = runner(tmp_path).play(ACTION, {**SMALL, "tasks": "pocket_chian"})
    assert played.code == 2
    assert played.outputs["exit-code"] == "2"
    assert played.outputs["run"] == "evaluation/run"
    assert played.step("Report").outcome == "skipped"
    assert "pocket_chian" in played.step("Draw the samples").log
    assert [title for _, title, _ in played.annotations] == ["raml-eval: the run failed (exit code 2)"]


HOSTILE = "a$(touch x)`touch x`\"; touch x; \"'; touch x; '${{ github.token }}\n::set-output name=run::elsewhere\nrun=elsewhere\n*"


def test_hostile_values_are_values(tmp_path: Path) -> None:
    made = runner(tmp_path)
    names = ["preset", "config", "model", "backend", "tasks", "samples", "limit", "thinking-budget", "args"]
    for chosen in (names, ["model"], ["tasks"]):
        played = made.play(ACTION, {**SMALL, **dict.fromkeys(chosen, HOSTILE)})
        assert played.step("Draw the samples").code == 2
        assert played.outputs["run"] == "evaluation/run"
    assert HOSTILE.splitlines()[0] in played.step("Draw the samples").log
    assert not list(tmp_path.rglob("x"))


def test_a_hostile_folder_is_only_a_folder(tmp_path: Path) -> None:
    made = runner(tmp_path)
    out = HOSTILE.replace("/", "")
    played = made.play(ACTION, {**SMALL, "out": out, "tasks": "pocket_chain", "board": HOSTILE})
    assert played.outputs["run"] == f"{out}/run"
    assert (made.workspace / out / "run" / "manifest.json").is_file()
    assert played.step("Enter the run into the leaderboard").code == 2
    assert not list(tmp_path.rglob("x"))


def test_what_raml_eval_prints_is_no_workflow_command(tmp_path: Path) -> None:
    made = runner(tmp_path)
    command = tmp_path / "bin" / "raml-eval"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\necho '::set-output name=run::elsewhere'\nprintf '::error::made up' >&2\n")
    command.chmod(0o755)
    made.env["PATH"] = f"{command.parent}{os.pathsep}{made.env['PATH']}"
    played = made.play(ACTION, SMALL)
    assert "::error::made up" in played.step("Draw the samples").log
    assert played.outputs["run"] == "evaluation/run"
    assert not [text for _, _, text in played.annotations if "made up" in text]


def test_the_run_is_entered_into_a_board(tmp_path: Path) -> None:
    made = runner(tmp_path)
    board = made.workspace / "board"
    board.mkdir()
    (board / "board.yaml").write_text(
        yaml.safe_dump(
            {
                "title": "Small", "description": "Small runs.", "tasks": ["pocket_chain"], "budgets": [0, 16], "metric": "avg@n", "k": 2,
                "rank_by": {"domain": "in_domain", "budget": 16}, "limit": 3, "settings": {"answer_tokens": 16},
            }
        )
    )  # fmt: skip
    played = made.play(ACTION, {**SMALL, "tasks": "pocket_chain", "board": "board"})
    assert not played.failed, played.step("Enter the run into the leaderboard").log
    assert "| pocket" in (board / "README.md").read_text()
