"""The fields of a journal's line, checked as they are read: KeyError if one is missing, TypeError if it is wrong."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from raml_eval.store.lines import take

Line = Mapping[str, Any]
_MOST = sys.float_info.max


def text_of(line: Line, name: str) -> str:
    """A text.

    Example: text_of({"id": "a"}, "id") == "a"
    """
    return str(take(line, name, str))


def flag_of(line: Line, name: str) -> bool:
    """true or false."""
    return bool(take(line, name, bool))


def count_of(line: Line, name: str, least: int = 0) -> int:
    """A whole number that is not below least."""
    value: int = line[name]
    return value if _is_count(value, least) else _wrong(name, value, f"a whole number of {least} or more")


def counts_of(line: Line, name: str) -> list[int]:
    """Whole numbers of 0 or more."""
    value: list[int] = line[name]
    if not isinstance(value, list) or not all(_is_count(one, 0) for one in value):
        _wrong(name, value, "a list of whole numbers")
    return value


def number_of(line: Line, name: str) -> float:
    """A finite number."""
    return check_number(name, line[name])


def numbers_of(line: Line, name: str) -> list[float]:
    """Finite numbers, at least one."""
    value = line[name]
    if not isinstance(value, list) or not value or not all(map(_is_number, value)):
        _wrong(name, value, "a list of finite numbers")
    return [float(one) for one in value]


def check_number(name: str, value: object) -> float:
    """The value as a number. Raises TypeError, with the name, if it is no finite one."""
    return float(value) if _is_number(value) else _wrong(name, value, "a finite number")  # type: ignore[arg-type]


def object_of(line: Line, name: str) -> dict[str, Any]:
    """A JSON object."""
    return dict(take(line, name, dict))


def _wrong(name: str, value: object, wanted: str) -> Any:
    raise TypeError(f"{name} is {value!r:.60}, wanted {wanted}")


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MOST
