"""A changed checkpoint has another digest, even if its size stays the same."""

from pathlib import Path
from typing import Any

import pytest

from raml_eval.checkpoint import Checkpoint, find_checkpoint
from raml_eval.errors import ModelError


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


def test_the_commit_stands_for_the_weights_of_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    commits = ["0" * 40, "1" * 40]
    (tmp_path / "models--owner--two" / "refs").mkdir(parents=True)
    (tmp_path / "models--owner--two" / "refs" / "main").write_text(commits[1])
    for commit in commits:
        snapshot = tmp_path / "models--owner--two" / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text("{}")
    found = Checkpoint("owner/two")
    before = found.digest()
    (snapshot / "model.safetensors").write_bytes(b"w")  # the engine has downloaded them
    assert found.digest() == before != Checkpoint("owner/two", commits[0]).digest()
    assert found.pinned() == Checkpoint("owner/two", commits[1])  # main may have moved on when the engine asks
    assert Checkpoint(str(snapshot)).pinned() == Checkpoint(str(snapshot))


def test_pocket_is_the_one_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert (find_checkpoint("pocket").folder / "model.safetensors").exists()
    assert find_checkpoint("Qwen/Qwen3-8B").source == "Qwen/Qwen3-8B"
    (tmp_path / "pocket").mkdir()
    assert (
        find_checkpoint("pocket").folder / "model.safetensors"
    ).exists()  # --out pocket makes a folder that is no checkpoint
    assert find_checkpoint("pocket").origin == "package"
    (tmp_path / "pocket" / "config.json").write_text("{}")
    assert find_checkpoint("pocket").origin == "folder"
    assert find_checkpoint("pocket").source == "pocket"  # a folder of that name is what the person means


def test_a_folder_is_not_taken_for_an_id_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint("checkpoints/rl-16").origin == "hub"  # there is no such folder
    (tmp_path / "checkpoints" / "rl-16").mkdir(parents=True)
    assert find_checkpoint("checkpoints/rl-16").origin == "folder"


def test_a_checkpoint_at_hand_is_a_folder_or_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    commit = "0" * 40
    snapshot = tmp_path / "models--owner--cached" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (tmp_path / "models--owner--cached" / "refs").mkdir()
    (tmp_path / "models--owner--cached" / "refs" / "main").write_text(commit)
    assert find_checkpoint(tmp_path).at_hand() == Checkpoint(str(tmp_path))
    assert Checkpoint("owner/cached").at_hand() == Checkpoint(str(snapshot))
    assert Checkpoint("owner/other").at_hand() is None
    assert Checkpoint("no--such--id").at_hand() is None


def record(folder: Path, text: str) -> dict[str, Any]:
    (folder / "checkpoint.yaml").write_text(text)
    return Checkpoint(str(folder)).read_record()


def test_a_record_keeps_every_key_and_is_no_part_of_the_digest(tmp_path: Path) -> None:
    folder = make(tmp_path / "a")
    before = digest(folder)
    assert Checkpoint(str(folder)).read_record() == {}
    assert record(folder, "step: 500\nbase: org/model\nparadigm: sft\n") == {
        "step": 500, "base": "org/model", "paradigm": "sft"
    }  # fmt: skip
    assert record(folder, "paradigm: rl\n") == {"paradigm": "rl"}
    assert digest(folder) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("step: -1\n", "has step -1; wanted an integer from 0 on"),
        ("step: 1.5\n", "has step 1.5"),
        ("step: true\n", "has step True"),
        ("step: '500'\n", "has step '500'"),
        ("step:\n", "has step None"),
        ("- 500\n", r"holds \[500\]"),
        ("", "holds None"),
        ("5: a\n", "holds {5: 'a'}"),
        ("step: 1\nstep: 2\n", "the key 'step' occurs twice"),
        ("step: [1\n", "cannot be read"),
        ("step: 1\nsaved: 2026-01-01\n", "a value that JSON does not have"),
    ],
)
def test_a_record_that_cannot_be_used_gets_one_error(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        record(make(tmp_path / "a"), text)
