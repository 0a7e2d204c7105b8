"""The fingerprint covers every byte of a model's files and nothing else, and tells which file has changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval import fingerprint
from raml_eval.errors import ModelError
from raml_eval.fingerprint import check_same, take_fingerprint

BLOCK = 1 << 24
SIZE = 3 * BLOCK + 5


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a sparse weight file over several blocks."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "config.json").write_text("{}")
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(SIZE)
    return folder


@settings(max_examples=8)
@given(place=st.integers(0, SIZE - 1) | st.sampled_from([0, BLOCK - 1, BLOCK, SIZE - 6, SIZE - 1]))
def test_one_byte_of_a_large_file_changes_it(large: Path, place: int) -> None:
    path, before = large / "model.safetensors", take_fingerprint(large)
    os.utime(path, ns=(0, 0))
    try:
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"1")
        assert take_fingerprint(large).digest != before.digest
    finally:
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"\0")
    assert take_fingerprint(large).digest == before.digest


def test_the_number_of_threads_alters_no_digest(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for n in (1, 5):
        monkeypatch.setattr(fingerprint, "_THREADS", n)
        fingerprint._digest_of_blocks.cache_clear()
        found.add(take_fingerprint(large).digest)
    assert len(found) == 1


def test_a_large_file_is_read_once_until_it_changes(large: Path) -> None:
    fingerprint._digest_of_blocks.cache_clear()
    for _ in range(3):
        take_fingerprint(large)
    assert fingerprint._digest_of_blocks.cache_info().misses == 1
    os.utime(large / "model.safetensors", ns=(1, 1))
    take_fingerprint(large)
    assert fingerprint._digest_of_blocks.cache_info().misses == 2


def test_the_digest_of_small_files_is_that_of_their_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"w" * 3_000_000)
    stated = b"config.json{}" + b"model.safetensors 3000000" + b"w" * 3_000_000
    assert take_fingerprint(tmp_path).digest == hashlib.sha256(stated).hexdigest()[:16]


def test_the_state_of_a_training_is_no_part_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"w")
    alone = take_fingerprint(tmp_path)
    for name in (
        *("optimizer.pt", "optimizer.bin", "optimizer_1.bin", "scheduler.pt", "scaler.pt", "training_args.bin"),
        *("trainer_state.json", "all_results.json", "rng_state.pt", "optim_world_size_2_rank_0.pt"),
    ):
        (tmp_path / name).write_text(name)
    (tmp_path / "global_step5.pt").mkdir()
    assert take_fingerprint(tmp_path) == alone
    for name in ("pytorch_model.bin", "generation_config.json", "model-2.safetensors"):
        before = take_fingerprint(tmp_path).digest
        (tmp_path / name).write_text("x")
        assert take_fingerprint(tmp_path).digest != before


def test_a_difference_names_its_file_and_a_touched_file_is_none(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    (tmp_path / "config.json").write_text("{}")
    weights.write_bytes(b"w")
    before = take_fingerprint(tmp_path)
    os.utime(weights, ns=(1, 1))
    check_same(before, take_fingerprint(tmp_path))
    weights.write_bytes(b"v")
    with pytest.raises(ModelError, match=r"model\.safetensors changed while the engine loaded it.* Run again"):
        check_same(before, take_fingerprint(tmp_path))
    weights.unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors changed"):
        check_same(before, take_fingerprint(tmp_path))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr(fingerprint, "_files", lambda *_: iter([tmp_path / "gone.json"]))  # deleted since it was listed
    with pytest.raises(ModelError, match=r"gone\.json cannot be read \(No such file"):
        take_fingerprint(tmp_path)
