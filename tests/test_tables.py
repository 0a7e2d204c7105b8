"""The frame's numbers against hand counts, for runs whose every sample is written out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from raml_eval.intervals import macro_mean, mean_interval, paired_difference
from raml_eval.tables import COLUMNS, build_frame, count_run, frame_rows, question_values, redraw_variances
from raml_eval.tables.measures import PARTIAL, estimate
from raml_eval.types import Budget, Imported, Interval, Status, StoredRun
from tests.factory import by_row, make_run


def pick(frame: pd.DataFrame, **wanted: object) -> pd.Series:
    """The only row with the wanted values."""
    found = frame
    for column, value in wanted.items():
        found = found[found[column] == value]
    assert len(found) == 1, f"{wanted} has {len(found)} rows"
    return found.iloc[0]


@pytest.fixture(scope="module")
def run() -> StoredRun:
    """Ten questions; row r has r % 5 of its 4 samples right."""
    return make_run(by_row(lambda row: row % 5), chance=0.25, per_cluster=2)


@pytest.fixture(scope="module")
def frame(run: StoredRun) -> pd.DataFrame:
    return build_frame([run])


def test_the_columns_stand_in_the_documented_order(frame: pd.DataFrame) -> None:
    assert list(frame.columns) == list(COLUMNS)
    assert list(COLUMNS)[:13] == [
        *("run", "model", "task", "domain", "budget", "metric", "k", "tau"),
        *("value", "low", "high", "n_questions", "n_samples"),
    ]
    keys = ["run", "task", "domain", "budget", "metric", "k", "tau"]
    assert not frame.duplicated(keys).any()


def test_average_is_the_clustered_mean_over_questions(frame: pd.DataFrame) -> None:
    row = pick(frame, task="pocket_chain", budget="16", metric="avg@n")
    values = [r % 5 / 4 for r in range(10)]
    expected = mean_interval(values, [f"c{r // 2}" for r in range(10)])
    assert (row.value, row.low, row.high) == (expected.value, expected.low, expected.high)
    assert (row.n_questions, row.n_samples, row.domain, row.engine) == (10, 4, "in_domain", "fake 0 float32 cpu")


# Per question c = 0, 1, 2, 3, 4 of n = 4, each twice; k = 2: subsets of 6.
@pytest.mark.parametrize(
    ("metric", "k", "tau", "of_question"),
    [
        ("pass@k", 2, None, [0, Fraction(3, 6), Fraction(5, 6), 1, 1]),
        ("pass@k", 4, None, [0, 1, 1, 1, 1]),
        ("g_pass@k", 2, 0.25, [0, Fraction(3, 6), Fraction(5, 6), 1, 1]),
        ("g_pass@k", 2, 0.75, [0, 0, Fraction(1, 6), Fraction(3, 6), 1]),
        ("g_pass@k", 4, 0.5, [0, 0, 1, 1, 1]),
        ("g_pass@k", 4, 0.75, [0, 0, 0, 1, 1]),
        ("g_pass@k", 4, 1.0, [0, 0, 0, 0, 1]),
        ("mg_pass@k", 4, None, [0, 0, 0, Fraction(1, 2), 1]),
        ("mg_pass_normalized@k", 4, None, [0, 0, 0, Fraction(1, 2), 1]),
        # Wrong answers are "2" for even samples and "3" for odd ones; ties are averaged.
        ("maj@k", 4, None, [0, Fraction(1, 4) * 0, 1, 1, 1]),
    ],
)
def test_stability_metrics_are_those_of_a_count_by_hand(
    run: StoredRun, metric: str, k: int, tau: float | None, of_question: list[Fraction]
) -> None:
    row = pick(build_frame([run], k=[k]), task="pocket_chain", budget="64", metric=metric, **({"tau": tau} if tau else {}))
    assert row.k == k
    assert row.value == pytest.approx(float(sum(map(Fraction, of_question)) / 5), abs=1e-12)
    assert row.low < row.value < row.high


def test_every_interval_holds_its_value(frame: pd.DataFrame) -> None:
    given = frame.dropna(subset=["low", "high"])
    assert (given["low"] <= given["value"]).all()
    assert (given["value"] <= given["high"]).all()
    assert (given["low"] < given["high"]).all()
    assert len(given) > 80


def test_macro_means_fix_the_tasks_and_keep_the_domains_apart() -> None:
    tasks = {"a": "in_domain", "b": "in_domain", "c": "cross_domain"}
    share = {"a": 1, "b": 3, "c": 2}

    def outcome(task: str, row: int, index: int, budget: Budget) -> Status:
        return Status.CORRECT if index < share[task] or row == 0 else Status.INCORRECT

    frame = build_frame([make_run(outcome, tasks=tasks)])  # type: ignore[arg-type]
    of = {t: pick(frame, task=t, budget="16", metric="avg@n") for t in "abc"}
    mean = pick(frame, task="macro", domain="in_domain", budget="16", metric="avg@n")
    expected = macro_mean([Interval(of[t].value, of[t].low, of[t].high, of[t].method) for t in "ab"])
    assert (mean.value, mean.low, mean.high) == (expected.value, expected.low, expected.high)
    assert mean.value == pytest.approx(((0.1 + 0.9 * 0.25) + (0.1 + 0.9 * 0.75)) / 2)
    assert mean.n_questions == 20
    cross = pick(frame, task="macro", domain="cross_domain", budget="16", metric="avg@n")
    assert cross.value == of["c"].value


def test_budgets_come_in_order_whatever_the_plan_says() -> None:
    run = make_run(by_row(lambda row: 2), budgets=("unlimited", 128, "off", 16))
    frame = build_frame([run])
    assert list(dict.fromkeys(frame[frame["task"] == "pocket_chain"]["budget"])) == ["off", "16", "128", "unlimited"]


def test_token_numbers_are_means_and_quantiles_of_samples(frame: pd.DataFrame) -> None:
    at = {"task": "pocket_chain", "budget": "64"}
    assert pick(frame, metric="thinking_tokens_mean", **at).value == 40
    assert pick(frame, metric="answer_tokens_mean", **at).value == 6.5  # 5, 6, 7, 8 tokens
    assert pick(frame, metric="answer_tokens_median", **at).value == 6.5
    assert pick(frame, metric="answer_tokens_p95", **at).value == 8
    assert pick(frame, metric="thinking_tokens_p95", task="pocket_chain", budget="16").value == 16


def test_rates_count_every_status_and_end() -> None:
    order = (Status.CORRECT, Status.NO_ANSWER, Status.UNFINISHED, Status.INCORRECT)
    frame = build_frame([make_run(lambda task, row, index, budget: order[index])])
    for metric, value in {
        "no_answer_rate": 0.25,
        "unfinished_rate": 0.25,
        "forced_rate": 1,
        "leak_rate": 0,
        "avg@n": 0.25,
    }.items():
        assert pick(frame, task="pocket_chain", budget="16", metric=metric).value == value
    assert pick(frame, task="pocket_chain", budget="64", metric="forced_rate").value == 0
    assert not frame["metric"].isin(["accuracy_best", "accuracy_worst"]).any()


def scored(run: StoredRun, task: str, share: Callable[[int, int], float | None]) -> StoredRun:
    """The run with a score for each sample of the task, by the question's row and the sample's index."""
    records = tuple(
        replace(r, grade=replace(r.grade, score=share(int(r.key.question_id.split("-")[0]), r.key.index)))
        if r.key.task == task
        else r
        for r in run.records
    )
    return replace(run, records=records)


def test_partial_score_is_the_mean_over_samples_then_questions_of_the_tasks_that_have_parts() -> None:
    run = scored(
        make_run(by_row(lambda row: 0), per_cluster=2), "pocket_sort", lambda row, index: None if index == 3 else row / 10
    )
    frame = build_frame([run])
    row = pick(frame, task="pocket_sort", budget="64", metric="partial_score")
    expected = mean_interval([3 * r / 40 for r in range(10)], [f"c{r // 2}" for r in range(10)])
    assert (row.value, row.low, row.high) == pytest.approx((expected.value, expected.low, expected.high))
    assert row.n_questions == 10
    macro = pick(frame, task="macro", domain="cross_domain", budget="64", metric="partial_score")
    assert macro.value == pytest.approx(row.value)
    assert len(frame[frame["metric"] == "partial_score"]) == 4  # one task and its macro mean, at two budgets


def test_partial_score_is_no_value_where_answers_have_no_parts_and_0_where_none_was_graded() -> None:
    run = scored(make_run(by_row(lambda row: 0)), "pocket_sort", lambda row, index: 0.5 if row else None)
    cells = count_run(run)
    assert np.isnan(question_values(cells["pocket_chain", 64], PARTIAL)).all()
    assert np.isnan(redraw_variances(cells["pocket_chain", 64], PARTIAL)).all()
    assert question_values(cells["pocket_sort", 64], PARTIAL).tolist() == [0.0] + [0.5] * 9
    assert redraw_variances(cells["pocket_sort", 64], PARTIAL).tolist() == [0.0] * 10
    interval, covered = estimate(cells["pocket_chain", 64], PARTIAL, 0.95)
    assert (interval.method, covered) == ("not given: the answers have no parts", 0)


def test_a_macro_mean_of_cells_needs_every_task_of_its_domain() -> None:
    tasks = {"a": "cross_domain", "b": "cross_domain"}
    run = scored(make_run(by_row(lambda row: 0), tasks=tasks), "a", lambda row, index: 0.5)  # type: ignore[arg-type]
    frame = build_frame([run])
    assert set(frame[frame["metric"] == "partial_score"]["task"]) == {"a"}


def test_timeouts_bring_best_and_worst_accuracy() -> None:
    def outcome(task: str, row: int, index: int, budget: Budget) -> Status:
        return (Status.TIMEOUT, Status.CORRECT, Status.CORRECT, Status.INCORRECT)[index]

    frame = build_frame([make_run(outcome)])
    at = {"task": "pocket_chain", "budget": "16"}
    assert [pick(frame, metric=m, **at).value for m in ("avg@n", "accuracy_worst", "accuracy_best")] == [0.5, 0.5, 0.75]
    assert pick(frame, metric="timeout_rate", **at).value == 0.25


def test_gains_are_paired_on_shared_questions() -> None:
    base = make_run(by_row(lambda row: row % 3), name="base", n_questions=8)
    new = make_run(by_row(lambda row: 1 + row % 3), name="new", n_questions=10)
    frame = build_frame([base, new], base=base)
    row = pick(frame, task="pocket_sort", budget="16", metric="gain")
    old, now = [r % 3 / 4 for r in range(8)], [(1 + r % 3) / 4 for r in range(8)]
    expected = paired_difference(old, now, [str(r) for r in range(8)])
    assert (row.run, row.n_questions) == ("new", 8)
    assert (row.value, row.low, row.high) == pytest.approx((expected.value, expected.low, expected.high))
    assert row.value == pytest.approx(0.25)
    assert pick(frame, task="macro", domain="in_domain", budget="64", metric="gain").value == pytest.approx(0.25)


def test_no_macro_gain_over_a_base_that_lacks_a_task() -> None:
    tasks = {"a": "in_domain", "b": "in_domain"}
    base = make_run(by_row(lambda row: 1), name="base", tasks={"a": "in_domain"})
    frame = build_frame([make_run(by_row(lambda row: 2), name="new", tasks=tasks)], base=base)  # type: ignore[arg-type]
    gains = frame[frame["metric"] == "gain"]
    assert set(gains["task"]) == {"a"}


def test_chance_stands_beside_each_task_and_in_the_means(frame: pd.DataFrame) -> None:
    row = pick(frame, task="pocket_chain", budget="16", metric="chance")
    assert row.value == 0.25
    assert math.isnan(row.low)
    assert pick(frame, task="macro", domain="in_domain", budget="16", metric="chance").value == 0.25


def test_plain_rows_hold_none_for_what_is_not_there(frame: pd.DataFrame) -> None:
    rows = frame_rows(frame)
    assert len(rows) == len(frame)
    assert {type(row["k"]) for row in rows} == {int, type(None)}
    assert not any(isinstance(value, float) and math.isnan(value) for row in rows for value in row.values())


def test_records_beyond_the_plan_are_left_out(run: StoredRun) -> None:
    # A directory keeps what an earlier, larger plan drew: budgets and samples that this plan does not name.
    narrow = replace(run, budgets=(16,), n_samples=2)
    frame = build_frame([narrow])
    assert set(frame["budget"]) == {"16"}
    values = [min(r % 5, 2) / 2 for r in range(10)]
    assert pick(frame, task="pocket_chain", metric="avg@n").value == pytest.approx(sum(values) / 10)


def test_tokens_that_are_not_all_counted_are_not_given_and_nothing_else_is_lost(run: StoredRun) -> None:
    first, *rest = run.records
    unknown = replace(run, records=(replace(first, n_thinking_tokens=None), *rest))
    frame = build_frame([unknown])
    whole = build_frame([run])
    cell = {"task": first.key.task, "budget": "16"}
    for metric in ("thinking_tokens_mean", "thinking_tokens_median", "thinking_tokens_p95"):
        row = pick(frame, metric=metric, **cell)
        assert math.isnan(row.value)
        assert row.method == "not given: the samples' tokens are not all counted"
    assert math.isnan(pick(frame, metric="thinking_tokens_mean", task="macro", domain="in_domain", budget="16").value)
    for metric in ("answer_tokens_mean", "avg@n"):
        assert pick(frame, metric=metric, **cell).value == pick(whole, metric=metric, **cell).value
    assert pick(frame, metric="thinking_tokens_mean", task=first.key.task, budget="64").value == 40


def test_answer_tokens_of_imported_samples_are_what_their_log_says(run: StoredRun) -> None:
    counted = tuple(replace(r, answer_ids=(), imported=Imported({}, n_answer_tokens=3)) for r in run.records)
    assert (
        pick(build_frame([replace(run, records=counted)]), task="pocket_chain", budget="16", metric="answer_tokens_mean").value
        == 3
    )
    unknown = tuple(replace(r, answer_ids=(), imported=Imported({})) for r in run.records)
    row = pick(build_frame([replace(run, records=unknown)]), task="pocket_chain", budget="16", metric="answer_tokens_mean")
    assert math.isnan(row.value)
