"""Tasks and graders of other installed packages, found by their entry points."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_tasks_catalogue import write_task
from tests.test_tasks_foreign import LOCAL

GRADER = """
from raml_eval.grading.extraction import Extraction
from raml_eval.grading.kinds import Decision, Kind

def read(text, options):
    return Extraction(text.strip().split()[-1], "last word")

last_word = Kind(read, lambda gold, answer, options: Decision(gold == answer, "word"), lambda a, b: Decision(a == b, "word"))
"""


def run(folder: Path, *words: str) -> tuple[int, str]:
    """The exit code and the output of a command that sees the packages in the folder."""
    env = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "raml_eval", *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def install(folder: Path, entry_points: str) -> None:
    """A package named plugged with these entry points, a grader and a folder of tasks."""
    (folder / "plugged" / "tasks").mkdir(parents=True)
    (folder / "plugged" / "__init__.py").write_text(GRADER, encoding="utf-8")
    (folder / "plugged" / "tasks" / "__init__.py").touch()
    (folder / "plugged" / "tasks" / "rows.jsonl").write_text('{"question": "Say yes.", "answer": "yes"}\n', encoding="utf-8")
    meta = folder / "plugged-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n", encoding="utf-8")
    (meta / "entry_points.txt").write_text(entry_points, encoding="utf-8")


BOTH = "[raml_eval.tasks]\nplugged = plugged.tasks\n[raml_eval.graders]\nlast_word = plugged:last_word\n"


def test_a_task_and_a_grader_of_a_package(tmp_path: Path) -> None:
    install(tmp_path, BOTH)
    write_task(tmp_path / "plugged" / "tasks", "mine", LOCAL.replace("grader: math", "grader: last_word"))
    assert "mine" in run(tmp_path, "tasks", "list")[1]
    out = tmp_path / "run"
    fake = ["--backend", "fake", "--model", "pocket", "--thinking-budget", "off", "--out", str(out)]
    code, told = run(tmp_path, "run", "--tasks", "mine", *fake)
    assert code == 0, told
    assert "last word" in run(tmp_path, "show", str(out), "--task", "mine", "--question", "0")[1]


@pytest.mark.parametrize(
    ("entry_points", "words"),
    [
        (BOTH.replace("plugged:last_word", "plugged:read"), "it is a function, wanted a raml_eval.grading.kinds.Kind"),
        (BOTH.replace("last_word =", "math ="), "grader is 'last_word'; it must be one of math, choice"),
        (BOTH + "math = plugged:last_word\n", "a grader that ships has this name"),
        (BOTH.replace("plugged.tasks", "plugged.gone"), "the entry point plugged of raml_eval.tasks cannot be used"),
        (BOTH.replace("plugged.tasks", "plugged:__name__"), "plugged is no folder"),
    ],
)
def test_an_entry_point_that_cannot_be_used(tmp_path: Path, entry_points: str, words: str) -> None:
    install(tmp_path, entry_points)
    write_task(tmp_path / "plugged" / "tasks", "mine", LOCAL.replace("grader: math", "grader: last_word"))
    code, told = run(tmp_path, "tasks", "preview", "mine")
    assert code == 2
    assert words in told
    assert "Traceback" not in told
