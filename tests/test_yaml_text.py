"""YAML that a person wrote."""

from __future__ import annotations

from datetime import date

import pytest

from raml_eval.yaml_text import kind_of, read_yaml


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
        ("a: \x00", "^unacceptable character #x0000: special characters are not allowed at position 3$"),
        ("x: {b: 1, c: 2, b: 3}", "the key 'b' occurs twice"),
        ("a:\n  b: [", "^line 2, column 7: expected the node content"),
        ("a: !!python/object/apply:os.system [true]", "could not determine a constructor"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        read_yaml(text)
    assert "\n" not in str(caught.value)


def test_what_is_no_mapping_is_told_in_words() -> None:
    words = ["nothing", "a list", "a text", "true or false", "a number", "a number", "a value"]
    assert [kind_of(one) for one in (None, [], "x", True, 1, 0.5, date(2026, 1, 1))] == words
