"""`raml-eval diagnose` as a user types it, and its page in the documentation."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import typer

from raml_eval.cli.diagnosing import app
from raml_eval.diagnostics.measures import COLUMNS
from raml_eval.diagnostics.statistics import NOT_SUMMARISED
from tests.test_cli import cli, fails

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "diagnostics.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the fake backend with a sweep and off."""
    out = tmp_path_factory.mktemp("runs") / "swept"
    done = cli(
        *("run", "--model", "pocket", "--backend", "fake", "--tasks", "pocket", "--limit", "4", "--samples", "3", "--quiet"),
        *("--thinking-budget", "off,0,8,16", "--answer-tokens", "48", "--seed", "0", "--out", out),
    )
    assert done.returncode == 0, done.stderr
    return out


def test_a_sweep_is_diagnosed_and_reported(swept: Path, tmp_path: Path) -> None:
    done = cli("diagnose", "statistics", swept)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Trajectory statistics\n====")
    assert done.stdout.splitlines()[-1] == str(swept / "diagnostics" / "statistics")
    subjects = pd.read_parquet(swept / "diagnostics" / "statistics" / "subjects.parquet")
    tasks = json.loads((swept / "manifest.json").read_text())["tasks"]
    assert len(subjects) == 3 * sum(len(entry["questions"]) for entry in tasks.values())  # off is no thinking
    assert set(subjects["budget"]) == {"16"}
    assert subjects["answer_changes"].notna().all()
    page = tmp_path / "page.html"
    assert cli("report", swept, "--out", page).returncode == 0
    assert "Trajectory statistics" in page.read_text()
    assert "Trajectory statistics" in cli("report", swept).stdout


def test_more_samples_make_it_old(swept: Path, tmp_path: Path) -> None:
    lines = (swept / "samples.jsonl").read_text().splitlines()
    older = tmp_path / "older"
    older.mkdir()
    for path in swept.iterdir():
        if path.is_file():
            (older / path.name).write_bytes(path.read_bytes())
    (older / "samples.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    assert cli("diagnose", "statistics", older).returncode == 0
    (older / "samples.jsonl").write_text("\n".join(lines) + "\n")
    text = cli("report", older, "--format", "markdown").stdout
    assert "the diagnosis statistics is left out: it is of" in text
    assert "## Trajectory statistics" not in text
    assert cli("diagnose", "statistics", older).returncode == 0
    assert "## Trajectory statistics" in cli("report", older, "--format", "markdown").stdout


def test_one_task_into_another_folder(swept: Path, tmp_path: Path) -> None:
    done = cli("diagnose", "statistics", swept, "--out", tmp_path / "out", "--task", "pocket_chain")
    assert done.returncode == 0, done.stderr
    assert set(pd.read_parquet(tmp_path / "out" / "statistics" / "subjects.parquet")["task"]) == {"pocket_chain"}


def test_wrong_words_are_one_line(swept: Path, tmp_path: Path) -> None:
    fails(cli("diagnose", "statistics", tmp_path), "not a run directory")
    fails(cli("diagnose", "statistics", swept, "--task", "pocket_chian"), "pocket_chain")
    (tmp_path / "file").write_text("")
    fails(cli("diagnose", "statistics", swept, "--out", tmp_path / "file"), "cannot be made")


@pytest.mark.parametrize("words", [["statistics"], ["pseudo-gradient"], ["token-roles"], ["pruning", "--by", "no-repeats"],
                                   ["landscape"], ["all"]])  # fmt: skip
def test_no_run_is_told_as_by_a_report(tmp_path: Path, words: list[str]) -> None:
    kind, *options = words
    fails(cli("diagnose", kind, tmp_path / "nope", *options), "nope is not a run directory: it has no manifest.json")
    assert not (tmp_path / "nope").exists()


def test_the_page_names_every_option_and_file(swept: Path) -> None:
    command = typer.main.get_command(app).commands["statistics"]  # type: ignore[attr-defined]
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")} - {"--help"}
    assert [option for option in options if not re.search(rf"{option}\b", PAGE)] == []
    cli("diagnose", "statistics", swept)
    names = {path.stem for path in (swept / "diagnostics" / "statistics").iterdir()}
    assert [name for name in names if f"`{name}" not in PAGE] == []
    assert set(COLUMNS) > NOT_SUMMARISED


def test_the_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([\w-]+\.md)\)", PAGE):
        assert (DOCS / target).exists(), target


@pytest.mark.slow
def test_all_are_made_in_turn_and_stand_in_the_report(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the landscape moves weights (pip install 'raml-eval[hf]')")
    run = tmp_path / "run"
    words = ("--limit", "2", "--samples", "2", "--thinking-budget", "off,0,unlimited", "--answer-tokens", "24", "--quiet")
    done = cli("run", "--model", "pocket", "--backend", "hf", "--tasks", "pocket_chain,pocket_sort", *words, "--out", run)
    assert done.returncode == 0, done.stderr
    done = cli("diagnose", "all", run, "--quiet")
    assert done.returncode == 0, done.stderr
    kinds = ["statistics", "pseudo-gradient", "token-roles", "pruning", "landscape"]
    abouts = [json.loads((run / "diagnostics" / kind / "diagnosis.json").read_text()) for kind in kinds]
    assert all(about["complete"] for about in abouts)
    text = cli("report", run, "--format", "markdown").stdout
    titles = [json.loads((run / "diagnostics" / kind / "section.json").read_text())["title"] for kind in kinds]
    assert [text.count(f"\n## {title}") for title in titles] == [1] * 5


def test_one_that_is_refused_leaves_the_others(swept: Path, tmp_path: Path) -> None:
    done = cli("diagnose", "all", swept, "--by", "odd", "--limit", "1", "--out", tmp_path / "out", "--quiet")
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.startswith("error: pruning is left out: ")]
    assert (tmp_path / "out" / "token-roles" / "section.json").exists()
    assert (tmp_path / "out" / "statistics" / "section.json").exists()
