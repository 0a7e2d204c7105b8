"""`raml-eval power` and `noise` as a user types them."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path

import pytest

from tests.test_cli import cli, fails


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of the fake backend, with models that say their steps."""
    folder = tmp_path_factory.mktemp("checkpoints")
    runs = []
    for step in (20, 3):
        model, out = folder / f"model{step}", folder / f"run{step}"
        shutil.copytree(str(resources.files("raml_eval") / "pocket"), model)
        (model / "checkpoint.yaml").write_text(f"step: {step}\n")
        done = cli(
            *("run", "--model", model, "--backend", "fake", "--tasks", "pocket", "--limit", "4", "--samples", "4", "--quiet"),
            *("--thinking-budget", "16", "--answer-tokens", "48", "--seed", step, "--out", out),
        )
        assert done.returncode == 0, done.stderr
        runs.append(out)
    return runs


def test_power_of_a_suite_under_an_assumption(tmp_path: Path) -> None:
    words = ("power", "pocket", "--assume", "beta:2,2", "--questions", "60", "--difference", "5")
    done = cli(*words)
    assert done.returncode == 0, done.stderr
    assert "in-domain mean" in done.stdout
    assert "1 of 4 tasks" in done.stdout
    assert cli(*words, "--out", tmp_path / "power.json").returncode == 0
    values = json.loads((tmp_path / "power.json").read_text())
    alone = [row for row in values["rows"] if row["role"] == "alone"]
    assert [row["n_questions"] for row in alone] == [60] * 4
    assert alone[0]["power"] == pytest.approx(0.39, abs=0.03)


def test_power_with_a_stored_run(checkpoints: list[Path]) -> None:
    done = cli("power", "--base", checkpoints[0], "--format", "json", "--samples", "16", "--spread", "10")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert (values["budget"], values["samples"], values["noise"]) == ("16", 16, "that of run20")
    assert [row["scope"] for row in values["rows"] if row["role"] == "primary"] == ["in-domain mean", "cross-domain mean"]


def test_what_power_cannot_use_is_told_in_one_line(tmp_path: Path) -> None:
    fails(cli("power", "gsm8k", "--assume", "beta:2,2"), "rows of gsm8k do not ship", "--questions")
    fails(cli("power", "pocket", "--assume", "normal"), "wanted beta:A,B")
    fails(cli("power", "pocket", "--assume", "beta:2,2", "--spread", "-1"), "--spread -1")
    fails(cli("power", "pocket", "--assume", "beta:2,2", "--samples", "0"), "--samples 0")
    fails(cli("power", "pocket", "--assume", "beta:2,2", "--difference", "0"), "--difference 0 is no difference", "points")
    fails(cli("power", "pocket", "--assume", "beta:2,2", "--power", "0.01"), "--power 0.01 is no chance to plan for")
    fails(cli("power", "pocket", "--assume", "beta:2,2", "--level", "0.9999999999999999"), "from 0.5 to 0.9999")
    fails(cli("power", "pocket", "--assume", "beta:1e-9,1e-9"), "from 0.01 to 1,000,000")
    fails(cli("power", "--base", tmp_path), "is not a run directory")


def test_noise_of_a_run_and_between_checkpoints(checkpoints: list[Path], tmp_path: Path) -> None:
    done = cli("noise", checkpoints[0])
    assert done.returncode == 0, done.stderr
    assert "checkpoint at step 20" in done.stdout
    assert cli("noise", *checkpoints, "--metric", "avg@n, unfinished_rate", "--out", tmp_path / "noise.json").returncode == 0
    rows = json.loads((tmp_path / "noise.json").read_text())["rows"]
    changes = [row for row in rows if row["kind"] == "change"]
    assert {(row["against"], row["run"]) for row in changes} == {("run3", "run20")}  # in the order of the steps, not the words
    assert {row["metric"] for row in rows} == {"avg@n", "unfinished_rate"}
    one = cli("noise", checkpoints[0], "--task", "pocket_sort", "--metric", "avg@n", "--budget", "16", "--format", "json")
    assert [(row["task"], row["budget"]) for row in json.loads(one.stdout)["rows"]] == [("pocket_sort", "16")]


def test_what_noise_cannot_use_is_told_in_one_line(checkpoints: list[Path], tmp_path: Path) -> None:
    fails(cli("noise", checkpoints[0], checkpoints[0]), "both have step 20")
    fails(cli("noise", checkpoints[0], "--metric", "avg"), "there is no metric 'avg'")
    fails(cli("noise", checkpoints[0], "--budget", "17"), "no budget in the runs '17'")
    fails(cli("noise", checkpoints[0], "--budget", "16", "--all"), "--budget 16 and --all are both given")
    fails(cli("noise", checkpoints[0], "--task", "pocket_sor"), "Did you mean pocket_sort")
    fails(cli("noise", checkpoints[0], "--out", tmp_path / "noise.tex"), "no format 'latex'")
