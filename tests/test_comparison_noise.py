"""The noise of a run's means, and the signal and noise between checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from raml_eval.comparison.noise import (
    Chosen,
    NoiseRow,
    choose_places,
    default_measures,
    noise_between,
    noise_frame,
    noise_of_run,
    sort_by_step,
    step_noise,
)
from raml_eval.errors import ConfigError, InputError, MetricError
from raml_eval.intervals import mean_interval
from raml_eval.tables import build_frame, parse_measure
from raml_eval.types import StoredRun
from tests.factory import by_row, make_run

AVERAGE = parse_measure("avg@n")
TWO = {"pocket_chain": "in_domain", "pocket_chain_long": "in_domain", "pocket_sort": "cross_domain"}


def checkpoint(step: int | None, hits: Callable[[int], int], **more: Any) -> StoredRun:
    run = make_run(by_row(hits), name=f"step{step}", **{"n_questions": 20, "budgets": (64,), **more})
    record = {} if step is None else {"checkpoint": {"step": step}}
    return replace(run, manifest={**run.manifest, "model": {"name": "tiny", **record}})


def only(rows: list[NoiseRow], **wanted: Any) -> NoiseRow:
    (row,) = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    return row


def test_a_mean_is_that_of_the_report_and_its_noise_has_two_parts() -> None:
    run = make_run(by_row(lambda row: row % 5), n_questions=40, tasks=TWO, per_cluster=2)
    rows, frame = noise_of_run(run, [AVERAGE]), build_frame([run])
    assert [(row.task, row.budget) for row in rows] == [
        (task, budget) for budget in ("16", "64")
        for task in ("pocket_chain", "pocket_chain_long", "macro", "pocket_sort")
    ]  # fmt: skip
    c = np.array([row % 5 for row in range(40)])
    row = only(rows, task="pocket_chain", budget="64")
    reported = frame[(frame.task == row.task) & (frame.budget == "64") & (frame.metric == "avg@n")].iloc[0]
    assert row.value == reported.value
    assert (row.n_questions, row.n_clusters) == (40, 20)
    assert row.redraw_error**2 == pytest.approx(np.sum(c * (4 - c)) / (16 * 3) / 40**2)
    assert row.redraw_share == pytest.approx(row.redraw_error**2 / row.standard_error**2)
    assert row.questions_share == pytest.approx(1 - row.redraw_share)
    between, drawn = row.questions_share * row.standard_error**2, row.redraw_error**2
    assert row.error_4_samples == pytest.approx(math.sqrt(between + drawn / 4))
    assert row.error_4_questions == pytest.approx(row.standard_error / 2)
    interval = mean_interval(c / 4, [f"c{i // 2}" for i in range(40)])
    assert row.value == pytest.approx(interval.value)
    mean = only(rows, task="macro", budget="64")
    assert (mean.domain, mean.n_questions, mean.metric) == ("in_domain", 80, "avg@n")


def test_what_the_samples_cannot_tell_is_nan() -> None:
    once = make_run(by_row(lambda row: row % 2), n_samples=1)
    row = noise_of_run(once, [AVERAGE])[0]
    assert row.standard_error > 0
    assert math.isnan(row.redraw_share)
    assert math.isnan(row.error_4_samples)
    greedy = make_run(by_row(lambda row: 4 * (row % 2)), temperature=0.0)
    assert math.isnan(noise_of_run(greedy, [AVERAGE])[0].redraw_error)
    tight = noise_of_run(make_run(by_row(lambda row: row % 5)), [parse_measure("pass@4"), parse_measure("pass@8")])
    assert not math.isnan(only(tight, task="pocket_chain", budget="16", metric="pass@4").standard_error)
    assert math.isnan(only(tight, task="pocket_chain", budget="16", metric="pass@4").redraw_share)
    assert math.isnan(only(tight, task="pocket_chain", budget="16", metric="pass@8").value)


def test_a_partial_run_is_refused_unless_it_is_allowed() -> None:
    run = make_run(by_row(lambda row: row % 5))
    part = replace(run, records=run.records[8:])  # the first question has no sample
    with pytest.raises(MetricError, match="lacks"):
        noise_of_run(part, [AVERAGE])
    assert noise_of_run(part, [AVERAGE], allow_partial=True)[0].n_questions == 9


def test_the_default_measures_are_those_that_all_runs_can_give() -> None:
    runs = [make_run(by_row(lambda row: 1), k=[1, 2, 4]), make_run(by_row(lambda row: 1), k=[2, 8])]
    assert [m.name for m in default_measures(runs)] == ["avg@n", "pass@2", "mg_pass@2", "thinking_tokens_mean"]
    assert [m.name for m in default_measures([make_run(by_row(lambda row: 1))])] == ["avg@n", "thinking_tokens_mean"]


def test_changes_are_between_neighbours_in_the_order_of_steps() -> None:
    first, second = checkpoint(100, lambda row: 1), checkpoint(200, lambda row: 1 + row % 2)
    third = checkpoint(1000, lambda row: 2)
    rows = noise_between([third, first, second], [AVERAGE])
    changes = [row for row in rows if row.kind == "change" and row.task == "pocket_chain"]
    assert [(row.against, row.run) for row in changes] == [("step100", "step200"), ("step200", "step1000")]
    assert [row.value for row in changes] == pytest.approx([0.125, 0.125])
    one, two = 1 * 3 / 48, 2 * 2 / 48
    assert changes[0].redraw_error == pytest.approx(math.sqrt((20 * one + 10 * one + 10 * two) / 400))
    assert changes[0].signal_to_noise == pytest.approx(0.125 / changes[0].redraw_error)
    series = only(rows, kind="series", task="pocket_chain")
    assert (series.against, series.run, series.value) == ("step100", "step1000", pytest.approx(0.25))
    assert series.step_noise == 0  # a line
    assert math.isnan(series.signal_to_noise)
    assert series.redraw_error == pytest.approx(math.sqrt((one + (one + two) / 2 + two) / 3 / 20))


def test_two_checkpoints_have_a_change_and_no_series() -> None:
    rows = noise_between([checkpoint(1, lambda row: 1), checkpoint(2, lambda row: 2)], [AVERAGE])
    assert {row.kind for row in rows} == {"change"}


def test_only_shared_questions_count() -> None:
    few, many = checkpoint(1, lambda row: 1, n_questions=8), checkpoint(2, lambda row: 1 + (row > 7), n_questions=20)
    row = only(noise_between([few, many], [AVERAGE]), task="pocket_chain")
    assert (row.value, row.n_questions) == (0, 8)


def test_the_scatter_of_a_noisy_line_is_unbiased() -> None:
    rng = np.random.default_rng(4)
    for n in (3, 5, 12):
        found = [step_noise((0.02 * np.arange(n) + rng.normal(0, 0.01, n)).tolist()) ** 2 for _ in range(4000)]
        assert np.mean(found) == pytest.approx(0.01**2, rel=0.1)
    assert math.isnan(step_noise([0.1, 0.2]))


def test_runs_without_steps_or_with_the_same_are_refused() -> None:
    with pytest.raises(InputError, match="stepNone does not know the step of its checkpoint"):
        sort_by_step([checkpoint(1, lambda row: 1), checkpoint(None, lambda row: 1)])
    with pytest.raises(InputError, match="both have step 1"):
        sort_by_step([checkpoint(1, lambda row: 1), checkpoint(1, lambda row: 2)])


def test_runs_that_were_made_differently_are_refused_unless_it_is_allowed() -> None:
    one = checkpoint(1, lambda row: 1, protocol={"answer_tokens": 8})
    two = checkpoint(2, lambda row: 1, protocol={"answer_tokens": 16})
    with pytest.raises(MetricError, match="answer_tokens"):
        noise_between([one, two], [AVERAGE])
    assert noise_between([one, two], [AVERAGE], ["answer_tokens"])


def test_only_what_is_chosen_has_rows() -> None:
    run = make_run(by_row(lambda row: row % 5), tasks=TWO)
    assert choose_places([run], [], []) == Chosen(budgets=("64",))  # the largest, for want of a suite
    assert choose_places([run], [], [], everything=True) == Chosen()
    suites = {"mine": {"tasks": ["pocket_sort"], "primary": {"metric": "avg@n", "budget": 16}}}
    declaring = replace(run, manifest={**run.manifest, "suites": suites})
    assert choose_places([declaring], [], []).budgets == ("16",)
    chosen = choose_places([run], ["pocket_sort", "pocket_chain"], ["16"])
    rows = noise_of_run(run, [AVERAGE], chosen=chosen)
    assert [(row.task, row.budget) for row in rows] == [("pocket_chain", "16"), ("pocket_sort", "16")]
    for tasks, budgets in (([], ["32"]), (["pocket"], [])):
        with pytest.raises(ConfigError, match=r"in the runs '(32|pocket)'"):
            choose_places([run], tasks, budgets)
    with pytest.raises(InputError, match="share no budget"):
        choose_places([run, make_run(by_row(lambda row: 1), budgets=(8,))], [], [])


def test_a_split_that_a_shared_seed_spoils_is_not_shown() -> None:
    def drawn(step: int, seed: int, weights: str, hits: Callable[[int], int]) -> StoredRun:
        run = checkpoint(step, hits, protocol={"sampling": {"seed": seed}})
        return replace(run, manifest={**run.manifest, "model": {**run.manifest["model"], "fingerprint": weights}})

    def change(*runs: StoredRun) -> NoiseRow:
        return only(noise_between(runs, [AVERAGE]), kind="change", task="pocket_chain")

    base = drawn(1, 5, "a", lambda row: 2)
    alike = change(base, drawn(2, 5, "b", lambda row: 2 + (row == 0)))  # far more alike than independent draws
    assert math.isnan(alike.redraw_share)
    assert alike.redraw_error > alike.standard_error
    assert change(base, drawn(2, 6, "b", lambda row: 2 + (row == 0))).redraw_share == 1.0  # by chance
    apart = change(base, drawn(2, 5, "b", lambda row: row % 5))
    assert 0 < apart.redraw_share < 1
    same = change(base, drawn(2, 5, "a", lambda row: row % 5))
    assert math.isnan(same.redraw_share)
    assert math.isnan(same.redraw_error)


def test_runs_that_share_nothing_are_refused() -> None:
    one, two = checkpoint(1, lambda row: 1, budgets=(64,)), checkpoint(2, lambda row: 1, budgets=(32,))
    with pytest.raises(MetricError, match="share no question"):
        noise_between([one, two], [AVERAGE])
    with pytest.raises(MetricError, match="share no number"):
        noise_between([checkpoint(1, lambda row: 1), checkpoint(2, lambda row: 1)], [parse_measure("pass@64")])


def test_the_frame_has_a_column_for_every_field() -> None:
    frame = noise_frame(noise_of_run(make_run(by_row(lambda row: 1)), [AVERAGE]))
    assert list(frame.columns) == list(NoiseRow.__dataclass_fields__)
    assert list(noise_frame([]).columns) == list(frame.columns)
