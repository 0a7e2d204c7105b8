"""Which of a run's settings hold when another engine or another place of its checkpoint is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from raml_eval.diagnostics.model import _settings_of, load_run_model
from raml_eval.errors import ModelError
from raml_eval.store.seeking import RunReader
from tests.pruned import draw_run

STORED = {"model": "m", "adapter": "old", "backend": "vllm", "backend_args": {"a": 1}, "base_url": None, "seed": 0}


def test_another_engine_takes_none_of_the_runs_arguments() -> None:
    assert _settings_of(STORED, {"backend": "vllm"}) == STORED
    assert _settings_of(STORED, {"backend": "hf"}) == {"model": "m", "adapter": "old", "backend": "vllm", "seed": 0}


def test_an_adapter_that_has_moved_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "adapter" not in _settings_of(STORED, {"model": str(tmp_path)})
    (tmp_path / "config.json").write_text("{}")  # a whole model: the adapter stands on it
    assert _settings_of(STORED, {"model": str(tmp_path)}) == STORED


def test_a_place_without_the_checkpoint_is_named_with_the_option(tmp_path: Path) -> None:
    run = draw_run(tmp_path / "run", limit=1, samples=1, tasks="pocket_chain")
    with RunReader(run) as reader:
        reader.manifest["config"]["model"] = str(tmp_path / "gone")
        with pytest.raises(ModelError, match=r"cannot be loaded from .*gone: .*pass --model NEW_PLACE"):
            load_run_model(reader)
        with pytest.raises(ModelError, match=r"^model .*elsewhere does not exist\. Check the path"):
            load_run_model(reader, {"model": str(tmp_path / "elsewhere")})
        assert load_run_model(reader, {"model": "pocket"}).config.model == "pocket"
