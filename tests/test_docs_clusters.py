"""docs/clusters.md: its script and its job draw the shards of one run when a scheduler's variables are set."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

import raml_eval
from raml_eval.cli import app
from raml_eval.config import build_config, flags_layer
from raml_eval.doctor.conflicts import CONFLICTS
from raml_eval.merging import merge_runs
from tests.test_cli import FAKE, cli
from tests.test_merging import assert_equal

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
SLURM, KUBERNETES = (ROOT / "examples" / "clusters" / name for name in ("slurm.sh", "kubernetes.yaml"))
OPTIONS = [word for word in FAKE[1:] if word != "--quiet"]
# What Slurm sets for the tasks of --array=1-4, and Kubernetes for the pods of 4 completions.
SLURM_LOOP = """
for task in 1 2 3 4; do
  export SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=4
  {command} || exit
done
"""
KUBERNETES_LOOP = "for index in 0 1 2 3; do JOB_COMPLETION_INDEX=$index {command} || exit; done"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S)


def test_the_page_shows_the_files_as_they_are() -> None:
    assert blocks("bash") == [SLURM.read_text(encoding="utf-8")]
    assert blocks("yaml") == [KUBERNETES.read_text(encoding="utf-8")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "mine"
    assert cli(*FAKE, "--out", out).returncode == 0
    return out


def shell(script: str, folder: Path) -> None:
    """Runs the script in bash, where raml-eval is this checkout's."""
    (folder / "bin").mkdir()
    command = folder / "bin" / "raml-eval"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m raml_eval "$@"\n')
    command.chmod(0o755)
    known = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "JOB_COMPLETION"))}
    paths = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    env = known | {"PATH": paths, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr


def merged(folder: Path) -> Path:
    shards = sorted(folder.glob("runs/mine-shard-*-of-4"))
    assert [path.name[-6] for path in shards] == ["1", "2", "3", "4"]
    return merge_runs(shards, folder / "runs" / "mine")


@pytest.mark.slow
def test_the_slurm_script_draws_every_shard_of_the_run(whole: Path, tmp_path: Path) -> None:
    assert "#SBATCH --array=1-4\n" in SLURM.read_text(encoding="utf-8")
    command = shlex.join(["bash", str(SLURM), *OPTIONS, "--out", "runs/mine"])
    shell(SLURM_LOOP.format(command=command), tmp_path)
    assert_equal(merged(tmp_path), whole)


@pytest.mark.slow
def test_the_kubernetes_job_draws_every_shard_of_the_run(whole: Path, tmp_path: Path) -> None:
    spec = yaml.safe_load(KUBERNETES.read_text(encoding="utf-8"))["spec"]
    assert (spec["completionMode"], spec["completions"]) == ("Indexed", 4)
    (container,) = spec["template"]["spec"]["containers"]
    assert "--shard=auto/4" in container["args"]
    own = {name: value for name, _, value in (word.partition("=") for word in container["args"])}
    assert own["--out"] == "/runs/mine"
    kept = [word for word in container["args"] if not word.startswith("--model=")]  # a second model would be a second run
    command = [*container["command"], *kept, *OPTIONS, "--out", "runs/mine"]  # of two values, the later one holds
    whole_date = raml_eval.load_run(whole).manifest["protocol"]["prompt"]["date"]
    assert whole_date is None  # the pocket template prints no date, so that of the job does not matter
    shell(KUBERNETES_LOOP.format(command=shlex.join([word for word in command if "prompt-date" not in word])), tmp_path)
    assert_equal(merged(tmp_path), whole)


def test_the_commands_of_the_page_are_understood() -> None:
    group = typer.main.get_command(app)
    found = [line.partition(" #")[0] for block in blocks("sh") for line in block.splitlines()]
    words = [shlex.split(line)[1:] for line in found if line.startswith("raml-eval ")]
    assert {line[0] for line in words} == {"run", "merge", "doctor"}
    for name, *rest in words:
        with group.commands[name].make_context(name, rest):  # type: ignore[attr-defined]
            pass


def test_the_options_of_the_page_are_those_of_a_run() -> None:
    args = yaml.safe_load(KUBERNETES.read_text(encoding="utf-8"))["spec"]["template"]["spec"]["containers"][0]["args"]
    flags = dict(word.removeprefix("--").partition("=")[::2] for word in args if word not in ("--quiet", "--shard=auto/4"))
    config = build_config([flags_layer(**{name.replace("-", "_"): value for name, value in flags.items()})])
    assert config.prompt_date is not None


def test_the_page_has_every_row_of_the_table_of_conflicts() -> None:
    for conflict in CONFLICTS:
        assert f"| {conflict.name} | {conflict.happens} |" in PAGE
