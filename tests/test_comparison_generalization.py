"""Gains by domain and level, transfer and retention, against numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from raml_eval.comparison.generalization import Generalization, generalize
from raml_eval.comparison.pairs import pair_runs
from raml_eval.types import Domain, Status, StoredRun
from tests.factory import make_run

TASKS: Mapping[str, Domain] = {"sums": "in_domain", "logic": "cross_domain"}
Right = Callable[[str, int, int], bool]


def run_of(name: str, right: Right, n_samples: int = 1, tasks: Mapping[str, Domain] = TASKS) -> StoredRun:
    """A run of 40 questions per task, whose samples are right where right(task, row, index) says so; levels are row % 2."""
    run = make_run(
        lambda task, row, index, budget: Status.CORRECT if right(task, row, index) else Status.INCORRECT,
        name=name, tasks=tasks, n_samples=n_samples, n_questions=40, budgets=("off",),
    )  # fmt: skip
    questions = {
        (task, key): replace(question, stratum=f"level {int(key.partition('-')[0]) % 2}" if task == "sums" else "")
        for (task, key), question in run.questions.items()
    }
    return replace(run, questions=questions, tasks={task: replace(one, dataset=task) for task, one in run.tasks.items()})


def between(base: StoredRun, new: StoredRun) -> Generalization:
    return generalize(pair_runs(base, new), "off")


def test_gains_transfer_and_retention() -> None:
    base = run_of("base", lambda task, row, index: row < 10)
    new = run_of("new", lambda task, row, index: 2 <= row < (30 if task == "sums" else 22))
    found = between(base, new)
    inside, across = found.domains["in_domain"], found.domains["cross_domain"]
    assert (inside.base, inside.new, inside.gain.value) == pytest.approx((10 / 40, 28 / 40, 18 / 40))
    assert (across.base, across.new, across.gain.value) == pytest.approx((10 / 40, 20 / 40, 10 / 40))
    assert inside.gain.low < inside.gain.value < inside.gain.high
    assert found.transfer.value == pytest.approx(10 / 18)
    assert found.transfer.low < 10 / 18 < found.transfer.high
    assert inside.retention.value == across.retention.value == pytest.approx(8 / 10)
    assert inside.retention.low < 0.8 < inside.retention.high <= 1
    assert math.isnan(inside.repeat.value)
    assert "needs 2 samples" in inside.repeat.method


def test_retention_weighs_samples_and_has_a_yardstick() -> None:
    base = run_of("base", lambda task, row, index: index < (4 if row < 10 else 1 if row < 20 else 0), n_samples=4)
    new = run_of("new", lambda task, row, index: row % 2 == 0 or index == 0, n_samples=4)
    inside = between(base, new).domains["in_domain"]
    shares = [(1.0, 1.0 if row % 2 == 0 else 0.25) for row in range(10)] + [
        (0.25, 1.0 if row % 2 == 0 else 0.25) for row in range(10, 20)
    ]
    assert inside.retention.value == pytest.approx(sum(b * n for b, n in shares) / sum(b for b, _ in shares))
    assert inside.repeat.value == pytest.approx(10 * 1.0 / (10 + 2.5))  # one right of four has no right pair


def test_the_same_model_keeps_what_its_own_repeat_says() -> None:
    base = run_of("base", lambda task, row, index: index < row % 5, n_samples=4)
    new = run_of("new", lambda task, row, index: index >= 4 - row % 5, n_samples=4)
    inside = between(base, new).domains["in_domain"]
    assert inside.gain.value == 0
    squares = sum((row % 5 / 4) ** 2 for row in range(40)) / sum(row % 5 / 4 for row in range(40))
    assert inside.retention.value == pytest.approx(squares)
    assert inside.repeat.value < inside.retention.value  # p * p counts a sample against itself


def test_levels() -> None:
    base = run_of("base", lambda task, row, index: row < 10)
    new = run_of("new", lambda task, row, index: row < 10 or row % 2 == 0)
    levels = between(base, new).levels
    assert [(one.task, one.level, one.n_questions) for one in levels] == [("sums", "level 0", 20), ("sums", "level 1", 20)]
    assert [one.gain.value for one in levels] == pytest.approx([15 / 20, 0.0])
    assert [one.base for one in levels] == pytest.approx([5 / 20, 5 / 20])


def test_no_in_domain_gain_gives_no_ratio() -> None:
    base = run_of("base", lambda task, row, index: row < 10)
    new = run_of("new", lambda task, row, index: row < 10 if task == "sums" else row < 20)
    found = between(base, new)
    assert math.isnan(found.transfer.value)
    assert found.transfer.method == "not given: the in-domain gain's interval includes 0"


def test_one_domain_gives_no_ratio() -> None:
    tasks: Mapping[str, Domain] = {"sums": "in_domain"}
    base, new = (run_of(name, lambda task, row, index: row < 10, tasks=tasks) for name in ("base", "new"))
    found = between(base, new)
    assert found.transfer.method == "not given: needs tasks of both domains"
    assert list(found.domains) == ["in_domain"]


def test_transfer_does_not_exclude_0_where_its_numerator_includes_it() -> None:
    base = run_of("base", lambda task, row, index: task == "sums" and row < 5)
    found = between(base, run_of("new", lambda task, row, index: row < 30))
    assert "widened" not in found.transfer.method
    assert found.transfer.low > 0
    new = run_of("new", lambda task, row, index: row < (30 if task == "sums" else 5))
    found = between(base, new)
    gain = found.domains["cross_domain"].gain
    assert gain.low < 0 < gain.value
    assert (found.transfer.low, found.transfer.value) == pytest.approx((0.0, 5 / 25))
    assert found.transfer.method == "Fieller interval; widened to 0, which the cross-domain gain's interval includes"
