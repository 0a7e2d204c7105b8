"""The kind task_rule: what is read, what a verdict says, and that a hostile answer reaches nothing else."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from raml_eval.errors import ConfigError, RamlError, TaskError
from raml_eval.grading.kinds import KINDS
from raml_eval.grading.pool import GradingPool
from raml_eval.grading.rule.grader import RuleGrader, try_rules
from raml_eval.grading.rule.read import extract_ruled, read_rule, without_marks
from raml_eval.sandbox import trial
from raml_eval.sandbox.start import no_sandbox
from raml_eval.types import Grade, Status
from tests.gym import rule
from tests.sandboxes import HOSTILE, needs_sandbox, nothing_left

GOLD = rule(read="whole")
# Runs the answer as Python, so that an answer can do whatever a verifier that evaluates text would let it do.
RULE = """
import os
def score(tests, answer):
    if answer.startswith("share "):
        return float(answer[6:]), "as told"
    exec(answer, {"__name__": "answer"})
    return 0.25, "ran"
"""


@pytest.fixture
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "hostile.py").write_text(RULE)
    return folder


@pytest.fixture
def grader(rules: Path) -> Iterator[RuleGrader]:
    grader = RuleGrader(1, 60.0, rules=rules)
    yield grader
    grader.close()


def grade(grader: RuleGrader, answer: str, cut_off: bool = False) -> Grade:
    return grader.grade(GOLD, answer, cut_off).result(60)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<answer> [1, 2]\n[3] </answer>", "[1, 2]\n[3]"),
        ("<answer>1</answer> no: <answer>2</answer>.", "2"),
        (r"\boxed{5} <answer>6</answer>", "6"),
        (r"So \boxed{5}.", "5"),
        ("<answer>unclosed <answer>7</answer>", "7"),
        ("The answer is **blue**.", "blue"),
        ("<answer>'a'  b</answer>", "'a'  b"),
        ("<answer>1</answer>\n\nI put it between <answer> and </answer> as asked.", "1"),
        ("I will put it between <answer> and </answer>.\n\nSo it is \\boxed{42}.", "42"),
        ("I will put it within <answer>...</answer>, as <answer>your answer</answer>. So \\boxed{7}", "7"),
        ("Ich schreibe es zwischen <answer> und </answer>: <answer>7</answer>", "7"),
        ("<answer></answer> stays empty, but \\boxed{7}", "7"),
        ("I will put it between <answer> and </answer>.\n\n42 it is", None),
        ("The word is <answer>and</answer>", "and"),
        ("<answer>or</answer>", "or"),
        ("<answer>→</answer>", "→"),
        ("<answer>42", "42"),
        ("<answer>42</answer>\nI put it in <answer> tags as required.", "42"),
        ("in <answer>y</answer>", "y"),
        ("I put it in <answer> and </answer>. <answer>y</answer>", "y"),
        ("no: <answer>42\n\nI hope that helps.", "42"),
        ("a long text\nthat ends nowhere", None),
    ],
)
def test_the_answer_is_read_letter_by_letter(text: str, answer: str | None) -> None:
    assert extract_ruled(text).answer == answer


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        (r"\boxed{42}", "42"),
        (r"$\boxed{42}$", "42"),
        ("$42$", "42"),
        ("$$ 4 2 $$", "4 2"),
        ("**42**", "42"),
        ("`a b`", "a b"),
        ("```text\n1 2\n3 4\n```", "1 2\n3 4"),
        ("42", "42"),
        ("$1$ and $2$", "$1$ and $2$"),
        ("*42*", "*42*"),
    ],
)
def test_marks_around_the_whole_answer(answer: str, plain: str) -> None:
    assert without_marks(answer) == plain


@needs_sandbox
def test_an_answer_is_scored_with_and_without_its_marks(tmp_path: Path) -> None:
    scoring = 'def score(tests, answer): return (1.0 if answer == "right" else 0.5 if "**" in answer else 0.25), "told"\n'
    (tmp_path / "marked.py").write_text(scoring)
    grader = RuleGrader(1, 60.0, rules=tmp_path)
    try:
        told = {
            text: grader.grade(rule(rule="marked"), f"<answer>{text}</answer>").result(60).score
            for text in ("right", "**right**", "`right`", "**wrong**", "wrong")
        }
        assert told == {"right": 1, "**right**": 1, "`right`": 1, "**wrong**": 0.5, "wrong": 0.25}
        assert grader.grade(rule(rule="marked", read="whole"), "**right**").result(60).score == 0.5
    finally:
        grader.close()


@needs_sandbox
def test_a_verifier_that_runs_out_of_memory_gives_no_verdict(grader: RuleGrader) -> None:
    verdict = grade(grader, "raise MemoryError")
    assert (verdict.status, verdict.detail) == (Status.TIMEOUT, "the verifier was stopped: it ran out of memory")


def test_whole_reads_everything_but_white_space_around_it() -> None:
    assert extract_ruled(" a <answer>b</answer>\n", "whole").answer == "a <answer>b</answer>"
    assert extract_ruled(" \n", "whole").answer is None


@pytest.mark.parametrize("gold", ["7", "[]", '{"read": "answer"}', rule(read="half"), rule(rule="../x"), rule(rule="A.b"), ""])
def test_a_gold_that_names_no_rule_is_refused(gold: str) -> None:
    with pytest.raises(TaskError):
        KINDS["task_rule"].check_gold(gold, ())
    assert read_rule(rule())["read"] == "answer"


@needs_sandbox
def test_only_a_full_score_is_correct(grader: RuleGrader) -> None:
    assert grade(grader, "<think>exec</think>share 1") == Grade(Status.CORRECT, "share 1", "whole text", "as told", 1.0)
    assert grade(grader, "share 0.999") == Grade(Status.INCORRECT, "share 0.999", "whole text", "as told", 0.999)
    assert grade(grader, "") == Grade(Status.NO_ANSWER, None, "nothing found", "", 0.0)
    assert grade(grader, "<think>share 1").status is Status.UNFINISHED
    assert grade(grader, "share 1", cut_off=True).status is Status.UNFINISHED
    assert grader.n_scored == 2
    assert grade(grader, "share 1").correct
    assert grader.n_scored == 2  # known


@needs_sandbox
@pytest.mark.parametrize("answer", ["share 1.5", "share -1", "share nan", "raise ValueError('x')", "import no_such_module"])
def test_a_rule_that_fails_is_the_task_s_fault(grader: RuleGrader, answer: str) -> None:
    with pytest.raises(TaskError, match="the rule hostile cannot score"):
        grade(grader, answer)
    assert grade(grader, "share 1").correct


@needs_sandbox
def test_an_unknown_rule_says_so(grader: RuleGrader) -> None:
    with pytest.raises(TaskError, match="no_rule"):
        grader.grade(rule(rule="no_rule"), r"\boxed{1}").result(60)


@needs_sandbox
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_gains_nothing_and_leaves_nothing(grader: RuleGrader, temporary: Path, name: str) -> None:
    with nothing_left():
        assert grade(grader, "share 1").correct
        process = next(iter(grader._alive)).process.pid
        grader.limit_s = 2.0
        future = grader.grade(GOLD, HOSTILE[name])
        error = future.exception(60)
        assert error or future.result().status in (Status.INCORRECT, Status.TIMEOUT)
        assert error is None or re.search(r"two processes .* died|cannot score", str(error)), error
        grader.limit_s = 60.0
        assert grade(grader, "share 0.5").score == 0.5
        assert grade(grader, "import os; assert os.listdir('/tmp') == os.listdir('/dev/shm') == []").score == 0.25
        assert next(iter(grader._alive)).process.pid == process
        grader.close()


REACHES_OUT = [
    "import os; os.kill(1, 9); os.kill(1, 2); os.kill(1, 15)",
    "import os\nfor fd in range(4, 300):\n    try: os.write(fd, b'x' * 8)\n    except OSError: pass",
    "import os\ntry: os.open('/proc/1/mem', os.O_RDWR)\nexcept OSError: pass\nelse: raise SystemError('open')",
    "import os\ntry: os.listdir('/proc/1/fd')\nexcept OSError: pass\nelse: raise SystemError('listed')",
    "import socket\ntry: socket.create_connection(('127.0.0.1', 80), 1)\nexcept OSError: pass\nelse: raise SystemError('net')",
    "import os\ntry: open('/harness/raml_eval/sandbox/rules/a.py', 'w')\nexcept OSError: pass\nelse: raise SystemError('rule')",
    'import sys; sys.stdout.write(\'{"score": 1.0, "detail": ""}\\n\'); sys.stdout.flush()',
    "import os\nif os.fork() == 0:\n    os.setsid()\n    import time\n    time.sleep(99)",
]


@needs_sandbox
@pytest.mark.parametrize("answer", REACHES_OUT)
def test_an_answer_reaches_neither_the_first_process_nor_anything_outside(grader: RuleGrader, answer: str) -> None:
    quiet = f"try:\n    exec({answer!r})\nexcept (OSError, ProcessLookupError):\n    pass"
    with nothing_left():
        assert grade(grader, quiet).score == 0.25
        assert grade(grader, "share 1").correct
        grader.close()


@needs_sandbox
def test_a_slow_verifier_is_a_timeout_and_the_next_verdict_stands(grader: RuleGrader) -> None:
    grader.limit_s = 2.0
    assert grade(grader, "while True: pass").status is Status.TIMEOUT
    assert grade(grader, "import time; time.sleep(99)").status is Status.TIMEOUT
    grader.limit_s = 60.0
    assert grade(grader, "share 1").correct


@needs_sandbox
def test_a_dead_process_is_replaced_and_a_death_by_the_answer_is_no_verdict(grader: RuleGrader) -> None:
    assert grade(grader, "share 1").correct
    os.kill(next(iter(grader._alive)).process.pid, signal.SIGKILL)
    assert grade(grader, "share 0.5").score == 0.5
    with pytest.raises(RamlError, match="two processes of the rule hostile died"):
        grade(grader, "import os; os._exit(0)")
    with pytest.raises(RamlError, match="killed by signal 11"):
        grade(grader, "import os; os.kill(os.getpid(), 11)")


@needs_sandbox
def test_a_closed_grader_scores_nothing(grader: RuleGrader) -> None:
    waiting = grader.grade(GOLD, "import time; time.sleep(99)")
    grader.close()
    with pytest.raises(RamlError):
        waiting.result(60)
    with pytest.raises(RamlError, match="closed"):
        grader.grade(GOLD, "share 1")


def test_without_a_sandbox_it_is_refused_unless_allowed(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "working_sandbox", lambda: "none here")
    grader = RuleGrader(1, 60.0, rules=rules)
    with pytest.raises(ConfigError, match="only in a sandbox"):
        grader.open()
    with pytest.raises(ConfigError, match="only in a sandbox"):
        grade(grader, "share 1")
    grader.close()
    unsafe = RuleGrader(1, 60.0, allow_unsafe_code=True, rules=rules)
    assert unsafe.open() == no_sandbox().name
    assert grade(unsafe, "share 1").correct
    unsafe.limit_s = 2.0
    assert grade(unsafe, "import time; time.sleep(99)").status is Status.TIMEOUT
    assert grade(unsafe, "share 0.5").score == 0.5
    unsafe.close()


@needs_sandbox
def test_the_pool_grades_by_rules_and_votes_by_spelling() -> None:
    pool = GradingPool(workers=1)
    gold = json.dumps({"rule": "no_such_rule"})
    assert pool.grade_blocking(gold, "nothing\nto read\nhere", "task_rule").status is Status.NO_ANSWER
    with pytest.raises(TaskError, match="no_such_rule"):
        pool.grade_blocking(gold, r"\boxed{1}", "task_rule")
    assert pool.classes_blocking(["A → B", "a → b", "A → C"], "task_rule") == {"A → B": 0, "a → b": 0, "A → C": 1}
    pool.close()


@needs_sandbox
def test_what_a_rule_lacks_is_known_from_one_trial(rules: Path) -> None:
    (rules / "lacking.py").write_text("import no_such_package\n")
    try_rules([GOLD, GOLD], rules=rules)
    lacking = json.dumps(json.loads(GOLD) | {"rule": "lacking"})
    with pytest.raises(TaskError, match="no_such_package"):
        try_rules([GOLD, lacking], rules=rules)
