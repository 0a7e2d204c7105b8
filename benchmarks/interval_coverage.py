"""Measures how often the 95 % intervals of raml_eval.intervals contain the truth. Seeded, takes under a minute.

It prints Markdown. RUNS is the number of runs per row, 200 by default:

    python benchmarks/interval_coverage.py [RUNS]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom
from tabulate import tabulate

from raml_eval.intervals import T_INTERVAL, macro_mean, mean_interval, paired_difference
from raml_eval.metrics import avg_at_n, g_pass_at_k, mg_pass_at_k, pass_at_k

N = 8
COUNTS = np.arange(N + 1)
METRICS = {
    "avg@8": avg_at_n(N, COUNTS),
    "Pass@8": pass_at_k(N, COUNTS, N),
    "mG-Pass@8": mg_pass_at_k(N, COUNTS, N),
    "G-Pass@8, tau 1": g_pass_at_k(N, COUNTS, N, 1),
}
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """A source of questions: draw(rng, questions) gives the values and the cluster of each; truth is the mean of all values."""

    name: str
    truth: float
    draw: Callable[[np.random.Generator, int], tuple[Values, list[str]]]


def own_clusters(questions: int) -> list[str]:
    return [str(index) for index in range(questions)]


def beta_population(a: float, b: float, metric: str) -> Population:
    table = METRICS[metric]

    def draw(rng: np.random.Generator, questions: int) -> tuple[Values, list[str]]:
        return table[rng.binomial(N, rng.beta(a, b, questions))], own_clusters(questions)

    truth = float(table @ betabinom.pmf(COUNTS, N, a, b))
    return Population(f"{metric}, success from Beta({a:g}, {b:g})", truth, draw)


def binary_population(p: float) -> Population:
    def draw(rng: np.random.Generator, questions: int) -> tuple[Values, list[str]]:
        return (rng.random(questions) < p).astype(float), own_clusters(questions)

    return Population(f"0 or 1, p = {p:g}", p, draw)


def clustered_population(a: float, b: float) -> Population:
    """avg@8 of stories with 1 to 7 questions of one success probability each."""

    def draw(rng: np.random.Generator, questions: int) -> tuple[Values, list[str]]:
        story = np.repeat(np.arange(questions), rng.integers(1, 8, questions))[:questions]
        success = rng.beta(a, b, questions)[story]
        return METRICS["avg@8"][rng.binomial(N, success)], [str(index) for index in story]

    return Population(f"avg@8, stories of 1 to 7 questions, success from Beta({a:g}, {b:g})", a / (a + b), draw)


def populations() -> Iterator[Population]:
    for a, b in ((2, 2), (8, 0.5), (0.5, 8)):
        for metric in METRICS:
            yield beta_population(a, b, metric)
    for p in (0.9, 0.95, 0.98, 1.0):
        yield binary_population(p)
    yield clustered_population(2, 2)
    yield clustered_population(8, 0.5)


def plain_t(values: Values, clusters: list[str]) -> tuple[float, float]:
    """The t-interval alone, whatever the values; a single point if they are equal."""
    interval = mean_interval(values, clusters, bounds=None)
    return (interval.value, interval.value) if np.isnan(interval.low) else (interval.low, interval.high)


def mean_row(population: Population, questions: int, runs: int, seed: int) -> list[object]:
    rng = np.random.default_rng(seed)
    held, width, t_held, t_width, t_used = np.zeros(5)
    for _ in range(runs):
        values, clusters = population.draw(rng, questions)
        low, high = plain_t(values, clusters)
        t_held += low <= population.truth <= high
        t_width += high - low
        interval = mean_interval(values, clusters)
        held += interval.low <= population.truth <= interval.high
        width += interval.high - interval.low
        t_used += interval.method == T_INTERVAL
    shares = [100 * t_held, 100 * held, 100 * t_used]
    t_cell, cell, used = (f"{share / runs:.1f}" for share in shares)
    return [
        population.name,
        questions,
        f"{population.truth:.3f}",
        t_cell,
        cell,
        f"{t_width / runs:.3f}",
        f"{width / runs:.3f}",
        used,
    ]


def paired_row(name: str, metric: str, a: float, b: float, shift: float, questions: int, runs: int) -> list[object]:
    """Two models on the same questions: each success probability moves by the share shift of its distance to 0."""
    rng = np.random.default_rng(questions)
    table = METRICS[metric]
    many = rng.beta(a, b, 400_000)
    pmf = [np.mean(table[rng.binomial(N, many * (1 - move))]) for move in (0.0, shift)]
    truth = float(pmf[1] - pmf[0]) if shift else 0.0
    held, rejected, width, t_used = np.zeros(4)
    for _ in range(runs):
        success = rng.beta(a, b, questions)
        base, new = table[rng.binomial(N, success)], table[rng.binomial(N, success * (1 - shift))]
        difference = paired_difference(base, new, own_clusters(questions))
        held += difference.low <= truth <= difference.high
        rejected += difference.p_value < 0.05
        width += difference.high - difference.low
        t_used += difference.method == T_INTERVAL
    cells = (f"{100 * share / runs:.1f}" for share in (held, rejected, t_used))
    return [f"{name}: {metric}, Beta({a:g}, {b:g})", questions, f"{truth:.3f}", *cells, f"{width / runs:.3f}"]


def macro_row(name: str, tasks: list[tuple[Population, int]], runs: int) -> list[object]:
    rng = np.random.default_rng(len(tasks))
    truth = sum(population.truth for population, _ in tasks) / len(tasks)
    held, width = np.zeros(2)
    for _ in range(runs):
        interval = macro_mean([mean_interval(*population.draw(rng, questions)) for population, questions in tasks])
        held += interval.low <= truth <= interval.high
        width += interval.high - interval.low
    return [name, f"{truth:.3f}", f"{100 * held / runs:.1f}", f"{width / runs:.3f}"]


def main(runs: int) -> None:
    margin = 196 * (0.05 * 0.95 / runs) ** 0.5
    print(f"Coverage of 95 % intervals in percent (+-{margin:.1f} at 95): {runs} runs a row, {N} samples a question.\n")
    rows = [mean_row(p, questions, runs, seed) for questions in (30, 134) for seed, p in enumerate(populations())]
    head = ["values", "questions", "truth", "plain t", "mean_interval", "width t", "width", "t used"]
    print(tabulate(rows, head, tablefmt="github", disable_numparse=True) + "\n")
    rows = [
        paired_row(name, metric, a, b, shift, questions, runs)
        for questions in (30, 134)
        for name, shift in (("no change", 0.0), ("20 % lower", 0.2))
        for metric, a, b in (("avg@8", 2, 2), ("avg@8", 8, 0.5), ("Pass@8", 2, 2), ("G-Pass@8, tau 1", 0.5, 8))
    ]
    head = ["paired difference", "questions", "truth", "coverage", "p < 0.05", "t used", "width"]
    print(tabulate(rows, head, tablefmt="github", disable_numparse=True) + "\n")
    middle, ceiling = beta_population(2, 2, "avg@8"), beta_population(8, 0.5, "avg@8")
    rows = [
        macro_row("three tasks in the middle (30, 134, 198)", [(middle, 30), (middle, 134), (middle, 198)], runs),
        macro_row("two in the middle, one near the ceiling", [(middle, 30), (middle, 134), (ceiling, 30)], runs),
        macro_row("two near the ceiling (30, 134)", [(ceiling, 30), (ceiling, 134)], runs),
        macro_row("two of all correct (30, 134)", [(binary_population(1.0), 30), (binary_population(1.0), 134)], runs),
    ]
    print(tabulate(rows, ["macro mean", "truth", "coverage", "width"], tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
