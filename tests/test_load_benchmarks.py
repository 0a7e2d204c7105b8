"""benchmarks/memory.py and replicas.py: what they generate can be resumed, and their simulation schedules as it says."""

from __future__ import annotations

import importlib
import random
from itertools import permutations
from pathlib import Path
from types import ModuleType

import pytest

from raml_eval.store import read_run
from raml_eval.tables import load_run, missing_samples

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module(name)


def test_a_generated_run_is_owed_its_last_samples_and_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = load("memory", monkeypatch)
    made = tmp_path / "run_64_2"
    memory.generate(made, 64, 50)
    run = read_run(made)
    assert len(run.trajectories) == 64
    assert {len(thinking.token_ids) for thinking in run.trajectories.values()} == {50}
    assert sum(missing_samples(load_run(made)).values()) == memory.CUT
    report_gb, resume_gb = memory.measure_both(made, memory.HERE)
    assert 0.01 < report_gb < 10
    assert 0.01 < resume_gb < 10
    assert len(read_run(made).records) == 64 - memory.CUT  # copies were measured


def test_draws_are_scheduled_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    replicas = load("replicas", monkeypatch)
    assert replicas.makespan([3, 1, 1, 1], 2) == 3
    assert replicas.makespan([1, 1, 1, 3], 2) == 4
    lengths = [random.Random(0).random() for _ in range(5)]
    best = min(replicas.makespan(order, 2) for order in permutations(lengths))
    assert best <= replicas.makespan(sorted(lengths, reverse=True), 2) <= 7 / 6 * best  # Graham's bound for two machines
    found = replicas.simulate(256, random.Random(0))
    assert 0 < found["as they come"] < found["by an earlier run"] <= found["lengths known"] <= 1
