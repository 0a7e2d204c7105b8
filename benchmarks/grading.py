"""Measures math gradings per second in a run with n = 32 samples, against plain serial math-verify on the same samples.

The samples are generated: questions with golds of the usual kinds, each with 32 long answers that box few distinct
spellings, right and wrong. For both sides, it prints gradings and distinct (gold, answer) pairs per second, and how often
the verdicts are right.

    python benchmarks/grading.py --questions 300
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import time

FILLER = (
    "Let us look at the problem step by step. First we write $a_{n+1} = 2a_n + 1$ and note that $a_1 = 3$.",
    "Substituting gives $x^2 - 5x + 6 = 0$, so that $(x-2)(x-3) = 0$ and both roots are positive.",
    "We check the boundary case $n = 0$: the left side is $\\frac{1}{2}$ and the right side is $0.5$, as it should be.",
    "By the binomial theorem the coefficient is $\\binom{7}{3} = 35$, which we use below.",
    "Hence the area equals $\\frac12 \\cdot 6 \\cdot 8 = 24$ and the perimeter equals $6+8+10 = 24$.",
)


def question(rng: random.Random) -> tuple[str, list[str], list[str]]:
    """A gold, spellings that equal it, and answers that do not."""
    a, b, c = rng.randint(30, 60), rng.randint(2, 12), rng.randint(13, 29)
    kinds = (
        (f"{a * b}", [f"{a * b}.0", f"x = {a * b}", f"{a * b}\\text{{ cm}}"], [f"{a * b + 1}", f"{-a * b}", f"{a}"]),
        (f"\\frac{{1}}{{{c}}}", [f"\\dfrac{{1}}{{{c}}}", f"1/{c}", f"\\frac{{2}}{{{2 * c}}}"], [f"\\frac{{{c}}}{{1}}", f"{a}"]),
        (f"{b}\\sqrt{{{c}}}", [f"{b} \\sqrt{{{c}}}", f"\\sqrt{{{b * b * c}}}"], [f"{b}\\sqrt{{{c + 1}}}", f"{b * c}"]),
        (f"({a},{b})", [f"\\left({a}, {b}\\right)", f"(x,y)=({a},{b})"], [f"({b},{a})", f"{a}", f"({a},{b + 1})"]),
        (f"[{a},\\infty)", [f"x \\ge {a}", f"[{a}, +\\infty)"], [f"({a},\\infty)", f"x \\le {a}"]),
        (f"{a}x^2+{b}x", [f"x({a}x+{b})", f"{b}x + {a}x^2"], [f"{a}x^2-{b}x", f"{b}x^2+{a}x"]),
        (f"{a}\\pi", [f"{a} \\pi", f"{a}π", f"\\frac{{{2 * a}\\pi}}{{2}}"], [f"{a}", f"{a + 1}\\pi"]),
    )  # fmt: skip
    return rng.choice(kinds)


def generate(n_questions: int, n_samples: int, seed: int = 0) -> list[tuple[str, str, bool]]:
    """(gold, completion, right) for every sample."""
    rng = random.Random(seed)
    samples = []
    for _ in range(n_questions):
        gold, right, wrong = question(rng)
        for _ in range(n_samples):
            good = rng.random() < 0.6
            body = "\n\n".join(rng.choices(FILLER, k=rng.randint(4, 16)))
            samples.append((gold, f"{body}\n\nSo the answer is $\\boxed{{{rng.choice(right if good else wrong)}}}$.", good))
    return samples


def ours(samples: list[tuple[str, str, bool]]) -> tuple[float, list[bool]]:
    """The seconds and verdicts of a GradingPool. Its worker is started before the clock."""
    from raml_eval.grading.pool import GradingPool

    async def grade_all() -> tuple[float, list[bool]]:
        await pool.grade("\\sqrt{8}", "\\boxed{2\\sqrt{2}}")
        started = time.monotonic()
        grades = await asyncio.gather(*(pool.grade(gold, text) for gold, text, _ in samples))
        return time.monotonic() - started, [grade.correct for grade in grades]

    pool = GradingPool(workers=len(os.sched_getaffinity(0)))
    try:
        return asyncio.run(grade_all())
    finally:
        pool.close()


def plain(samples: list[tuple[str, str, bool]]) -> tuple[float, list[bool]]:
    """The seconds and verdicts of math-verify as its users call it: one answer after the other, gold first, nothing cached."""
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

    config = [LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig()]
    parse("$1$", config)
    started, verdicts = time.monotonic(), []
    for gold, text, _ in samples:
        verdicts.append(bool(verify(parse(f"${gold}$", config), parse(text, config))))
    return time.monotonic() - started, verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--samples", type=int, default=32)
    options = parser.parse_args()
    samples = generate(options.questions, options.samples)
    distinct = len({(gold, text.rpartition("\\boxed")[2]) for gold, text, _ in samples})
    print(f"{len(samples):,} samples, {distinct:,} distinct (gold, answer) pairs\n")
    print("| | seconds | gradings/s | distinct pairs/s | right verdicts |\n|---|---|---|---|---|")
    took = {}
    for name, grade in (("raml_eval", ours), ("math-verify, serial", plain)):
        took[name], verdicts = grade(samples)
        hits = [verdict == good for verdict, (_, _, good) in zip(verdicts, samples, strict=True)]
        right = sum(hits) / len(hits)
        seconds = took[name]
        print(
            f"| {name} | {seconds:.1f} | {len(samples) / seconds:,.0f} | {distinct / seconds:,.0f} | {right:.2%} |", flush=True
        )
    print(f"\nratio {took['math-verify, serial'] / took['raml_eval']:.1f}")


if __name__ == "__main__":
    main()
