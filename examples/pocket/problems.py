"""Pocket problems: three families of small questions with worked thinking, generated from a seed.

`python problems.py` writes the question files of the four pocket tasks. train.py draws its examples from the same
generators, and leaves out every question that is in those files.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TASKS_DIR = Path(__file__).resolve().parents[2] / "tasks"
TEST_SEED = 20_260
TEST_QUESTIONS = 200
MAX_OPERAND = 49


@dataclass(frozen=True, slots=True)
class Problem:
    """One question: what the user asks, the lines of a worked solution, and the answer that belongs in the box."""

    question: str
    lines: tuple[str, ...]
    answer: str


def chain(rng: random.Random, n_terms: int, slip_rate: float = 0.0) -> Problem:
    """A sum of n_terms numbers up to 49 whose running total never falls below zero, worked one operation per line."""
    total = rng.randint(1, MAX_OPERAND)
    expression, lines = str(total), []
    for _ in range(n_terms - 1):
        operand = rng.randint(1, MAX_OPERAND)
        sign = -1 if operand <= total and rng.random() < 0.5 else 1
        step = f"{total}{'+' if sign > 0 else '-'}{operand}="
        after = total + sign * operand
        if rng.random() < slip_rate:
            lines.append(f"{step}{_slip(rng, after)}")
            step = f"Wait, {step}"
        lines.append(f"{step}{after}")
        expression += f"{'+' if sign > 0 else '-'}{operand}"
        total = after
    return Problem(f"Compute {expression}.", tuple(lines), str(total))


def _slip(rng: random.Random, value: int) -> int:
    wrong = value + rng.choice([-10, -2, -1, 1, 2, 10])
    return wrong if wrong >= 0 else value + 1


def sorting(rng: random.Random, n_items: int, slip_rate: float = 0.0) -> Problem:
    """A list of distinct numbers up to 99 to put in ascending order, worked by taking the smallest one that is left."""
    left = rng.sample(range(1, 100), n_items)
    question = f"Sort in ascending order: {', '.join(map(str, left))}."
    answer = ", ".join(map(str, sorted(left)))
    lines = []
    while len(left) > 1:
        smallest = min(left)
        if rng.random() < slip_rate:
            other = rng.choice([item for item in left if item != smallest])
            lines.append(f"{' '.join(map(str, left))} min {other}")
            lines.append(f"Wait, {' '.join(map(str, left))} min {smallest}")
        else:
            lines.append(f"{' '.join(map(str, left))} min {smallest}")
        left.remove(smallest)
    return Problem(question, tuple(lines), answer)


_OPERATORS = {"and": lambda a, b: a and b, "or": lambda a, b: a or b, "xor": lambda a, b: a != b}


def logic(rng: random.Random, n_terms: int, slip_rate: float = 0.0) -> Problem:
    """A chain of truth values to evaluate from left to right, as a choice between (A) true and (B) false."""
    value = rng.random() < 0.5
    words, lines = [_letter(value)], []
    for _ in range(n_terms - 1):
        operator, operand = rng.choice(sorted(_OPERATORS)), rng.random() < 0.5
        step = f"{_letter(value)} {operator} {_letter(operand)}="
        value = _OPERATORS[operator](value, operand)
        if rng.random() < slip_rate:
            lines.append(f"{step}{_letter(not value)}")
            step = f"Wait, {step}"
        lines.append(f"{step}{_letter(value)}")
        words += [operator, _letter(operand)]
    question = f"Evaluate from left to right: {' '.join(words)}. (A) T (B) F"
    return Problem(question, tuple(lines), "A" if value else "B")


def _letter(value: bool) -> str:
    return "T" if value else "F"


def draw_training(rng: random.Random, slip_rate: float) -> Problem:
    """One problem of the training mixture: 84 % chains of 3 to 8 terms, 8 % sorting, 8 % logic."""
    share = rng.random()
    if share < 0.84:
        return chain(rng, rng.randint(3, 8), slip_rate)
    if share < 0.92:
        return sorting(rng, rng.randint(3, 5), slip_rate)
    return logic(rng, rng.randint(3, 8), slip_rate)


def test_problems(task: str) -> Iterator[Problem]:
    """The problems of one pocket task, without end, in the order of the seed, and without slips."""
    rng = random.Random(f"{TEST_SEED}/{task}")
    while True:
        if task == "pocket_chain":
            yield chain(rng, rng.randint(4, 5))
        elif task == "pocket_chain_long":
            yield chain(rng, rng.randint(6, 8))
        elif task == "pocket_sort":
            yield sorting(rng, rng.randint(3, 5))
        else:
            yield logic(rng, rng.randint(5, 8))


TEST_TASKS = ("pocket_chain", "pocket_chain_long", "pocket_sort", "pocket_logic")


def held_out(tasks_dir: Path = TASKS_DIR) -> frozenset[str]:
    """Every question in the tasks' files. Training must not see these."""
    rows = (line for task in TEST_TASKS for line in (tasks_dir / task / "questions.jsonl").open(encoding="utf-8"))
    return frozenset(json.loads(row)["question"] for row in rows)


def write_tasks(tasks_dir: Path = TASKS_DIR) -> None:
    """Each pocket task has its question file: distinct questions, one JSON object per line."""
    for task in TEST_TASKS:
        chosen: dict[str, str] = {}
        for problem in test_problems(task):
            chosen.setdefault(problem.question, problem.answer)
            if len(chosen) == TEST_QUESTIONS:
                break
        path = tasks_dir / task / "questions.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [json.dumps({"question": q, "answer": a}) + "\n" for q, a in chosen.items()]
        path.write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    write_tasks(Path(sys.argv[1]) if len(sys.argv) > 1 else TASKS_DIR)
