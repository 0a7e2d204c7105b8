"""YAML that a person wrote."""

from __future__ import annotations

import pytest

from raml_eval.yaml_text import read_yaml


@pytest.mark.parametrize(
    ("text", "content"),
    [("a: 1\nb: {a: 2}", {"a": 1, "b": {"a": 2}}), ("- a: 1\n- a: 2", [{"a": 1}, {"a": 2}]), ("", None)],
)
def test_equal_keys_in_different_places_are_read(text: str, content: object) -> None:
    assert read_yaml(text) == content


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "^line 2, column 1: the key 'a' occurs twice$"),
        ("x: {b: 1, c: 2, b: 3}", "the key 'b' occurs twice"),
        ("a:\n  b: [", "^line 2, column 7: expected the node content"),
        ("a: !!python/object/apply:os.system [true]", "could not determine a constructor"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        read_yaml(text)
    assert "\n" not in str(caught.value)
