"""Ids, numbers and prompts as other harnesses write them."""

import math
from typing import Any

import pytest

from raml_eval.importing.samples import as_messages, as_texts, identify, read_count, read_number, read_sampling
from raml_eval.tasks.rows import question_id


def test_a_row_number_gives_the_id_that_a_task_of_ours_gives() -> None:
    row = {"question": "1+1?", "answer": "2"}
    assert identify(17, row) == question_id(17, row)
    assert identify(17, {**row, "answer": "3"}) != identify(17, row)


@pytest.mark.parametrize(
    ("label", "start"), [("HumanEval/0", "HumanEval_0-"), ("a-b c", "a_b_c-"), ("", "row-"), ("é", "_-"), ("x" * 500, "x" * 80)]
)
def test_a_name_becomes_part_of_the_id_without_a_slash_or_dash(label: str, start: str) -> None:
    found = identify(label, {"q": 1})
    assert found.startswith(start)
    assert found.rpartition("-")[2] == question_id(0, {"q": 1}).rpartition("-")[2]
    assert "/" not in found


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (True, 1.0),
        (0.25, 0.25),
        (math.nan, None),
        (math.inf, None),
        (10**400, None),
        ("1", None),
        (None, None),
        ([1], None),
    ],
)
def test_numbers_are_finite_or_none(value: Any, number: float | None) -> None:
    assert read_number(value) == number


@pytest.mark.parametrize(("value", "count"), [(3, 3), (3.0, 3), (2.5, None), (-1, None), (None, None), ("3", None)])
def test_counts_are_whole_or_none(value: Any, count: int | None) -> None:
    assert read_count(value) == count


def test_sampling_keeps_what_is_said_and_nothing_else() -> None:
    said = {"temperature": 0, "top_p": None, "do_sample": True, "max_gen_toks": 64, "seed": 3}
    assert read_sampling(said, "max_gen_toks") == {"temperature": 0.0, "seed": 3.0, "max_tokens": 64}


def test_texts() -> None:
    assert as_texts(None) == ()
    assert as_texts(4) == as_texts("4") == as_texts(["4"]) == ("4",)


def test_prompts_in_every_shape_become_messages() -> None:
    assert as_messages("hi") == ({"role": "user", "content": "hi"},)
    assert as_messages(None) == ({"role": "user", "content": ""},)
    assert as_messages([{"role": "HUMAN", "prompt": "hi", "input_length": 1}, {"role": "BOT", "prompt": ""}]) == (
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": ""},
    )
    assert as_messages([{"role": "system", "content": "be"}, "hi"]) == (
        {"role": "system", "content": "be"},
        {"role": "user", "content": "hi"},
    )
