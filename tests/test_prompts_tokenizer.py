"""Loading a tokenizer and the ids that end a text, from folders and from a hub that may be unreachable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import normalizers

from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import ModelError
from raml_eval.prompts import end_of_turn, load_tokenizer
from raml_eval.prompts.tokenizer import check_round_trip
from raml_eval.thinking_formats import ThinkingFormat
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
def test_ends_of_a_turn_are_the_union(tmp_path: Path, configs: dict[str, dict[str, object]], ids: tuple[int, ...]) -> None:
    folder = save_model(tmp_path, **configs)
    assert tuple(end_of_turn(load_tokenizer(find_checkpoint(folder)), find_checkpoint(folder))) == ids


def test_a_model_that_never_ends_its_text_is_refused(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(None)
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="names no end-of-text token"):
        end_of_turn(tokenizer, find_checkpoint(tmp_path))


def test_each_end_of_a_turn_has_its_sources(tmp_path: Path) -> None:
    # A checkpoint trained from a Qwen2.5 base: it declares <|endoftext|>, and its template writes <|im_end|>.
    tokenizer = build_tokenizer("plain", marks=())
    tokenizer.eos_token = "<|endoftext|>"
    (tmp_path / "config.json").write_text('{"eos_token_id": 256}', encoding="utf-8")
    found = end_of_turn(tokenizer, find_checkpoint(tmp_path))
    assert found == {256: ["tokenizer", "config.json"], 258: ["chat template"]}


def test_a_format_names_ends_of_a_turn_too(tmp_path: Path) -> None:
    tokenizer, checkpoint = build_tokenizer("plain"), find_checkpoint(tmp_path)
    assert end_of_turn(tokenizer, checkpoint, ThinkingFormat("mine", end_of_turn=("<|im_start|>",)))[257] == ["thinking format"]
    with pytest.raises(ModelError, match=r"'<not there>' ends a turn, but .* has no such token"):
        end_of_turn(tokenizer, checkpoint, ThinkingFormat("mine", end_of_turn=("<not there>",)))
    with pytest.raises(ModelError, match=r"ends thinking with '<.im_end.>', which ends the whole turn"):
        end_of_turn(tokenizer, checkpoint, ThinkingFormat("mine", opener="<t>", closer="<|im_end|>"))


@pytest.mark.parametrize(
    ("template", "more"),
    [
        ("{% for m in messages %}{{ m.content }}{% endfor %}", []),  # no token after the turn
        ("{% for m in messages %}{{ m.content }}\n <|im_start|>{% endfor %}", [257]),
        ("{% if messages | length > 1 %}{{ raise_exception('one turn') }}{% endif %}{{ messages[0].content }}", []),
    ],
)
def test_the_token_that_a_template_writes_after_a_turn(tmp_path: Path, template: str, more: list[int]) -> None:
    tokenizer = build_tokenizer(None)
    tokenizer.chat_template = template
    assert [*end_of_turn(tokenizer, find_checkpoint(tmp_path))] == [*more, 258]


class Lossy:
    """A tokenizer that gives back its texts altered."""

    def __init__(self, alter: Callable[[str], str]) -> None:
        self.alter = alter

    def encode(self, text: str, add_special_tokens: bool = False) -> str:
        return text

    def decode(self, ids: str, skip_special_tokens: bool = False) -> str:
        return self.alter(ids)


@pytest.mark.parametrize("alter", [lambda t: t.replace(" ", ""), lambda t: t.replace("  ", " "), lambda t: t[:-1]])
def test_a_tokenizer_that_alters_what_it_is_given_is_refused(alter: Callable[[str], str]) -> None:
    with pytest.raises(ModelError, match=r"the tokenizer of m turns '.*' into '.*', so no question .* try another version"):
        check_round_trip(Lossy(alter), "m")  # type: ignore[arg-type]


def test_one_blank_that_starts_a_text_is_no_alteration() -> None:
    check_round_trip(Lossy(lambda text: " " + text), "m")  # type: ignore[arg-type]


def test_a_folder_whose_tokenizer_loses_blanks_is_refused(tmp_path: Path) -> None:
    tokenizer = build_tokenizer("qwen3")
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(" ", "")
    tokenizer.save_pretrained(str(tmp_path))
    with pytest.raises(ModelError, match=r"turns 'What is 1\+1\?' into 'Whatis1\+1\?'"):
        load_tokenizer(find_checkpoint(tmp_path))


def test_a_folder_with_another_librarys_tokenizer_only(tmp_path: Path) -> None:
    (tmp_path / "tekken.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match=r"no usable tokenizer .*It has tekken\.json, which is another library's file"):
        load_tokenizer(find_checkpoint(tmp_path))


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_a_broken_config_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "generation_config.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"generation_config\.json"):
        end_of_turn(build_tokenizer("plain"), find_checkpoint(tmp_path))


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
        "c = find_checkpoint('owner/name'); print([*end_of_turn(load_tokenizer(c), c)], c.folder.name)",
    )
    assert done.stdout.strip() == f"[256, 258] {COMMIT}", done.stderr


def test_a_folder_is_its_own_place(tmp_path: Path) -> None:
    assert find_checkpoint(tmp_path).folder == tmp_path.resolve()
    assert find_checkpoint(str(tmp_path)).folder == tmp_path.resolve()
