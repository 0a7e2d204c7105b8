"""benchmarks/report_scale.py: what it generates is a finished run, and what it measures is one command's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from raml_eval.store import read_run
from raml_eval.tables import load_run, missing_samples


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "report_scale.py"
    spec = importlib.util.spec_from_file_location("report_scale", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_generated_run_is_whole_and_is_measured(bench: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "made"
    bench.generate(path, "made", 1, 0.9)
    run = load_run(path)
    assert missing_samples(run) == {}
    assert len(run.records) == bench.N_TASKS * bench.N_SAMPLES * len(bench.BUDGETS)
    assert {record.trajectory for record in run.records} == set(run.trajectories)
    assert read_run(path).classes == run.classes
    seconds, gigabytes = bench.measure(bench.HERE, "report", str(path))
    assert 0 < seconds < 600
    assert 0.01 < gigabytes < 10
    with pytest.raises(SystemExit, match=r"report .* failed"):
        bench.measure(bench.HERE, "report", str(tmp_path / "nothing"))
