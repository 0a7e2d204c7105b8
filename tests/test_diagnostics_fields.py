"""Fields of a journal's line that are right, and those that are not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from raml_eval.diagnostics.fields import count_of, counts_of, flag_of, number_of, numbers_of, object_of, text_of

Read = Callable[[dict[str, Any], str], Any]


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (text_of, ""), (flag_of, False), (count_of, 0), (counts_of, [0, 3]), (counts_of, []), (number_of, -1.5),
        (numbers_of, [1.0, -2.0]), (object_of, {}),
    ],
)  # fmt: skip
def test_what_is_right_is_read(read: Read, value: Any) -> None:
    assert read({"x": value}, "x") == value


@pytest.mark.parametrize(
    ("read", "values"),
    [
        (text_of, [None, 1, ["a"]]),
        (flag_of, [0, "true", None]),
        (count_of, [-1, 1.0, True, "1", None]),
        (counts_of, [3, [1.5], [True], [-1], "12", {"0": 1}]),
        (number_of, [math.nan, math.inf, 10**400, True, "1", None]),
        (numbers_of, [[], 1.0, [math.nan], [1, None], "1"]),
        (object_of, [[], None, "{}"]),
    ],
)
def test_what_is_wrong_is_named_with_what_is_wanted(read: Read, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(TypeError, match=r"^x is .*, wanted "):
            read({"x": value}, "x")
    with pytest.raises(KeyError):
        read({}, "x")


def test_a_least_count_is_held() -> None:
    assert count_of({"n": 1}, "n", 1) == 1
    with pytest.raises(TypeError, match="n is 0, wanted a whole number of 1 or more"):
        count_of({"n": 0}, "n", 1)
