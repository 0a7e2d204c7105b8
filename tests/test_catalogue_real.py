"""A walk through the catalogue: every task whose real rows are beside the checkout loads, and grades its own golds.

A gold must be right written as the task asks for it and reworded, and a near miss must be wrong. Rows whose gold cannot be
graded are listed in the README of their task.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from raml_eval.golds import find_bad_golds
from raml_eval.grading import KINDS, grade
from raml_eval.grading.kinds import extract_answer
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.load import load_task
from raml_eval.tasks.task_file import TaskFile
from raml_eval.types import LoadedTask, Question, Status
from tests.conftest import REAL_HUB

MIRROR = REAL_HUB.parent / "hub"
CATALOGUE = load_catalogue(data_dir=MIRROR)
pytestmark = pytest.mark.skipif(not MIRROR.is_dir(), reason="no mirror with the real rows beside the checkout")
# Tasks whose data set is there, but not the rows that they read.
ABSENT = ("livemathbench_cn", "livemathbench_hard", "livemathbench_hard_cn", "livecodebench_v6", "zebralogic_mc")
# Golds that hold words beside a formula: a sentence that gives one without a box is read as its formula alone.
WORDY = re.compile(r"\$[^$]+\$.*[A-Za-z]|[A-Za-z]{2,} .*[\d$]", re.DOTALL)


def data_sets(file: TaskFile) -> list[str]:
    """The hub ids that a task's YAML names."""
    named = [file.config.get("dataset_path"), *re.findall(r"[\w.-]+/[\w.-]+", json.dumps(file.config.get("dataset_kwargs")))]
    return [str(name) for name in named if name]


def here(name: str) -> bool:
    file = CATALOGUE.files[name]
    named = data_sets(file)
    return name not in ABSENT and any((MIRROR / one).is_dir() for one in named)


TASKS = [name for name in CATALOGUE.files if here(name)] if MIRROR.is_dir() else []


@pytest.fixture(scope="module")
def loaded() -> dict[str, LoadedTask]:
    return {}


def load(loaded: dict[str, LoadedTask], name: str) -> LoadedTask:
    if name not in loaded:
        loaded[name] = load_task(CATALOGUE, name)
    return loaded[name]


def unique(questions: tuple[Question, ...]) -> Iterator[Question]:
    """One question of each gold with its options."""
    return iter({(question.gold, question.options): question for question in questions}.values())


def reworded(question: Question) -> Mapping[str, str]:
    """Other ways to give the gold, for the kinds that read sentences."""
    gold, kind = question.target, question.grader
    if kind == "math":
        bare = gold.strip().removeprefix("$").removesuffix("$") if gold.count("$") == 2 else gold
        delimited = "" if "$" in bare else f"So the final answer is ${bare}$."
        return {"boxed": f"Thus we get $$\\boxed{{{gold}}}$$ as claimed.", **({"delimited": delimited} if delimited else {})}
    if kind == "choice":
        letter = extract_answer(f"\\boxed{{{gold}}}", kind, question.options).answer
        text = question.options["ABCDEFGHIJKLMNOPQRSTUVWXYZ".index(str(letter))]
        return {"said": f"**Answer: {letter}**", "with its text": f"The answer is ({letter}) {text}"}
    if kind == "label":
        return {"said": f"So the answer is {gold}.", "marked": f"Therefore: **{gold}**"}
    if kind == "exact":
        boxed = {} if "{" in gold or "}" in gold else {"boxed": f"We end with \\boxed{{{gold}}}."}
        return {**boxed, "tagged": f"<answer>{gold}</answer>"}
    return {}


