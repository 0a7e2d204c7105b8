"""Measures how often a gate of raml_eval.comparison fails without cause, and passes what it should not. Seeded.

Each row simulates RUNS pairs of checkpoints (2000 by default, about ten minutes on one core): four tasks, n = 8, the success
probability of a question from a Beta distribution, and a drop of it. It prints Markdown:

    python benchmarks/gate_rules.py [RUNS]
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np
from tabulate import tabulate

from raml_eval.comparison import CellValues, Rule, judge_gate
from raml_eval.intervals import Part, pooled_difference

N, TASKS = 8, 4
WORLDS = [(2.0, 2.0, 1), (0.5, 0.5, 1), (8.0, 2.0, 1), (2.0, 2.0, 4)]


def draw(rng: np.random.Generator, questions: int, drop: float, a: float = 2.0, b: float = 2.0, per: int = 1) -> list[Part]:
    """The values of the four tasks; per questions share a success probability and a cluster."""
    parts = []
    for task in range(TASKS):
        p = np.repeat(rng.beta(a, b, -(-questions // per)), per)[:questions]
        names = [f"{task}-{row // per}" for row in range(questions)]
        base, new = rng.binomial(N, p) / N, rng.binomial(N, np.clip(p - drop, 0, 1)) / N
        parts.append(Part(base, new, names))
    return parts


def make_rules(size: int) -> list[tuple[Rule, list[int]]]:
    """The rules of a gate of that many cells, each with its tasks: the pooled mean, each task, then the others by turns."""
    tests = ("non_inferiority", "superiority", "equivalence")
    rules = [(Rule("mean"), list(range(TASKS)))]
    for number in range(size - 1):
        task, test = number % TASKS, tests[number // TASKS % len(tests)]
        rules.append((Rule(f"{number}", test=test), [task]))  # type: ignore[arg-type]
    return rules


def outcomes(runs: int, size: int, questions: int, drop: float, world: tuple[float, float, int]) -> Counter[str]:
    """How many of the gates had which outcome."""
    rng, found = np.random.default_rng([size, questions, round(1000 * drop)]), Counter[str]()
    for _ in range(runs):
        parts = draw(rng, questions, drop, *world)
        cells = [CellValues(rule, [parts[task] for task in tasks]) for rule, tasks in make_rules(size)]
        found[judge_gate(cells).outcome] += 1
    return found


def false_alarms(runs: int) -> list[list[object]]:
    """Gates that fail although nothing differs."""
    rows = []
    for a, b, per in WORLDS:
        for size in (1, 5, 13):
            found = outcomes(runs, size, 70 if per == 1 else 120, 0.0, (a, b, per))
            label = f"Beta({a:g}, {b:g}), clusters of {per}"
            rows.append([label, size, *(f"{100 * found[one] / runs:.1f}" for one in ("failed", "inconclusive", "passed"))])
    return rows


def power(runs: int) -> list[list[object]]:
    """Gates of one and five cells that fail after a drop of 5 points everywhere."""
    rows = []
    for questions in (30, 70, 134):
        failed = [outcomes(runs, size, questions, 0.05, WORLDS[0])["failed"] / runs for size in (1, 5)]
        rows.append([questions, *(f"{100 * share:.1f}" for share in failed)])
    return rows


def wrong_passes(runs: int) -> list[list[object]]:
    """Non-inferiority and equivalence passed although the drop is the margin, or twice it, by margin in standard errors."""
    rows = []
    for times in (0.25, 0.5, 1.0, 2.0, 4.0):
        for questions in (70, 134):
            rng = np.random.default_rng([round(100 * times), questions])
            wide = pooled_difference(draw(rng, 20_000, 0.0))
            margin = times * (wide.high - wide.low) / 2 / 1.96 * (20_000 / questions) ** 0.5
            hits = np.zeros(3)
            for _ in range(runs):
                at, beyond = draw(rng, questions, margin), draw(rng, questions, 2 * margin)
                alike, worse = Rule("mean", test="equivalence", margin=margin), Rule("mean", margin=margin)
                for place, (rule, parts) in enumerate([(alike, at), (worse, at), (worse, beyond)]):
                    hits[place] += judge_gate([CellValues(rule, parts)]).exit_code == 0
            rows.append([questions, f"{100 * margin:.2f}", f"{times:g}", *(f"{100 * hit / runs:.1f}" for hit in hits)])
    return rows


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"{title}\n\n{tabulate(rows, head, tablefmt='github', disable_numparse=True)}\n", flush=True)


def main(runs: int) -> None:
    print(f"{runs} pairs a row, {TASKS} tasks, n = {N}; two standard errors at 5 % are {200 * (0.0475 / runs) ** 0.5:.1f}.\n")
    show("No difference", ["success", "cells", "failed", "inconclusive", "passed"], false_alarms(runs))
    show("A true drop of 5 points: failed", ["questions a task", "1 cell", "5 cells"], power(runs))
    head = ["questions a task", "margin", "in standard errors", "equivalence at it", "non-inferiority at it", "at twice it"]
    show("Passed although the true drop is the margin, or twice the margin", head, wrong_passes(runs))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
