"""The text of a thinking as a budget keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from raml_eval.checkpoint import find_checkpoint
from raml_eval.kept_text import decode_first, model_places, token_at, tokenizer_at_hand
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


class Bytes:
    """A tokenizer whose tokens are the bytes of UTF-8."""

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return list(text.encode())

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        return bytes(token_ids).decode("utf-8", "replace")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.data())
def test_a_character_begins_in_the_token_of_its_first_byte(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 1))
    whole = Trajectory(SampleKey("t", "q", 0), 999, tuple(text.encode()), ThinkingEnd.NATURAL, (), text, 0)
    assert token_at(whole, place, Bytes()) == len(text[:place].encode())
    assert token_at(replace(whole, text=f"{text}x"), place, Bytes()) is None
    assert token_at(whole, place, None) is None


def test_a_character_inside_a_token_lies_in_it() -> None:
    tokenizer = tokenizer_at_hand(manifest_of("pocket"))
    assert tokenizer is not None
    ids = tuple(load_tokenizer(find_checkpoint("pocket", None)).encode("17+25=42\n", add_special_tokens=False))
    text = tokenizer.decode(ids, skip_special_tokens=False)
    whole = Trajectory(SampleKey("t", "q", 0), 64, ids, ThinkingEnd.NATURAL, (), text, 0)
    parts = [tokenizer.decode(ids[: n + 1], skip_special_tokens=False) for n in range(len(ids))]
    for place in range(len(text)):
        assert token_at(whole, place, tokenizer) == next(n for n, part in enumerate(parts) if len(part) > place)
