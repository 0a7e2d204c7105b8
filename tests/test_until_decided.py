"""benchmarks/until_decided.py: its intervals are those of the package, and what it measures is within what was promised."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

RUNS = 4000


def error(share: float, runs: int = RUNS) -> float:
    """Two Monte Carlo standard errors."""
    return 2 * float((share * (1 - share) / runs) ** 0.5)


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "until_decided.py"
    spec = importlib.util.spec_from_file_location("until_decided", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["until_decided"] = module  # where its dataclasses look for their names
    spec.loader.exec_module(module)
    return module


def test_its_intervals_are_those_of_the_package(benchmark: ModuleType) -> None:
    benchmark.check_intervals()


def test_the_level_holds_at_the_margin(benchmark: ModuleType) -> None:
    runs = 10 * RUNS
    seen = benchmark.simulate(0.05, runs, seed=1)
    assert seen.passed + seen.failed <= 0.05 + error(0.05, runs)
    assert seen.passed <= 0.025 + error(0.025, runs)
    assert seen.failed <= 0.025 + error(0.025, runs)
    assert abs(seen.bias) < 0.001


@pytest.mark.parametrize("drop", [0.02, 0.025, 0.03, 0.075])
def test_little_power_is_lost(benchmark: ModuleType, drop: float) -> None:
    seen = benchmark.simulate(drop, RUNS)
    fixed, until = (seen.fixed_pass, seen.passed) if drop < 0.05 else (seen.fixed_fail, seen.failed)
    assert 0.4 < fixed < 0.95
    assert until >= fixed - 0.03 - error(fixed)


@pytest.mark.parametrize("drop", [0.0, 0.10])
def test_half_the_samples_are_enough_far_from_the_margin(benchmark: ModuleType, drop: float) -> None:
    seen = benchmark.simulate(drop, RUNS)
    assert seen.drawn <= 0.5
    assert max(seen.passed, seen.failed) > 0.99
    # The note of reporting/looked.py says half a point, away from the margin.
    assert 100 * seen.bias * (1 if drop < 0.05 else -1) == pytest.approx(0.5, abs=0.05)
