"""The identity of rows: canonical text, question id, content hash, and the mark of synthetic rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]


def canonical_json(row: Row) -> str:
    """The row as one JSON text: keys sorted, no spaces, nothing escaped. A value that JSON lacks is written as its str.

    Example: canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'
    """
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def question_id(index: int, row: Row) -> str:
    """The row's index in the published split and six hex digits of the row's SHA-256, such as 17-3fa9c1.

    Example: question_id(17, {"q": "1+1"}).startswith("17-")
    """
    return f"{index}-{hashlib.sha256(_encode(row)).hexdigest()[:6]}"


def content_hash(rows: Iterable[Row]) -> str:
    """The SHA-256 over the rows in order, as hex."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(hashlib.sha256(_encode(row)).digest())
    return digest.hexdigest()


def is_synthetic(row: Row) -> bool:
    """True if the row says that it was made up: by the beginning of a text or of an id, or by a column synthetic."""
    if row.get("synthetic") is True:
        return True
    return any(
        isinstance(value, str)
        and (value.startswith("SYNTHETIC PLACEHOLDER") or (_is_id(column) and value.lower().startswith("synthetic-")))
        for column, value in row.items()
    )


def _is_id(column: str) -> bool:
    return column.lower().replace("_", " ").split()[-1:] == ["id"]


def _encode(row: Row) -> bytes:
    return canonical_json(row).encode("utf-8", "surrogatepass")
