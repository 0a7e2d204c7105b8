"""The numbers of a pruning, against their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval.diagnostics.pruning.outcomes import WAYS, Outcome
from raml_eval.diagnostics.pruning.summary_rows import MEAN_OF_TASKS, summarise_outcomes
from raml_eval.intervals import holm, paired_difference
from raml_eval.types import Status

RIGHT, WRONG = Status.CORRECT, Status.INCORRECT


def outcome(task: str, question: int, sample: int, rule: str = "last:1", **more: Any) -> Outcome:
    statuses = dict.fromkeys(WAYS, WRONG) | {name: value for name, value in more.items() if name in WAYS}
    told = (
        {"n_whole": 10, "n_kept": 5, "n_new": 0, "unchanged": False, "cut": None, "no_thinking_mode": "off"} | statuses | more
    )
    return Outcome(task, str(question), f"{task}/{question}", sample, f"{task}/{question}/{sample}", rule, **told)


def drawn(rng: np.random.Generator, task: str, rule: str, n: int = 12) -> list[Outcome]:
    def told() -> dict[str, Any]:
        statuses = {way: RIGHT if rng.random() < 0.5 else WRONG for way in WAYS}
        return {**statuses, "n_whole": int(rng.integers(5, 20)), "n_kept": int(rng.integers(5))}

    # unequal numbers of thinkings
    return [outcome(task, q, i, rule, **told()) for q in range(n) for i in range(1 + q % 3)]


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_means_are_over_questions_and_differences_are_paired(seed: int) -> None:
    outcomes = drawn(np.random.default_rng(seed), "a", "last:1")
    (row,) = summarise_outcomes(outcomes)
    by_question: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_question.setdefault(one.question_id, []).append(one)

    def mean(of: list[Outcome], way: str) -> float:
        return sum(one.correct(way) for one in of) / len(of)

    for way in WAYS:
        assert row.accuracy[way].value == pytest.approx(np.mean([mean(of, way) for of in by_question.values()]))
    assert row.n_after == pytest.approx(np.mean([np.mean([one.n_kept for one in of]) for of in by_question.values()]))
    assert row.share == row.n_after / row.n_before
    for way, found in (("forced", row.over_forced), ("whole", row.over_whole)):
        base, new = ([mean(of, name) for of in by_question.values()] for name in (way, "pruned"))
        wanted = paired_difference(base, new, [of[0].cluster for of in by_question.values()])
        assert (found.value, found.low, found.high, found.p_value) == (wanted.value, wanted.low, wanted.high, wanted.p_value)
    assert (row.n_questions, row.n_thinkings) == (len(by_question), len(outcomes))


def test_the_mean_of_tasks_weighs_tasks_alike() -> None:
    rng = np.random.default_rng(0)
    outcomes = drawn(rng, "a", "last:1", 8) + drawn(rng, "b", "last:1", 20)
    a, b, mean = summarise_outcomes(outcomes)
    assert mean.task == MEAN_OF_TASKS
    for way in WAYS:
        assert mean.accuracy[way].value == pytest.approx((a.accuracy[way].value + b.accuracy[way].value) / 2)
    assert mean.over_whole.value == pytest.approx((a.over_whole.value + b.over_whole.value) / 2)
    assert mean.n_thinkings == a.n_thinkings + b.n_thinkings


def test_p_values_are_corrected_for_the_rules_of_a_task() -> None:
    rng = np.random.default_rng(1)
    rows = summarise_outcomes([one for rule in ("last:1", "last:2", "no-repeats") for one in drawn(rng, "a", rule)])
    assert [row.over_whole.p_holm for row in rows] == holm([row.over_whole.p_value for row in rows])


def test_a_rule_that_cuts_is_not_compared_with_a_cut() -> None:
    (row,) = summarise_outcomes(drawn(np.random.default_rng(2), "a", "share:0.5"))
    assert math.isnan(row.over_forced.value)
    assert math.isnan(row.over_forced.p_holm)
    assert not math.isnan(row.over_whole.value)


def test_what_is_special_is_counted() -> None:
    outcomes = [
        outcome("a", 0, 0, n_kept=0),
        outcome("a", 1, 0, n_kept=20, cut=True, pruned=Status.UNFINISHED),
        outcome("a", 2, 0, n_kept=10, unchanged=True, no_thinking=Status.TIMEOUT),
        outcome("a", 3, 0, n_whole=0, n_kept=0, unchanged=True),
    ]
    (row,) = summarise_outcomes(outcomes)
    assert (row.n_emptied, row.n_longer, row.n_cut, row.n_unchanged) == (1, 1, 1, 2)
    assert row.unfinished == {"whole": 0, "pruned": 1, "forced": 0, "no_thinking": 0}
    assert row.timeouts == {"whole": 0, "pruned": 0, "forced": 0, "no_thinking": 1}
    assert summarise_outcomes([]) == []


def test_where_nothing_was_changed_the_differences_are_0_without_interval_and_p() -> None:
    same = [outcome("a", q, 0, unchanged=True, n_kept=10, whole=RIGHT, pruned=RIGHT, forced=RIGHT) for q in range(8)]
    (row,) = summarise_outcomes(same)
    assert row.n_unchanged == row.n_thinkings == 8
    for found in (row.over_whole, row.over_forced):
        assert found.value == 0
        assert all(math.isnan(number) for number in (found.low, found.high, found.p_value, found.p_holm))
        assert found.method.startswith("unchanged")
    (row,) = summarise_outcomes([*same[1:], outcome("a", 0, 0)])
    assert row.over_whole.low < row.over_whole.high
    assert row.over_whole.p_holm <= 1
