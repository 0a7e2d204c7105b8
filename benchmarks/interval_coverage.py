"""Measures how often the 95 % intervals of raml_eval.intervals contain the truth. Seeded, takes about five minutes on one core.

A row is a population of questions: each has a success probability from a Beta distribution, n samples, and a value by one of
four metrics. With clusters of four, the four questions share their success probability (the last cluster may be smaller).
The new run of a difference has the same success probabilities (no change), each 5 points lower but at least 0 (drop), or each
25 points lower or 15 higher, by chance and within 0 and 1 (varied): then the difference itself differs by question. A row
measures one task (mean and paired difference) and four independent tasks of the same kind (macro mean and pooled difference);
the mixed rows have four tasks of 30, 70, 134 and 500 questions. The truth is an exact sum for the base run and the sum over
100,000 equally likely success probabilities for the new one.

A cell has enough value if G m and G (1 - m) are at least ten for the expected mean m of its task of G clusters; a difference,
if this holds for both of its runs; a macro mean and a pooled difference, if it holds in each task. There the coverage must lie
between 93 and 97 %, elsewhere it must be at least 93 %, both give or take two standard errors. For a pass, the script prints
as its last line COVERAGE with below=0 and above=0, and it exits 0.

    python benchmarks/interval_coverage.py [RUNS]    # runs a row, 2,000 by default; a quarter of the tasks' number
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import interval_methods as many
import numpy as np
from interval_methods import Array, Many
from scipy.stats import beta, betabinom, binom
from tabulate import tabulate

from raml_eval.intervals import T_INTERVAL, Part, macro_mean, mean_interval, paired_difference, pooled_difference
from raml_eval.intervals.means import MOVER
from raml_eval.metrics import avg_at_n, mg_pass_at_k, pass_at_k

TASKS = 4
CHANGES = ("no change", "drop", "varied")
METRICS: dict[str, Callable[[int, Array], Array]] = {
    "avg@n": lambda n, c: avg_at_n(n, c),
    "pass@n/4": lambda n, c: pass_at_k(n, c, n // 4),
    "pass@n": lambda n, c: pass_at_k(n, c, n),
    "mG-Pass@n": lambda n, c: mg_pass_at_k(n, c, n),
}
BETAS = ((2.0, 2.0), (0.5, 0.5), (8.0, 2.0))
SAMPLES = (8, 32)
QUESTIONS = (30, 70, 134, 500)
PER_CLUSTER = (1, 4)
LEAST, MOST, WORTH = 0.93, 0.97, 10


@dataclass(frozen=True)
class Task:
    """A population of questions and how many of them a run asks."""

    metric: str
    n: int
    a: float
    b: float
    questions: int
    per_cluster: int

    @property
    def table(self) -> Array:
        return np.asarray(METRICS[self.metric](self.n, np.arange(self.n + 1)), dtype=np.float64)

    @property
    def sizes(self) -> Array:
        starts = np.arange(0, self.questions, self.per_cluster)
        return np.minimum(self.per_cluster, self.questions - starts).astype(np.float64)

    def draw(self, rng: np.random.Generator, runs: int) -> tuple[Array, dict[str, Array]]:
        """The values of the base run and of each change, (runs, questions)."""
        clusters = np.arange(self.questions) // self.per_cluster
        success = rng.beta(self.a, self.b, (runs, len(self.sizes)))
        chance = rng.random(success.shape)
        values = [
            self.table[rng.binomial(self.n, changed[:, clusters])]
            for changed in (success, *(change(name, success, chance) for name in CHANGES))
        ]
        return values[0], dict(zip(CHANGES, values[1:], strict=True))

    def by_cluster(self, values: Array) -> Array:
        return np.add.reduceat(values, np.arange(0, self.questions, self.per_cluster), axis=1)

    def truth(self, changed: str | None = None) -> float:
        return _truth(self.metric, self.n, self.a, self.b, changed)

    def has_enough(self, changed: str | None = None) -> bool:
        expected = (self.truth(), self.truth(changed))
        return len(self.sizes) * min(*expected, *(1 - mean for mean in expected)) >= WORTH


@dataclass
class Tally:
    """What is counted over all cells."""

    coverages: list[float] = field(default_factory=list)
    enough: int = 0
    below: int = 0
    above: int = 0
    compared: int = 0

    def cell(self, found: Many, truth: float, enough: bool) -> str:
        """A cell of the table: coverage in percent, mean width, share of t-intervals, and the marks."""
        coverage, runs = found.share_that_holds(truth), len(found.value)
        below = coverage < LEAST - 2 * (LEAST * (1 - LEAST) / runs) ** 0.5
        above = enough and coverage > MOST + 2 * (MOST * (1 - MOST) / runs) ** 0.5
        self.coverages.append(coverage)
        self.enough += enough
        self.below += below
        self.above += above
        mark = " BELOW" if below else " ABOVE" if above else ""
        return f"{'' if enough else '~'}{100 * coverage:.1f} ({found.width:.3f}, {100 * found.by_t.mean():.0f}){mark}"


def change(name: str, success: Array, chance: Array) -> Array:
    if name == "no change":
        return success
    if name == "drop":
        return np.maximum(success - 0.05, 0)
    return np.clip(success + np.where(chance < 0.5, -0.25, 0.15), 0, 1)


@cache
def _truth(metric: str, n: int, a: float, b: float, changed: str | None) -> float:
    counts = np.arange(n + 1)
    table = np.asarray(METRICS[metric](n, counts), dtype=np.float64)
    if changed in (None, "no change"):
        return float(table @ betabinom.pmf(counts, n, a, b))
    success = beta.ppf((np.arange(100_000) + 0.5) / 100_000, a, b)
    moved = (change(str(changed), success, np.full(success.shape, chance)) for chance in (0.0, 1.0))
    return float(np.mean([np.mean(binom.pmf(counts, n, p[:, None]) @ table) for p in moved]))


def measure(tasks: Sequence[Task], seed: int, runs: int, tally: Tally, compared: int = 1) -> list[str]:
    """The cells of a row. The first `compared` runs are computed by the public functions too, and must agree."""
    rng = np.random.default_rng(seed)
    drawn = [task.draw(rng, runs) for task in tasks]
    bases = [task.by_cluster(base) for task, (base, _) in zip(tasks, drawn, strict=True)]
    alone = [many.means(base, task.sizes) for base, task in zip(bases, tasks, strict=True)]
    truths, enough = [task.truth() for task in tasks], all(task.has_enough() for task in tasks)
    alike, macro = len(set(tasks)) == 1, many.macro(alone)
    cells = [tally.cell(_joined(alone), truths[0], enough)] if alike else [""]
    cells.append(tally.cell(macro, float(np.mean(truths)), enough))
    for name in CHANGES:
        parts = [(base, t.by_cluster(new[name]), t.sizes) for t, base, (_, new) in zip(tasks, bases, drawn, strict=True)]
        differ = [many.differences(*part) for part in parts]
        pooled = many.pooled(parts, differ)
        moved = [task.truth(name) - task.truth() for task in tasks]
        enough = all(task.has_enough(name) for task in tasks)
        cells.append(tally.cell(_joined(differ), moved[0], enough) if alike else "")
        cells.append(tally.cell(pooled, float(np.mean(moved)), enough))
        for run in range(compared):
            values = [(base[run], new[name][run]) for base, new in drawn]
            compare(tasks, values, [_one(found, run) for found in (alone[0], macro, differ[0], pooled)])
            tally.compared += 4
    return cells


def compare(tasks: Sequence[Task], values: Sequence[tuple[Array, Array]], found: Sequence[tuple[float, float, bool]]) -> None:
    """Raises SystemExit if a mean, macro mean, paired or pooled difference of the public functions is another."""
    names = [
        [f"{index} {question // task.per_cluster}" for question in range(task.questions)] for index, task in enumerate(tasks)
    ]
    means = [mean_interval(base, own) for (base, _), own in zip(values, names, strict=True)]
    pooled = pooled_difference([Part(base, new, own) for (base, new), own in zip(values, names, strict=True)], tested=False)
    wanted = (means[0], macro_mean(means), paired_difference(*values[0], names[0]), pooled)
    for have, want in zip(found, wanted, strict=True):
        apart = max(abs(have[0] - want.low), abs(have[1] - want.high)) > 1e-4
        if apart or (want.method != MOVER and have[2] != (T_INTERVAL in want.method)):
            raise SystemExit(f"the fast methods differ from raml_eval.intervals: {have} beside {want} for {tasks[0]}")


def _joined(found: Sequence[Many]) -> Many:
    return Many(*(np.concatenate([getattr(one, name) for one in found]) for name in ("value", "low", "high", "by_t")))


def _one(found: Many, run: int) -> tuple[float, float, bool]:
    return float(found.low[run]), float(found.high[run]), bool(found.by_t[run])


def rows() -> Iterator[tuple[str, list[Task]]]:
    """Each row's name and its four tasks."""
    for questions, per, (a, b), n, metric in itertools.product(QUESTIONS, PER_CLUSTER, BETAS, SAMPLES, METRICS):
        yield f"{questions} | {per} | Beta({a:g}, {b:g}) | {n} | {metric}", [Task(metric, n, a, b, questions, per)] * TASKS
    for per, n, metric in itertools.product(PER_CLUSTER, SAMPLES, METRICS):
        mixed = zip(QUESTIONS, (*BETAS, BETAS[0]), strict=True)
        yield f"mixed | {per} | mixed | {n} | {metric}", [Task(metric, n, a, b, questions, per) for questions, (a, b) in mixed]


def main(runs: int) -> int:
    print(
        f"Coverage of 95 % intervals in percent (mean width, share of t-intervals in percent): {runs:,} runs of {TASKS} tasks "
        f"a row.\n~ marks cells where fewer than {WORTH} clusters' worth of value are expected on one side.\n"
    )
    tally = Tally()
    table = [[*name.split(" | "), *measure(tasks, seed, runs, tally)] for seed, (name, tasks) in enumerate(rows())]
    head = ["questions", "in a cluster", "success", "n", "metric", "mean", "macro mean"]
    head += [f"{what}, {name}" for name in CHANGES for what in ("paired", "pooled")]
    print(tabulate(table, head, tablefmt="github", disable_numparse=True) + "\n")
    low, high = min(tally.coverages), max(tally.coverages)
    print(
        f"COVERAGE cells={len(tally.coverages)} enough={tally.enough} low={100 * low:.1f} high={100 * high:.1f} "
        f"below={tally.below} above={tally.above} compared={tally.compared}"
    )
    return int(tally.below + tally.above > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))
