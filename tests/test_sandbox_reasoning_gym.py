"""The rule reasoning_gym: its scores are the package's own, and an answer never runs as code."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from raml_eval.grading.rule.grader import RuleGrader
from raml_eval.sandbox.rules.reasoning_gym import is_plain_formula
from raml_eval.types import Grade, Status
from tests.gym import EVALUATED, needs_gym, rows
from tests.sandboxes import needs_sandbox, nothing_left


@pytest.fixture(scope="module")
def grader() -> Iterator[RuleGrader]:
    grader = RuleGrader(1, 10.0)
    yield grader
    grader.close()


def grade(grader: RuleGrader, tests: str, answer: str) -> Grade:
    return grader.grade(tests, f"<answer>{answer}</answer>").result(120)


def hostile_answers(outside: Path, port: int) -> list[str]:
    """Python expressions that act where an answer is evaluated, and others that hide in what sympy's parser rewrites."""
    write = f"__import__('pathlib').Path({str(outside)!r}).write_text('x')"
    inside = "__import__('pathlib').Path('/tmp/left').write_text('x')"
    call = f"__import__('socket').create_connection(('127.0.0.1', {port}), 2)"
    forge = '[__import__(\'os\').write(fd, b\'{"score": 1.0, "detail": ""}\\n\') for fd in range(3, 9)]'
    stay = "__import__('subprocess').Popen(['sleep', '99'], start_new_session=True)"
    acts = [write, inside, call, forge, stay, "__import__('os')._exit(0)", "__import__('os').kill(1, 9)"]
    spelled = "+".join(f"(chr)({ord(mark)})" for mark in forge)
    return [*acts, f"(eval)({spelled})", f"(lambda: {forge})()", f"sympify({forge!r})", f"[{forge}]", f"1 if {forge} else 2"]


@needs_gym
@needs_sandbox
@pytest.mark.parametrize("generator", EVALUATED)
def test_an_answer_is_never_run(generator: str, tmp_path: Path) -> None:
    row = rows(generator, 1)[0]
    with socket.create_server(("127.0.0.1", 0)) as server, nothing_left():
        server.settimeout(0.01)
        grader = RuleGrader(1, 10.0)
        for answer in hostile_answers(tmp_path / "touched", server.getsockname()[1]):
            verdict = grade(grader, row["tests"], answer)
            assert verdict.status is Status.INCORRECT, answer
            assert verdict.score in (0.0, 0.01), answer
            assert grade(grader, row["tests"], row["answer"]).correct
        grader.close()
        with pytest.raises(TimeoutError):
            server.accept()
    assert not (tmp_path / "touched").exists()


@needs_gym
@needs_sandbox
def test_partial_scores_are_the_package_s_own(grader: RuleGrader) -> None:
    row = rows("spiral_matrix")[0]
    as_list = str([int(word) for word in row["answer"].split()])
    assert grade(grader, row["tests"], as_list).score == 0.1  # evaluated as a literal
    row = rows("countdown")[0]
    numbers = json.loads(row["tests"])["entry"]["metadata"]["numbers"]
    assert grade(grader, row["tests"], "+".join(map(str, numbers))).score == 0.05
    assert grade(grader, row["tests"], "1+1").score == 0.05
    roles = {row["tests"]: (row["answer"], *re.findall(r"is an? (\w+)", row["answer"])) for row in rows("knights_knaves")}
    tests, (answer, first, second) = next(one for one in roles.items() if one[1][1] != one[1][2])
    half = answer[: answer.rindex(second)] + first + "."
    assert grade(grader, tests, half).score == pytest.approx(0.3 + 0.7 / 2)


@needs_gym
@needs_sandbox
def test_the_verifier_has_the_settings_of_the_generator(grader: RuleGrader) -> None:
    """decimal_arithmetic allows an error of one unit of the last place, which is a setting."""
    tests = json.loads(rows("decimal_arithmetic")[0]["tests"])
    near = str(float(tests["entry"]["answer"]) + 0.0005)
    for places, right in ((3, True), (8, False)):
        settings = {"min_num_decimal_places": places, "max_num_decimal_places": places, "precision": 12}
        assert grade(grader, json.dumps({**tests, "config": settings}), near).correct is right


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "2*x**2 - 3*y",
        "-x**9 + 7*x**7 + 9*x**4/2 + C",
        "sin(x)*exp(-2*x)",
        "(1+2)*3",
        "((5))",
        "1.5e-3",
        "sqrt (x)",
        "pi",
        "5!",
    ],
)
def test_plain_formulas(text: str) -> None:
    assert is_plain_formula(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "x.y", "'x'", "f(x)", "(print)(1)", "print(1)", "chr!(95)", "1(2)", "x[0]", "{1}", "a=1", "lambda x", "x if y",
     "__x", "1.real", "1..real", "2x", "x:y", "\\x", "x;y", "é", "x\x00", "sin.__class__", "sin(x)(y)", "`x`", "#x", "eval (x)",
     "Symbol(x)"],
)  # fmt: skip
def test_what_could_run_is_no_plain_formula(text: str) -> None:
    assert not is_plain_formula(text)
