"""Subsets are nested and cover the strata in proportion; and the samples that are owed."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from raml_eval.plan import Owed, Plan, select_questions, sort_budgets
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
    plan = Plan(("t",), (8, "off"), 2)
    assert list(plan.owed([("t", "q"), ("t", "r")], done)) == [
        Owed(SampleKey("t", "q", 0), ("off",)),
        Owed(SampleKey("t", "r", 0), ("off", 8)),
        Owed(SampleKey("t", "r", 1), ("off", 8)),
    ]
    assert plan.count(2) == 8


def test_a_plan_may_grow_and_never_shrinks() -> None:
    old, new = Plan(("a",), (8,), 4, 10), Plan(("b",), (16, 8), 2, None)
    assert old.grow(new) == Plan(("a", "b"), (8, 16), 4, None)
    assert old.grow(old) == old
    assert new.grow(old).tasks == ("b", "a")
    assert Plan(("a",), (8,), 4, 10).grow(Plan(("a",), (8,), 1, 30)).limit == 30


def test_a_plan_reads_back_as_it_was_written() -> None:
    plan = Plan(("a", "b"), ("unlimited", 0, "off"), 4, 10)
    assert plan.fields() == {"tasks": ["a", "b"], "budgets": ["off", 0, "unlimited"], "samples": 4, "limit": 10}
    assert Plan.read(plan.fields()) == plan


def test_budgets_come_in_the_order_of_tables() -> None:
    assert sort_budgets([512, "unlimited", 0, "off", 64, 64]) == ("off", 0, 64, 512, "unlimited")
