"""The mathematics tasks on made-up rows in the published columns: all load, and each leaves out what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from raml_eval.grading import grade
from raml_eval.tasks.catalogue import tasks_dir
from raml_eval.types import LoadedTask, Status
from tests.hub import Hub, load_in_new_process, serve
from tests.test_tasks_catalogue import MATH_TASKS, POLYMATH_TASKS


@pytest.fixture(scope="module")
def loaded(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return load_in_new_process(MATH_TASKS, hub.url, tmp_path_factory.mktemp("made_up") / "home")


@pytest.mark.parametrize("name", MATH_TASKS)
def test_every_gold_is_right_and_a_near_miss_wrong(loaded: dict[str, Any], hub: Hub, name: str) -> None:
    assert isinstance(loaded[name], LoadedTask), loaded[name]
    assert loaded[name].commit == hub.commit(loaded[name].description.dataset)
    for question in loaded[name].questions:
        assert grade(question.target, rf"It is \boxed{{{question.target}}}.").status is Status.CORRECT
        assert grade(question.target, rf"It is \boxed{{{question.target}+1}}.").status is Status.INCORRECT
        assert r"\boxed{}" in question.messages[0]["content"]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("amo_bench", 3),
        ("imo_answerbench", 2),
        ("livemathbench_en", 12),
        ("livemathbench_cn", 12),
        ("livemathbench_hard", 6),
        ("math_perturb_hard", 2),
        ("minerva_math_272", 1),
        ("olympiadbench", 4),
        ("polymath_sw", 11),
    ],
)
def test_rows_that_cannot_be_checked_are_left_out(loaded: dict[str, Any], name: str, count: int) -> None:
    assert len(loaded[name].questions) == count


def test_joined_parts_are_strata(loaded: dict[str, Any]) -> None:
    parts = [question.stratum for question in loaded["livemathbench_cn"].questions]
    assert list(dict.fromkeys(parts)) == ["CNMO", "CCEE", "AMC", "WLPMC"]
    assert [question.stratum for question in loaded["livemathbench_hard"].questions] == ["en"] * 3 + ["cn"] * 3
    assert len({question.id for question in loaded["livemathbench_hard"].questions}) == 6


def test_the_instruction_is_in_the_language_of_the_question(loaded: dict[str, Any]) -> None:
    for name in ("livemathbench_cn", "livemathbench_hard", "olymmath_zh_hard", "polymath_zh"):
        assert "请逐步推理" in loaded[name].questions[-1].messages[0]["content"]
    for name in ("livemathbench_en", "livemathbench_hard", "olymmath_en_hard", "polymath_sw"):
        assert "Please reason step by step" in loaded[name].questions[0].messages[0]["content"]


@pytest.mark.parametrize("names", [POLYMATH_TASKS, ["olymmath_en_easy", "olymmath_zh_easy"]])
def test_translations_share_their_clusters(loaded: dict[str, Any], names: list[str]) -> None:
    assert len({tuple(question.cluster for question in loaded[name].questions) for name in names}) == 1
    assert len({loaded[name].description.family for name in names}) == 1


def test_a_perturbed_problem_shares_its_cluster_with_the_original(loaded: dict[str, Any]) -> None:
    clusters = [question.cluster for question in loaded["math_perturb_simple"].questions]
    assert clusters == ["1", "test/counting_and_probability/525.json"]
    assert loaded["math_perturb_simple"].description.family == "math"


def test_targets(loaded: dict[str, Any]) -> None:
    assert loaded["amo_bench"].questions[2].target == "4"
    assert loaded["gsm8k_platinum"].questions[1].target == "2001"
    assert loaded["olympiadbench"].questions[1].target == "$1$,$9$"
    for answer, status in ((r"\boxed{9, 1}", Status.CORRECT), (r"\boxed{9}", Status.INCORRECT)):
        assert grade("$1$,$9$", answer).status is status


def test_joined_parts_survive_a_failing_hub_and_load_again_without_one(tmp_path: Path) -> None:
    names = ["livemathbench_hard"]
    with serve(fail_first=1) as failing:
        first = load_in_new_process(names, failing.url, tmp_path / "home")
        assert failing.failed > 0
        again = load_in_new_process(names, failing.url, tmp_path / "home", HF_HUB_OFFLINE="1")
    for name in names:
        assert isinstance(first[name], LoadedTask), first[name]
        assert again[name] == first[name]


def test_an_absent_data_set_is_named_by_a_joined_task(tmp_path: Path) -> None:
    with serve() as running:
        del running.repositories["Qwen/PolyMath"]  # type: ignore[attr-defined]
        message, _ = load_in_new_process(["polymath_te"], running.url, tmp_path / "home")["polymath_te"]
    assert message.startswith("task polymath_te needs the data set Qwen/PolyMath, but http://127.0.0.1:")


def test_stock_lm_eval_runs_joined_tasks(hub: Hub, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lm_eval", "--model", "dummy", "--include_path", str(tasks_dir()), "--limit", "2"]
    command += ["--tasks", "livemathbench_cn,polymath_te,olympiadbench"]
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if "exact_match" in line]
    assert [row.split("|")[1].strip() for row in rows] == ["livemathbench_cn", "olympiadbench", "polymath_te"]
