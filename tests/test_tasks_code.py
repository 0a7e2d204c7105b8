"""The tests of programming tasks: read from rows, packed ones never unpickled, and carried to the grader."""

from __future__ import annotations

import base64
import collections
import json
import pickle
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import TaskError
from raml_eval.grading.code.grader import read_tests
from raml_eval.grading.pool import GradingPool
from raml_eval.sandbox.inside.tester import unpack
from raml_eval.tasks import code
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.load import load_task
from raml_eval.types import LoadedTask
from tests.hub import Hub, load_in_new_process
from tests.hub_code import HUMANEVAL, LIVECODEBENCH, MBPP, pack
from tests.sandboxes import needs_sandbox
from tests.test_tasks_catalogue import CODE_TASKS, write_task


@pytest.fixture(scope="module")
def loaded(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return load_in_new_process(CODE_TASKS, hub.url, tmp_path_factory.mktemp("code") / "home")


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    pool = GradingPool(timeout_s=60.0)
    yield pool
    pool.close()


def test_every_row_is_a_question_with_its_tests(loaded: dict[str, LoadedTask], hub: Hub) -> None:
    counts = {name: len(loaded[name].questions) for name in CODE_TASKS}
    assert counts == {"humaneval": 4, "humaneval_plus": 4, "mbpp": 4, "mbpp_plus": 2, "livecodebench": 3}
    for name in CODE_TASKS:
        assert loaded[name].commit == hub.commit(loaded[name].description.dataset), name
        for question in loaded[name].questions:
            assert question.gold == question.tests != ""
            assert len(question.target) < 100
            assert read_tests(question.tests)["style"] in {"python", "stdin", "calls"}
    assert [question.synthetic for question in loaded["livecodebench"].questions] == [False, False, True]
    assert loaded["livecodebench"].questions[0].stratum == "easy"


def test_prompts(loaded: dict[str, LoadedTask]) -> None:
    prompts = {name: str(loaded[name].questions[0].messages[0]["content"]) for name in CODE_TASKS}
    ask = "Please reason step by step, and put"
    block = "within one ```python code block at the end."
    head = HUMANEVAL[0]["prompt"].strip()
    assert prompts["humaneval"] == prompts["humaneval_plus"] == (
        f"Please complete the following Python function.\n\n```python\n{head}\n```\n\n"
        f"{ask} the complete function, with all that it needs, {block}"
    )  # fmt: skip
    tests = "\n".join(MBPP[0]["test_list"])
    assert prompts["mbpp"] == prompts["mbpp_plus"] == (
        f"Write a function to multiply by 0.\n\nThe code must pass these tests:\n\n```python\n{tests}\n```\n\n"
        f"{ask} the Python code, without the tests, {block}"
    )  # fmt: skip
    assert prompts["livecodebench"] == (
        "Print twice the number.\n\nPlease write a Python program that reads from standard input and writes the answer to "
        f"standard output.\n\n{ask} the whole program {block}"
    )
    starter = loaded["livecodebench"].questions[2].messages[0]["content"]
    assert "starting from this code:\n\n```python\nclass Solution:\n    def total(self, xs: List[int]) -> int:\n```" in starter


SOLUTIONS = {
    "humaneval": [row["prompt"] + row["canonical_solution"] for row in HUMANEVAL],
    "mbpp": [row["code"] for row in MBPP],
    "livecodebench": [
        "n = int(input())\nprint(n * 2)",
        "print(input())",
        "class Solution:\n    def total(self, xs: List[int]) -> int:\n        return sum(xs)",
    ],
}
SOLUTIONS |= {"humaneval_plus": SOLUTIONS["humaneval"], "mbpp_plus": SOLUTIONS["mbpp"]}


@needs_sandbox
@pytest.mark.parametrize("name", CODE_TASKS)
def test_solutions_pass_and_wrong_ones_fail(loaded: dict[str, LoadedTask], pool: GradingPool, name: str) -> None:
    for question, solution in zip(loaded[name].questions, SOLUTIONS[name], strict=False):
        right = pool.grade_blocking(question.gold, f"So:\n```python\n{solution}\n```", "code")
        assert right.correct, right
        wrong = solution.replace("return ", "return None and ").replace("print(", "print(1, ")
        grade = pool.grade_blocking(question.gold, f"So:\n```python\n{wrong}\n```", "code")
        assert grade.status == "incorrect", grade


def test_names_are_those_that_only_the_program_binds() -> None:
    def names(row: dict[str, Any]) -> list[str]:
        found: list[str] = json.loads(code.mbpp_tests(row))["names"]
        return found

    assert names(MBPP[0]) == ["times_0"]
    assert names(MBPP[2]) == ["sum"]  # a builtin's name, which the solution defines
    assert names(MBPP[3]) == ["depth", "Node"]
    helper = 'def helper(x):\n    return x\n\ndef f(x):\n    """Doc."""\n'
    row = {
        "prompt": helper,
        "entry_point": "f",
        "test": "def check(g):\n    for i in range(3):\n        assert g(i) == helper(i)",
    }
    assert json.loads(code.humaneval_tests(row))["names"] == ["f"]
    assert "import math" in json.loads(code.mbpp_tests(MBPP[0]))["setup"]
    with pytest.raises(ValueError, match="call nothing"):
        code.mbpp_tests({**MBPP[0], "code": "", "test_list": ["assert 1"]})


def test_livecodebench_joins_its_public_and_private_tests() -> None:
    first, plain, summing = (read_tests(code.livecodebench_tests(row)) for row in LIVECODEBENCH)
    assert first["tests"] == [["2\n", "4\n"], ["3\n", "6\n"], ["-1\n", "-2\n"]]
    assert (first["style"], first["names"], first["packed"]) == ("stdin", [], "")
    assert plain["tests"] == [["2\n", "2\n"], ["3\n", "3\n"]]
    assert (summing["style"], summing["names"]) == ("calls", ["total"])
    assert summing["tests"] == [["[1, 2]", "3"]]
    assert summing["packed"]  # long ones stay packed, as zlib of JSON
    assert unpack(summing)["tests"][:3] == [["[1, 2]", "3"], ["[]", "0"], ["[0]", "0"]]
    assert len(unpack(summing)["tests"]) == 502


class Evil:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('unpickled')",)


EVIL = [
    pickle.dumps(Evil()),
    pickle.dumps([json.dumps([])]),
    pickle.dumps(collections.OrderedDict()),
    pickle.dumps(b"[]"),
    pickle.dumps(7),
    b"cos\nsystem\n(S'true'\ntR.",
    b"S'[]'\n.",
    pickle.dumps("[]")[:-1],
    b"",
]


@pytest.mark.parametrize("pickled", EVIL)
def test_a_pickle_of_anything_but_a_string_is_refused(pickled: bytes) -> None:
    with pytest.raises(ValueError, match=r"pickle"):
        code.read_packed_string(base64.b64encode(zlib.compress(pickled)).decode())


@pytest.mark.parametrize("text", ["", "x", "eJw", base64.b64encode(b"no zlib").decode(), "é"])
def test_what_is_not_packed_at_all_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        code.read_packed_string(text)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_strings_of_every_protocol_are_read(protocol: int) -> None:
    for text in ("[]", "é\u4e2d\n'\\", "x" * 70_000):
        packed = base64.b64encode(zlib.compress(pickle.dumps(text, protocol))).decode()
        assert code.read_packed_string(packed) == text


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "LARGEST_UNPACKED", 1 << 20)
    with pytest.raises(ValueError, match="more than 1 MiB"):
        code.read_packed_string(pack("x" * (1 << 21)))