def near_misses(question: Question) -> list[str]:
    """Completions that give another answer than the gold, as like to it as can be made. One of them must be wrong.

    A number before a formula may stand in a name, and one behind it in a condition or beside a constant of integration.
    """
    gold, kind = question.target, question.grader
    if kind == "math":
        number = re.fullmatch(r"-?\d+", gold.strip().strip("$"))
        if number:
            return [f"\\boxed{{{int(number[0]) + 1}}}"]
        inner = gold.strip().removeprefix("$").removesuffix("$")
        others = (f"8{inner}", f"{inner}+987654321", f"\\frac{{{inner}}}{{8}}", "\\text{another}")
        return [f"\\boxed{{${other}$}}" if "$" in gold else f"\\boxed{{{other}}}" for other in others]
    return [near_miss(question)]


def near_miss(question: Question) -> str:
    """As near_misses, for the kinds other than math."""
    gold, kind = question.target, question.grader
    if kind == "choice":
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(question.options)]
        right = extract_answer(f"\\boxed{{{gold}}}", kind, question.options).answer
        other = letters[(letters.index(str(right)) + 1) % len(letters)] if len(letters) > 1 else "B"  # there is such a row
        return f"\\boxed{{{other}}}"
    if kind == "label":
        right = extract_answer(f"\\boxed{{{gold}}}", kind, question.options).answer
        return f"\\boxed{{{next(label for label in question.options if label != right)}}}"
    if kind == "grid":
        grid = json.loads(gold)
        grid["rows"][0][1] = "somebody else"
        return json.dumps(grid)
    if kind == "bracket":
        inside = gold.removeprefix("[[").removesuffix("]]")
        return f"[[{inside[:-1]}, 99991}}]]" if inside.endswith("}") else f"[[{inside} and more]]"
    return f"<answer>{gold} and more</answer>"


@pytest.mark.parametrize("name", TASKS)
def test_every_gold_grades_as_right_and_a_near_miss_as_wrong(loaded: dict[str, LoadedTask], name: str) -> None:
    questions = load(loaded, name).questions
    assert [str(bad) for bad in find_bad_golds(questions)] == []
    for question in unique(questions):
        kind = KINDS[question.grader]
        if kind.write_gold is None:
            continue
        ways = {"as asked": kind.write_gold(question.gold, question.options), **reworded(question)}
        for way, completion in ways.items():
            verdict = grade(question.gold, completion, question.grader, question.options)
            # An option's own text may hold letters in brackets: "(C) (I, II) and (I, III) only".
            unsure = way == "with its text" and verdict.status is Status.NO_ANSWER and "(" in completion
            assert verdict.correct or unsure, (way, question.id, question.target, completion, verdict)
        plain = grade(question.gold, question.target, question.grader, question.options)
        assert plain.status is not Status.INCORRECT or WORDY.search(question.target), (question.id, question.target, plain)
        misses = {miss: grade(question.gold, miss, question.grader, question.options) for miss in near_misses(question)}
        assert any(verdict.status is Status.INCORRECT for verdict in misses.values()), (question.id, question.target, misses)


@pytest.mark.slow
def test_all_of_it_loads_from_a_hub_that_fails_a_fifth_of_its_requests(tmp_path: Path) -> None:
    """In a process of its own, since the client libraries read the hub's address when they are imported."""
    code = (
        "import sys\n"
        "from raml_eval.tasks import hub_client\n"
        "from raml_eval.tasks.catalogue import load_catalogue\n"
        "from raml_eval.tasks.load import load_task\n"
        "hub_client.PATIENCE_S = 60.0\n"
        "catalogue = load_catalogue()\n"
        "for name in sys.argv[1:]: print(name, len(load_task(catalogue, name).questions), flush=True)\n"
    )
    command = [sys.executable, str(REAL_HUB), "--port", "0", "--fail-rate", "0.2", "--seed", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        env = {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1", "PATH": "/usr/bin:/bin"}
        try:
            done = subprocess.run(
                [sys.executable, "-c", code, *TASKS], env=env, capture_output=True, text=True, timeout=900, check=False
            )
        finally:
            server.terminate()
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line.split()[0] for line in done.stdout.splitlines()] == TASKS
    assert "failure 1 of 5" in done.stderr
