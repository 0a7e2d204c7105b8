"""A watch that meets what changed meanwhile: weights saved again, directories that are gone or another's, an odd history."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="checkpoints are evaluated (pip install 'raml-eval[hf]')")

from raml_eval.backends import open_backend
from raml_eval.errors import StoreError
from raml_eval.protocols import Backend
from raml_eval.store import read_run
from tests.backend_bench import POCKET
from tests.checkpoints import variant
from tests.test_cli import cli, fails
from tests.test_watch import lines, watch


@pytest.fixture
def training(tmp_path: Path) -> Path:
    shutil.copytree(POCKET, tmp_path / "training" / "checkpoint-5")
    return tmp_path / "training"


async def killed(name: str, model: str, **settings: Any) -> Backend:
    """An engine whose watch ends at the first draw, when its run has begun."""
    engine = await open_backend(name, model, **settings)

    async def generate(*_: Any) -> Any:
        raise StoreError("the disk is full.")

    engine.generate = generate
    return engine


def test_a_begun_run_whose_checkpoint_was_saved_again_is_broken_and_the_others_go_on(training: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(StoreError, match="full"):
        watch(training, out, opener=killed)
    assert (out / "checkpoint-5" / "manifest.json").exists()
    shutil.copy(variant(POCKET, tmp_path / "other", seed=1) / "model.safetensors", training / "checkpoint-5")
    shutil.copytree(POCKET, training / "checkpoint-10")
    ending = watch(training, out)
    assert [(line["step"], line["status"]) for line in lines(out)] == [(5, "broken"), (10, "done")]
    assert "it was saved again after its run began; delete" in ending.owed[0]
    shutil.rmtree(out / "checkpoint-5")
    assert not watch(training, out, retry=True).owed
    assert lines(out)[-1]["status"] == "done"


def test_weights_saved_again_after_their_evaluation_are_told_once(
    training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    watch(training, out)
    (training / "checkpoint-5" / "optimizer.pt").write_bytes(b"state")
    watch(training, out)
    assert "written after" not in capsys.readouterr().err
    (training / "checkpoint-5" / "model.safetensors").write_bytes((POCKET / "model.safetensors").read_bytes())
    later = max(path.stat().st_mtime for path in (training / "checkpoint-5").iterdir()) + 5
    os.utime(training / "checkpoint-5" / "model.safetensors", (later, later))
    watch(training, out, idle_timeout=0.2)
    assert capsys.readouterr().err.count("checkpoint-5: its weights were written after its evaluation") == 1
    assert len(lines(out)) == 1


def test_names_that_share_a_directory_are_told(training: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in ("ck 7", "ck-7"):
        shutil.copytree(POCKET, training / name)
    ending = watch(training, out)
    assert sorted(line["status"] for line in lines(out)) == ["broken", "done", "done"]
    assert "is that of ck" in ending.owed[0]


def test_a_run_directory_that_is_gone_is_told_and_the_others_are_shown(
    training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(POCKET, training / "checkpoint-10")
    watch(training, out)
    shutil.rmtree(out / "checkpoint-5")
    ending = watch(training, out)
    assert ending.runs == (out / "checkpoint-10",)
    assert len(read_run(ending.runs[0]).records) == 12
    assert "checkpoint-5: its run directory," in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"run": None}, "has no run"),
        ({"status": "broken"}, "has no why"),
        ({"status": "odd"}, "has no name, step and status"),
        ({"step": "5"}, "has no name, step and status"),
    ],
)
def test_a_line_of_the_history_that_lacks_something_is_refused(
    changes: dict[str, Any], told: str, training: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    watch(training, out)
    (out / "history.jsonl").write_text(json.dumps(lines(out)[0] | changes) + "\n")
    with pytest.raises(StoreError, match=rf"history.jsonl:1 {told}"):
        watch(training, out)


def test_a_shard_is_no_setting_of_a_watch(training: Path, tmp_path: Path) -> None:
    words = ["watch", training, "--", "--backend", "fake", "--tasks", "pocket_chain", "--out", tmp_path / "out"]
    fails(cli(*words, "--shard", "1/2"), "--shard is no setting of a watch, which evaluates whole checkpoints")
