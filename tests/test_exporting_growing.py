"""A tracker's run that grows checkpoint by checkpoint: read back with each library, and nothing twice after a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raml_eval.errors import InputError
from raml_eval.exporting.growing import Grown, Logged
from raml_eval.exporting.trackers import mlflow_names, named
from tests.shared_runs import holds_nothing_private, private_run, share
from tests.test_exporting_trackers import read_events, read_log, read_with

ADD = """
import sys
from functools import partial
from pathlib import Path
from raml_eval.exporting import growing
from tests.shared_runs import share
library, settings, runs = sys.argv[1], eval(sys.argv[2].replace('PosixPath', 'Path')), sys.argv[3:]
grown = growing.Grown(library, "mine", partial(getattr(growing, "grow_" + library), **settings))
for run in runs:
    path, key, step = run.split(",")
    grown.add(share(Path(path)), key, int(step))
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Runs of the checkpoints of two steps, the later one first, as a watch of the newest has them."""
    folder = tmp_path_factory.mktemp("runs")
    return private_run(folder / "late", step=900, right=(4, 3, 2)), private_run(folder / "early", step=500)


def add(library: str, settings: dict[str, Any], runs: tuple[Path, Path], cwd: Path, **env: str) -> None:
    """Each run is added in a process of its own, the last one twice, as after a kill: these libraries start threads."""
    words = [f"{runs[0]},checkpoint-900,900", f"{runs[1]},checkpoint-500,500"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "MLFLOW", "TRACKIO"))}
    path = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    for given in ([words[0]], [words[1]], [words[1]]):
        done = subprocess.run(
            [sys.executable, "-c", ADD, library, repr(settings), *given], env={**kept, **path, **env}, cwd=cwd, text=True,
            capture_output=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_tensorboard_has_each_point_once(runs: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "tb" / "mine" / ".unfinished").mkdir(parents=True)  # of a killed process
    add("tensorboard", {"out": tmp_path / "tb"}, runs, tmp_path)
    folder = tmp_path / "tb" / "mine"
    assert sorted(path.suffix for path in folder.iterdir()) == [".checkpoint-500", ".checkpoint-900"]
    found, _ = read_events(folder)
    late, early = (named(share(run)) for run in runs)
    assert set(found) == set(late)
    for key, points in found.items():
        assert sorted(points) == [(500, float(np.float32(early[key]))), (900, float(np.float32(late[key])))]


def test_mlflow_has_each_point_once(runs: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    uri = f"sqlite:///{tmp_path / 'ml.db'}"
    add("mlflow", {"experiment": "mine", "uri": uri}, runs, tmp_path)
    script = f"""
import json, mlflow
client = mlflow.MlflowClient({uri!r})
(run,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
found = {{key: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, key)] for key in run.data.metrics}}
print(json.dumps([found, run.data.params, sorted(f.path for f in client.list_artifacts(run.info.run_id, "frames"))]))
"""
    found, params, frames = read_with(script, tmp_path)
    late, early = (named(share(run)) for run in runs)
    assert {key: sorted(points) for key, points in found.items()} == {
        mlflow_names(late)[key]: [[500, early[key]], [900, late[key]]] for key in late
    }
    assert frames == ["frames/checkpoint-500.csv", "frames/checkpoint-900.csv"]
    assert params["samples"] == "4"
    assert not any(key.startswith(("model", "checkpoint")) for key in params)
    holds_nothing_private(json.dumps(params))


def test_trackio_has_both_steps(runs: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    place = {"TRACKIO_DIR": str(tmp_path / "store"), "HF_HUB_OFFLINE": "1"}
    add("trackio", {"project": "mine"}, runs, tmp_path, **place)
    script = """
import json
from trackio.sqlite_storage import SQLiteStorage
print(json.dumps(SQLiteStorage.get_logs("mine", "mine"), default=str))
"""
    logs = read_with(script, tmp_path, **place)
    for run, step in zip(runs, (900, 500), strict=True):
        wanted = named(share(run))
        (point, *again) = [row for row in logs if row["step"] == step]
        assert {key: point[key] for key in wanted} == wanted
        assert all({key: row[key] for key in wanted} == wanted for row in again)


def test_wandb_has_the_training_step_as_its_axis(runs: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    add("wandb", {"project": "mine"}, runs, tmp_path, WANDB_MODE="offline")
    folders = sorted((tmp_path / "wandb").glob("offline-run-*"))
    assert len({folder.name.rsplit("-", 1)[1] for folder in folders}) == 1  # one id: one run once it is synced
    rows = []
    for folder in folders:
        (file,) = folder.glob("*.wandb")
        holds_nothing_private(file.read_bytes())
        script = f"""
import json
from wandb.proto import wandb_internal_pb2
rows = []
for data in map(bytes.fromhex, {[data.hex() for data in read_log(file.read_bytes())]!r}):
    record = wandb_internal_pb2.Record()
    record.ParseFromString(data)
    if record.HasField("history"):
        rows.append({{i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}})
print(json.dumps(rows))
"""
        rows += read_with(script, tmp_path)
    found = [{key: value for key, value in row.items() if not key.startswith("_")} for row in rows]
    late, early = (named(share(run)) for run in runs)
    assert found[:2] == [{**late, "training_step": 900}, {**early, "training_step": 500}]


def test_what_is_logged_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "trackers.jsonl"
    logged = Logged(path)
    assert not logged.has("wandb", "checkpoint-5")
    logged.end("wandb", "checkpoint-5")
    with path.open("a") as file:
        file.write('{"tracker":"wandb","name":"checkpoint-10"')
    again = Logged(path)
    assert again.has("wandb", "checkpoint-5")
    assert not again.has("mlflow", "checkpoint-5")
    assert not again.has("wandb", "checkpoint-10")


def test_a_folder_that_cannot_be_written_is_told(runs: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from functools import partial

    from raml_eval.exporting.growing import grow_tensorboard

    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        Grown("tensorboard", "mine", partial(grow_tensorboard, out=tmp_path / "file")).add(share(runs[0]), "checkpoint-5", 5)
