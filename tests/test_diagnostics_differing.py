"""Settings that differ are told in words, with the names of options."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from raml_eval.diagnostics.differing import LABELS, in_words, tell_differences
from raml_eval.diagnostics.landscape.choices import Choices


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "not given"), ([], "not given"), ({}, "not given"), (True, "on"), (False, "off"), (0, "0"), (0.1, "0.1"),
        ("run", "'run'"), (["a", "b"], "a, b"), ([f"pocket_chain/{n:06}" for n in range(4)], "pocket_chain/000000, "
         "pocket_chain/000001 and 2 more (digest dc43bec2)"),
    ],
)  # fmt: skip
def test_values_in_words(value: Any, told: str) -> None:
    assert in_words(value) == told


@pytest.mark.parametrize("value", [list(range(100)), {"a": {"b": None}}, "x" * 300, [{"a": 1}]])
def test_what_is_long_or_nested_is_a_digest(value: Any) -> None:
    assert in_words(value).startswith("other (digest ")
    assert len(in_words(value)) < 30
    assert in_words(value) != in_words([*value, 1] if isinstance(value, list) else "y" * 300)


def test_options_are_named_and_equal_ones_are_not() -> None:
    there, here = {"stride": 8, "tolerance": None, "lead": "x"}, {"stride": 4, "tolerance": 0.1, "lead": "x"}
    assert tell_differences(there, here) == [
        "--stride is 8 there and 4 here", "--tolerance of --adaptive is not given there and 0.1 here"
    ]  # fmt: skip
    assert tell_differences(there, there) == []


def test_of_a_nested_setting_only_what_differs_is_told() -> None:
    there, here = ({"engine": {"name": "hf", "dtype": dtype}} for dtype in ("float32", "bfloat16"))
    assert tell_differences(there, here) == ["the engine (dtype) is 'float32' there and 'bfloat16' here"]
    assert (
        tell_differences({"introductions": {"a": {"off": "x"}}}, {"introductions": {"a": {"off": "y"}}})[0].count("digest") == 2
    )


def test_every_choice_of_a_landscape_has_its_option() -> None:
    assert all(LABELS[field.name].startswith("--") for field in dataclasses.fields(Choices))