def test_a_row_with_an_evil_pickle_is_a_task_error(hub: Hub, tmp_path: Path) -> None:
    evil = {**LIVECODEBENCH[0], "private_test_cases": base64.b64encode(zlib.compress(EVIL[0])).decode()}
    files = hub.repositories["livecodebench/code_generation_lite"]
    kept = dict(files)
    files["test5.jsonl"] = (json.dumps(evil) + "\n").encode()  # type: ignore[index]
    try:
        message, _ = load_in_new_process(["livecodebench"], hub.url, tmp_path / "home")["livecodebench"]
    finally:
        files.update(kept)  # type: ignore[attr-defined]
    assert "its tests cannot be read: ValueError: the packed tests are a pickle with" in message


def test_other_test_types_are_refused() -> None:
    row = {**LIVECODEBENCH[0], "public_test_cases": LIVECODEBENCH[0]["public_test_cases"].replace("stdin", "interactive")}
    with pytest.raises(ValueError, match="interactive, stdin"):
        code.livecodebench_tests(row)


def own_task(folder: Path, rows: list[dict[str, Any]]) -> LoadedTask:
    write_task(folder, "mine", OWN)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return load_task(load_catalogue([folder], trust_tasks=True), "mine")


OWN = """
task: mine
custom_dataset: !function raml_eval.tasks.docs.load_jsonl
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
doc_to_text: q
doc_to_target: q
generation_kwargs: {until: []}
metadata:
  version: 1
  raml: {domain: in_domain, grader: code, answer_format: code, source: mine, licence: MIT, revision: "1", tests: checks}
"""


def test_the_tests_of_a_row_may_be_an_object_or_its_text(tmp_path: Path) -> None:
    python = {"style": "python", "names": ["f"], "tests": ["assert f(1) == 1"]}
    prefixed = {"style": "python", "names": ["f"], "tests": ["assert f(2) == 2"], "prefix": "import math\n"}
    objects = own_task(tmp_path / "a", [{"q": "x", "checks": python}, {"q": "y", "checks": prefixed}])
    texts = own_task(tmp_path / "b", [{"q": "x", "checks": json.dumps(python)}, {"q": "y", "checks": json.dumps(prefixed)}])
    for task in (objects, texts):
        first, second = (read_tests(question.tests) for question in task.questions)
        assert (first["names"], first["prefix"], first["setup"]) == (["f"], "", "")
        assert (second["tests"], second["prefix"]) == (["assert f(2) == 2"], "import math\n")
    assert read_tests(objects.questions[0].tests) == read_tests(texts.questions[0].tests)


@pytest.mark.parametrize("wrong", ["assert f(1) == 1", ["assert f(1) == 1"], 7, None])
def test_tests_that_are_no_object_are_named(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(TaskError, match=r"task mine, question 0-\w+: the tests are .*, wanted a JSON object, or its text"):
        own_task(tmp_path, [{"q": "x", "checks": wrong}])
