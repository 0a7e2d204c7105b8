"""`raml-eval import` as a user types it: every format up to a table, a comparison of two imported runs, and failures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from raml_eval.grading import GRADER_VERSION
from tests.imports import FIXTURES, line, write_log
from tests.test_cli import FAKE, cli, fails

LM_EVAL = FIXTURES / "lm_eval"


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for model in ("reasoner", "plain"):
        log, out = LM_EVAL / f"demo__{model}", folder / model
        words = ["--grader", "math", "--samples", "1", "--thinking-budget", "unlimited"]
        done = cli("import", "lm-eval", log, "--out", out, *words)
        assert done.returncode == 0, done.stderr
    return folder / "reasoner", folder / "plain"


@pytest.mark.parametrize(
    ("format", "path", "words", "said"),
    [
        (
            "lm-eval",
            LM_EVAL / "demo__reasoner",
            ["--grader", "math", "--task", "toy_sums"],
            f"imported from lm-eval 0.4.13, graded by raml_eval (grader {GRADER_VERSION})",
        ),
        (
            "lighteval",
            FIXTURES / "lighteval" / "details" / "demo" / "reasoner",
            ["--task", "toy_sums|0", "--grader", "toy_sums|0=math"],
            "their pass@k:k=1&n=1 agrees with our verdict on 100.0 % of 4 samples",
        ),
        (
            "opencompass",
            FIXTURES / "opencompass",
            ["--grader", "math"],
            "their correct agrees with our verdict on 62.5 % of 8 samples (right only there: 0, only here: 3)",
        ),
        (
            "inspect",
            FIXTURES / "inspect" / "toy_sums.eval",
            [],
            "their match agrees with our verdict on 71.4 % of 7 samples (right only there: 0, only here: 2)",
        ),
        (
            "inspect",
            FIXTURES / "inspect" / "toy_pick.json",
            [],
            "their choice agrees with our verdict on 100.0 % of 2 samples",
        ),
    ],
)
def test_every_format_ends_in_a_table_that_says_where_it_came_from(
    format: str, path: Path, words: list[str], said: str, tmp_path: Path
) -> None:
    done = cli("import", format, path, "--out", tmp_path / "run", *words)
    assert done.returncode == 0, done.stderr
    assert said in " ".join(done.stdout.split())
    assert re.fullmatch(
        rf"{re.escape(str(tmp_path / 'run'))}: \d+ samples?; grading .* s, classes .* s", done.stdout.splitlines()[-1]
    )
    for form in ("terminal", "markdown", "csv", "json", "latex"):
        report = cli("report", tmp_path / "run", "--format", form, "--allow-partial")
        assert report.returncode == 0, report.stderr
    assert said.partition(" (")[0] in " ".join(cli("report", tmp_path / "run", "--allow-partial").stdout.split())


def test_jsonl_is_imported_too(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.jsonl", [line(verdict=1), line(completion="\\boxed{5}", verdict=1)])
    done = cli("import", "jsonl", log, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "imported from JSON lines (its version is not in the log)" in text
    assert "their verdict agrees with our verdict on 50.0 % of 2 samples (right only there: 1, only here: 0)" in text
    assert "n/a" in text  # tokens that nobody counted


def test_two_imported_runs_are_compared_on_shared_questions(two_runs: tuple[Path, Path]) -> None:
    done = cli("compare", *two_runs)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "plain against reasoner: inconclusive" in text
    assert text.count("toy_sums inconclusive 50.0 75.0") == 1
    assert "both runs: imported from lm-eval 0.4.13" in text
    assert "plain: their exact_match,strict-match agrees with our verdict on" in text
    report = cli("report", *two_runs, "--base", two_runs[0])
    assert report.returncode == 0, report.stderr
    assert "gain" in report.stdout


def test_an_imported_run_is_never_drawn_on(two_runs: tuple[Path, Path]) -> None:
    before = {path.name: path.read_bytes() for path in two_runs[0].iterdir() if path.name != "lock"}
    fails(cli(*FAKE, "--out", two_runs[0]), "was imported from lm-eval", "cannot be resumed", "Choose another --out")
    assert {path.name: path.read_bytes() for path in two_runs[0].iterdir() if path.name != "lock"} == before


def test_an_existing_directory_is_refused(two_runs: tuple[Path, Path]) -> None:
    fails(cli("import", "lm-eval", LM_EVAL / "demo__plain", "--out", two_runs[0]), "exists, but an import writes a new run")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lm-evals", LM_EVAL], ["no log format 'lm-evals'", "lm-eval"]),
        (["lm-eval", LM_EVAL / "nowhere"], ["nowhere does not exist"]),
        (["lm-eval", LM_EVAL / "demo__plain"], ["does not say how task toy_sums is graded", "--grader toy_sums=KIND"]),
        (["lm-eval", LM_EVAL / "demo__plain", "--grader", "math"], ["different numbers of samples", "--samples N"]),
        (["lm-eval", LM_EVAL / "demo__plain", "--grader", "maths"], ["no grader 'maths'", "math"]),
        (["lm-eval", LM_EVAL / "demo__plain", "--task", "toy_sum"], ["--task names 'toy_sum'", "toy_sums"]),
        (["lm-eval", LM_EVAL, "--grader", "math"], ["task toy_sums is in 2 logs"]),
        (["lm-eval", FIXTURES / "lm_eval_scored"], ["holds 3 scored continuations"]),
        (["lighteval", FIXTURES / "lighteval_scored"], ["holds scored continuations"]),
        (["inspect", LM_EVAL / "demo__plain"], ["holds no .eval or .json log of Inspect"]),
        (["jsonl", FIXTURES / "inspect" / "toy_pick.json"], ["toy_pick.json:1 is not complete JSON"]),
        (["opencompass", FIXTURES / "opencompass", "--grader", "math", "--thinking-budget", "off"], ["the log holds thinking"]),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(words: list[str | Path], said: list[str], tmp_path: Path) -> None:
    fails(cli("import", *words, "--out", tmp_path / "run"), *said)
    assert list(tmp_path.iterdir()) == []


def test_quiet_prints_the_directory_alone(tmp_path: Path) -> None:
    done = cli("import", "inspect", FIXTURES / "inspect" / "toy_pick.json", "--out", tmp_path / "run", "--quiet")
    assert (done.stdout.strip(), done.stderr) == (str(tmp_path / "run"), "")


def test_settings_reach_the_run(tmp_path: Path) -> None:
    words = [
        "--model",
        "mine",
        "--name",
        "first",
        "--task-map",
        "toy_pick=arc_challenge",
        "--limit",
        "1",
        "--thinking-budget",
        "64",
    ]
    done = cli("import", "inspect", FIXTURES / "inspect" / "toy_pick.json", "--out", tmp_path / "run", *words, "--quiet")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (manifest["name"], manifest["model"]["name"]) == ("first", "mine")
    assert manifest["plan"] == {"tasks": ["arc_challenge"], "budgets": [64], "samples": 1, "limit": 1}
