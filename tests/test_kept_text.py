"""The text of a thinking as a budget keeps it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from raml_eval.checkpoint import find_checkpoint
from raml_eval.kept_text import decode_first, model_places, tokenizer_at_hand
from raml_eval.prompts.tokenizer import load_tokenizer
from raml_eval.types import SampleKey, ThinkingEnd, Trajectory


def manifest_of(model: str) -> dict[str, Any]:
    return {"model": {"name": model, "revision": None}}


def test_the_first_tokens_as_text() -> None:
    tokenizer = tokenizer_at_hand(manifest_of("pocket"))
    assert tokenizer is not None
    text = "17+25=42\n42-8=34\n"
    ids = tuple(load_tokenizer(find_checkpoint("pocket", None)).encode(text, add_special_tokens=False))
    whole = Trajectory(SampleKey("t", "q", 0), 64, ids, ThinkingEnd.NATURAL, (), text, 0)
    assert decode_first(whole, len(ids), tokenizer) == text
    assert decode_first(whole, 0, tokenizer) == ""
    first = decode_first(whole, 5, tokenizer)
    assert first
    assert text.startswith(first)
    # Another tokenizer than the one that wrote the text would cut it elsewhere.
    assert decode_first(replace(whole, text="other"), 5, tokenizer) is None
    assert decode_first(whole, 5, None) is None


def test_a_model_that_is_not_here_has_no_tokenizer() -> None:
    assert tokenizer_at_hand(manifest_of("/no/such/model")) is None


def test_a_relative_model_is_looked_for_above_the_run(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "mine"
    for folder in (run, tmp_path / "models" / "m", tmp_path / "runs" / "models" / "m"):
        folder.mkdir(parents=True)
    found = [str(tmp_path / "runs" / "models" / "m"), str(tmp_path / "models" / "m")]
    assert model_places(manifest_of("models/m"), run) == ["models/m", *found]  # the nearest first
    assert model_places(manifest_of("models/m")) == ["models/m"]
    assert model_places(manifest_of(str(tmp_path / "models")), run) == [str(tmp_path / "models")]
    assert model_places(manifest_of("org/name"), run) == ["org/name"]
