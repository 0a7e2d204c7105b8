"""The batches of a run that may stop early."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.batches import FIRST, order_batches, order_digest
from raml_eval.errors import ConfigError
from raml_eval.intervals.sequential import look_levels
from raml_eval.types import QuestionKey

SIZES = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 60), min_size=1)


def clusters_of(sizes: dict[str, int], width: int = 1, shared: int = 0) -> dict[QuestionKey, str]:
    """Tasks whose clusters hold width questions each; the first clusters are the same in every task."""
    found = {}
    for task, size in sizes.items():
        for row in range(size):
            cluster = row // width
            found[task, str(row)] = f"all/{cluster}" if cluster < shared else f"{task}/{cluster}"
    return found


@given(SIZES, st.integers(1, 5), st.integers(0, 4), st.integers(1, 20), st.integers(0, 5))
def test_batches_hold_each_question_once_and_no_cluster_twice(
    sizes: dict[str, int], width: int, shared: int, looks: int, seed: int
) -> None:
    clusters = clusters_of(sizes, width, shared)
    batches = order_batches(clusters, looks, seed)
    assert Counter(key for batch in batches for key in batch) == Counter(list(clusters))
    assert 1 <= len(batches) <= looks
    of_batch = [{clusters[key] for key in batch} for batch in batches]
    assert sum(map(len, of_batch)) == len(set(clusters.values()))
    assert {task for task, _ in batches[0]} == set(sizes)
    ends = [sum(map(len, batches[: n + 1])) / len(clusters) for n in range(len(batches))]
    assert len(look_levels(ends)) == len(batches)


def test_every_batch_holds_each_task_in_proportion() -> None:
    sizes = {"a": 134, "b": 30, "c": 500}
    batches = order_batches(clusters_of(sizes), 8)
    assert len(batches) == 8
    drawn: Counter[str] = Counter()
    for number, batch in enumerate(batches):
        drawn.update(task for task, _ in batch)
        for task, size in sizes.items():
            assert drawn[task] == pytest.approx(size * (FIRST + 0.75 * number / 7), abs=1)


def test_the_order_depends_on_the_seed_and_not_on_the_order_given() -> None:
    clusters = clusters_of({"a": 50, "b": 20}, 2)
    batches = order_batches(clusters, 8, 3)
    backwards = order_batches(dict(reversed(clusters.items())), 8, 3)
    assert order_digest(batches) == order_digest(backwards)
    assert order_digest(batches) != order_digest(order_batches(clusters, 8, 4))
    assert order_digest(batches) != order_digest(order_batches(clusters, 7, 3))


def test_an_order_is_random() -> None:
    """Over seeds, each question is in the first batch as often as its share."""
    clusters = clusters_of({"a": 40})
    first = Counter(key for seed in range(400) for key in order_batches(clusters, 4, seed)[0])
    assert sum(first.values()) == 400 * 10
    assert all(60 < first[key] < 145 for key in clusters)  # 100 expected, sd 8.7


@pytest.mark.parametrize("looks", [0, 51, -1])
def test_a_number_of_looks_that_cannot_be_is_refused(looks: int) -> None:
    with pytest.raises(ConfigError, match="wanted 1 to 50"):
        order_batches({("a", "1"): "x"}, looks)
