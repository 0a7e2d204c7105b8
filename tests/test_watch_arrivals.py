"""When a checkpoint counts as whole, as still being written, and as broken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("safetensors", reason="checkpoints are written (pip install 'raml-eval[hf]')")

from safetensors.numpy import save_file

from raml_eval.watch.arrivals import PATIENCE, Arrivals, State, find_problem


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def write(folder: Path, names: tuple[str, ...] = ("model.safetensors",)) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    for name in names:
        save_file({name: np.ones(4, np.float32)}, folder / name)
    return folder


def look(arrivals: Arrivals) -> dict[str, State]:
    return {one.name: one.state for one in arrivals.look()}


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_without_a_marker_it_is_whole_once_its_files_are_still(tmp_path: Path, clock: Clock) -> None:
    arrivals = Arrivals(tmp_path, settle=30, clock=clock)
    folder = write(tmp_path / "checkpoint-5")
    assert look(arrivals) == {"checkpoint-5": State.WRITTEN}
    clock.now = 29
    (folder / "optimizer.pt").write_bytes(b"more")
    assert look(arrivals) == {"checkpoint-5": State.WRITTEN}
    clock.now = 58
    assert look(arrivals) == {"checkpoint-5": State.WRITTEN}
    clock.now = 59
    assert look(arrivals) == {"checkpoint-5": State.WHOLE}
    assert arrivals.look({"checkpoint-5"}) == []


def test_with_a_marker_it_is_whole_at_once_and_never_without(tmp_path: Path, clock: Clock) -> None:
    arrivals = Arrivals(tmp_path, ready_file="DONE", settle=30, clock=clock)
    folder = write(tmp_path / "checkpoint-5")
    clock.now = 9999
    (one,) = arrivals.look()
    assert (one.state, one.why) == (State.WRITTEN, "it has no DONE yet")
    (folder / "DONE").touch()
    assert look(arrivals) == {"checkpoint-5": State.WHOLE}


def test_a_cut_off_file_is_never_whole_and_broken_when_nobody_writes_on(tmp_path: Path, clock: Clock) -> None:
    arrivals = Arrivals(tmp_path, settle=10, clock=clock)
    path = write(tmp_path / "checkpoint-5") / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-3])
    assert look(arrivals) == {"checkpoint-5": State.WRITTEN}
    clock.now = 10 * PATIENCE - 1
    assert look(arrivals) == {"checkpoint-5": State.WRITTEN}
    clock.now = 10 * PATIENCE
    (one,) = arrivals.look()
    assert one.state is State.BROKEN
    assert "is no complete safetensors file" in one.why
    save_file({"a": np.ones(4, np.float32)}, path)
    assert look(arrivals) == {"checkpoint-5": State.WRITTEN}


def test_every_shard_of_the_index_must_be_there(tmp_path: Path) -> None:
    shards = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    folder = write(tmp_path / "a1", shards)
    assert find_problem(folder) == "its shards have no index"
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict(zip("ab", shards, strict=True))}))
    assert find_problem(folder) == ""
    (folder / shards[1]).unlink()
    assert f"lists {shards[1]}, which the folder lacks" in find_problem(folder)
    (folder / "config.json").write_text("{")
    assert find_problem(folder).startswith("config.json cannot be read")


def test_an_adapter_is_a_checkpoint_too(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-5"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    assert find_problem(folder) == "it has no adapter_model file"
    save_file({"a": np.ones(2, np.float32)}, folder / "adapter_model.safetensors")
    assert find_problem(folder) == ""
    (folder / "adapter_model.safetensors").write_bytes(b"\0" * 9)
    assert "no complete safetensors file" in find_problem(folder)


def test_only_folders_of_a_wanted_step_count_in_their_order(tmp_path: Path, clock: Clock) -> None:
    for name in ("checkpoint-1000", "global_step_500", "checkpoint-250", "tmp-checkpoint-1500", ".checkpoint-2000", "final"):
        write(tmp_path / name)
    write(tmp_path / "checkpoint-3000" / "actor" / "huggingface")
    (tmp_path / "logs-500").mkdir()
    (tmp_path / "checkpoint-4000").write_text("a file")
    found = Arrivals(tmp_path, every=500, settle=0, clock=clock).look()
    assert [one.name for one in found] == ["global_step_500", "checkpoint-1000", "checkpoint-3000"]
    assert found[2].model == tmp_path / "checkpoint-3000" / "actor" / "huggingface"
    shutil.rmtree(found[0].folder)
    assert found[0].is_gone
    write(tmp_path / "checkpoint-3000" / "critic")
    assert "holds several checkpoints" in Arrivals(tmp_path, every=3000, settle=0, clock=clock).look()[0].why
    assert Arrivals(tmp_path / "nowhere").look() == []
