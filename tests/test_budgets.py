"""Budgets as a user writes them: lists, spaced numbers, shares and hints, in one order and one spelling."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.budgets import budget_rank, is_cap, parse_budgets, parse_label, prompt_of, share_of, sort_budgets
from raml_eval.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "budgets"),
    [
        (64, [64]),
        ("64", [64]),
        ("0,64, unlimited ,off", [0, 64, "unlimited", "off"]),
        ([0, "64", "off", False], [0, 64, "off", "off"]),  # YAML reads a bare off as false
        (["8,16", 32], [8, 16, 32]),
        ("log:256:1024:3", [256, 512, 1024]),
        ("log:256:32768:8", [256, 512, 1024, 2048, 4096, 8192, 16384, 32768]),
        ("lin:1024:16384:16", [1024 * i for i in range(1, 17)]),
        ("lin:0:3:8", [0, 1, 2, 3]),  # no repeats after rounding
        ("frac:0.1,0.25,1", ["frac:0.1", "frac:0.25", "frac:1"]),
        ("frac:0.5,unlimited,off", ["frac:0.5", "unlimited", "off"]),
        ("frac:0.50,1.0", ["frac:0.5", "frac:1"]),
        (["frac:0.1", 64], ["frac:0.1", 64]),  # an integer in a list is a number of tokens
        (["frac:0.1", 0.5], ["frac:0.1", "frac:0.5"]),
        ("effort:low,effort:high,hint:512,1024", ["effort:low", "effort:high", "hint:512", 1024]),
        ("frac:0.5,log:16:64:3,128", ["frac:0.5", 16, 32, 64, 128]),
    ],
)
def test_what_a_user_may_write(value: Any, budgets: list[int | str]) -> None:
    assert parse_budgets(value) == budgets


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("half", "'half' is not known; wanted a number of tokens"),
        ("-1", "'-1' is not known"),
        ("1.5", "'1.5' is not known"),
        (1.5, "1.5 is not known"),
        (True, "True is not known"),
        ("", "'' is not known"),
        ("frac:1.5", "is a share of 1.5; wanted one from 0 to 1"),
        ("frac:-0.1", "wanted one from 0 to 1"),
        ("frac:nan", "wanted one from 0 to 1"),
        ("frac:some", "'frac:some' is not known"),
        ("frac:0.5,64", "is a share of 64; wanted one from 0 to 1"),
        ("hint:few", "'hint:few' is not known"),
        ("effort:", "names no effort"),
        ("log:256:32768", r"wanted log:LOW:HIGH:N, such as log:256:32768:8"),
        ("log:0:64:4", "wanted LOW < HIGH, N >= 2 and LOW >= 1"),
        ("lin:64:64:4", r"wanted LOW < HIGH, N >= 2\."),
        ("lin:1:64:1", "N >= 2"),
        ("lin:a:64:2", "is not known"),
    ],
)
def test_what_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_budgets(value)


@pytest.mark.parametrize("value", ["hint:-5", "hint:0x10", "hint:1.5", "hint:"])
def test_a_hint_is_a_number_of_tokens(value: str) -> None:
    with pytest.raises(ConfigError):
        parse_budgets(value)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(2, 40), st.sampled_from(["log", "lin"]))
def test_spaced_budgets_rise_from_end_to_end(low: int, more: int, n: int, kind: str) -> None:
    budgets = parse_budgets(f"{kind}:{low}:{low + more}:{n}")
    assert (budgets[0], budgets[-1]) == (low, low + more)
    assert len(budgets) <= n
    assert all(isinstance(b, int) for b in budgets)
    assert budgets == sorted(set(budgets), key=int)


def test_the_order_of_tables() -> None:
    ordered = ("off", 0, 64, 1024, "unlimited", "frac:0.25", "frac:1", "hint:64", "hint:512")
    efforts = ("effort:minimal", "effort:low", "effort:medium", "effort:high", "effort:max", "effort:eager")
    assert sort_budgets([*reversed(efforts), *reversed(ordered), 64]) == ordered + efforts


BUDGETS = st.one_of(
    st.integers(0, 10**6),
    st.sampled_from(["off", "unlimited", "effort:low", "effort:odd", "hint:7"]),
    st.floats(0, 1).map(lambda share: f"frac:{share:g}"),
)


@given(st.lists(BUDGETS, min_size=1))
def test_every_budget_has_one_label_and_one_place(budgets: list[int | str]) -> None:
    assert parse_budgets(budgets) == budgets
    assert [parse_label(str(b)) for b in budgets] == budgets
    ordered = sort_budgets(budgets)
    assert set(ordered) == set(budgets)
    assert [budget_rank(b) for b in ordered] == sorted(map(budget_rank, ordered))


@pytest.mark.parametrize(
    ("budget", "cap", "share", "prompt"),
    [
        (64, True, None, "thinking"),
        ("unlimited", True, None, "thinking"),
        ("frac:0.25", True, 0.25, "thinking"),
        ("off", False, None, "off"),
        ("effort:low", False, None, "effort:low"),
        ("hint:512", False, None, "hint:512"),
    ],
)
def test_what_each_budget_is_drawn_from(budget: int | str, cap: bool, share: float | None, prompt: str) -> None:
    assert (is_cap(budget), share_of(budget), prompt_of(budget)) == (cap, share, prompt)
