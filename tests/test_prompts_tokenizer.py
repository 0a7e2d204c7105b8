"""Loading a tokenizer and the ids that end a text, from folders and from a hub that may be unreachable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import ModelError
from raml_eval.prompts import end_of_text_ids, load_tokenizer
from tests.families import build_tokenizer

PLACEHOLDER = Path(__file__).resolve().parents[2] / "shared" / "hub_models" / "raml-eval" / "tiny-placeholder"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def save_model(folder: Path, **configs: dict[str, object]) -> Path:
    build_tokenizer("qwen3").save_pretrained(str(folder))
    for name, content in configs.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("configs", "ids"),
    [
        ({}, (258,)),
        ({"config": {"eos_token_id": 256}}, (256, 258)),
        ({"config": {"eos_token_id": None}, "generation_config": {"eos_token_id": [258, 256]}}, (256, 258)),
        ({"config": {"eos_token_id": [7, 3]}, "generation_config": {"eos_token_id": 5}}, (3, 5, 7, 258)),
        ({"config": {"text_config": {"eos_token_id": 9}}}, (9, 258)),
    ],
)
def test_end_of_text_ids_are_the_union(tmp_path: Path, configs: dict[str, dict[str, object]], ids: tuple[int, ...]) -> None:
    folder = save_model(tmp_path, **configs)
    assert end_of_text_ids(load_tokenizer(find_checkpoint(folder)), find_checkpoint(folder)) == ids


def test_a_model_that_never_ends_its_text_is_refused(tmp_path: Path) -> None:
    tokenizer = build_tokenizer("plain")
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="names no end-of-text token"):
        end_of_text_ids(tokenizer, find_checkpoint(tmp_path))


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_a_broken_config_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "generation_config.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"generation_config\.json"):
        end_of_text_ids(build_tokenizer("plain"), find_checkpoint(tmp_path))


def test_a_loaded_tokenizer_keeps_its_template(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(find_checkpoint(str(save_model(tmp_path))))
    assert tokenizer.chat_template == build_tokenizer("qwen3").chat_template
    assert tokenizer.encode("a</think>", add_special_tokens=False) == [64, 260]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("/nowhere/model", "does not exist"),
        ("./nowhere", "does not exist"),
        (Path("nowhere/model"), "does not exist"),
        (__file__, "is a file"),
        ("not a name", "not a hub id either"),
    ],
)
def test_a_path_that_is_no_model_folder(model: str | Path, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_tokenizer(find_checkpoint(model))


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    with pytest.raises(ModelError, match="has no usable tokenizer"):
        load_tokenizer(find_checkpoint(tmp_path))


def test_the_made_up_model_has_no_tokenizer() -> None:
    if not PLACEHOLDER.is_dir():
        pytest.skip("../shared is not here")
    with pytest.raises(ModelError, match="has no usable tokenizer"):
        load_tokenizer(find_checkpoint(PLACEHOLDER))


def run_without_hub(home: Path, code: str) -> subprocess.CompletedProcess[str]:
    """The code's output with a hub at a port where nobody listens; its address is read once, on import."""
    env = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120, check=False)


def test_a_hub_out_of_reach_is_told_at_once(tmp_path: Path) -> None:
    started = time.monotonic()
    done = run_without_hub(tmp_path, "from raml_eval.checkpoint import find_checkpoint; find_checkpoint('owner/name').folder")
    assert done.stderr.strip().splitlines()[-1].startswith("raml_eval.errors.ModelError: model owner/name is not a folder")
    assert "the hub cannot be reached and no copy is cached" in done.stderr
    assert time.monotonic() - started < 20  # asking once takes 1 s with the imports; retrying took 46


def test_a_cached_model_needs_no_hub(tmp_path: Path) -> None:
    cached = tmp_path / "hub" / "models--owner--name"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    save_model(cached / "snapshots" / COMMIT, config={"model_type": "qwen3", "eos_token_id": 256})
    done = run_without_hub(
        tmp_path,
        "from raml_eval.prompts import *; from raml_eval.checkpoint import find_checkpoint;"
        "c = find_checkpoint('owner/name'); print(end_of_text_ids(load_tokenizer(c), c), c.folder.name)",
    )
    assert done.stdout.strip() == f"(256, 258) {COMMIT}", done.stderr


def test_a_folder_is_its_own_place(tmp_path: Path) -> None:
    assert find_checkpoint(tmp_path).folder == tmp_path.resolve()
    assert find_checkpoint(str(tmp_path)).folder == tmp_path.resolve()
