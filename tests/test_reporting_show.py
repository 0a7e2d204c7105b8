"""One question shown: every decision with its reason, and nothing that could control a terminal."""

from __future__ import annotations

import json
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.checkpoint import find_checkpoint
from raml_eval.prompts.tokenizer import load_tokenizer
from raml_eval.reporting.show import visible
from raml_eval.store import pack_ids
from raml_eval.types import Budget, Grade, Status
from tests.imports import import_lines
from tests.imports import line as log_line
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


def cut_run(path: Path, model: str) -> Path:
    """A run whose one trajectory is read whole, at half of its tokens and at none, with thinking in the pocket's tokens."""
    tokenizer = load_tokenizer(find_checkpoint("pocket"))
    thinking = "1+2=3\n4+5=9\n"
    ids = tuple(tokenizer.encode(thinking, add_special_tokens=False))
    kept: dict[Budget, int] = {"unlimited": len(ids), len(ids) // 2: len(ids) // 2, 0: 0}
    store_run(path, [ask(0, "1")], [Drawn("\n\nnine", budget=budget, thinking=thinking) for budget in kept])
    trajectory = path / "trajectories.jsonl"
    lines_ = [json.loads(line) for line in trajectory.read_text().splitlines()]
    trajectory.write_text("".join(json.dumps({**line, "token_ids": pack_ids(ids)}) + "\n" for line in lines_))
    samples = [json.loads(line) for line in (path / "samples.jsonl").read_text().splitlines()]
    for sample in samples:
        sample["n_thinking_tokens"] = kept[sample["budget"]]
        sample["thinking_end"] = "natural" if sample["budget"] == "unlimited" else "forced"
    (path / "samples.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "model": {"name": model, "revision": None}}))
    return path


def test_a_budget_shows_only_the_thinking_that_it_kept(tmp_path: Path) -> None:
    path = cut_run(tmp_path / "run", "pocket")
    assert show(path, "--budget", "unlimited").count("  | 4+5=9") == 1
    none = show(path, "--budget", "0").splitlines()
    drawn = len(load_tokenizer(find_checkpoint("pocket")).encode("1+2=3\n4+5=9\n", add_special_tokens=False))
    place = none.index(f"thinking (forced at 0 of {drawn} drawn tokens)")
    assert none[place + 1 : place + 3] == ["answer (stop):", "  | nine"]
    half = show(path, "--budget", str(drawn // 2), "--full").splitlines()
    place = half.index(f"thinking (forced at {drawn // 2} of {drawn} drawn tokens):")
    assert half[place + 1 : place + 3] == ["  | 1+2=3", "answer (stop):"]


def test_without_the_tokenizer_all_of_the_thinking_is_shown_and_the_header_says_so(tmp_path: Path) -> None:
    for number, model in enumerate(("/no/such/model", "no--such--/model", "nobody/has-this-one")):
        path = cut_run(tmp_path / str(number), model)
        budgets = json.loads((path / "manifest.json").read_text())["plan"]["budgets"]
        half = next(budget for budget in budgets if budget not in (0, "unlimited"))
        shown = show(path, "--budget", str(half))
        assert "; all are shown, because the model's tokenizer is not here):" in shown
        assert "  | 4+5=9" in shown
        assert "4+5=9" not in show(path, "--budget", "0")


def test_a_question_of_an_import_is_found_by_its_place(tmp_path: Path) -> None:
    log = [log_line(question_id=name, target=gold, completion=text) for name, gold, text in (
        ("first", "4", "4"), ("second", "5", "<think>hm</think>5")
    )]  # fmt: skip
    path = import_lines(tmp_path, log).directory
    shown = show(path)
    assert "sums/first-" in shown
    assert "thinking: none in the log" in shown
    assert "sums/second-" in show(path, question="1")
    fails(cli("show", path, "--task", "sums", "--question", "2"), "no question '2'")
    (tmp_path / "numbers").mkdir()
    numbered = import_lines(tmp_path / "numbers", [log_line(question_id=name) for name in ("7", "1")]).directory
    assert "sums/1-" in show(numbered, question="1")
    fails(cli("show", numbered, "--task", "sums", "--question", "0"), "no question '0'")
