"""What may leave the machine: settings by an allowed list, and texts without paths and tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.exporting.public import model_name, public_settings
from raml_eval.redaction import REMOVED, without_secrets
from tests.shared_runs import holds_nothing_private, private_run, share


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/me/ckpt", "ckpt"),
        ("~/ckpt", "ckpt"),
        ("C:\\Users\\me\\ckpt", "ckpt"),
        ("see /home/me/ckpt/step_5, or D:\\a\\b", "see step_5, or b"),
        ("file:///home/me/a.json", "a.json"),
        ("openai/gsm8k at https://huggingface.co/datasets/openai/gsm8k", None),
        ("1/2 and/or 3 / 4, tokens/s, \\frac{1}{2}", None),
        ("https://me:pw@host/x", "https://[removed]host/x"),
        ("a hf_AbCdEfGhIjKlMnOpQr b", "a [removed] b"),
        ("sk-AbCdEfGhIjKlMnOpQr", "[removed]"),
    ],
)
def test_texts_lose_paths_and_tokens_and_nothing_else(text: str, left: str | None) -> None:
    assert without_secrets(text) == (text if left is None else left)


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(), st.lists, max_leaves=5))
def test_what_is_no_text_stays(value: object) -> None:
    assert without_secrets(value) == value


def test_keys_that_name_a_secret_lose_their_value() -> None:
    assert without_secrets({"api_key": 1, "HF_TOKEN": "x", "answer_tokens": 4}) == {
        "api_key": REMOVED,
        "HF_TOKEN": REMOVED,
        "answer_tokens": 4,
    }


def test_the_settings_of_a_run_hold_nothing_private(tmp_path: Path) -> None:
    run = share(private_run(tmp_path / "run")).run
    settings = public_settings(run)
    holds_nothing_private(json.dumps(settings))
    assert (settings["model.name"], settings["checkpoint.base"], settings["step"]) == ("step_500", "base", 500)
    assert model_name(run) == "step_500"
