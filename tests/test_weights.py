"""A changed checkpoint has another fingerprint, also where its size stays the same."""

from pathlib import Path

import pytest

from raml_eval.weights import fingerprint, locate


def make(folder: Path, weights: bytes = b"w" * 3_000_000, config: str = "{}") -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text(config)
    return folder


@pytest.mark.parametrize("place", [0, 1_234_567, 2_999_999])
def test_other_weights_of_the_same_size(tmp_path: Path, place: int) -> None:
    weights = bytearray(b"w" * 3_000_000)
    weights[place] = 0
    assert fingerprint(make(tmp_path / "a")) == fingerprint(make(tmp_path / "b"))
    assert fingerprint(make(tmp_path / "c", bytes(weights))) != fingerprint(tmp_path / "a")


def test_another_configuration_or_commit(tmp_path: Path) -> None:
    assert fingerprint(make(tmp_path / "a")) != fingerprint(make(tmp_path / "b", config='{"a": 1}'))
    (tmp_path / "commit1").mkdir()
    (tmp_path / "commit2").mkdir()
    assert fingerprint(tmp_path / "commit1") != fingerprint(tmp_path / "commit2")


def test_pocket_is_the_one_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert (Path(locate("pocket")) / "model.safetensors").exists()
    assert locate("Qwen/Qwen3-8B") == "Qwen/Qwen3-8B"
    (tmp_path / "pocket").mkdir()
    assert locate("pocket") == "pocket"  # a folder of that name is what the person means
