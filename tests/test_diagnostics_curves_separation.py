"""AUROC against pairs counted one by one, within questions and pooled."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.diagnostics.curves.separation import CONFOUNDED, auroc, pooled, within_questions

ROWS = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.sampled_from("abc")), min_size=1, max_size=25)


def count_pairs(rows: list[tuple[float, bool]]) -> float:
    pairs = [(s > t) + (s == t) / 2 for (s, right), (t, wrong) in itertools.product(rows, rows) if right and not wrong]
    return sum(pairs) / len(pairs) if pairs else math.nan


@given(ROWS)
def test_auroc_counts_pairs(rows: list[tuple[int, bool, str]]) -> None:
    found = auroc(np.array([s for s, _, _ in rows], dtype=float), np.array([right for _, right, _ in rows]))
    assert found == pytest.approx(count_pairs([(s, right) for s, right, _ in rows]), nan_ok=True)


@given(ROWS)
def test_within_questions_only_pairs_of_one_question_count(rows: list[tuple[int, bool, str]]) -> None:
    scores, correct, names = zip(*rows, strict=True)
    own = [count_pairs([(s, right) for s, right, q in rows if q == name]) for name in "abc"]
    known = [value for value in own if not math.isnan(value)]
    found = within_questions([float(s) for s in scores], correct, names, names, [1] * len(rows))
    assert found.n_questions == len(known)
    assert found.interval.value == pytest.approx(np.mean(known) if known else math.nan, nan_ok=True)
    mixed = [[right for _, right, q in rows if q == name] for name in "abc"]
    assert found.n_pairs == sum(sum(one) * (len(one) - sum(one)) for one in mixed)


def test_difficulty_alone_separates_nothing_within_questions() -> None:
    """Each question has one score, which is high where most of its trajectories are right."""
    rng = np.random.default_rng(0)
    questions = np.repeat(np.arange(40), 8)
    difficulty = rng.uniform(size=40)[questions]
    correct = rng.uniform(size=320) < difficulty
    names = [str(q) for q in questions]
    within = within_questions(difficulty, list(correct), names, names, [1] * 320)
    overall = pooled(difficulty, list(correct), names)
    assert within.interval.value == 0.5
    assert within.interval.low < 0.5 < within.interval.high
    assert overall.interval.low > 0.7
    assert CONFOUNDED in overall.interval.method


def test_the_interval_contains_the_truth() -> None:
    """Scores of correct trajectories are one standard deviation higher: the AUROC is Phi(1 / sqrt(2)) = 0.760."""
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        correct = rng.uniform(size=480) < 0.5
        scores = rng.normal(size=480) + correct + np.repeat(rng.normal(size=60), 8) * 5
        names = [str(q) for q in np.repeat(np.arange(60), 8)]
        found = within_questions(scores, list(correct), names, names, [1] * 480).interval
        held += found.low <= 0.7602 <= found.high
    assert 88 <= held <= 100


def test_trajectories_without_a_score_are_left_out() -> None:
    found = within_questions([1.0, math.nan, 0.0], [True, True, False], ["a"] * 3, ["a"] * 3, [1] * 3)
    assert (found.interval.value, found.n_pairs) == (1.0, 1)
    assert pooled([1.0, math.nan, 0.0], [True, True, False], ["a", "b", "c"]).interval.value == 1.0


def test_one_verdict_has_no_auroc() -> None:
    found = pooled([1.0, 2.0], [True, True], ["a", "b"])
    assert math.isnan(found.interval.value)
    assert within_questions([1.0, 2.0], [True, True], ["a", "b"], ["a", "b"], [1, 1]).n_questions == 0


@pytest.mark.parametrize(
    ("n_before", "n_questions", "value"), [([0, 0], 1, 1.0), ([0, 5], 2, 0.5), ([5, 0], 2, 0.5), ([5, 5], 2, 0.5)]
)
def test_a_question_without_any_thinking_says_nothing(n_before: list[int], n_questions: int, value: float) -> None:
    """The first question's scores separate, the second's are the wrong way round."""
    found = within_questions([2.0, 1.0, 1.0, 2.0], [True, False] * 2, ["a", "a", "b", "b"], list("aabb"), [5, 5, *n_before])
    assert (found.n_questions, found.n_pairs, found.interval.value) == (n_questions, n_questions, value)


def test_resamples_with_one_verdict_do_not_pull_the_interval_to_chance() -> None:
    """Three of twelve clusters are wrong, so 3 % of the resamples have no wrong one: (9/12)^12."""
    scores = [*range(3, 12), 0, 1, 4.5]
    found = pooled(scores, [q < 9 for q in range(12)], list(map(str, range(12)))).interval
    assert found.value == pytest.approx(25 / 27)
    assert 0.5 < found.low < found.value < found.high == 1.0


def test_few_clusters_with_both_verdicts_have_no_pooled_interval() -> None:
    """With one wrong cluster of twelve, a third of the resamples have one verdict: (11/12)^12."""
    found = pooled([*range(12)], [q != 4 for q in range(12)], list(map(str, range(12)))).interval
    assert found.value == pytest.approx(7 / 11)
    assert math.isnan(found.low)
    assert found.method == "no interval: fewer than 90% of the resamples give a number"


def test_five_clusters_have_no_pooled_interval() -> None:
    found = pooled([*range(10)], [q % 2 == 1 for q in range(10)], [str(q // 2) for q in range(10)]).interval
    assert (found.value, found.method) == (0.6, "no interval: fewer than six clusters")


def test_perfect_separation_has_no_pooled_interval() -> None:
    found = pooled([*range(12)], [q > 5 for q in range(12)], list(map(str, range(12)))).interval
    assert (found.value, found.method) == (1.0, "no interval: every resample gives the same")
