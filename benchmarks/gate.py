"""Measures how often the verdicts of raml_eval.comparison and its gate are wrong, and what they find. Seeded.

It prints Markdown and ends with one line `GATE false=... power=... silent=...`: false alarms of the whole comparison, power
of the pooled endpoint at 134 questions a task, and the share of comparisons that are inconclusive and exit with 0 without
saying so. RUNS is the number of simulated pairs a row, 2000 by default (about ten minutes on one core):

    python benchmarks/gate.py [RUNS]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from raml_eval.comparison import Comparison, PrimaryEndpoint, Verdict
from raml_eval.comparison.compare import Tested, judge_all
from raml_eval.comparison.endpoints import MEANS, Target
from raml_eval.comparison.verdicts import judge, overall
from raml_eval.intervals import Part, holm, pooled_difference
from raml_eval.metrics import mg_pass_at_k, pass_at_k
from raml_eval.reporting.compare import summary_lines
from raml_eval.tables import Measure

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
            scope = members[0] if len(members) == 1 else MEANS[domain]
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


def false_alarms(runs: int) -> tuple[list[list[object]], float, float]:
    """Pairs without a difference: how often anything at all is called better or worse, and what the exit code says."""
    rows, worst, silent = [], 0.0, 0.0
    worlds = (World(70), World(134), World(70, 8, 2), World(30, 0.5, 0.5), World(120, per_cluster=4))
    for seed, world in enumerate(worlds):
        found = list(simulate(world, FOUR, len(BUDGETS), runs, seed))
        shown = np.mean([any(cell.verdict in ("better", "worse") for cell in one.cells) for one in found])
        alarms = np.mean([one.regressed for one in found])
        alike = np.mean([one.verdict is Verdict.EQUIVALENT for one in found])
        told = np.mean([says_nothing(one) for one in found])
        worst, silent = max(worst, float(shown)), max(silent, float(told))
        label = f"Beta({world.a:g}, {world.b:g}), {world.questions} questions, clusters of {world.per_cluster}"
        rows.append([label, *(f"{100 * share:.1f}" for share in (shown, alarms, alike, told))])
    return rows, worst, silent


def power(runs: int) -> tuple[list[list[object]], dict[int, float]]:
    """A drop of 5 points everywhere: what each way of testing finds."""
    rows, pooled = [], {}
    for questions in (30, 60, 70, 134):
        world, rng = World(questions, drop=0.05), np.random.default_rng(questions)
        hits = np.zeros(5)
        for _ in range(runs):
            drawn = {task: world.draw(rng, task) for task in ONE_DOMAIN}
            parts = [Part(base[0] / N, new[0] / N, names) for base, new, names in drawn.values()]
            alone = [pooled_difference([part]) for part in parts]
            family = [alone[0].p_value, *np.sort(rng.random(39))]  # first in a Holm family of 40 whose others do not differ
            found = compare(drawn, ONE_DOMAIN).verdict is Verdict.WORSE
            split = compare(drawn, FOUR)
            hits += [
                alone[0].p_value < 0.05,
                holm(family)[0] < 0.05,
                pooled_difference(parts).p_value < 0.05,
                found,
                split.verdict is Verdict.WORSE,
            ]
        pooled[questions] = hits[3] / runs
        rows.append([questions, *(f"{100 * hit / runs:.1f}" for hit in hits)])
    return rows, pooled


def wrong_at_the_margin(runs: int) -> list[list[object]]:
    """How often equivalence is claimed at a true difference of the margin."""
    rows = []
    for questions in (134, 500, 2000):
        for sign in (-1, 1):
            world, rng = World(questions, drop=sign * MARGIN), np.random.default_rng(questions)
            claimed = 0
            for _ in range(runs):
                parts = [Part(b[0] / N, n[0] / N, names) for b, n, names in (world.draw(rng, task) for task in "ab")]
                one = pooled_difference(parts, 0.96)
                claimed += judge(one.low, one.high, MARGIN) is Verdict.EQUIVALENT
            rows.append([questions, f"{-100 * sign * MARGIN:+g}", f"{100 * claimed / runs:.1f}"])
    return rows


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"{title}\n\n{tabulate(rows, head, tablefmt='github', disable_numparse=True)}\n", flush=True)


def main(runs: int) -> None:
    error = 200 * (0.05 * 0.95 / runs) ** 0.5
    print(f"{runs} pairs a row, n = {N}; two standard errors at 5 % are {error:.1f} points. All numbers in percent.\n")
    rows, false, silent = false_alarms(runs)
    head = ["no difference; 4 tasks, 2 domains, 4 budgets", "anything shown", "exit code 1", "equivalent", "silent 0"]
    show("False alarms of the whole comparison", head, rows)
    rows, pooled = power(runs)
    head = [
        "questions a task",
        "one task",
        "first of Holm's 40",
        "pooled over 4",
        "compare, one domain",
        "compare, 2 + 2 tasks",
    ]
    show("A true drop of 5 points, Beta(2, 2)", head, rows)
    show(
        "Equivalence claimed at a true difference of the margin (2 tasks)",
        ["questions a task", "true", "claimed"],
        wrong_at_the_margin(runs),
    )
    print(f"GATE false={false:.4f} power={pooled[134]:.4f} silent={silent:.4f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
