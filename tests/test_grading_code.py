"""Programs as answers: what is extracted, what is tested, and that tampering does not help."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

import raml_eval
from raml_eval.errors import RamlError, TaskError
from raml_eval.grading.pool import GradingPool
from raml_eval.types import Finish, Question
from tests.sandboxes import needs_sandbox

pytestmark = needs_sandbox


def python_tests(*tests: str, names: tuple[str, ...] = ("f",), **fields: Any) -> str:
    return json.dumps({"style": "python", "names": names, "tests": tests, **fields})


INC = python_tests("assert f(1) == 2", "assert f(-1) == 0")
HEAD = 'def f(x):\n    """One more than x."""\n'
INC_AFTER_HEAD = python_tests("def check(g):\n    assert g(1) == 2\ncheck(f)", prefix=HEAD)


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    pool = GradingPool(timeout_s=20.0)
    yield pool
    pool.close()


@pytest.mark.parametrize(
    ("tests", "completion", "status", "rule"),
    [
        (INC, "```python\ndef f(x):\n    return x + 1\n```", "correct", "python block"),
        (INC, "def f(x):\n    return x + 1", "correct", "whole answer"),
        (INC, "So:\n\n```\nf = lambda x: x + 1\n```\nDone.", "correct", "code block"),
        (INC, "```python\ndef f(x):\n    return x\n```", "incorrect", "python block"),
        (INC, "```python\ndef g(x):\n    return x\n```", "incorrect", "python block"),
        (INC, "```python\ndef f(x) return x\n```", "incorrect", "python block that does not parse"),
        (INC, "I cannot say.", "no_answer", "nothing found"),
        (INC, "<think>```python\nf = abs\n```", "unfinished", "unclosed thinking"),
        (INC, "<think>```python\nf = abs\n```</think>f = lambda x: x + 1", "correct", "whole answer"),
        (INC_AFTER_HEAD, "    return x + 1", "correct", "function body"),
        (INC_AFTER_HEAD, "```python\n    return x + 1\n```", "correct", "function body"),
        (INC_AFTER_HEAD, "    return x", "incorrect", "function body"),
        (INC_AFTER_HEAD, HEAD + "    return x + 1", "correct", "whole answer"),
        (INC_AFTER_HEAD, "```python\ndef f(x): return x + 1\n```", "correct", "python block"),
    ],
)
def test_grades(pool: GradingPool, tests: str, completion: str, status: str, rule: str) -> None:
    grade = pool.grade_blocking(tests, completion, "code")
    assert (grade.status, grade.rule) == (status, rule), grade


@pytest.mark.parametrize(
    ("tests", "program", "detail"),
    [
        (INC, "def f(x): return x + 1", "passed all 2 tests"),
        (INC, "def f(x): return 2", "test 2 of 2: assert f(-1) == 0 failed; f returned 2"),
        (INC, "def f(x): return x / 0", "test 1 of 2: ZeroDivisionError: division by zero"),
        (INC, "def f(x): raise SystemExit(3)", "test 1 of 2: exit code 3"),
        (INC, "x = y", "the program does not load: NameError: name 'y' is not defined"),
        (INC, "def f(x): return f(x)", "test 1 of 2: RecursionError: maximum recursion depth exceeded"),
        (python_tests("def check(g):\n    for n in range(9):\n        assert g(n) == n\ncheck(f)"), "f = lambda x: min(x, 3)",
         "test 1 of 1, call 5: assert g(n) == n failed; f returned 3"),
        ('{"style": "stdin", "tests": [["2", "4"], ["3", "9"]]}', "print(int(input()) * 2)",
         "test 2 of 2: line 1 is '6' for '9'"),
        ('{"style": "stdin", "tests": [["", "1\\n2"]]}', "print(1)", "test 1 of 1: wrote 1 lines for 2"),
        ('{"style": "stdin", "tests": [["", "1"]]}', "print(1); exit(1)", "test 1 of 1: exit code 1"),
        ('{"style": "stdin", "tests": [["", "1"]]}', "print(int('x'))",
         "test 1 of 1: exit code 1: ValueError: invalid literal for int() with base 10: 'x'"),
        ('{"style": "calls", "names": ["f"], "tests": [["[1, 2]\\n3", "6"]]}', "def f(a, b): return sum(a)",
         "test 1 of 1: f returned 3 for 6"),
    ],
)  # fmt: skip
def test_details(pool: GradingPool, tests: str, program: str, detail: str) -> None:
    assert pool.grade_blocking(tests, f"```python\n{program}\n```", "code").detail == detail


@pytest.mark.parametrize(
    ("gold", "words"),
    [
        ("7", "no JSON text with its tests"),
        ("{}", "no JSON text with its tests"),
        ('{"style": "java", "tests": [1]}', "style 'java'"),
        ('{"style": "stdin"}', "0 tests"),
        (python_tests("assert f(1) ="), "do not compile"),
        (python_tests("assert f(1)", prefix="1/0\n"), "ZeroDivisionError"),
        (python_tests("assert f(lambda x: x)"), "passes a function to the program"),
        ('{"style": "calls", "names": ["f"], "tests": [["x", "1"]]}', "not JSON"),
    ],
)
def test_tests_that_cannot_be_run_are_the_tasks_fault(pool: GradingPool, gold: str, words: str) -> None:
    with pytest.raises(TaskError, match=words):
        pool.grade_blocking(gold, "f = print", "code")


def test_packed_tests_are_run_too(pool: GradingPool) -> None:
    import base64
    import zlib

    packed = base64.b64encode(zlib.compress(json.dumps([["2", "4"], ["3", "6"]]).encode())).decode()
    gold = json.dumps({"style": "stdin", "tests": [["1", "2"]], "packed": packed})
    assert pool.grade_blocking(gold, "print(int(input()) * 2)", "code").detail == "passed all 3 tests"
    assert pool.grade_blocking(gold, "print(min(int(input()) * 2, 4))", "code").detail.startswith("test 3 of 3")


def test_equal_programs_are_tested_once(pool: GradingPool) -> None:
    async def main() -> list[str]:
        grades = await asyncio.gather(*(pool.grade(INC, f"def f(x): return x + {1 + n % 2}", "code") for n in range(20)))
        return [grade.status.value for grade in grades]

    before = pool.code.n_tested
    assert asyncio.run(main()) == ["correct", "incorrect"] * 10
    assert pool.code.n_tested == before + 2


def test_an_answer_cut_off_counts_only_a_block_that_had_ended(pool: GradingPool) -> None:
    question = Question("t", "0-a", "c", {}, (), "passes", "code", tests=INC)

    def status(answer: str, finish: Finish | None) -> str:
        return asyncio.run(pool.grade_sample(question, answer, finish)).status.value

    block = "```python\nf = lambda x: x + 1\n"
    assert status(block, Finish.STOP) == "correct"
    assert status(block, Finish.LENGTH) == "unfinished"
    assert status(block + "```\nThis works beca", Finish.LENGTH) == "correct"
    assert status("f = lambda x: x + 1", Finish.LENGTH) == "unfinished"
    assert status("Let me see", Finish.LENGTH) == "unfinished"
    assert status(block, None) == "unfinished"


def test_programs_vote_by_their_text(pool: GradingPool) -> None:
    same, spaced, other = "f = 1\ng = 2\n", "f = 1  \n\ng = 2", "f = 1\n"
    assert pool.classes_blocking([same, spaced, other], "code") == {same: 0, spaced: 0, other: 1}


def test_grade_is_one_call() -> None:
    assert raml_eval.grade(INC, "```python\ndef f(x):\n    return x + 1\n```", kind="code").correct


def test_a_closed_pool_stops_what_runs() -> None:
    pool = GradingPool(timeout_s=600.0)
    running = pool.code.grade(INC, "import time\ndef f(x): time.sleep(600)")
    waiting = [pool.code.grade(INC, f"import time\ndef f(x): time.sleep({n})") for n in range(601, 611)]
    pool.close()
    for future in (running, *waiting):
        with pytest.raises(RamlError, match="closed"):
            future.result(timeout=1)
    with pytest.raises(RamlError, match="closed"):
        pool.grade_blocking(INC, "def f(x): pass", "code")
