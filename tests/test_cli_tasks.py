"""raml-eval tasks: what the lists show, and that each fault of a new task is told once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_cli import FAKE, cli, fails


def test_a_list_is_narrow_and_says_how_many_tasks_a_suite_has() -> None:
    lines = cli("tasks", "list").stdout.splitlines()
    assert max(map(len, lines)) < 230
    assert any(line.split() == ["math", "suite", "of", "3", "tasks:", "aime24,", "math500_l5,", "gsm8k"] for line in lines)
    assert "raml-eval tasks list reasoning_gym:" in lines[-1]


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("GSM", ["gsm8k", "gsm8k_platinum"]),
        ("CALENDAR", ["reasoning_gym:calendar_arithmetic"]),
        ("aime2", ["aime24", "aime25", "aime26"]),
    ],
)
def test_a_word_narrows_the_list(word: str, named: list[str]) -> None:
    listed = cli("tasks", "list", word)
    assert [line.split()[0] for line in listed.stdout.splitlines() if line] == named


def test_generators_are_listed_without_the_refused_ones() -> None:
    listed = cli("tasks", "list", "reasoning_gym:").stdout.splitlines()
    plain = [line for line in listed if line and "?" not in line.split()[0]]
    assert len(plain) == 89
    assert not any(line.startswith("reasoning_gym:composite") for line in listed)


def test_a_list_that_would_be_empty_is_an_error() -> None:
    fails(cli("tasks", "list", "gsm8q"), "no task or suite has 'gsm8q' in its name", "Did you mean gsm8k")


def test_a_suite_is_shown_before_its_tasks() -> None:
    first, about, ranked, blank, name = cli("tasks", "show", "quick").stdout.splitlines()[:5]
    assert first == "quick: suite of 3 tasks: amc23, hmmt_feb25, gpqa_diamond"
    assert about.startswith("268 questions")
    assert (ranked, blank) == ("primary endpoint: avg@n at budget unlimited", "")
    assert name.split() == ["name", "amc23"]
    assert cli("tasks", "show", "gsm8k").stdout.startswith("name ")


def test_a_fault_that_the_check_knows_is_told_once(tmp_path: Path) -> None:
    assert cli("tasks", "new", "mine", "--folder", tmp_path).returncode == 0
    (tmp_path / "mine" / "questions.jsonl").unlink()
    checked = cli("tasks", "check", tmp_path)
    assert checked.returncode == 2
    (told,) = (line for line in checked.stderr.splitlines() if "questions.jsonl" in line)
    assert told.startswith(f"{tmp_path / 'mine' / 'mine.yaml'}:5: dataset_kwargs.data_files names questions.jsonl, which")


def test_what_preview_and_new_refuse(tmp_path: Path) -> None:
    assert "--limit" in cli("tasks", "preview", "pocket_chain", "--limit", "0").stderr
    fails(cli("tasks", "new", "mine", "--domain", "both", "--folder", tmp_path), "no domain 'both'")
    (tmp_path / "file").write_text("", encoding="utf-8")
    fails(cli("tasks", "new", "mine", "--folder", tmp_path / "file"), "cannot be written: Not a directory")


def test_the_programs_of_a_task_are_read_but_give_no_answer(tmp_path: Path) -> None:
    assert cli("tasks", "new", "mine", "--grader", "code", "--folder", tmp_path).returncode == 0
    shown = cli("tasks", "preview", "mine", "--task-path", tmp_path).stdout.splitlines()
    assert shown[-1] == "1 of 1 golds can be read by their grader"


def test_all_data_sets_that_a_folder_lacks_are_named(tmp_path: Path) -> None:
    done = cli(
        "run",
        "--model",
        "pocket",
        "--tasks",
        "gsm8k,pocket_chain,aime24,aime25",
        "--data-dir",
        tmp_path,
        "--out",
        tmp_path / "run",
    )
    fails(done, "task gsm8k needs the data set openai/gsm8k", "Nor can these be loaded: aime24, aime25.")


def test_rows_that_were_changed_are_named_when_a_run_goes_on(tmp_path: Path) -> None:
    assert cli("tasks", "new", "mine", "--folder", tmp_path).returncode == 0
    run = [*FAKE[: FAKE.index("--tasks")], "--tasks", "mine", "--task-path", tmp_path, "--quiet", "--out", tmp_path / "run"]
    assert cli(*run).returncode == 0
    rows = tmp_path / "mine" / "questions.jsonl"
    rows.write_text(rows.read_text(encoding="utf-8") + json.dumps({"question": "2+3?", "answer": "5"}) + "\n", encoding="utf-8")
    fails(cli(*run), "the rows of mine have changed (digest ", "the questions that mine makes of its rows have changed")


def test_a_plan_without_a_limit_is_told_in_words(tmp_path: Path) -> None:
    run = [*FAKE[: FAKE.index("--tasks")], "--tasks", "pocket_chain", "--samples", "1", "--quiet", "--out", tmp_path / "run"]
    cli(*run)
    assert "as a whole: limit none" in cli(*run, "--limit", "2").stderr
