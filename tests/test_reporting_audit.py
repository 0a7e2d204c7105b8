"""The audit: each kind of grader's error is found, ranked, and printed without harm."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from raml_eval.answer_classes import with_classes
from raml_eval.reporting.audit import Audit, audit_run, count_reasons, render_audit
from raml_eval.reporting.likeness import bare_text, differ_oddly, firm_text, looks_equal, soften, text_pattern
from raml_eval.store import read_run
from raml_eval.types import Budget, Grade, Question, Status
from tests.stored import Drawn, ask, store_run
from tests.test_cli import cli, fails


def given(status: str, extracted: str | None, detail: str = "math-verify") -> Grade:
    return Grade(Status(status), extracted, "boxed", detail)


def audit(path: Path, questions: list[Question], samples: list[Drawn]) -> Audit:
    return audit_run(with_classes(read_run(store_run(path / "run", questions, samples), drawn=False)))


def reasons(found: Audit) -> dict[str, float]:
    return {s.reason: s.suspicion for finding in found.findings for s in finding.suspects}


HARMLESS = [
    Drawn(r"\boxed{12}", given("correct", "12", "identical")),
    Drawn(r"\boxed{24/2}", given("correct", "24/2", "number")),
    Drawn(r"\boxed{13}", given("incorrect", "13")),
    Drawn("There are 120 or so of them, maybe -12 or 12.5, I cannot tell", given("no_answer", None)),
    Drawn("", Grade(Status.UNFINISHED, None, "", "the thinking never closed"), finish=None),
]


def test_sound_verdicts_raise_no_suspicion(tmp_path: Path) -> None:
    assert audit(tmp_path, [ask(0, "12")], HARMLESS).findings == ()


@pytest.mark.parametrize(
    ("reason", "question", "sample"),
    [
        ("no answer, gold at the end", ask(0, "12"), Drawn("x" * 500 + " so it must come to 12", given("no_answer", None))),
        (
            "no answer, gold at the end",
            ask(0, r"\frac{3}{4}"),
            Drawn(r"we arrive at $\dfrac{3} {4}$, I guess", given("no_answer", None)),
        ),
        (
            "no answer, gold at the end",
            ask(0, "B", "choice", options=("red", "blue")),
            Drawn("Everything speaks for blue!", given("no_answer", None)),
        ),
        ("incorrect, gold in a box", ask(0, "12"), Drawn(r"\boxed{12} or rather \boxed{x}", given("incorrect", "x"))),
        ("incorrect, gold in the last line", ask(0, "12"), Drawn("a is 3\nand so it is 12.", given("incorrect", "3"))),
        ("looks equal", ask(0, r"\text{Even}"), Drawn(r"\boxed{even}", given("incorrect", "even"))),
        ("equal but for punctuation", ask(0, "-5"), Drawn(r"\boxed{5}", given("incorrect", "5"))),
        ("accepted, texts differ", ask(0, "12"), Drawn(r"\boxed{\text{Monday}}", given("correct", r"\text{Monday}"))),
        ("accepted, texts differ", ask(0, "(1,2)"), Drawn(r"\boxed{7}", given("correct", "7"))),
        ("accepted, texts differ", ask(0, "x"), Drawn("", given("correct", "x^2+y^2+z^2+a^2+b^2+c^2-d^2-e^2-f^2-g^2"))),
        ("accepted, texts differ", ask(0, r"\sqrt{2}"), Drawn("", given("correct", "k+m"))),
        ("timeout", ask(0, "12"), Drawn(r"\boxed{9^{9^9}}", given("timeout", "9^{9^9}"))),
        ("gold does not parse", ask(0, r"\frac{1}{2"), Drawn(r"\boxed{3}", given("incorrect", "3"))),
        (
            "gold does not parse",
            ask(0, "green", "choice", options=("red", "blue")),
            Drawn(r"\boxed{A}", given("incorrect", "A")),
        ),
    ],
)
def test_each_sign_is_found(tmp_path: Path, reason: str, question: Question, sample: Drawn) -> None:
    assert reason in reasons(audit(tmp_path, [question], [sample]))


@pytest.mark.parametrize(
    "gold", ["12", r"\frac{3}{4}", r"2\sqrt{3}", "x^2+1", r"\frac{\pi}{6}", "3-2i", "(1,2]", r"\text{even}", "5:30"]
)
def test_a_gold_that_parses_is_no_sign(tmp_path: Path, gold: str) -> None:
    found = audit(tmp_path, [ask(0, gold)], [Drawn(r"\boxed{q}", given("incorrect", "q"))])
    assert "gold does not parse" not in reasons(found)


def test_one_answer_graded_both_ways_is_the_surest_sign(tmp_path: Path) -> None:
    samples = [*HARMLESS, Drawn(r"\boxed{24/2}", given("incorrect", "24/2"))]
    first = audit(tmp_path, [ask(0, "12")], samples).findings[0]
    assert first.reasons[0] == "same answer graded both ways"
    assert len(first.records) == 2
    assert first.suspicion >= 0.97


def votes(right: int, wrong: int, budget: Budget) -> list[Drawn]:
    return [Drawn(r"\boxed{12}", given("correct", "12"), budget=budget)] * right + [
        Drawn(rf"\boxed{{{i % 2 + 3}{'.0' * (i % 3)}}}", given("incorrect", "3" if i % 4 else "3.0"), budget=budget)
        for i in range(wrong)
    ]


def test_a_wrong_majority_counts_equal_spellings_together(tmp_path: Path) -> None:
    found = audit(tmp_path, [ask(0, "12")], votes(2, 6, 8))
    assert count_reasons(found) == {"majority wrong": (6, 1)}
    note = found.findings[0].suspects[0].note
    assert "6 votes at 8, 75%; 0 of 1 majorities right" in note
    assert audit(tmp_path / "few", [ask(0, "12")], votes(2, 3, 8)).findings == ()  # too few votes
    assert audit(tmp_path / "even", [ask(0, "12")], votes(4, 4, 8)).findings == ()  # no majority


def test_a_majority_that_is_wrong_here_alone_is_less_suspicious(tmp_path: Path) -> None:
    samples = votes(0, 6, 8) + votes(6, 0, 16) + votes(6, 0, "off")
    alone = reasons(audit(tmp_path / "a", [ask(0, "12")], samples))
    everywhere = reasons(audit(tmp_path / "b", [ask(0, "12")], votes(0, 6, 8) + votes(0, 6, 16)))
    assert alone.keys() == {"majority wrong here alone"}
    assert everywhere["majority wrong"] > alone["majority wrong here alone"]


def test_other_runs_are_heard(tmp_path: Path) -> None:
    ours = store_run(tmp_path / "ours", [ask(0, "12")], votes(0, 6, 8))
    theirs = [store_run(tmp_path / name, [ask(0, "12")], votes(6, 0, 8)) for name in ("b", "c")]
    shown = json.loads(cli("audit", ours, "--format", "json").stdout)
    assert list(shown["reasons"]) == ["majority wrong"]
    shown = json.loads(cli("audit", ours, "--against", theirs[0], "--against", theirs[1], "--format", "json").stdout)
    assert list(shown["reasons"]) == ["majority wrong here alone"]


def test_reasons_add_up_and_the_list_is_short_and_varied(tmp_path: Path) -> None:
    questions = [ask(row, f"{row}2") for row in range(1, 60)]
    samples = [Drawn(rf"\boxed{{{row}2m}}", given("timeout", f"{row}2m"), question=row - 1) for row in range(1, 50)]
    samples += [Drawn(f"so {row}2", given("no_answer", None), question=row - 1) for row in range(50, 60)]
    found = audit(tmp_path, questions, samples)
    shown = render_audit(found)
    assert shown.count("gold ‘") == 20
    assert "39 more findings; --limit 59 shows all" in shown
    printed = re.findall(r"^([01]\.\d\d) ", shown, re.M)
    assert len(printed) == 20
    assert printed == sorted(printed, reverse=True)
    assert {"timeout", "no answer, gold at the end"} <= {r for finding in found.findings[:20] for r in finding.reasons}
    assert render_audit(found, limit=3).count("gold ‘") == 3
    assert len(json.loads(render_audit(found, "json"))["findings"]) == 59
    assert len(json.loads(render_audit(found, "json", 2))["findings"]) == 2


def test_two_signs_on_one_answer_are_one_finding(tmp_path: Path) -> None:
    (finding,) = audit(tmp_path, [ask(0, "12")], [Drawn(r"\boxed{12}", given("incorrect", "1 2"))]).findings
    assert set(finding.reasons) == {"looks equal"}
    samples = [Drawn(r"\boxed{-12}", given("incorrect", "-12"))] * 5
    (finding,) = audit(tmp_path / "more", [ask(0, "12")], samples).findings
    assert set(finding.reasons) == {"majority wrong", "equal but for punctuation"}
    assert finding.suspicion == pytest.approx(1 - (1 - 0.23) * (1 - 0.7))


def test_its_own_command_is_code_in_markdown(tmp_path: Path) -> None:
    run = read_run(store_run(tmp_path / "run", [ask(0, "2")], [Drawn("x")]))
    assert "; `raml-eval show` prints" in render_audit(audit_run(with_classes(run)), "markdown")


def test_the_command_prints_every_form_and_no_escapes(tmp_path: Path) -> None:
    hostile = "\x1b[2J\x9b31m\u202e so it is 12\x07 \ud800"
    path = store_run(tmp_path / "run", [ask(0, "12")], [Drawn(hostile, given("no_answer", None))])
    for form in ("terminal", "markdown", "json"):
        done = cli("audit", path, "--format", form)
        assert done.returncode == 0, done.stderr
        assert "no answer, gold at the end" in done.stdout
        assert not set(done.stdout) & set("\x1b\x9b\x07\u202e\ud800")
    fails(cli("audit", path, "--format", "yaml"), "yaml")
    fails(cli("audit", tmp_path / "none"), "is not a run directory")


@pytest.mark.parametrize(
    ("a", "b", "likeness"),
    [
        ("12", "12", 1.0),
        (r"\dfrac{1}{2}", r"\tfrac{1}{2}", 1.0),
        (r"$x = 5$.", "x=5", 1.0),
        (r"\left(1, 2\right)", "(1,2)", 1.0),
        ("２\u200a", "2", 1.0),
        ("50%", r"50\%", 1.0),
        ("1.5", "15", 0.25),
        ("-5", "5", 0.25),
        ("1/2", "12", 0.25),
        (r"\frac{1}{23}", r"\frac{12}{3}", 0.25),
        ("4343_6", "43436", 0.25),
        ("(1,2]", "1, 2", 0.5),
        ("12", "13", 0.0),
        ("", "", 0.0),
        ("?", "!", 0.0),
    ],
)
def test_likeness(a: str, b: str, likeness: float) -> None:
    assert looks_equal(a, b) == looks_equal(b, a) == likeness


@pytest.mark.parametrize(
    ("text", "within", "found"),
    [
        ("5", "it is 5.", True), ("5", "x=5", True), ("5", "$5$", True), ("5", "(5)", True),
        ("5", "15", False), ("5", "51", False), ("5", "5.2", False), ("5", "1.5", False), ("5", "-5", False),
        ("5", "5/2", False), ("5", "5,000", False), ("500", "1,500", False), ("5", "x5", False), ("5", "5^2", False),
        ("-5", "it is -5", True), ("1, 2", "values 1,2", True), ("A", "(A)", True), ("A", "A man", False),
        ("A", "a)", False), ("yes", "Yes!", True), ("yes", "yesterday", False), (r"\frac{1}{2}", r"$\dfrac{1}{2}$", True),
        (r"\sqrt{2}", r"so \( \sqrt{2} \)", True), ("x+1", "we get x + 1", True), ("x+1", "2x+1", False),
    ],
)  # fmt: skip
def test_a_text_is_found_as_a_whole(text: str, within: str, found: bool) -> None:
    pattern = text_pattern(text)
    assert pattern is not None
    assert bool(pattern.search(soften(within))) is found


@pytest.mark.parametrize(
    ("gold", "answer"),
    [("12", "12.0"), (r"\frac{1}{2}", "0.5"), (r"\frac{1}{2}", "1/2"), ("1,000", "1000"), ("(1,2)", r"\left(1, 2\right)"),
     ("(1,2]", r"1<x\le 2"), ("x^2+1", "1+x^2"), ("Monday", r"\text{Monday}")],
)  # fmt: skip
def test_what_may_well_be_equal_is_not_odd(gold: str, answer: str) -> None:
    assert differ_oddly(gold, answer) is None


@pytest.mark.parametrize("text", ["{" * 1_000_000, r"\left" * 200_000, "1," * 500_000, " " * 1_000_000 + "5", "a" * 1_000_000])
def test_hostile_text_takes_no_time(text: str) -> None:
    pattern: Any = text_pattern("1, 2, 3")
    started = time.process_time()
    pattern.search(soften(text))
    firm_text(text), bare_text(text), looks_equal(text, "5"), differ_oddly("5", text)
    assert time.process_time() - started < 2.0
