"""How rows are identified: ids, hashes, and the mark of synthetic rows."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.tasks.rows import canonical_json, content_hash, is_synthetic, question_id

ROWS = st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text())), min_size=1)


@given(ROWS)
def test_the_order_of_columns_does_not_matter(row: dict[str, Any]) -> None:
    turned = dict(reversed(row.items()))
    assert question_id(3, turned) == question_id(3, row)
    assert content_hash([turned]) == content_hash([row])


@given(ROWS, ROWS)
def test_different_rows_have_different_hashes(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (content_hash([one]) == content_hash([other])) == (one == other)
    assert content_hash([one, other]) != content_hash([one])


def test_question_id_is_the_documented_one() -> None:
    digest = hashlib.sha256('{"a":"\u00e9","b":[1,null]}'.encode()).hexdigest()
    assert canonical_json({"b": [1, None], "a": "\u00e9"}) == '{"a":"\u00e9","b":[1,null]}'
    assert question_id(17, {"b": [1, None], "a": "\u00e9"}) == f"17-{digest[:6]}"


@pytest.mark.parametrize(
    ("row", "synthetic"),
    [
        ({"question": "SYNTHETIC PLACEHOLDER 1: what is 2+2?"}, True),
        ({"question_id": "synthetic-7"}, True),
        ({"Record ID": "synthetic-diamond-0001"}, True),
        ({"id": "synthetic-7"}, True),
        ({"question": "q", "synthetic": True}, True),
        ({"question": "q", "synthetic": False}, False),
        ({"question": "What is a SYNTHETIC PLACEHOLDER?", "id": "7"}, False),
        ({"question": "synthetic- what?", "solid": "synthetic-7"}, False),
        ({"id": 7, "options": ["a"]}, False),
    ],
)
def test_synthetic_rows(row: dict[str, Any], synthetic: bool) -> None:
    assert is_synthetic(row) is synthetic
