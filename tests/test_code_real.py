"""Programming tasks on their real rows, if a hub serves them: the rows' own solutions pass, and mutants fail."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from typing import Any

import pytest

from raml_eval.grading.code.program import parse
from raml_eval.grading.pool import GradingPool
from raml_eval.types import LoadedTask, Question, Status
from tests.hub import load_in_new_process
from tests.sandboxes import needs_sandbox
from tests.test_tasks_catalogue import CODE_TASKS

pytestmark = needs_sandbox

SAMPLED = 60  # questions a task; all of them were tried once, see docs/code-tasks.md


@pytest.fixture(scope="module")
def loaded(real_hub_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return load_in_new_process(CODE_TASKS, real_hub_url, tmp_path_factory.mktemp("real") / "home")


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    pool = GradingPool(timeout_s=60.0)
    yield pool
    pool.close()


def questions_of(loaded: dict[str, Any], name: str) -> tuple[Question, ...]:
    task = loaded[name]
    if not isinstance(task, LoadedTask) and "does not give it" in task[0]:
        pytest.skip(f"the hub does not serve {name}: {task[0][:150]}")
    assert isinstance(task, LoadedTask), task
    return task.questions


def solution_of(question: Question) -> str:
    if "canonical_solution" in question.doc:
        return str(question.doc["prompt"]) + str(question.doc["canonical_solution"])
    return str(question.doc["code"])


class Spoil(ast.NodeTransformer):
    """The program, changed so that every function returns something of another type."""

    def visit_Return(self, node: ast.Return) -> ast.Return:
        return ast.Return(ast.Constant("a mutant"))


def spoil(program: str) -> str:
    module = parse(program)
    assert module is not None
    return ast.unparse(ast.fix_missing_locations(Spoil().visit(module)))


@pytest.mark.parametrize(("name", "count"), [("humaneval", 164), ("humaneval_plus", 164), ("mbpp", 500), ("mbpp_plus", 378)])
def test_canonical_solutions_pass_and_mutants_fail(loaded: dict[str, Any], pool: GradingPool, name: str, count: int) -> None:
    questions = questions_of(loaded, name)
    assert len(questions) == count
    for question in random.Random(0).sample(questions, SAMPLED):
        solution = solution_of(question)
        right = pool.code.grade(question.gold, f"```python\n{solution}\n```")
        wrong = pool.code.grade(question.gold, f"```python\n{spoil(solution)}\n```")
        assert right.result().correct, (question.target, right.result().detail)
        assert wrong.result().status is Status.INCORRECT, (question.target, wrong.result().detail)


SOLVED = {
    "abc365_b passes its tests": (
        "input()\na = list(map(int, input().split()))\nprint(a.index(sorted(a)[-2]) + 1)",
        "input()\na = list(map(int, input().split()))\nprint(a.index(max(a)) + 1)",
    ),
    "abc366_a passes its tests": (
        "n, t, a = map(int, input().split())\nprint('Yes' if max(t, a) > n // 2 else 'No')",
        "n, t, a = map(int, input().split())\nprint('Yes' if max(t, a) > n else 'No')",
    ),
    "abc368_b passes its tests": (
        "import heapq\ninput()\nh = [-int(x) for x in input().split()]\nheapq.heapify(h)\nn = 0\nwhile True:\n"
        "    a, b = heapq.heappop(h), heapq.heappop(h)\n    if not b: break\n    n += 1\n"
        "    heapq.heappush(h, a + 1); heapq.heappush(h, b + 1)\nprint(n)",
        "input()\nprint(sum(map(int, input().split())) // 2)",
    ),
    "synthetic-1 passes its tests": (
        "class Solution:\n    def largestGap(self, nums: List[int]) -> int:\n        s = sorted(nums)\n"
        "        return max(b - a for a, b in zip(s, s[1:]))",
        "class Solution:\n    def largestGap(self, nums: List[int]) -> int:\n        return max(nums) - min(nums)",
    ),
    "synthetic-3 passes its tests": (
        "class Solution:\n    def rotateRight(self, nums, k):\n        k = -k % len(nums)\n        return nums[k:] + nums[:k]",
        "class Solution:\n    def rotateRight(self, nums, k):\n        return nums",
    ),
    "synthetic-5 passes its tests": (
        "def pairsWithSum(nums, target):\n    return sum(a + b == target for a, b in itertools.combinations(nums, 2))",
        "def pairsWithSum(nums, target):\n    return sum(a + b == target for a, b in itertools.permutations(nums, 2))",
    ),
}  # fmt: skip


def test_livecodebench_is_solved(loaded: dict[str, Any], pool: GradingPool) -> None:
    questions = {question.target: question for question in questions_of(loaded, "livecodebench")}
    assert len(questions) >= 180
    for target, (solution, wrong) in SOLVED.items():
        if target not in questions:  # made-up rows stand on the mirror alone
            assert target.startswith("synthetic-")
            continue
        question = questions[target]
        assert question.synthetic == target.startswith("synthetic-")
        right = pool.grade_blocking(question.gold, f"```python\n{solution}\n```", "code")
        assert right.correct, (target, right.detail)
        grade = pool.grade_blocking(question.gold, f"```python\n{wrong}\n```", "code")
        assert grade.status is Status.INCORRECT, (target, grade.detail)
