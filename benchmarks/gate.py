"""Measures how often the verdicts of raml_eval.comparison and its gate are wrong, and what they find. Seeded.

It prints Markdown and ends with one line `GATE false=... power=... silent=...`: the greatest share of false alarms of a whole
comparison or gate, the power of the pooled endpoint at 134 questions a task, and the share of comparisons that are
inconclusive and exit with 0 without saying so. RUNS is the number of simulated pairs a row, 2000 by default (about 25 minutes
of one core; the rows run on all cores):

    python benchmarks/gate.py [RUNS]

gate_rules.py beside it has the tables of gates alone, and until_decided.py those of runs that stop early.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import gate_rules
import numpy as np
from numpy.typing import NDArray

from raml_eval.comparison import Comparison, PrimaryEndpoint, Verdict
from raml_eval.comparison.compare import Tested, judge_all
from raml_eval.comparison.endpoints import Target
from raml_eval.comparison.verdicts import overall
from raml_eval.intervals import Part, holm, pooled_difference
from raml_eval.metrics import mg_pass_at_k, pass_at_k
from raml_eval.reporting.compare import summary_lines
from raml_eval.tables import DOMAIN_MEANS, Measure

N = 8
COUNTS = np.arange(N + 1)
AVERAGE = Measure("avg@n")
TABLES = {
    AVERAGE: COUNTS / N,
    Measure("pass@k", N): pass_at_k(N, COUNTS, N),
    Measure("mg_pass@k", N): mg_pass_at_k(N, COUNTS, N),
}
BUDGETS = (1024, 4096, 16384, "unlimited")
MARGIN = 0.02
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """Pairs of checkpoints: tasks of this many questions, success from Beta(a, b), and a drop of the success probability.

    spread is the standard deviation of the drop between questions; per_cluster questions share a success probability.
    """

    questions: int
    a: float = 2.0
    b: float = 2.0
    drop: float = 0.0
    spread: float = 0.0
    per_cluster: int = 1

    def draw(self, rng: np.random.Generator, name: str, budgets: int = 1) -> tuple[Counts, Counts, list[str]]:
        """The correct samples of base and new, (budgets, questions), and the clusters' names."""
        p = np.repeat(rng.beta(self.a, self.b, self.questions // self.per_cluster), self.per_cluster)
        moved = np.clip(p - self.drop + self.spread * rng.standard_normal(len(p)), 0, 1)
        names = [f"{name}-{row // self.per_cluster}" for row in range(len(p))]
        return rng.binomial(N, p, (budgets, len(p))), rng.binomial(N, moved, (budgets, len(p))), names


def test_targets(drawn: dict[str, tuple[Counts, Counts, list[str]]], domains: dict[str, str]) -> list[Tested]:
    """What compare tests on a suite of these tasks: means, tasks, the means at other budgets and by other metrics."""
    tested = []
    for domain in dict.fromkeys(domains.values()):
        tasks = tuple(task for task in drawn if domains[task] == domain)
        budgets = range(len(drawn[tasks[0]][0]))
        wanted = [("primary", tasks, budgets[-1], AVERAGE)]
        wanted += [("tasks", (task,), budgets[-1], AVERAGE) for task in tasks]
        wanted += [("budgets", tasks, budget, AVERAGE) for budget in budgets[:-1]]
        wanted += [("metrics", tasks, budgets[-1], measure) for measure in TABLES if measure != AVERAGE]
        for family, members, budget, measure in wanted:
            parts = tuple(
                Part(TABLES[measure][base[budget]], TABLES[measure][new[budget]], names)
                for base, new, names in (drawn[task] for task in members)
            )
            scope = members[0] if len(members) == 1 else DOMAIN_MEANS[domain]
            target = Target(family, scope, domain, members, BUDGETS[budget], measure)
            tested.append(Tested(target, parts, pooled_difference(parts)))
    return tested


def compare(drawn: dict[str, tuple[Counts, Counts, list[str]]], domains: dict[str, str]) -> Comparison:
    cells = judge_all(test_targets(drawn, domains), 0.95, MARGIN)
    verdict = overall([cell.verdict for cell in cells if cell.family == "primary"])
    primary = PrimaryEndpoint(AVERAGE, "unlimited", "suite four")
    return Comparison("base", "new", primary, 0.95, MARGIN, verdict, cells, (), (), (), ())


FOUR = {"a": "in_domain", "b": "in_domain", "c": "cross_domain", "d": "cross_domain"}
ONE_DOMAIN = dict.fromkeys("abcd", "in_domain")


def simulate(world: World, domains: dict[str, str], budgets: int, runs: int, seed: int) -> Iterator[Comparison]:
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        yield compare({task: world.draw(rng, task, budgets) for task in domains}, domains)


def says_nothing(found: Comparison) -> bool:
    """True for an inconclusive comparison with exit code 0 whose text does not say that it is inconclusive."""
    text = " ".join(summary_lines(found))
    return found.verdict is Verdict.INCONCLUSIVE and not found.regressed and "inconclusive" not in text


WORLDS = (World(70), World(134), World(70, 8, 2), World(30, 0.5, 0.5), World(120, per_cluster=4), World(30, 0.3, 3))


def pairs_of(runs: int, world: World) -> int:
    """An eighth of the pairs where few clusters carry most differences: Gaffke's intervals take long."""
    return runs // 8 if world.questions == 30 else runs


def false_alarms(runs: int, seed: int) -> tuple[float, ...]:
    """Pairs without a difference: how often anything is called better or worse, exit code 1, equivalent, and a silent 0."""
    found = list(simulate(WORLDS[seed], FOUR, len(BUDGETS), pairs_of(runs, WORLDS[seed]), seed))
    shown = np.mean([any(cell.verdict in ("better", "worse") for cell in one.cells) for one in found])
    alarms = np.mean([one.regressed for one in found])
    alike = np.mean([one.verdict is Verdict.EQUIVALENT for one in found])
    return float(shown), float(alarms), float(alike), float(np.mean([says_nothing(one) for one in found]))


def power(runs: int, questions: int) -> tuple[float, ...]:
    """A drop of 5 points everywhere: what each way of testing finds."""
    world, rng, hits = World(questions, drop=0.05), np.random.default_rng(questions), np.zeros(5)
    for _ in range(runs):
        drawn = {task: world.draw(rng, task) for task in ONE_DOMAIN}
        parts = [Part(base[0] / N, new[0] / N, names) for base, new, names in drawn.values()]
        alone = pooled_difference(parts[:1]).p_value
        hits += [
            alone < 0.05,
            holm([alone, *rng.random(39)])[0] < 0.05,  # in a family of 40 whose others do not differ
            pooled_difference(parts).p_value < 0.05,
            compare(drawn, ONE_DOMAIN).verdict is Verdict.WORSE,
            compare(drawn, FOUR).verdict is Verdict.WORSE,
        ]
    return tuple(hits / runs)


def percent(shares: Sequence[float]) -> list[str]:
    return [f"{100 * share:.1f}" for share in shares]


def main(runs: int) -> None:
    error = 200 * (0.05 * 0.95 / runs) ** 0.5
    print(f"{runs} pairs a row, n = {N}; two standard errors at 5 % are {error:.1f} points. All numbers in percent.\n")
    sizes = (30, 60, 70, 134)
    with ProcessPoolExecutor() as pool:
        alarms = pool.map(partial(false_alarms, runs), range(len(WORLDS)))
        found = pool.map(partial(power, runs), sizes)
        gates = pool.submit(gate_rules.false_alarms, runs)
        passes = pool.submit(gate_rules.wrong_passes, runs)
        compared = list(alarms)
        labels = [
            f"Beta({w.a:g}, {w.b:g}), {w.questions} questions, clusters of {w.per_cluster}, {pairs_of(runs, w)} pairs"
            for w in WORLDS
        ]
        head = ["no difference; 4 tasks, 2 domains, 4 budgets", "anything shown", "exit code 1", "equivalent", "silent 0"]
        rows: list[list[object]] = [[label, *percent(row)] for label, row in zip(labels, compared, strict=True)]
        gate_rules.show("False alarms of the whole comparison", head, rows)
        pooled = dict(zip(sizes, found, strict=True))
        head = [
            "questions a task",
            "one task",
            "first of Holm's 40",
            "pooled over 4",
            "compare, one domain",
            "compare, 2 + 2 tasks",
        ]
        gate_rules.show("A true drop of 5 points, Beta(2, 2)", head, [[q, *percent(row)] for q, row in pooled.items()])
        head = ["no difference", "cells", "failed", "inconclusive", "passed"]
        gate_rules.show("Gates of several cells", head, gates.result())
        head = ["questions a task", "margin", "in standard errors", "equivalence at it", "non-inferiority at it", "at twice it"]
        gate_rules.show("Passed although the true drop is the margin, or twice the margin", head, passes.result())
    whole = [row[0] for row, world in zip(compared, WORLDS, strict=True) if pairs_of(runs, world) == runs]
    false = max(*whole, *(float(str(row[2])) / 100 for row in gates.result()))
    print(f"GATE false={false:.4f} power={pooled[134][3]:.4f} silent={max(row[3] for row in compared):.4f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
