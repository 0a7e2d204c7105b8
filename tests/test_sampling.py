"""The sampling of a run beside that of the checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from raml_eval.checkpoint import find_checkpoint
from raml_eval.config import RunConfig, build_config
from raml_eval.errors import ModelError
from raml_eval.sampling import model_sampling, with_sampling

QWEN3 = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "eos_token_id": [1, 2]}


def config(folder: Path, sampling: Any = None) -> RunConfig:
    layers: list[dict[str, Any]] = [{"model": str(folder), "tasks": "t"}]
    return build_config([*layers, {"sampling": sampling}] if sampling is not None else layers)


def sampled(folder: Path, own: dict[str, Any] | None, sampling: Any = None) -> dict[str, Any]:
    if own is not None:
        (folder / "generation_config.json").write_text(json.dumps(own), encoding="utf-8")
    done = with_sampling(config(folder, sampling), find_checkpoint(folder))
    return done.sampling.model_dump(include={"temperature", "top_p", "top_k", "min_p", "repetition_penalty"})


def test_the_models_own_sampling_is_taken_and_what_it_leaves_out_is_off(tmp_path: Path) -> None:
    taken = {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "min_p": 0.0, "repetition_penalty": 1.0}
    assert sampled(tmp_path, QWEN3, "model") == taken
    only_k = {"temperature": 1.0, "top_p": 1.0, "top_k": 5, "min_p": 0.0, "repetition_penalty": 1.0}
    assert sampled(tmp_path, {"top_k": 5}, "model") == only_k


def test_an_explicit_setting_wins(tmp_path: Path) -> None:
    found = sampled(tmp_path, QWEN3, {"source": "model", "temperature": 0.2, "top_k": 0})
    assert (found["temperature"], found["top_k"], found["top_p"]) == (0.2, 0, 0.95)


def test_without_a_word_for_it_the_models_sampling_is_only_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sampled(tmp_path, QWEN3) == sampled(tmp_path, None)
    said = capsys.readouterr().err.splitlines()[0]
    assert "generation_config has top_k 20; this run uses top_k 0" in said
    assert "--sampling model" in said
    assert "temperature" not in said  # it is the same in both
    with_sampling(config(tmp_path), find_checkpoint(tmp_path), quiet=True)
    assert capsys.readouterr().err.count("note:") <= 1


def test_nothing_is_said_where_both_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sampled(tmp_path, {"temperature": 0.6, "top_p": 0.95, "top_k": -1})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("own", [None, {"eos_token_id": 1}, {"temperature": "hot"}, {"do_sample": True}])
def test_a_model_without_sampling_of_its_own_has_none_to_take(tmp_path: Path, own: dict[str, Any] | None) -> None:
    with pytest.raises(ModelError, match=r"has no generation_config\.json with sampling settings"):
        sampled(tmp_path, own, "model")


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"do_sample": False}, {"temperature": 0.0}),
        ({"do_sample": False, "eos_token_id": 3}, {"temperature": 0.0}),
        ({"top_k": -1}, {"top_k": 0}),
        ({"temperature": True, "top_p": None}, {}),
        ({"repetition_penalty": 1.05, "max_length": 10}, {"repetition_penalty": 1.05}),
    ],
)
def test_what_a_generation_config_says(tmp_path: Path, own: dict[str, Any], said: dict[str, Any]) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps(own), encoding="utf-8")
    assert model_sampling(find_checkpoint(tmp_path)) == said


def test_a_resume_finds_the_same_sampling(tmp_path: Path) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps(QWEN3), encoding="utf-8")
    once = with_sampling(config(tmp_path, "model"), find_checkpoint(tmp_path))
    assert with_sampling(once, find_checkpoint(tmp_path)) == once
