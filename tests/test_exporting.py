"""What an export refuses before it needs another program's library."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from raml_eval.errors import ConfigError
from raml_eval.exporting.inspect_log import export_inspect, log_name
from raml_eval.tables import Run, load_run
from tests.stored import Drawn, ask, store_run
from tests.test_cli import cli


@pytest.fixture
def run(tmp_path: Path) -> Run:
    drawn = [Drawn("x", budget=budget) for budget in (8, 16)]
    return load_run(store_run(tmp_path / "run", [ask(0, "12"), ask(0, "1", task="b/c_d")], drawn + [
        Drawn("y", budget=budget, question=1) for budget in (8, 16)]))  # fmt: skip


@pytest.fixture
def without_inspect(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("inspect_ai", "inspect_ai.log"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("out", "settings", "told"),
    [
        (
            "log.eval",
            {},
            r"is one log, which holds one task at one budget, and there are 4 \(sums at 8, sums at 16, b/c_d at 8",
        ),
        ("log.txt", {}, r"ends in '\.txt'; wanted \.eval or \.json for one log, or a folder"),
        ("logs", {"tasks": ["sum"]}, r"there is no task 'sum'\. Did you mean sums\?"),
        ("logs", {"budgets": ["32"]}, r"there is no budget '32'.*There are 8, 16"),
        ("here.eval", {"tasks": ["sums"], "budgets": ["8"]}, r"here\.eval exists\. Choose another --out"),
    ],
)
def test_what_cannot_be_exported(out: str, settings: dict[str, list[str]], told: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "here.eval").touch()
    with pytest.raises(ConfigError, match=told):
        export_inspect(run, tmp_path / out, **settings)


def test_a_missing_inspect_is_told_before_anything_is_written(run: Run, without_inspect: None, tmp_path: Path) -> None:
    done = cli("export", "inspect", run.directory, "--out", tmp_path / "logs")
    assert done.returncode == 2
    told = "error: a log for Inspect needs the package inspect_ai, which is missing. Install it: pip install inspect_ai\n"
    assert (done.stdout, done.stderr) == ("", told)
    assert not (tmp_path / "logs").exists()


def test_names_of_logs_have_the_parts_that_inspect_reads(run: Run) -> None:
    names = [log_name(run, task, budget) for task in run.tasks for budget in (*run.budgets, "effort:low")]
    assert len(set(names)) == 6
    for name in names:
        time, task, number = name.removesuffix(".eval").split("_")
        assert time[:2].isdecimal()
        assert task.startswith(("sums-", "b-c-d-"))
        assert number.isalnum()
