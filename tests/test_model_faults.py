"""Faults of files are told in the words of the file: the key, the value met and the one wanted, and keys that resemble."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from raml_eval.model_faults import MOST, faults, section_of, show_value


def _refuse(value: Any) -> Any:
    if value == "bad":
        raise ValueError("bad is not good.")
    return value


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    share: str = Field(pattern=r"^\d+$", description="a whole number in quotes")
    kind: Literal["a", "b"] = "a"


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    title: str = Field(min_length=1)
    count: int = Field(3, ge=1, lt=10)
    rate: float | None = None
    sure: bool = False
    names: tuple[str, ...] = Field(("x",), min_length=1)
    word: Annotated[str, BeforeValidator(_refuse)] = "good"
    inner: Inner | None = None
    parts: dict[str, list[Inner]] = {}


def told(content: Any) -> str:
    with pytest.raises(ValidationError) as met:
        Outer.model_validate(content)
    return faults(met.value, Outer, {"heading": "title"})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, "title is missing"),
        ({"title": ""}, "title is '', wanted a text that is not empty"),
        ({"title": 5}, "title is 5, wanted a text, in quotes"),
        ({"title": None}, "title is null, wanted a text"),
        ({"title": "t", "count": 0}, "count is 0, wanted 1 or more"),
        ({"title": "t", "count": 10}, "count is 10, wanted less than 10"),
        ({"title": "t", "count": "many"}, "count is 'many', wanted a whole number"),
        ({"title": "t", "count": 1.5}, "count is 1.5, wanted a whole number"),
        ({"title": "t", "rate": "fast"}, "rate is 'fast', wanted a number"),
        ({"title": "t", "rate": float("nan")}, "rate is nan, wanted a finite number"),
        ({"title": "t", "sure": "perhaps"}, "sure is 'perhaps', wanted true or false"),
        ({"title": "t", "names": "x"}, "names is 'x', wanted a list"),
        ({"title": "t", "names": []}, "names is [], wanted at least 1"),
        ({"title": "t", "word": "bad"}, "word: bad is not good"),
        ({"title": "t", "inner": True}, "inner is true, wanted keys and values, such as share, kind"),
        ({"title": "t", "inner": {"share": "x"}}, "inner.share is 'x', wanted a whole number in quotes"),
        ({"title": "t", "parts": {"p": [{"share": "1", "kind": "c"}]}}, "parts.p.0.kind is 'c', wanted a or b"),
        (
            {"title": "t", "parts": {"p": [{"share": "1", "kind": "aa"}]}},
            "parts.p.0.kind is 'aa', wanted a or b (did you mean a?)",
        ),
        ({"heading": "t", "title": "t"}, "heading is now title"),
        ({"title": "t", "tilte": 1}, "unknown key 'tilte'. Did you mean title? Keys: " + ", ".join(Outer.model_fields)),
        ({"title": "t", "zzz": 1}, "unknown key 'zzz'. Keys: " + ", ".join(Outer.model_fields)),
        (
            {"title": "t", "inner": {"share": "1", "kid": "a"}},
            "unknown key 'inner.kid'. Did you mean kind? Keys of inner: share, kind",
        ),
        ([1], "it is [1], wanted keys and values, such as title, count, rate, sure"),
    ],
)
def test_each_fault_names_its_key_what_was_met_and_what_was_wanted(content: Any, expected: str) -> None:
    assert told(content) == expected


def test_all_faults_stand_in_one_line_and_many_are_counted() -> None:
    text = told({"count": 0, "counts": 1})
    assert text.startswith("title is missing; count is 0, wanted 1 or more; unknown key 'counts'. Did you mean count?")
    many = told({"title": "t", "parts": {"p": [{"share": "x"}] * (MOST + 3)}})
    assert many.endswith("; and 3 more")


def test_the_section_of_a_place() -> None:
    assert section_of(Outer, ("parts", "p", 0)) is Inner
    assert section_of(Outer, ()) is Outer


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.dates(), lambda inner: st.lists(inner)))
def test_a_value_is_short_and_on_one_line(value: Any) -> None:
    text = show_value(value)
    assert len(text) <= 60
    assert "\n" not in text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "null"), (True, "true"), ({"a": None}, '{"a": null}'), ("x", "'x'"), (1.0, "1.0")]
)
def test_a_value_is_written_as_in_the_file(value: Any, text: str) -> None:
    assert show_value(value) == text
