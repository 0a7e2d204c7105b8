"""Subsets that nest and spread, and the samples that are owed."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from raml_eval.plan import Owed, plan_samples, select_questions
from raml_eval.types import SampleKey
from tests.factory import make_question

QUESTIONS = [make_question("task", i, stratum="abc"[i % 10 // 5 + (i % 10 == 9)]) for i in range(100)]  # 50 a, 40 b, 10 c


@given(st.integers(1, 120), st.integers(1, 120))
def test_a_larger_limit_holds_the_smaller_one(a: int, b: int) -> None:
    small, large = (select_questions(QUESTIONS, n) for n in sorted((a, b)))
    assert len(small) == min(a, b, 100)
    assert {q.id for q in small} <= {q.id for q in large}
    assert list(large) == [q for q in QUESTIONS if q in large]  # the task's own order


def test_no_limit_takes_all() -> None:
    assert select_questions(QUESTIONS, None) == tuple(QUESTIONS)


def test_a_subset_spreads_over_the_strata_and_is_not_the_head() -> None:
    chosen = select_questions(QUESTIONS, 20)
    assert Counter(q.stratum for q in chosen) == {"a": 10, "b": 8, "c": 2}
    assert chosen != tuple(QUESTIONS[:20])


def test_what_is_done_is_not_owed() -> None:
    done = {(SampleKey("t", "q", 0), 8), (SampleKey("t", "q", 1), 8), (SampleKey("t", "q", 1), "off")}
    owed = list(plan_samples([("t", "q"), ("t", "r")], 2, (8, "off"), done))
    assert owed == [
        Owed(SampleKey("t", "q", 0), ("off",)),
        Owed(SampleKey("t", "r", 0), (8, "off")),
        Owed(SampleKey("t", "r", 1), (8, "off")),
    ]
