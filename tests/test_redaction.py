"""Texts lose paths, tokens and passwords, and nothing else; a model keeps only what may be known of it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.redaction import REMOVED, may_be_hub_id, public_checkpoint, public_model, without_secrets

HEX = "0123456789abcdef0123456789abcdef01234567"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/me/ckpt", "ckpt"),
        ("~/ckpt", "ckpt"),
        ("C:\\Users\\me\\ckpt", "ckpt"),
        ("see /home/me/ckpt/step_5, or D:\\a\\b, or D:/a/c", "see step_5, or b, or c"),
        ("base:/home/me/x", "base:x"),
        ("see file:///home/me/a.json or file://host/home/me/b.json", "see a.json or b.json"),
        ("see \\\\server\\share\\me\\x now", "see x now"),
        ("HF_HOME=/home/me", "HF_HOME=[removed]"),
        ("/Users/me", "[removed]"),
        ("https://me:pw@host/x", "https://[removed]host/x"),
        ("https://host/x?a=1&token=abc&b=2", "https://host/x?a=1&token=[removed]&b=2"),
        ("a hf_AbCdEfGhIjKlMnOpQr b", "a [removed] b"),
        ("sk-AbCdEfGhIjKlMnOpQr", "[removed]"),
        ("AKIAIOSFODNN7EXAMPLE, ASIAIOSFODNN7EXAMPLE", "[removed], [removed]"),
        ("glpat-AbCdEfGhIjKlMnOpQr", "[removed]"),
        (f"local-{HEX}", "[removed]"),
        (f"a {KEY} b", "a [removed] b"),
        (f"WANDB_API_KEY={HEX}", "WANDB_API_KEY=[removed]"),
        ("aws_secret_access_key = a/b+c", "aws_secret_access_key = [removed]"),
        ("password: x", "password: [removed]"),
        ("mypassword: x, then", "mypassword: [removed], then"),
        ("api-key: abc; pwd=1", "api-key: [removed]; pwd=[removed]"),
        ("token: abc123", "token: [removed]"),
        ('{"password": "a b", "n": 1}', '{"password": [removed], "n": 1}'),
        ("--hf-token abc --k 8", "--hf-token [removed] --k 8"),
        ("--hf-token=abc", "--hf-token=[removed]"),
        ("Authorization: Bearer x", "Authorization: [removed]"),
        ("authorization=Basic dXNlcjpw", "authorization=[removed]"),
        ("as Bearer AbCdEfGhIj", "as [removed]"),
    ],
)
def test_secrets_and_paths_are_lost(text: str, left: str) -> None:
    assert without_secrets(text) == left
    assert without_secrets(left) == left


@pytest.mark.parametrize(
    "text",
    [
        "openai/gsm8k at https://huggingface.co/datasets/openai/gsm8k",
        "1/2 and/or 3 / 4, tokens/s, \\frac{1}{2}",
        "tokens: 5, answer_tokens=4, max_total_tokens: 3, tokens per second: 5",
        "author: me, authors=Jane, authored: 2020",
        "passk: 1, pass@8 = 0.5, compass: north, secretary: Jane",
        "the token: a word; the secret: nothing; eos_token=</s>, pad_token: <pad>",
        "keyword: x, monkey=3, key: b, primary_key: id, tokenizer: x",
        "bearer certificates, ask-me-again-please-now",
        "/no_think",
        f"commit {HEX}",
        "http://host:80/a?page=1&seed=2",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert without_secrets(text) == text


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(), st.lists, max_leaves=5))
def test_what_is_no_text_stays(value: object) -> None:
    assert without_secrets(value) == value


@given(st.text())
def test_what_was_left_is_left_again(text: str) -> None:
    assert without_secrets(without_secrets(text)) == without_secrets(text)


@pytest.mark.parametrize("part", ["a:", 'token="', "--a ", "/a", "\\\\a", "authorization: a ", "~"])
def test_long_texts_take_no_long_time(part: str) -> None:
    start = time.process_time()
    without_secrets(part * (100_000 // len(part)))
    assert time.process_time() - start < 5


PRIVATE = (
    "api_key api-key apiKey auth pwd private_key accessKey access_key_id secretAccessKey token HF_TOKEN hfToken HFTOKEN "
    "Authorization credentials passphrase MYSQL_PASSWORD cookie client_secret ssh_key base_url"
)
PUBLIC = (
    "tokens author passk pass@8 answer_tokens n_tokens tokenizer key token_count eos_token end_of_turn_token authority keyword "
    "my_base_urls"
)


@pytest.mark.parametrize("key", PRIVATE.split())
def test_a_private_name_loses_its_value_whatever_it_is(key: str) -> None:
    for value in ("x", 1, {"a": "b"}, ["x"]):
        assert without_secrets({"a": [{key: value}]}) == {"a": [{key: REMOVED}]}


@pytest.mark.parametrize("key", PUBLIC.split())
def test_any_other_name_keeps_its_value(key: str) -> None:
    assert without_secrets({key: "x"}) == {key: "x"}


@pytest.mark.parametrize(
    ("name", "origin", "left"),
    [
        ("checkpoints/rl-16", "folder", "rl-16"),
        ("checkpoints/rl-16/", None, "rl-16"),
        ("Qwen/Qwen3-0.6B", None, "Qwen3-0.6B"),
        ("Qwen/Qwen3-0.6B", "hub", "Qwen/Qwen3-0.6B"),
        ("gpt2", "hub", "gpt2"),
        ("pocket", "package", "pocket"),
        ("../out/step_500", "folder", "step_500"),
        ("out\\step_500", "folder", "step_500"),
        ("/home/me", "folder", "me"),
        ("..", "folder", "model"),
        ("~/ckpt", None, "ckpt"),
        ("C:\\models\\mine", None, "mine"),
        ("half \ud800", "hub", "half ?"),
        ("hf_AbCdEfGhIjKlMnOpQr", "folder", REMOVED),
    ],
)
def test_only_a_recorded_id_of_the_hub_keeps_its_owner(name: str, origin: str | None, left: str) -> None:
    model: dict[str, Any] = {"name": name, **({"origin": origin} if origin else {})}
    assert public_model(model) == left
    assert may_be_hub_id(model) == (origin is None and name == "Qwen/Qwen3-0.6B")


def test_an_adapters_model_is_published_by_base_and_adapter_without_paths() -> None:
    adapter = {"name": "/home/me/out/lora", "base": "team/base", "base_origin": "folder", "fingerprint": "0" * 16}
    model: dict[str, Any] = {"name": "/home/me/out/lora", "origin": "folder", "adapter": adapter}
    assert public_model(model) == "base + lora"
    assert public_model({**model, "adapter": {**adapter, "base_origin": "hub"}}) == "team/base + lora"
    assert public_model({**model, "name": "org/given", "origin": "hub"}) == "org/given + lora"
    told = public_checkpoint(model)
    assert (told["name"], told["adapter"]["name"], told["adapter"]["base"]) == ("base + lora", "lora", "base")
    assert told["adapter"]["fingerprint"] == "0" * 16
    assert public_checkpoint({"name": "x/y", "origin": "hub"}) == {"name": "x/y", "origin": "hub"}
