"""What of a run may leave the machine: its model's public name, and settings by an allowed list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raml_eval.exporting.every_eval_ever import Source, write_every_eval_ever
from raml_eval.exporting.model_card import CardSettings, write_model_index
from raml_eval.exporting.public import model_name, public_settings
from raml_eval.exporting.shared import choose_numbers
from raml_eval.exporting.trackers import build_tracks
from tests.shared_runs import holds_nothing_private, private_run, share
from tests.test_cli import cli


def test_the_settings_of_a_run_hold_nothing_private(tmp_path: Path) -> None:
    run = share(private_run(tmp_path / "run")).run
    settings = public_settings(run)
    holds_nothing_private(json.dumps(settings))
    assert (settings["model.name"], settings["checkpoint.base"], settings["step"]) == ("step_500", "base", 500)
    assert model_name(run) == "step_500"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ({"name": "checkpoints/rl-16", "origin": "folder"}, "rl-16"),
        ({"name": "checkpoints/rl-16"}, "rl-16"),
        ({"name": "Qwen/Qwen3-0.6B", "origin": "hub"}, "Qwen/Qwen3-0.6B"),
        ({"name": "pocket", "origin": "package"}, "pocket"),
    ],
)
def test_every_export_names_the_model_in_one_way(model: dict[str, str], name: str, tmp_path: Path) -> None:
    shared = share(private_run(tmp_path / "run", model=model))
    assert model_name(shared.run) == name
    assert public_settings(shared.run)["model.name"] == name
    (track,) = build_tracks([shared])
    assert set(track.table["model"]) == {name}
    write_model_index(shared, choose_numbers(shared, [], []), tmp_path / "README.md", CardSettings())
    assert f"- name: {name}\n" in (tmp_path / "README.md").read_text()
    paths = write_every_eval_ever(shared, tmp_path, Source())
    owner, _, last = name.rpartition("/")
    assert {path.parent for path in paths} == {
        tmp_path / "data" / task / (owner or "unknown") / last for task in shared.run.tasks
    }


def test_a_name_without_an_owner_is_told_with_its_option(tmp_path: Path) -> None:
    def notes(model: dict[str, str], *words: str) -> str:
        path = private_run(tmp_path / f"run-{len(made)}", model=model)
        made.append(path)
        done = cli("export", *words, path)
        assert done.returncode == 0, done.stderr
        return str(done.stderr)

    made: list[Path] = []
    records, card = ("every-eval-ever", "--out", str(tmp_path)), ("model-card", "--out", str(tmp_path / "README.md"))
    two_parts = {"name": "checkpoints/rl-16"}
    told = "whether checkpoints/rl-16 is an id of the hub or a folder, and it is published as rl-16. Name it: --model-id"
    assert told in notes(two_parts, *card)
    assert notes(two_parts, *card) == ""  # the README is there, and keeps its name
    assert "so the records stand under unknown/. Name it: --model-id OWNER/NAME" in notes(two_parts, *records)
    assert "the model has no owner, so the records" in notes({**two_parts, "origin": "folder"}, *records)
    assert notes({**two_parts, "origin": "folder"}, "model-card", "--out", str(tmp_path / "other.md")) == ""
    assert notes(two_parts, *records, "--model-id", "me/rl-16") == ""
    assert notes({"name": "Qwen/Qwen3-0.6B", "origin": "hub"}, *records) == ""
