"""A changed checkpoint has another digest, even if its size stays the same."""

from pathlib import Path

import pytest

from raml_eval.checkpoint import Checkpoint, find_checkpoint


def digest(folder: Path) -> str:
    return Checkpoint(str(folder)).digest()


def make(folder: Path, weights: bytes = b"w" * 3_000_000, config: str = "{}") -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text(config)
    return folder


@pytest.mark.parametrize("place", [0, 1_234_567, 2_999_999])
def test_other_weights_of_the_same_size(tmp_path: Path, place: int) -> None:
    weights = bytearray(b"w" * 3_000_000)
    weights[place] = 0
    assert digest(make(tmp_path / "a")) == digest(make(tmp_path / "b"))
    assert digest(make(tmp_path / "c", bytes(weights))) != digest(tmp_path / "a")


def test_another_configuration_or_commit(tmp_path: Path) -> None:
    assert digest(make(tmp_path / "a")) != digest(make(tmp_path / "b", config='{"a": 1}'))
    (tmp_path / "commit1").mkdir()
    (tmp_path / "commit2").mkdir()
    assert digest(tmp_path / "commit1") != digest(tmp_path / "commit2")


def test_pocket_is_the_one_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert (find_checkpoint("pocket").folder / "model.safetensors").exists()
    assert find_checkpoint("Qwen/Qwen3-8B").source == "Qwen/Qwen3-8B"
    (tmp_path / "pocket").mkdir()
    assert find_checkpoint("pocket").source == "pocket"  # a folder of that name is what the person means
