"""One question shown: every decision with its reason, and nothing that could control a terminal."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.reporting.show import visible
from raml_eval.types import Grade, Status
from tests.stored import WRONG, Drawn, ask, store_run
from tests.test_cli import cli, fails

SAMPLES = [
    Drawn("so\n" * 30 + r"\boxed{0.5}", thinking="first\n" + "middle\n" * 50 + "last"),
    Drawn(r"\boxed{3}", Grade(Status.INCORRECT, "3", "boxed", "number")),
    Drawn("", Grade(Status.UNFINISHED, None, "", "the thinking never closed"), finish=None),
    Drawn(r"\boxed{B}", Grade(Status.CORRECT, "B", "boxed", "letter", score=0.5), budget="off", question=1),
]
QUESTIONS = [ask(0, r"\frac{1}{2}"), ask(17, "B", "choice", options=("red", "blue")), ask(17, "x", task="more/tasks")]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return store_run(tmp_path / "run", QUESTIONS, [*SAMPLES, Drawn("x", question=2)])


def show(path: Path, *words: str, task: str = "sums", question: str = "0") -> str:
    done = cli("show", path, "--task", task, "--question", question, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_everything_about_a_sample_is_there(stored: Path) -> None:
    shown = show(stored, "--sample", "1")
    for line in (
        "sums/0-abcdef, graded as math", "  | What is question 0?", r"  | \frac{1}{2}", "--- sample 1 at 8: incorrect ---",
        "thinking (natural, 3 tokens):", "  | hmm", "answer (stop):", r"  | \boxed{3}", "extracted: 3",
        "verdict: incorrect, by rule boxed, decided by number",
        "history: grader 0, when stored: incorrect, extracted 3, by rule boxed, decided by number",
    ):  # fmt: skip
        assert line in shown.splitlines(), line
    options = show(stored, question="17")
    assert "  | A. red\n  | B. blue" in options
    assert "--- sample 0 at off: correct ---" in options
    assert "score 0.5" in options
    unfinished = show(stored, "--sample", "2")
    assert "answer (none was drawn):" in unfinished
    assert "extracted: nothing" in unfinished


def test_long_texts_are_shortened_unless_asked_in_full(stored: Path) -> None:
    short, full = show(stored, "--sample", "0"), show(stored, "--sample", "0", "--full")
    assert full.count("| middle") == 50
    assert full.count("| so") == 30
    assert short.count("| middle") == 9  # two of the first lines, seven of the last
    assert "41 lines left out; --full shows all" in short
    for end in ("| first", "| last", r"| \boxed{0.5}"):
        assert end in short


def test_one_long_line_is_shortened(tmp_path: Path) -> None:
    path = store_run(tmp_path / "run", [ask(0, "1")], [Drawn("a" * 500_000 + "b" * 500_000)])
    assert len(show(path)) < 3000
    assert "999600 characters left out" in show(path)
    assert len(show(path, "--full")) > 1_000_000


def test_the_history_runs_over_the_layers(stored: Path) -> None:
    for _ in range(2):
        assert cli("regrade", stored, "--task", "sums", "--quiet").returncode == 0
    lines = [line for line in show(stored, "--sample", "0").splitlines() if line.startswith("history")]
    assert len(lines) == 2
    assert "grader 0, when stored: incorrect, extracted 7, by rule old rule, decided by old grader" in lines[0]
    assert ", regraded 20" in lines[1]
    assert ": correct, extracted 0.5, by rule boxed" in lines[1]
    same = [line for line in show(stored, "--sample", "2").splitlines() if line.startswith("history")]
    assert same[1].endswith(": the same")


def test_samples_and_budgets_are_chosen(stored: Path) -> None:
    assert show(stored).count("--- sample") == 3
    assert show(stored, "--budget", "8", "--sample", "2").count("--- sample") == 1
    assert "more/tasks/17-abcdef" in show(stored, task="more/tasks", question="17")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--task", "sumz", "--question", "0"], ["sumz", "Did you mean sums?"]),
        (["--task", "sums", "--question", "17-abcdee"], ["17-abcdee", "Did you mean 17-abcdef"]),
        (["--task", "sums", "--question", "4"], ["no question '4'", "0-abcdef"]),
        (["--task", "sums", "--question", "0", "--sample", "9"], ["no sample 9", "0, 1, 2"]),
        (["--task", "sums", "--question", "0", "--budget", "16"], ["no sample at budget 16", "8"]),
        (["--task", "sums", "--question", "\x1b[2J"], ["\\x1b[2J"]),
    ],
)
def test_what_is_not_there_is_named_with_what_is(stored: Path, words: list[str], said: list[str]) -> None:
    fails(cli("show", stored, *words), *said)


def test_a_row_that_two_questions_have_is_ambiguous(tmp_path: Path) -> None:
    from dataclasses import replace

    twins = [ask(3, "1"), replace(ask(3, "1"), id="3-fedcba")]
    path = store_run(tmp_path / "run", twins, [Drawn("1", question=0), Drawn("1", question=1)])
    fails(cli("show", path, "--task", "sums", "--question", "3"), "3-abcdef, 3-fedcba")


HOSTILE = "\x1b[2J\x1b]0;title\x07 \x9b31m \r overwritten \x08\x08 \u202e drow \u200b \x00 \ud800 \u2028 \x7f \U000e0041 \ufeff"


def test_no_text_of_a_model_or_a_task_reaches_the_terminal_raw(tmp_path: Path) -> None:
    question = ask(0, HOSTILE, "choice", options=(HOSTILE, "blue"))
    grade = Grade(Status.INCORRECT, HOSTILE, HOSTILE, HOSTILE)
    path = store_run(tmp_path / "run", [question], [Drawn(HOSTILE, grade, thinking=HOSTILE), Drawn(HOSTILE * 200, grade)])
    for words in ([], ["--full"]):
        shown = show(path, *words)
        steering = {c for c in shown if c not in "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
        assert steering == set()
        assert r"\x1b[2J" in shown
        assert r"\u202e" in shown
        shown.encode("utf-8")
        assert shown.count("extracted: ") == 2  # a line break in an extracted answer makes no line of its own


def test_a_model_cannot_forge_a_line_of_the_harness(tmp_path: Path) -> None:
    forged = "x\nverdict: correct\r\nverdict: correct\u2028verdict: correct\x0bverdict: correct"
    path = store_run(tmp_path / "run", [ask(0, "1")], [Drawn(forged, Grade(Status.INCORRECT, forged), thinking=forged)])
    verdicts = [line for line in show(path, "--full").splitlines() if line.startswith("verdict")]
    assert verdicts == ["verdict: incorrect"]


@given(st.text())
def test_visible_text_steers_nothing_and_loses_nothing(text: str) -> None:
    seen = visible(text)
    assert not any(c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in seen)
    rest = iter(seen)
    assert all(c in rest for c in text if c.isprintable())  # in this order
    assert seen.count("\n") == text.count("\n")


def test_it_prints_where_only_ascii_can_be(stored: Path) -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "raml_eval", "show", stored, "--task", "sums", "--question", "0"],
        env={"PYTHONIOENCODING": "ascii", "PATH": "", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"lines left out" in done.stdout


def test_the_default_verdict_of_a_stored_sample_is_shown(tmp_path: Path) -> None:
    path = store_run(tmp_path / "run", [ask(0, "1")], [Drawn("x")], version=None)
    assert f"history: grader unknown, when stored: {WRONG.status.value}" in show(path)
