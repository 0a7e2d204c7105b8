"""Measures a run that is drawn until the interval of its pooled difference has left the margin. Seeded, a few minutes.

Two models of the same questions: 4 tasks of 134 questions, n = 8, a question's success drawn from Beta(2, 2), and lower by a
share of it in the new model. Looks come after the batches that raml_eval.batches would make, at the levels of
raml_eval.intervals.look_levels, with the interval of pooled_difference. A look decides "pass" if the interval lies above the
margin and "fail" if it lies below. It prints Markdown. RUNS is the number of simulated runs per row, 20,000 by default:

    python benchmarks/until_decided.py [RUNS]
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import norm, t
from tabulate import tabulate

from raml_eval.batches import LOOKS, order_batches
from raml_eval.intervals import Part, look_levels, pooled_difference
from raml_eval.intervals.sequential import leave_chances, spend_bounds, spent_by

TASKS, QUESTIONS, N, MARGIN, LEVEL = 4, 134, 8, 0.05, 0.95
DROPS = (0.0, 0.01, 0.02, 0.025, 0.03, 0.035, 0.04, 0.05, 0.06, 0.065, 0.07, 0.075, 0.08, 0.10)
DISTANCE = float(MARGIN / (np.sqrt(2 * 0.2 / N) / np.sqrt(TASKS * QUESTIONS)))  # of no drop, in standard errors at the end
CHUNK = 2000
Values = NDArray[np.float64]


def draw(rng: np.random.Generator, runs: int, drop: float, questions: int = QUESTIONS) -> Values:
    """The differences new - base by question: (runs, TASKS, questions). Their mean is -drop."""
    success = rng.beta(2, 2, (runs, TASKS, questions))
    base, new = rng.binomial(N, success), rng.binomial(N, success * (1 - 2 * drop))
    return (new - base) / N


def sizes_of(looks: int, questions: int = QUESTIONS) -> list[int]:
    """How many questions of each task every look has, when all tasks are of one size."""
    clusters = {(str(task), str(row)): f"{task}/{row}" for task in range(TASKS) for row in range(questions)}
    sizes = np.cumsum([len(batch) for batch in order_batches(clusters, looks)]) // TASKS
    return [int(size) for size in sizes]


def intervals(differences: Values, sizes: Sequence[int], levels: Sequence[float]) -> tuple[Values, Values, Values]:
    """The mean and the ends of the pooled interval of every run at every look, (runs, looks) each.

    As pooled_difference computes them if every task gets a t-interval and no cluster is shared: Welch and Satterthwaite.
    """
    means, lows, highs = [], [], []
    for size, level in zip(sizes, levels, strict=True):
        seen = differences[:, :, :size]
        variances = seen.var(axis=2, ddof=1) / size / TASKS**2
        total = variances.sum(axis=1)
        freedom = total**2 / (variances**2 / (size - 1)).sum(axis=1)
        half = t.ppf((1 + level) / 2, freedom) * np.sqrt(total)
        means.append(seen.mean(axis=(1, 2)))
        lows.append(means[-1] - half)
        highs.append(means[-1] + half)
    return np.stack(means, axis=1), np.stack(lows, axis=1), np.stack(highs, axis=1)


@dataclass(frozen=True)
class Shown:
    """What became of simulated runs: the shares that pass and fail, of a run drawn whole and of one drawn until decided."""

    fixed_pass: float
    fixed_fail: float
    passed: float
    failed: float
    drawn: float  # the mean share of the questions
    bias: float  # the mean of estimate - truth where the drawing ended
    bias_early: float  # and of those that ended before the last look


def simulate(drop: float, runs: int, looks: int = LOOKS, seed: int = 0, margin: float = MARGIN) -> Shown:
    rng = np.random.default_rng([seed, round(drop * 1e6)])
    sizes = sizes_of(looks)
    levels = look_levels([size / QUESTIONS for size in sizes], LEVEL)
    totals, n_early, early = np.zeros(6), 0, 0.0
    for start in range(0, runs, CHUNK):
        differences = draw(rng, min(CHUNK, runs - start), drop)
        _, whole_low, whole_high = intervals(differences, [QUESTIONS], [LEVEL])
        means, low, high = intervals(differences, sizes, levels)
        passes, fails = low > -margin, high < -margin
        at = np.where((passes | fails).any(axis=1), (passes | fails).argmax(axis=1), len(sizes) - 1)
        row = np.arange(len(at))
        errors = means[row, at] + drop
        drawn = np.array(sizes)[at] / QUESTIONS
        ended = (whole_low[:, 0] > -margin, whole_high[:, 0] < -margin, passes[row, at], fails[row, at], drawn, errors)
        totals += np.array([float(each.sum()) for each in ended])
        first = at < len(sizes) - 1
        n_early += int(first.sum())
        early += float(errors[first].sum())
    one = [float(total) for total in totals / runs]
    return Shown(one[0], one[1], one[2], one[3], one[4], one[5], early / n_early if n_early else float("nan"))


def check_intervals() -> None:
    """Raises AssertionError unless the vectorised intervals are those of pooled_difference."""
    differences = draw(np.random.default_rng(1), 3, 0.04)
    _, low, high = intervals(differences, [34, QUESTIONS], [0.99, LEVEL])
    for run in range(3):
        for column, (size, level) in enumerate(((34, 0.99), (QUESTIONS, LEVEL))):
            parts = [
                Part(np.zeros(size), differences[run, task, :size], [f"{task}/{row}" for row in range(size)])
                for task in range(TASKS)
            ]
            found = pooled_difference(parts, level, bounds=(-1.0, 1.0))
            assert np.allclose([found.low, found.high], [low[run, column], high[run, column]], atol=1e-9)


Rule = Callable[[float, float], float]  # the fraction and alpha to the bound, in standard errors


def spending(spend: Callable[[float], float]) -> Callable[[Sequence[float]], list[float]]:
    return lambda fractions: spend_bounds(fractions, [spend(fraction) for fraction in fractions])


def robbins(fractions: Sequence[float]) -> list[float]:
    """The normal mixture of Robbins 1970, Annals of Mathematical Statistics 41, made narrowest at the end."""

    def bound(fraction: float, scale: float) -> float:
        return float(np.sqrt((1 + scale / fraction) * np.log((fraction + scale) / (scale * (1 - LEVEL) ** 2))))

    scale = float(np.exp(minimize_scalar(lambda x: bound(1.0, np.exp(x)), (-5, 0)).x))
    return [bound(fraction, scale) for fraction in fractions]


def induced(threshold: float) -> Callable[[Sequence[float]], list[float]]:
    """Stops where a z-test at level threshold * (1 - LEVEL) would reject at the end with this chance, without any effect.

    The value of the test that arXiv:2501.03982 induces has the mean threshold * (1 - LEVEL) without an effect, so it reaches
    the threshold with chance 1 - LEVEL at most (Ville's inequality).
    """
    last = norm.isf(threshold * (1 - LEVEL) / 2)
    need = norm.ppf(threshold)
    return lambda fractions: [
        float((last + need * np.sqrt(1 - fraction)) / np.sqrt(fraction)) if fraction < 1 else float(last)
        for fraction in fractions
    ]


USED = "Hwang, Shih and DeCani, -4 (used)"
RULES: dict[str, Callable[[Sequence[float]], list[float]]] = {
    USED: spending(spent_by),
    "O'Brien and Fleming's type": spending(lambda f: float(4 * norm.sf(norm.isf((1 - LEVEL) / 4) / f**0.5))),
    "power family, 3": spending(lambda f: (1 - LEVEL) * f**3),
    "Pocock's type": spending(lambda f: float((1 - LEVEL) * np.log(1 + (np.e - 1) * f))),
    "Robbins' mixture": robbins,
    "induced z-test, stops at 0.5": induced(0.5),
    "induced z-test, stops at 0.8": induced(0.8),
    "induced z-test, stops at 0.95": induced(0.95),
}


def rule_row(name: str, looks: int, runs: int) -> list[str]:
    """What a rule does to a z-test: its false decisions, the most power it loses, the share it draws far from the margin."""
    fractions = [size / QUESTIONS for size in sizes_of(looks)]
    bounds = np.array(RULES[name](fractions))
    rng = np.random.default_rng(0)
    noise = np.cumsum(rng.normal(size=(runs, len(fractions))) * np.sqrt(np.diff([0.0, *fractions])), axis=1)

    def go(drift: float) -> tuple[float, float]:
        scores = (noise + drift * np.array(fractions)) / np.sqrt(fractions)
        out = np.abs(scores) >= bounds
        at = np.where(out.any(axis=1), out.argmax(axis=1), len(fractions) - 1)
        return float(np.mean(out.any(axis=1) & (scores[np.arange(runs), at] > 0))), float(np.mean(np.array(fractions)[at]))

    false = 2 * go(0.0)[0]
    lost = max(float(norm.sf(norm.isf((1 - LEVEL) / 2) - drift)) - go(drift)[0] for drift in np.linspace(1.5, 4, 11))
    return [name, f"{bounds[0]:.2f}", f"{bounds[-1]:.2f}", f"{100 * false:.1f}", f"{100 * lost:.1f}", f"{go(DISTANCE)[1]:.2f}"]


def early_row(drop: float, runs: int) -> list[str]:
    """How many runs pass if the drawing also ends where the interval lies below 0, although the margin is not excluded."""
    differences = draw(np.random.default_rng([3, round(drop * 1e6)]), runs, drop)
    sizes = sizes_of(LOOKS)
    _, whole_low, _ = intervals(differences, [QUESTIONS], [LEVEL])
    _, low, high = intervals(differences, sizes, look_levels([size / QUESTIONS for size in sizes], LEVEL))
    passed = [float((whole_low > -MARGIN).mean())]
    for ends in (high < -MARGIN, high < 0):
        either = (low > -MARGIN) | ends
        at = np.where(either.any(axis=1), either.argmax(axis=1), len(sizes) - 1)
        passed.append(float((low[np.arange(len(at)), at] > -MARGIN).mean()))
    return [f"{100 * drop:g}", *(f"{100 * share:.1f}" for share in passed)]


def time_row(concurrency: int, looks: int, rng: np.random.Generator, repeats: int = 10) -> list[str]:
    """The time to the decision far from the margin, as a share of the time of the whole run.

    concurrency samples run at a time, each as fast whatever else runs. Their lengths are log-normal with a median of 6,000
    tokens and a deviation of 0.8, cut at 32,768. The chance to stop at each look is that of a z-test.
    """

    def took(samples: int) -> float:
        slots = [0.0] * concurrency
        for length in np.minimum(rng.lognormal(np.log(6000), 0.8, samples), 32_768):
            heapq.heappushpop(slots, slots[0] + length)
        return max(slots)

    sizes = sizes_of(looks)
    fractions = [size / QUESTIONS for size in sizes]
    stops = [sum(pair) for pair in leave_chances(fractions, RULES[USED](fractions), DISTANCE)]
    stops[-1] += 1 - sum(stops)
    steps = np.diff([0, *sizes]) * TASKS * N
    until = np.mean([np.cumsum([took(int(step)) for step in steps]) for _ in range(repeats)], axis=0)
    whole = np.mean([took(TASKS * QUESTIONS * N) for _ in range(repeats)])
    drawn = float(np.dot(stops, fractions))
    return [str(concurrency), str(looks), f"{drawn:.2f}", f"{float(np.dot(stops, until)) / float(whole):.2f}"]


def drop_row(drop: float, runs: int) -> list[str]:
    seen = simulate(drop, runs if drop != MARGIN else 5 * runs, seed=1)
    lost = max(seen.fixed_pass, seen.fixed_fail) - (seen.passed if drop < MARGIN else seen.failed)
    shares = (seen.fixed_pass, seen.fixed_fail, seen.passed, seen.failed)
    cells = [f"{100 * share:.1f}" for share in shares]
    told = "" if drop == MARGIN else f"{100 * lost:.1f}"
    return [f"{100 * drop:g}", *cells, told, f"{seen.drawn:.3f}", f"{100 * seen.bias:+.2f}", f"{100 * seen.bias_early:+.2f}"]


def main(runs: int) -> None:
    check_intervals()
    print(
        f"Margin {100 * MARGIN:g} points, {LOOKS} looks, level {LEVEL}; {runs} runs a row. Shares in percent, bias in points.\n"
    )
    head = ["true drop", "fixed: pass", "fail", "until: pass", "fail", "power lost", "share drawn", "bias", "bias if early"]
    print(tabulate([drop_row(drop, runs) for drop in DROPS], head, tablefmt="github", disable_numparse=True) + "\n")
    rows = []
    for looks in (1, 2, 4, 5, 6, 8, 12, 20):
        none, ten, edge, some = (simulate(drop, runs // 2, looks, seed=looks) for drop in (0.0, 0.10, MARGIN, 0.025))
        false = (100 * (edge.fixed_pass + edge.fixed_fail), 100 * (edge.passed + edge.failed))
        lost = 100 * (some.fixed_pass - some.passed)
        shares = (none.drawn, ten.drawn)
        rows.append([str(looks), *(f"{each:.1f}" for each in (*false, lost)), *(f"{share:.3f}" for share in shares)])
    head = ["looks", "decided at the margin: fixed", "until", "power lost at 2.5", "share drawn, drop 0", "drop 10"]
    print(tabulate(rows, head, tablefmt="github", disable_numparse=True) + "\n")
    print(
        f"Rules for a z-test at the same {LOOKS} looks; the share is drawn at {DISTANCE:.2f} standard errors from the margin.\n"
    )
    head = ["rule", "first bound", "last bound", "false decisions", "power lost at most", "share drawn"]
    rows = [rule_row(name, LOOKS, 5 * runs) for name in RULES]
    print(tabulate(rows, head, tablefmt="github", disable_numparse=True) + "\n")
    print("Passes in percent, if the drawing ends below the margin, as it should, or already below 0.\n")
    rows = [early_row(drop, min(runs, 10_000)) for drop in (0.0, 0.01, 0.02, 0.025, 0.03, 0.04)]
    print(
        tabulate(rows, ["true drop", "fixed", "below the margin", "below 0"], tablefmt="github", disable_numparse=True) + "\n"
    )
    print("Samples and time far from the margin, as shares of those of the whole run.\n")
    rng = np.random.default_rng(2)
    rows = [time_row(concurrency, looks, rng) for concurrency in (64, 256, 512) for looks in (3, 4, 6, 8)]
    print(tabulate(rows, ["samples at a time", "looks", "samples", "time"], tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
