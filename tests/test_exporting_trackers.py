"""The numbers in W&B, MLflow, TensorBoard and trackio: logged by the command, and read back with each library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from raml_eval.errors import InputError
from raml_eval.exporting.trackers import build_tracks, disarm_table, mlflow_names, named
from tests.shared_runs import holds_nothing_private, private_run, share, values
from tests.test_cli import cli, fails


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Runs of the checkpoints of two steps; the later one is better."""
    folder = tmp_path_factory.mktemp("runs")
    return private_run(folder / "late", step=900, right=(4, 3, 2)), private_run(folder / "early", step=500)


def log(*words: str | Path, cwd: Path, **env: str) -> str:
    """`raml-eval export` in a process of its own: these libraries start threads and servers. Returns what it printed."""
    command = [sys.executable, "-m", "raml_eval", "export", *map(str, words)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "MLFLOW", "TRACKIO"))}
    path = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(
        command, env={**kept, **path, **env}, cwd=cwd, text=True, capture_output=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def wanted(run: Path) -> dict[str, float]:
    return named(share(run))


def test_every_number_of_the_frame_and_no_other(runs: tuple[Path, Path]) -> None:
    shared = share(runs[0])
    found = {key: value for key, value in named(shared).items() if not key.endswith(("/low", "/high"))}
    assert sorted(found.values()) == sorted(values(shared).values())
    assert found["free/8/avg@4"] == pytest.approx(9 / 12)
    assert "in-domain mean/8/pass@2" in found
    assert not any("@64" in key for key in found)  # cannot be given at n = 4
    assert set(mlflow_names(named(shared)).values()) == {key.replace("@", "_at_") for key in named(shared)}


def test_together_is_a_point_for_each_step(runs: tuple[Path, Path], tmp_path: Path) -> None:
    (track,) = build_tracks([share(run) for run in runs], "curve")
    assert list(track.points) == [500, 900]
    assert track.points[500] == wanted(runs[1])
    assert track.table["step"].tolist() == [500] * (len(track.table) // 2) + [900] * (len(track.table) // 2)
    with pytest.raises(
        InputError, match=r"step 500 is that of \S+/early and \S+/again; --together wants one run for each step"
    ):
        build_tracks([share(runs[1]), share(private_run(tmp_path / "again", step=500))], "curve")
    with pytest.raises(InputError, match="run bare has no step"):
        build_tracks([share(private_run(tmp_path / "bare", step=None))], "curve")


def test_runs_of_one_name_are_kept_apart(runs: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    same = private_run(tmp_path / "other" / "late")
    assert [track.name for track in build_tracks([share(runs[0]), share(same)])] == ["late", "late-2"]
    with pytest.raises(InputError, match="given twice"):
        build_tracks([share(same), share(same)])


def test_names_that_a_tracker_would_mix_are_kept_apart() -> None:
    assert mlflow_names(["a@b", "a_at_b", "a&b", "a_b", "a@b/low"]) == {
        "a@b": "a_at_b", "a_at_b": "a_at_b-2", "a&b": "a_b", "a_b": "a_b-2", "a@b/low": "a_at_b/low",
    }  # fmt: skip


def test_tensorboard_keeps_runs_apart_whose_names_are_one_folder(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    runs = [private_run(tmp_path / name, right=right) for name, right in (("a b", (4, 4, 4)), ("a-b", (0, 0, 0)))]
    told = log("tensorboard", *runs, "--out", tmp_path / "tb", "--k", "2", cwd=tmp_path)
    assert told.splitlines() == [str(tmp_path / "tb" / "a-b"), str(tmp_path / "tb" / "a-b-2")]
    assert [read_events(Path(folder))[0]["free/8/avg@4"] for folder in told.splitlines()] == [[(500, 1.0)], [(500, 0.0)]]


def test_a_place_for_event_files_that_is_a_file(runs: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "file").touch()
    fails(cli("export", "tensorboard", runs[0], "--out", tmp_path / "file"), f"cannot write {tmp_path / 'file'}: File exists")
    below = tmp_path / "file" / "below"
    fails(
        cli("export", "tensorboard", runs[0], "--out", below),
        f"cannot write {below}: Not a directory. Choose a writable --out.",
    )


def test_tensorboard_reads_them_back(runs: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    told = log("tensorboard", *runs, "--out", tmp_path / "tb", "--k", "2,64", cwd=tmp_path)
    assert told.splitlines() == [str(tmp_path / "tb" / "late"), str(tmp_path / "tb" / "early")]
    for run, step in zip(runs, (900, 500), strict=True):
        found, text = read_events(tmp_path / "tb" / run.name)
        assert found == {key: [(step, float(np.float32(value)))] for key, value in wanted(run).items()}
        assert f"| {step} | {run.name} | step\\_500 | free |" in text["frame"]
        assert "| checkpoint.base | base |" in text["settings"]
    for path in (tmp_path / "tb").rglob("events*"):
        holds_nothing_private(path.read_bytes())
    fails(cli("export", "tensorboard", runs[0], "--out", tmp_path / "tb"), "exists")


def read_events(folder: Path) -> tuple[dict[str, list[tuple[int, float]]], dict[str, str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.util import tensor_util

        events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
        events.Reload()
        found: dict[str, Any] = {}
        text = {}
        for tag in events.Tags()["tensors"]:
            tensors = [(event.step, tensor_util.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
            if tensors[0][1].dtype == object:
                text[tag.partition("/")[0]] = tensors[0][1].item().decode()
            else:
                found[tag] = [(step, value.item()) for step, value in tensors]
    return found, text


def test_a_table_in_a_file_carries_no_escapes() -> None:
    table = disarm_table(pd.DataFrame({"run": ["a\x1b[2J\nb"], "value": [0.5]}))
    assert table.to_csv(index=False) == "run,value\na\\x1b[2J b,0.5\n"


def test_mlflow_reads_them_back(runs: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    uri = f"sqlite:///{tmp_path / 'ml.db'}"
    (tmp_path / "elsewhere").mkdir()
    words = ["--uri", uri, "--experiment", "mine", "--together", "curve", "--k", "2,64"]
    log("mlflow", *runs, *words, cwd=tmp_path / "elsewhere")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "ml.db", "mlruns"]
    assert list((tmp_path / "elsewhere").iterdir()) == []  # everything stands beside the database
    script = f"""
import json, mlflow
client = mlflow.MlflowClient({uri!r})
(run,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
found = {{key: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, key)] for key in run.data.metrics}}
files = [f.path for f in client.list_artifacts(run.info.run_id)]
print(json.dumps([run.info.run_name, found, files, run.data.params, run.data.tags]))
"""
    name, found, files, params, tags = read_with(script, tmp_path)
    assert (name, files) == ("curve", ["frame.csv"])
    late, early = map(wanted, runs)
    assert found == {mlflow_names([key])[key]: [[500, early[key]], [900, late[key]]] for key in late}
    assert params["samples"] == "4"
    assert params["runs"] == "['early', 'late']"
    holds_nothing_private(json.dumps(params))
    assert tags["mlflow.source.name"] == "raml-eval"


def read_with(script: str, cwd: Path, **env: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **env},
        cwd=cwd,
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def read_log(content: bytes) -> list[bytes]:
    """The records of a .wandb file: LevelDB's log format in blocks of 32 KiB, after a header of 7 bytes."""
    assert content[:4] == b":W&B"
    at, records = 7, []
    while at + 7 <= len(content):
        if (left := 32768 - at % 32768) < 7:
            at += left  # the end of a block, too short for a record's header
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        part = content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 2):  # a whole record, or the first part of one
            records.append(part)
        else:
            records[-1] += part
    return records


def test_wandb_keeps_them_offline(runs: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    told = log("wandb", runs[0], "--project", "mine", "--k", "2,64", cwd=tmp_path, WANDB_MODE="offline")
    (folder,) = map(Path, told.splitlines())
    (file,) = folder.glob("*.wandb")
    script = f"""
import json
from wandb.proto import wandb_internal_pb2
rows, about = [], {{}}
for data in map(bytes.fromhex, {[data.hex() for data in read_log(file.read_bytes())]!r}):
    record = wandb_internal_pb2.Record()
    record.ParseFromString(data)
    if record.HasField("history"):
        rows.append({{i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}})
    if record.HasField("run"):
        about = {{"project": record.run.project, "name": record.run.display_name,
                 "config": {{c.key: json.loads(c.value_json) for c in record.run.config.update}}}}
print(json.dumps([rows, about]))
"""
    rows, about = read_with(script, tmp_path)
    every = {key: value for row in rows for key, value in row.items() if not key.startswith("_")}
    found = {key: value for key, value in every.items() if not key.startswith("frame")}
    assert found == wanted(runs[0])
    assert {row["_step"] for row in rows} == {900}
    assert (about["project"], about["name"]) == ("mine", "late")
    assert about["config"]["checkpoint.base"] == "base"
    content = json.loads((folder / "files" / every["frame/path"]).read_text())
    shared = share(runs[0])
    place = content["columns"].index("value")
    assert [row[place] for row in content["data"]] == [number.value for number in shared.numbers]
    assert None in [row[place] for row in content["data"]]
    holds_nothing_private(file.read_bytes())
    assert [path.name for path in (folder / "files").iterdir()] == ["media"]  # no packages, no code, no machine
    for path in (folder / "files").rglob("*.*"):
        if path.is_file():
            holds_nothing_private(path.read_bytes())


def test_trackio_reads_them_back(runs: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    place = {"TRACKIO_DIR": str(tmp_path / "store"), "HF_HUB_OFFLINE": "1"}
    told = log("trackio", *runs, "--project", "mine", "--together", "curve", "--k", "2,64", cwd=tmp_path, **place)
    assert told.splitlines() == ["project mine, run curve"]
    script = """
import json
from trackio.sqlite_storage import SQLiteStorage
print(json.dumps([SQLiteStorage.get_logs("mine", "curve"), SQLiteStorage.get_run_config("mine", "curve")], default=str))
"""
    logs, config = read_with(script, tmp_path, **place)
    late, early = map(wanted, runs)
    for step, numbers in ((500, early), (900, late)):
        found: dict[str, Any] = {}
        for row in logs:
            if row["step"] == step:
                found |= row
        assert {key: found[key] for key in numbers} == numbers
        assert not any("@64" in key for key in found)
    assert config["runs"] == ["early", "late"]
    holds_nothing_private(json.dumps([logs, config]))


@pytest.mark.parametrize("library", ["wandb", "mlflow", "tensorboard", "trackio"])
def test_a_missing_library_is_one_line(library: str, runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    words = ["--out", "somewhere"] if library == "tensorboard" else []
    purpose = {"tensorboard": "writing event files for TensorBoard", "wandb": "logging to W&B", "mlflow": "logging to MLflow"}
    told = f"error: {purpose.get(library, 'logging to trackio')} needs the package {library}, which is missing"
    fails(cli("export", library, runs[0], *words), told, f"pip install {library}")
