"""maj@k against a vote in every subset."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import MetricError
from raml_eval.metrics import maj_at_k

Classes = list[tuple[int, int]]


def vote_in_every_subset(classes: Classes, n: int, k: int) -> Fraction:
    voters = [index for index, (count, _) in enumerate(classes) for _ in range(count)]
    votes = voters + [None] * (n - len(voters))
    total = Fraction(0)
    for subset in combinations(votes, k):
        tally = Counter(vote for vote in subset if vote is not None)
        winners = [index for index, count in tally.items() if count == max(tally.values())]
        if winners:
            total += sum(Fraction(classes[w][1], classes[w][0]) for w in winners) / len(winners)
    return total / math.comb(n, k)


def partitions(total: int, largest: int) -> Iterator[list[int]]:
    if total == 0:
        yield []
    for first in range(min(total, largest), 0, -1):
        for rest in partitions(total - first, first):
            yield [first, *rest]


ALL_PARTITIONS = [(sizes, n) for n in range(1, 9) for voting in range(n + 1) for sizes in partitions(voting, voting)]


@pytest.mark.parametrize(("sizes", "n"), ALL_PARTITIONS)
def test_vote_in_every_subset_gives_the_same(sizes: list[int], n: int) -> None:
    """Every way to split up to 8 samples into classes, each class in turn the right one, and one with mixed verdicts."""
    for right in range(len(sizes)):
        classes = [(size, size if index == right else size // 3) for index, size in enumerate(sizes)]
        for k in range(1, n + 1):
            assert maj_at_k(classes, n, k) == float(vote_in_every_subset(classes, n, k)), (classes, k)


@pytest.mark.parametrize(
    ("classes", "n", "k", "value"),
    [
        ([], 8, 4, 0.0),  # nobody votes
        ([(8, 8)], 8, 8, 1.0),
        ([(4, 4), (4, 0)], 8, 8, 0.5),  # a tie is averaged
        ([(1, 1)], 8, 8, 1.0),  # one vote against seven that never vote
        ([(3, 2)], 3, 1, 2 / 3),  # a class with mixed verdicts is worth its share
        ([(3, 3), (5, 0)], 8, 1, 3 / 8),  # one sample votes for itself
        ([(3, 3), (5, 0), (0, 0)], 8, 8, 0.0),
    ],
)
def test_votes_by_hand(classes: Classes, n: int, k: int, value: float) -> None:
    assert maj_at_k(classes, n, k) == value


@given(st.lists(st.integers(1, 20), max_size=6), st.integers(0, 10), st.integers(1, 64), st.randoms())
def test_one_right_class_among_all_is_worth_a_whole(sizes: list[int], idle: int, k: int, rng: random.Random) -> None:
    """Over all choices of the right class, the worths add up to the probability that any sample votes."""
    n = sum(sizes) + idle
    k = min(k, max(n, 1))
    if n < k:
        return
    order = rng.sample(range(len(sizes)), len(sizes))
    worths = [maj_at_k([(sizes[i], sizes[i] if i == right else 0) for i in order], n, k) for right in range(len(sizes))]
    assert math.fsum(worths) == pytest.approx(1 - math.comb(idle, k) / math.comb(n, k), abs=1e-12)


def test_too_few_samples_give_nan() -> None:
    assert math.isnan(maj_at_k([(3, 3)], 4, 5))


@pytest.mark.parametrize(
    ("classes", "n", "k", "words"),
    [
        ([(3, 4)], 8, 2, "correct = 4, count = 3"),
        ([(5, 5), (4, 0)], 8, 2, "votes = 9, n = 8"),
        ([(-1, 0)], 8, 2, "count; met -1"),
        ([(3, 3)], 8, 0, "k = 0"),
        ([(3, 3)], 8, 2.0, "for k; met 2.0"),  # type: ignore[list-item]
        ([(3.0, 3)], 8, 2, "an integer .* met 3.0"),
    ],
)
def test_bad_classes_are_refused(classes: Classes, n: int, k: int, words: str) -> None:
    with pytest.raises(MetricError, match=words):
        maj_at_k(classes, n, k)


@pytest.mark.parametrize(
    "classes", [[(1, 0)] * 64, [(2, 1)] * 32, [(8, 3)] * 8, [(3, 3)] * 21, [(16 - 2 * i, 1) for i in range(8)]]
)
def test_64_samples_take_no_time(classes: Classes) -> None:
    start = time.process_time()
    for k in (16, 32, 64):
        maj_at_k(classes, max(64, sum(count for count, _ in classes)), k)
    assert time.process_time() - start < 2  # 0.03 s where nothing else runs
