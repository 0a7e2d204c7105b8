"""The commands as a user types them: what they print, and how they fail."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pandas as pd
import pytest

from raml_eval.cli import main

ROOT = Path(__file__).resolve().parents[1]
POCKET = ROOT / "raml_eval" / "pocket"
FAKE = [
    "run", "--model", "pocket", "--backend", "fake", "--tasks", "pocket_chain,pocket_logic", "--samples", "2", "--limit", "3",
    "--thinking-budget", "0,16,unlimited", "--answer-tokens", "48", "--max-total-tokens", "256", "--quiet",
]  # fmt: skip


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def cli(*words: str | Path) -> Done:
    """Runs the command in this process, so that the imports are loaded only once."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    argv = mock.patch.object(sys, "argv", ["raml-eval", *map(str, words)])
    with argv, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "fake"
    done = cli(*FAKE, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def fails(done: Done, *words: str) -> None:
    """Checks for exit code 2 and one line that contains each of the words."""
    assert done.returncode == 2, (done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]


def test_a_run_is_complete_and_every_format_reports_it(finished: Path, tmp_path: Path) -> None:
    assert len((finished / "samples.jsonl").read_text().splitlines()) == 2 * 3 * 2 * 3
    for form in ("terminal", "markdown", "csv", "json", "latex"):
        out = tmp_path / f"report.{form}"
        done = cli("report", finished, "--format", form, "--out", out)
        assert done.returncode == 0, done.stderr
        assert "pocket_chain" in out.read_text().replace("\\_", "_")
    rows = json.loads((tmp_path / "report.json").read_text())["rows"]
    assert {"run", "model", "task", "domain", "budget", "metric", "k", "tau", "value", "low", "high"} <= rows[0].keys()


def test_running_again_draws_nothing_and_more_samples_extend(finished: Path) -> None:
    before = (finished / "samples.jsonl").read_bytes()
    again = cli(*FAKE, "--out", finished)
    assert again.returncode == 0
    assert "the engine was not started" in again.stderr
    assert (finished / "samples.jsonl").read_bytes() == before
    assert cli(*FAKE, "--samples", "3", "--out", finished).returncode == 0
    after = (finished / "samples.jsonl").read_bytes()
    assert after.startswith(before)
    assert len(after.splitlines()) == 2 * 3 * 3 * 3


def test_compare_with_itself_is_no_regression(finished: Path) -> None:
    done = cli("compare", finished, finished)
    assert done.returncode == 0, done.stderr
    assert "pocket_chain" in done.stdout


def test_another_configuration_on_the_same_directory(finished: Path) -> None:
    before = (finished / "manifest.json").read_bytes()
    fails(cli(*FAKE, "--temperature", "0.1", "--out", finished), "sampling.temperature", "0.6 there and 0.1 here")
    assert (finished / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--tasks", "pocket_chian"], ["pocket_chian", "pocket_chain"]),
        (["--set", "sampling.temprature=1"], ["unknown key sampling.temprature", "temperature"]),
        (["--model", "/no/such/checkpoint"], ["/no/such/checkpoint"]),
        (["--backend", "vlm"], ["vlm", "vllm"]),
        (["--thinking-format", "none"], ["off"]),
        (["--thinking-format", "qwen4"], ["qwen4", "qwen3"]),
        (["--format", "qwen3"], ["run has no --format", "--thinking-format qwen3"]),
        (["--thinking-budget", "lots"], ["thinking budget 'lots'"]),
        (["--thinking-budget", "99999", "--set", "max_total_tokens=null"], ["99999", "context"]),
        (["--max-total-tokens", "99999"], ["99999", "context"]),
        (["--config", "/no/such.yaml"], ["/no/such.yaml"]),
        (["--backend-arg", "contxt=5"], ["contxt", "context"]),
        (["--closing-text", "stop</think>"], ["</think>"]),
    ],
)
def test_bad_input_is_one_line_and_writes_no_samples(change: list[str], words: list[str], tmp_path: Path) -> None:
    asked = ["run", *FAKE[3:]] if "--model" in change else FAKE  # a second model would be a second run
    fails(cli(*asked, *change, "--out", tmp_path / "run"), *words)
    assert not (tmp_path / "run" / "samples.jsonl").exists() or not (tmp_path / "run" / "samples.jsonl").read_bytes()


def test_no_place_to_write(tmp_path: Path) -> None:
    fails(cli(*FAKE), "out is not given")
    (tmp_path / "file").write_text("")
    fails(cli(*FAKE, "--out", tmp_path / "file" / "run"), "Choose a writable --out")
    fails(cli("run", "pocket", "--backend", "fake", "--quiet", "--out", "/proc/run"), "/proc/run")


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    for command in (["report", tmp_path], ["compare", tmp_path, tmp_path], ["leaderboard", "build", tmp_path]):
        fails(cli(*command), str(tmp_path))


