"""`raml-eval run` with several models: one directory and one table for all, and the whole resumed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from raml_eval.store.journal import count_lines
from tests.processes import wait_until
from tests.test_cli import POCKET, ROOT, cli, fails

FAKE = [
    "run",
    "--backend",
    "fake",
    "--tasks",
    "pocket_chain",
    "--limit",
    "3",
    "--thinking-budget",
    "16",
    "--answer-tokens",
    "48",
]


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """Two checkpoints, which differ in what their files hold but not in their shape."""
    for step in (500, 1000):
        folder = shutil.copytree(POCKET, tmp_path / "training" / f"checkpoint-{step}")
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return tmp_path / "training"


def test_checkpoints_of_a_folder_in_one_command(training: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    done = cli(*FAKE, "--checkpoints", training, "--out", out)
    assert done.returncode == 0, done.stderr
    table = done.stdout.partition("avg@n against the training step")[2].splitlines()
    assert [line.split()[:2] for line in table[2:4]] == [["500", "checkpoint-500"], ["1000", "checkpoint-1000"]]
    with (out / "by_step.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["step"], row["run"]) for row in rows} == {("500", "checkpoint-500"), ("1000", "checkpoint-1000")}
    again = cli(*FAKE, "--checkpoints", training, "--out", out)
    assert again.stderr.count("already holds every sample") == 2
    assert again.stdout == done.stdout


def test_a_broken_one_ends_with_code_4_and_is_drawn_by_the_next_command(training: Path, tmp_path: Path) -> None:
    config = training / "checkpoint-500" / "config.json"
    content = config.read_text()
    config.write_text("{")
    done = cli(*FAKE, "--checkpoints", training, "--out", tmp_path / "runs", "--quiet")
    assert done.returncode == 4
    assert "1 of 2 runs could not be drawn (checkpoint-500: " in done.stderr
    assert "Correct that, and run the same command again." in done.stderr
    assert "Traceback" not in done.stderr
    config.write_text(content)
    assert cli(*FAKE, "--checkpoints", training, "--out", tmp_path / "runs", "--quiet").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--steps", "5"], "--steps 5 has no effect without --checkpoints"),
        (["--model", "a", "--model", "b", "--dry-run"], "--dry-run is for one run"),
        (["--checkpoints", ".", "--model", "pocket"], "--checkpoints . and --model pocket are both given"),
        (["--steps", "5", "--model", "pocket"], "--steps 5 has no effect without --checkpoints"),
        (["--model", "pocket", "--model", "b", "--shard", "3/2"], "error: shard '3/2' is none of 2 shards"),
        (["--checkpoints", "nowhere"], "--checkpoints nowhere is no folder"),
        (["--model", "a/x", "--model", "a/x"], "model a/x is given twice"),
        (["--model", "pocket", "--adapter", "nowhere"], "adapter nowhere has no adapter_config.json"),
    ],
)
def test_what_does_not_go_together_is_refused(words: list[str], said: str, tmp_path: Path) -> None:
    fails(cli(*FAKE, *words, "--out", tmp_path / "runs"), said)


def test_a_run_directory_is_no_folder_of_runs(training: Path, tmp_path: Path) -> None:
    assert cli(*FAKE, "--model", "pocket", "--out", tmp_path / "run", "--quiet").returncode == 0
    fails(cli(*FAKE, "--checkpoints", training, "--out", tmp_path / "run"), "is a run directory")


def test_a_matrix_in_the_file(training: Path, tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    matrix = {"checkpoints": str(training), "sampling": {"greedy": {"temperature": 0}, "warm": {"temperature": 1}}}
    file.write_text(json.dumps({"matrix": matrix, "out": str(tmp_path / "runs")}))
    assert cli(*FAKE, "--config", file, "--quiet").returncode == 0
    names = ["checkpoint-1000_greedy", "checkpoint-1000_warm", "checkpoint-500_greedy", "checkpoint-500_warm"]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()) == names


def test_a_task_that_is_mistyped_is_refused_before_the_first_draw(tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    file.write_text(
        json.dumps({"matrix": {"model": ["pocket"], "tasks": {"in": ["pocket_chain"], "cross": ["pocket_compare"]}}})
    )
    fails(cli(*FAKE[:3], "--config", file, "--out", tmp_path / "runs"), "there is no task or suite 'pocket_compare'")
    assert not (tmp_path / "runs").exists()


def test_a_flag_takes_the_place_of_the_matrix_values(training: Path, tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    matrix = {"tasks": {"in": ["pocket_chain"], "cross": ["pocket_sort"]}, "thinking.budgets": [[8, 16], 32]}
    file.write_text(json.dumps({"matrix": {"checkpoints": str(training), **matrix}}))
    words = [
        "--config",
        file,
        "--set",
        "tasks=[pocket_logic]",
        "--thinking-budget",
        "24",
        "--quiet",
        "--out",
        tmp_path / "runs",
    ]
    done = cli("run", "--backend", "fake", "--limit", "3", "--answer-tokens", "48", *words)
    assert done.returncode == 0, done.stderr
    for step in (500, 1000):
        plan = json.loads((tmp_path / "runs" / f"checkpoint-{step}" / "manifest.json").read_text())["plan"]
        assert (plan["tasks"], plan["budgets"]) == (["pocket_logic"], [24])


def test_shards_of_many_runs_have_a_table_and_are_merged_one_by_one(training: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    words = [*FAKE, "--checkpoints", training, "--out", out]
    for shard in ("1/2", "2/2"):
        done = cli(*words, "--shard", shard)
        assert done.returncode == 0, done.stderr
        assert "avg@n against the training step" in done.stdout
        assert f"by_step-shard-{shard[0]}-of-2.csv" in done.stdout
    for step in (500, 1000):
        parts = [out / f"checkpoint-{step}-shard-{n}-of-2" for n in (1, 2)]
        assert cli("merge", *parts, "--out", out / f"checkpoint-{step}").returncode == 0
    done = cli(*words)
    assert done.stderr.count("already holds every sample") == 2
    with (out / "by_step.csv").open() as file:
        assert {row["run"] for row in csv.DictReader(file)} == {"checkpoint-500", "checkpoint-1000"}


def test_a_stopped_series_goes_on_where_it_was(training: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    slow = [
        *FAKE,
        "--backend-arg",
        "latency_s=1",
        "--samples",
        "40",
        "--concurrency",
        "4",
        "--checkpoints",
        training,
        "--out",
        out,
    ]
    command = [sys.executable, "-m", "raml_eval", *map(str, slow), "--quiet"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        samples = out / "checkpoint-500" / "samples.jsonl"
        wait_until(lambda: process.poll() is not None or count_lines(samples))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "the same command continues from there" in err
    stored = count_lines(samples)
    assert 0 < stored < 5 * 24
    assert not (out / "checkpoint-1000").exists()
    fast = [word if word != "latency_s=1" else "latency_s=0" for word in slow]
    assert cli(*fast, "--quiet").returncode == 0
    for step in (500, 1000):
        assert (out / f"checkpoint-{step}" / "samples.jsonl").read_text().count("\n") == 5 * 24
