"""JSON as models write it, read without evaluating anything."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.grading.grid.loose_json import read_objects

LOOSE = [
    ('{"a": 1}', [{"a": "1"}]),
    ("{'a': 'b'}", [{"a": "b"}]),
    ("{a: b c}", [{"a": "b c"}]),
    ('{"a": null, "b": None, "c": true}', [{"a": None, "b": None, "c": True}]),
    ('{"a": [1, 2,],}', [{"a": ["1", "2"]}]),
    ('{"a": "x" // note\n, "b": "y"}', [{"a": "x", "b": "y"}]),
    ('{"a": "x"\n "b": "y"}', [{"a": "x", "b": "y"}]),
    ('{"a": "say \\"no\\""}', [{"a": 'say "no"'}]),
    ("{'a': 'it's left'}", [{"a": "it's left"}]),
    ('{"a": "\\u00e9\\n"}', [{"a": "é\n"}]),
    ('text {"a": 1} and {"b": 2}', [{"a": "1"}, {"b": "2"}]),
    ('[{"a": 1}, {"a": 2}]', [[{"a": "1"}, {"a": "2"}]]),
    ("{a, b}", []),
    ("{not json}", []),
    ("{", []),
    ("}", []),
    ('{"a": ', []),
    ('{"a": {"b": {"c": "d"}}}', [{"a": {"b": {"c": "d"}}}]),
]


@pytest.mark.parametrize(("text", "objects"), LOOSE)
def test_loose(text: str, objects: list[Any]) -> None:
    assert read_objects(text) == objects


VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), VALUES, min_size=1, max_size=3), st.sampled_from([None, 2]))
def test_strict_json_is_read_as_the_standard_says(value: dict[str, Any], indent: int | None) -> None:
    assert read_objects(json.dumps(value, indent=indent)) == [value]


@pytest.mark.parametrize(
    "piece", ["{", "[", '{"a":', "[{", '{"a": "', "{'a': '", '{"a": 1,', "// ", "/* ", "{/*", "#", '"', "{a:{", "{x "]
)
def test_a_megabyte_is_read_in_time(piece: str) -> None:
    started = time.process_time()
    read_objects(piece * ((1 << 20) // len(piece)))
    assert time.process_time() - started < 8  # the extraction reads a tenth of this