def test_a_corrupt_line_names_its_place(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    copy.mkdir()
    for path in finished.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "samples.jsonl").write_bytes(b"garbage\n" + (copy / "samples.jsonl").read_bytes())
    fails(cli("report", copy), "samples.jsonl:1")
    fails(cli(*FAKE, "--out", copy), "samples.jsonl:1")


def test_a_dry_run_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("run", "pocket", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "dry run" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_task_commands() -> None:
    listed = cli("tasks", "list")
    assert listed.returncode == 0
    assert {"aime24", "gsm8k", "pocket_chain"} <= {line.split(" ")[0] for line in listed.stdout.splitlines()}
    assert "licence" in cli("tasks", "show", "gsm8k").stdout
    fails(cli("tasks", "show", "gsm9k"), "gsm8k")
    assert cli("tasks", "check").returncode == 0


def test_help_imports_nothing_heavy() -> None:
    code = "import json, sys; from raml_eval.cli import app; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"pydantic", "torch", "transformers", "pandas", "numpy", "datasets", "lm_eval", "vllm", "scipy", "yaml", "asyncio"}
    assert not heavy & set(json.loads(done.stdout))


HELPS = [
    "",
    "run",
    "report",
    "compare",
    "power",
    "noise",
    "sweep",
    "regrade",
    "audit",
    "show",
    "judge",
    "import",
    "tasks",
    "tasks check",
    "leaderboard",
    "diagnose",
    "diagnose statistics",
]


@pytest.mark.parametrize("command", HELPS)
def test_help_cuts_nothing_and_names_what_an_option_takes(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = cli(*command.split(), "--help").stdout.splitlines()
    assert len(shown) > 5
    assert [line for line in shown if line.endswith("...") and not line.startswith("Usage: ")] == []
    assert [line for line in shown if line.startswith("  -") and "list[" in line] == []


def test_a_report_is_written_in_the_format_of_its_ending(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    of = "Checkpoint report"
    for name, begins in (("a.md", f"# {of}"), ("a.tex", f"% {of}"), ("a.txt", f"{of}\n===="), ("there", f"{of}\n====")):
        assert cli("report", finished, "--out", tmp_path / name).returncode == 0
        assert (tmp_path / name).read_text().startswith(begins)
    fails(
        cli("report", finished, "--out", tmp_path / "plot.doc"),
        "plot.doc ends in '.doc'",
        ".md, .html, .tex, .txt, .csv, .json",
    )
    fails(cli("report", finished, "--out", tmp_path / "plot.pdf"), "plot.pdf is one picture, and the report has 2 figures")
    assert not (tmp_path / "plot.pdf").exists()
    assert cli("report", finished, "--out", tmp_path / "a.report", "--format", "csv").returncode == 0
    fails(cli("report", finished, "--format", "csv", "--out", tmp_path / "page.html"), "which is html, and --format is csv")
    assert not (tmp_path / "page.html").exists()
    assert cli("report", finished, "--format", "markdown", "--out", tmp_path / "b.txt").returncode == 0


@pytest.mark.parametrize("words", [(), ("--report", "checkpoint")])
@pytest.mark.parametrize("there", [False, True])
def test_a_path_without_an_ending_is_a_folder_for_all(
    words: tuple[str, ...], there: bool, finished: Path, tmp_path: Path
) -> None:
    if there:
        (tmp_path / "all").mkdir()
    assert cli("report", finished, *words, "--out", f"{tmp_path / 'all'}/").returncode == 0
    assert {f"report.{ending}" for ending in ("md", "html", "tex", "csv", "json", "parquet")} | {"figures"} == {
        path.name for path in (tmp_path / "all").iterdir()
    }


def test_the_numbers_are_the_same_rows_in_every_file(finished: Path, tmp_path: Path) -> None:
    for ending in ("csv", "json", "parquet"):
        assert cli("report", finished, "--out", tmp_path / f"a.{ending}").returncode == 0
        assert cli("report", finished, "--report", "checkpoint", "--out", tmp_path / f"b.{ending}").returncode == 0
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    assert cli("report", finished, "--format", "csv").stdout == (tmp_path / "a.csv").read_text()
    csv, parquet = pd.read_csv(tmp_path / "a.csv"), pd.read_parquet(tmp_path / "a.parquet")
    rows = json.loads((tmp_path / "a.json").read_text())["rows"]
    assert list(csv.columns) == list(parquet.columns) == list(rows[0])
    for name in ("task", "budget", "metric", "value"):
        told, *others = (frame[name].astype(object).fillna("").tolist() for frame in (pd.DataFrame(rows), csv, parquet))
        assert others == [told, told]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--contamination", "{run}", "--out", "a.html"], "a report with parts does not take --contamination"),
        (["--contamination", "{run}", "--report", "stability"], "--report stability does not take --contamination"),
        (["--template", "compact", "--out", "folder"], "a report with parts does not take --template"),
        (["--template", "compact", "--out", "a.parquet"], "a report with parts does not take --template"),
        (["--contamination", "{run}", "--out", "a.csv"], "the table of contamination has no form as csv"),
    ],
)
def test_what_only_the_standard_report_has_is_not_left_out_in_silence(words: list[str], told: str, finished: Path) -> None:
    fails(cli("report", finished, *(word.format(run=finished) for word in words)), told)


@pytest.mark.parametrize("words", [["--out", "x.doc"], ["--out", "x.csv", "--format", "json"], ["--report", "chekpoint"]])
def test_what_cannot_be_written_is_refused_before_a_run_is_read(words: list[str], tmp_path: Path) -> None:
    done = cli("report", tmp_path / "no_such_run", *words)
    assert done.returncode != 0
    assert "no_such_run" not in done.stderr


def test_a_sweep_is_printed_written_and_drawn(finished: Path, tmp_path: Path) -> None:
    done = cli("sweep", finished, "--price", "2.5", "--plot", tmp_path / "figures")
    assert done.returncode == 0, done.stderr
    assert "cost per correct" in done.stdout
    assert str(tmp_path / "figures" / "sweep_curve.svg") in done.stdout
    assert (tmp_path / "figures" / "sweep_frontier.png").exists()
    assert cli("sweep", finished, "--out", tmp_path / "sweep.csv", "--k", "1,2").returncode == 0
    assert (tmp_path / "sweep.csv").read_text().startswith("run,model,task,domain,metric,budget,against,")
    assert "## Allocation" in cli("sweep", finished, "--format", "markdown").stdout
    fails(cli("sweep", finished, "--price", "0"), "--price 0", "above 0")
    fails(cli("sweep", finished, "--out", tmp_path / "sweep.pdf"), "ends in '.pdf'")


def test_a_run_without_a_sweep_is_refused(tmp_path: Path) -> None:
    single = [word if word != "0,16,unlimited" else "16" for word in FAKE]
    assert cli(*single, "--out", tmp_path / "run").returncode == 0
    fails(cli("sweep", tmp_path / "run"), "at least two thinking budgets in tokens", "run has 16")


def test_timings_are_told_only_of_a_session_that_this_command_had(tmp_path: Path) -> None:
    loud, out = [word for word in FAKE if word != "--quiet"], tmp_path / "run"
    first, again = (cli(*loud, "--out", out).stdout.splitlines()[-1] for _ in range(2))
    assert first.startswith(f"{out}: 36 samples; tokenizer ")
    assert "generation " in first
    assert again == f"{out}: 36 samples"


def test_a_task_is_shown_without_what_it_lacks() -> None:
    shown = cli("tasks", "show", "gsm8k").stdout
    assert "None" not in shown
    assert "chance" not in shown
    assert all(len(line.split()) > 1 for line in shown.splitlines() if line)


def test_the_check_says_how_many_files_it_read(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text((ROOT / "tasks" / "suites" / "pocket.yaml").read_text().replace("pocket\n", "mine\n", 1))
    assert cli("tasks", "check", tmp_path).stdout == "1 task file, no problems\n"
    assert re.search(r"task files, 4 tasks loaded with \d+ golds, no problems", cli("tasks", "check").stdout)


def test_the_summary_of_a_step_is_added_to(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary, other = tmp_path / "step_summary_1", tmp_path / "other"
    other.touch()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.chdir(tmp_path)
    for out in (summary, summary.name, other, other):
        assert cli("report", finished, "--out", out).returncode == 0
    once = cli("report", finished, "--format", "markdown").stdout.strip()
    assert once.startswith("# fake")
    assert summary.read_text().split(f"{once}\n") == ["", "\n", ""]  # Markdown, twice, with a blank line between
    assert other.read_text().startswith("Checkpoint report\n====")
    assert cli("sweep", finished, "--out", summary).returncode == 0
    assert summary.read_text().startswith(f"{once}\n\n{once}\n\n# Thinking budgets")


@pytest.mark.parametrize(
    "words",
    [
        [*FAKE, "--out", ""], [*FAKE, "--out="], [*FAKE, "--config", ""], ["report", ".", "--out", ""],
        ["report", ".", "--plot="], ["report", ".", "--base", ""], ["sweep", ".", "--out", ""],
        ["import", "jsonl", "x", "--out", ""], ["audit", ".", "--against", ""], ["tasks", "list", "--task-path", ""],
    ],
)  # fmt: skip
def test_an_empty_path_is_not_the_current_directory(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fails(cli(*words), "it is empty", "--help")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_out_of_a_configuration_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fails(cli(*FAKE, "--set", "out=''"), "out is ''", "it is empty")
    fails(cli(*FAKE, "--set", "out="), "out is not given")
    assert list(tmp_path.iterdir()) == []
