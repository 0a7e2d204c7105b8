"""Measures how many programs per second are graded, each in its own sandbox, with 1 and with 20 tests per program.

All programs are different, because equal ones are graded only once. CPU time is that of the programs' sandboxes and of this
process together, in milliseconds per sample. It does not include the testers, which serve one sample after the other.

    python benchmarks/sandbox_throughput.py --samples 200
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from typing import Any

from tabulate import tabulate

from raml_eval.grading.pool import GradingPool

_serial = itertools.count()


def cases(n_tests: int) -> dict[str, tuple[dict[str, Any], str]]:
    """The measured cases: the tests of each style, and a program that passes them."""
    python = {"style": "python", "names": ["f"], "tests": [f"assert f({n}) == {n + 1}" for n in range(n_tests)]}
    loop = f"import numpy as np\nfor n in range({300 * n_tests}):\n    np.testing.assert_allclose(f(n), n + 1)"
    return {
        "asserts (MBPP)": (python, "def f(x):\n    return x + 1"),
        "stdin (LiveCodeBench)": (
            {"style": "stdin", "tests": [[f"{n}\n", f"{n + 1}\n"] for n in range(n_tests)]},
            "print(int(input()) + 1)",
        ),
        "calls (LiveCodeBench)": (
            {"style": "calls", "names": ["f"], "tests": [[f"{n}", f"{n + 1}"] for n in range(n_tests)]},
            "def f(x):\n    return x + 1",
        ),
        "300 calls a test, numpy (HumanEval+)": (
            {"style": "python", "names": ["f"], "tests": [loop]},
            "def f(x):\n    return x + 1",
        ),
    }


def measure(pool: GradingPool, tests: dict[str, Any], program: str, n_samples: int) -> tuple[float, float]:
    """Samples per second, and milliseconds of CPU time per sample."""
    gold = json.dumps(tests)
    before, started = os.times(), time.monotonic()
    grades = [pool.code.grade(gold, f"```python\n{program}  # {next(_serial)}\n```") for _ in range(n_samples)]
    verdicts = [grade.result() for grade in grades]
    seconds, after = time.monotonic() - started, os.times()
    assert all(verdict.correct for verdict in verdicts), verdicts[0]
    return n_samples / seconds, 1000 * (sum(after[:4]) - sum(before[:4])) / n_samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200)
    samples = parser.parse_args().samples
    pool = GradingPool()
    print(f"sandbox: {pool.code.open()}; {len(os.sched_getaffinity(0))} usable cores; load {os.getloadavg()[0]:.1f}")
    rows = []
    for n_tests in (1, 20):
        for name, (tests, program) in cases(n_tests).items():
            measure(pool, tests, program, 4)  # starts the testers, so that they are not measured
            per_second, cpu_ms = measure(pool, tests, program, samples)
            rows.append([name, n_tests, per_second, per_second * n_tests, cpu_ms])
    headers = ["tests", "tests a sample", "samples/s", "tests/s", "CPU ms a sample"]
    print(tabulate(rows, headers, tablefmt="github", floatfmt=".1f"))
    pool.close()


if __name__ == "__main__":
    main()
