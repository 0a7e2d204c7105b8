"""The numbers of a sweep against counts by hand and by brute force."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raml_eval.allocation import linearised_ratio
from raml_eval.errors import MetricError
from raml_eval.intervals import holm, macro_mean, mean_interval, paired_difference
from raml_eval.intervals.means import SKEWED_T
from raml_eval.metrics import maj_at_k
from raml_eval.tables import SWEEP_COLUMNS, build_sweep, has_sweep
from raml_eval.tables.escape import DEPTHS
from raml_eval.tables.measures import APART, not_given
from raml_eval.types import Interval, Status, StoredRun, ThinkingEnd
from tests.factory import by_row, make_run
from tests.scripted import run_scripted
from tests.sweeps import ENGINE_CAPS, cut_run, find

BUDGETS = (0, 16, 64, "unlimited")
LABELS = [str(budget) for budget in BUDGETS]
SHARES = ("frac:0.25", "frac:0.75")
TASKS = {"sums": "in_domain", "words": "in_domain"}


def dice(seed: int, chance: Any) -> Any:
    """right(...) that is drawn once for each sample, with the chance of its question's row and budget."""
    thrown = random.Random(seed)
    fixed: dict[Any, bool] = {}

    def right(task: str, row: int, index: int, budget: Any) -> bool:
        return fixed.setdefault((task, row, index, budget), thrown.random() < chance(row, budget))

    return right


def rising(row: int, budget: Any) -> float:
    return min(1.0, 0.05 * row) * (0.3 + 0.2 * BUDGETS.index(budget))


def lengths(task: str, row: int, index: int) -> int:
    return 5 + 17 * ((3 * row + 5 * index) % 9)


@pytest.fixture(scope="module")
def run() -> StoredRun:
    return cut_run(dice(0, rising), lengths, tasks=TASKS, n_questions=20, n_samples=4, per_cluster=2)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def frame(run: StoredRun) -> Any:
    return build_sweep([run], k=[2], price=3.0)


def table(run: StoredRun, task: str = "sums") -> dict[tuple[int, int, str], Any]:
    """The records by question's row, sample and budget."""
    return {(int(r.key.question_id.split("-")[0]), r.key.index, str(r.budget)): r for r in run.records if r.key.task == task}


def accuracy(run: StoredRun, label: str, indices: tuple[int, ...] = (0, 1, 2, 3), task: str = "sums") -> list[float]:
    of = table(run, task)
    return [float(np.mean([of[row, i, label].grade.correct for i in indices])) for row in range(20)]


CLUSTERS = [f"c{row // 2}" for row in range(20)]


def same(row: Any, expected: Any) -> None:
    assert (row.value, row.low, row.high) == pytest.approx((expected.value, expected.low, expected.high), nan_ok=True)


def test_a_scripted_run_has_the_numbers_that_follow_from_its_script(tmp_path: Path) -> None:
    # Question i thinks i tokens and is right if it may; budget 0 always cuts. "off" is a draw of its own.
    frame = build_sweep([run_scripted(tmp_path / "run")])
    assert set(frame["budget"]) <= {"0", "3", "unlimited", "natural", ""}
    assert [find(frame, "avg@n", b).value for b in ("0", "3", "unlimited")] == pytest.approx([1 / 6, 4 / 6, 1])
    assert find(frame, "step", "3", against="0").value == pytest.approx(1 / 2)
    assert find(frame, "to_largest", "0").value == pytest.approx(5 / 6)
    assert find(frame, "gain_per_1000_tokens", "3").value == pytest.approx(1000 * (1 / 2) / (12 / 6))
    assert find(frame, "starvation", "3").value == 1
    assert find(frame, "overthinking_share", "unlimited").value == 0
    assert find(frame, "futility_share", "unlimited").value == 0
    assert find(frame, "turned_right", "3").value == pytest.approx(1 / 2)
    assert not (frame["metric"] == "area").any()  # one budget alone has a place on a log axis


def test_the_columns_stand_in_order_and_no_number_is_given_twice(frame: Any) -> None:
    assert list(frame.columns) == list(SWEEP_COLUMNS)
    assert not frame.duplicated(["run", "task", "domain", "metric", "budget", "against", "k", "part"]).any()
    given = frame.dropna(subset=["value", "low", "high"])
    assert (given["low"] <= given["value"]).all()
    assert (given["value"] <= given["high"]).all()
    assert (frame[frame["value"].isna()]["method"].str.startswith(("not given", "MOVER"))).all()


def test_steps_are_paired_over_questions_and_corrected_over_all_tasks(run: StoredRun, frame: Any) -> None:
    p_values = []
    for below, above in itertools.pairwise(LABELS):
        expected = paired_difference(accuracy(run, below), accuracy(run, above), CLUSTERS)
        row = find(frame, "step", above, against=below)
        same(row, expected)
        assert row.p_value == pytest.approx(expected.p_value)
        largest = paired_difference(accuracy(run, below), accuracy(run, "unlimited"), CLUSTERS)
        same(find(frame, "to_largest", below), largest)
    rows = frame[(frame["metric"] == "step") & (frame["task"] != "macro")]
    p_values = rows["p_value"].tolist()
    assert len(p_values) == 6
    assert rows["p_holm"].tolist() == pytest.approx(holm(p_values))
    assert frame[frame["metric"] != "step"]["p_holm"].isna().all()


def test_an_area_is_the_mean_of_the_questions_areas(run: StoredRun) -> None:
    budgets = (0, 16, 32, 128, "unlimited")
    run = cut_run(by_row_right, lengths, budgets=budgets, n_questions=20, per_cluster=2)
    row = find(build_sweep([run]), "area", "16", against="128")
    of = [accuracy(run, label) for label in ("16", "32", "128")]
    areas = [(a + b) / 2 / 3 + (b + c) / 2 * 2 / 3 for a, b, c in zip(*of, strict=True)]
    same(row, mean_interval(areas, CLUSTERS))


def by_row_right(task: str, row: int, index: int, budget: Any) -> bool:
    return (row + index) % 5 < (4 if budget == "unlimited" else min(int(budget), 64) // 16)


def test_waste_and_flips_are_those_of_a_walk_over_the_records(run: StoredRun, frame: Any) -> None:
    of = table(run)
    late = futile = total = 0.0
    for row, index in itertools.product(range(20), range(4)):
        records = [of[row, index, label] for label in LABELS]
        right = [r.grade.correct for r in records]
        total += records[-1].n_thinking_tokens
        futile += 0 if any(right) else records[-1].n_thinking_tokens
        first = next((b for b in range(4) if all(right[b:])), None)
        late += 0 if first is None else records[-1].n_thinking_tokens - records[first].n_thinking_tokens
    assert find(frame, "overthinking_share").value == pytest.approx(late / total)
    assert find(frame, "futility_share").value == pytest.approx(futile / total)
    for below, above in itertools.pairwise(LABELS):
        pairs = [(of[r, i, below].grade.correct, of[r, i, above].grade.correct) for r in range(20) for i in range(4)]
        assert find(frame, "turned_wrong", above).value == pytest.approx(np.mean([a and not b for a, b in pairs]))
        assert find(frame, "turned_right", above).value == pytest.approx(np.mean([b and not a for a, b in pairs]))
        shares = []
        for row in range(20):
            forced = [i for i in range(4) if of[row, i, below].thinking_end == "forced"]
            wrong = [i for i in forced if not of[row, i, below].grade.correct and of[row, i, "unlimited"].grade.correct]
            shares += [len(wrong) / len(forced)] if forced else []
        assert find(frame, "starvation", below).value == pytest.approx(np.mean(shares))


def test_a_gain_per_token_has_the_interval_of_a_ratio() -> None:
    run = cut_run(lambda task, row, index, budget: (row + index) % 4 < BUDGETS.index(budget), lengths, n_questions=24)
    of = table(run)
    gain, spent = (
        np.array([np.mean([value(of[r, i, "16"]) - value(of[r, i, "0"]) for i in range(4)]) for r in range(24)])
        for value in (lambda r: r.grade.correct, lambda r: r.n_thinking_tokens)
    )
    row = find(build_sweep([run]), "gain_per_1000_tokens", "16")
    same(row, mean_interval(1000 * linearised_ratio(gain, spent), [str(r) for r in range(24)], bounds=None))
    assert row.value == pytest.approx(1000 * gain.mean() / spent.mean())
    assert row.method == f"{SKEWED_T} of the linearised ratio"
    few = find(build_sweep([cut_run(by_row_right, lengths, n_questions=5)]), "gain_per_1000_tokens", "16")
    assert (few.method, math.isnan(few.low)) == ("no interval: fewer than ten clusters have any", True)


def choose(run: StoredRun, tasks: tuple[str, ...], half: tuple[int, ...]) -> tuple[str, str]:
    """The smallest budget within one point of the best, and the best, on these samples of the tasks."""
    means = [float(np.mean([np.mean(accuracy(run, label, half, task)) for task in tasks])) for label in LABELS]
    enough = next(label for label, mean in zip(LABELS, means, strict=True) if mean >= max(means) - 0.01 - 1e-9)
    return enough, LABELS[int(np.argmax(np.array(means) > max(means) - 1e-9))]


def test_what_is_chosen_on_one_half_is_scored_on_the_other(run: StoredRun, frame: Any) -> None:
    halves = (0, 2), (1, 3)

    def loss(tasks: tuple[str, ...], task: str) -> Any:
        small, best = np.zeros(20), np.zeros(20)
        picks = [choose(run, tasks, half) for half in halves]
        if all(enough == top for enough, top in picks):
            return Interval(0.0, math.nan, math.nan, "a budget against itself")
        for (enough, top), scored in zip(picks, halves[::-1], strict=True):
            small += np.array(accuracy(run, enough, scored, task)) / 2
            best += np.array(accuracy(run, top, scored, task)) / 2
        return paired_difference(small, best, CLUSTERS)

    row = find(frame, "loss_at_enough")
    same(row, loss(("sums",), "sums"))
    assert (row.budget, row.against) == choose(run, ("sums",), (0, 1, 2, 3))
    both = find(frame, "loss_at_enough", task="macro")
    expected = [loss(("sums", "words"), task) for task in ("sums", "words")]
    same(both, expected[0] if math.isnan(expected[0].low) else macro_mean(expected))


def test_a_budget_loses_nothing_to_itself_and_another_has_an_interval() -> None:
    def right(task: str, row: int, index: int, budget: Any) -> bool:
        return budget == 64 or (budget == 16 and row)  # at 16, all but one of 125 questions

    frame = build_sweep([cut_run(right, lambda *_: 100, budgets=(0, 16, 64), n_questions=125)])
    row = find(frame, "loss_at_enough")
    assert (row.budget, row.against, row.part) == ("16", "64", "halves chose 16 (best 64) and 16 (best 64)")
    same(row, paired_difference([0.0] + [1.0] * 124, [1.0] * 125, list(map(str, range(125)))))
    steep = build_sweep([cut_run(lambda t, r, i, b: b == 64 and r % 2 == 0, lambda *_: 100, budgets=(0, 16, 64))])
    for metric, place in (("loss_at_enough", "64"), ("regret", "64"), ("regret", "0")):
        row = find(steep, metric, place)
        assert (row.value, row.method) == (0, "no interval: both halves chose this budget itself")
        assert math.isnan(row.low)
        assert math.isnan(row.high)


def test_the_oracle_is_not_flattered_by_its_choice_but_hindsight_is() -> None:
    # Every budget is as good as any other, and costs the same in the long run: there is nothing to gain by choosing.
    gains, hindsight = [], []
    for seed in range(30):
        run = cut_run(dice(seed, lambda row, budget: 0.5), lambda *_: 100, budgets=(16, 32), n_questions=24)
        frame = build_sweep([run], frontier=False)
        gains.append(find(frame, "oracle_gain").value)
        hindsight.append(find(frame, "hindsight_gain").value)
    assert abs(np.mean(gains)) < 4 * np.std(gains) / math.sqrt(30)
    assert np.mean(hindsight) > 0.1


def test_an_oracle_gains_where_questions_need_different_budgets() -> None:
    # Even questions need 64 tokens; odd ones are right at 16, and their long thinking confuses them.
    def right(task: str, row: int, index: int, budget: Any) -> bool:
        return int(budget) == (64 if row % 2 == 0 else 16)

    frame = build_sweep([cut_run(right, lambda *_: 100, budgets=(16, 64), n_questions=20)])
    assert find(frame, "avg@n", "16").value == find(frame, "avg@n", "64").value == 0.5
    # At the cost of budget 16 for all (the cheaper of two equals), only odd questions can be right.
    assert find(frame, "oracle_gain").value == pytest.approx(0, abs=1e-12)
    better = build_sweep([cut_run(lambda t, r, i, b: right(t, max(r - 2, 0), i, b), lambda *_: 100, budgets=(16, 64))])
    assert find(better, "loss_at_enough").budget == "64"
    assert find(better, "oracle_gain").value == pytest.approx(0.4)
    assert find(better, "oracle_tokens").value < 0
    assert find(better, "hindsight_gain").value == pytest.approx(0.4)


def test_a_budget_that_a_cheaper_one_beats_has_regret() -> None:
    run = cut_run(lambda t, r, i, b: int(b) == 16, lambda *_: 100, budgets=(0, 16, 64))
    frame = build_sweep([run])
    assert [find(frame, "regret", b).value for b in ("0", "16", "64")] == [0, 0, 1]


def test_points_are_votes_and_the_front_is_what_none_beats(run: StoredRun, frame: Any) -> None:
    of = table(run)
    points = {}
    for label, k in itertools.product(LABELS, (1, 2, 4)):
        votes = []
        for row in range(20):
            records = [of[row, i, label] for i in range(4)]
            answers = [r.grade.answer for r in records]
            classes = [(answers.count(a), answers.count(a) if a == "1" else 0) for a in dict.fromkeys(answers)]
            votes.append(maj_at_k(classes, 4, k))
        tokens = np.mean([r.n_thinking_tokens + r.n_answer_tokens for (_, _, b), r in of.items() if b == label])
        points[label, k] = (k * tokens, float(np.mean(votes)))
        assert find(frame, "maj@k", label, k=k).value == pytest.approx(points[label, k][1])
        assert find(frame, "tokens_per_question", label, k=k).value == pytest.approx(points[label, k][0])
    for (label, k), (cost, worth) in points.items():
        beaten = any(c <= cost and w >= worth and (c, w) != (cost, worth) for c, w in points.values())
        assert find(frame, "on_frontier", label, k=k).value == (not beaten)
        assert find(frame, "cost_per_correct", label, k=k).value == pytest.approx(3 * cost / 1e6 / worth)
    instead = frame[(frame["metric"] == "vote_instead") & (frame["task"] == "sums")]
    assert len(instead)
    for row in instead.itertuples():
        assert points[row.budget, row.k][0] <= points[row.against, 1][0] < 2 * points[row.budget, row.k][0] or row.k == 4
        assert row.value == pytest.approx(points[row.budget, row.k][1] - points[row.against, 1][1])


def test_a_macro_mean_is_that_of_the_tasks(frame: Any) -> None:
    for metric, budget in (("avg@n", "16"), ("step", "64"), ("starvation", "16"), ("overthinking_share", "unlimited")):
        tasks = [find(frame, metric, budget, task=task) for task in TASKS]
        expected = macro_mean([Interval(row.value, row.low, row.high, row.method) for row in tasks])
        same(find(frame, metric, budget, task="macro"), expected)
    assert not ((frame["task"] == "macro") & (frame["metric"] == "forced_samples")).any()


def test_other_kinds_of_budget_are_left_out_and_shares_have_a_curve_of_their_own() -> None:
    budgets = (16, 64, "off", "effort:low", "hint:512", "frac:0.75", "frac:0.25")

    def right(task: str, row: int, index: int, budget: Any) -> bool:
        return budget == "frac:0.75" or row == 0

    run = cut_run(right, lambda task, row, index: 2000 if row >= 6 else 100, budgets=budgets, n_questions=10)
    frame = build_sweep([run])
    assert set(frame["budget"]) <= {"16", "64", "frac:0.25", "frac:0.75", "natural", ""}
    assert find(frame, "avg@n", "frac:0.25").value == pytest.approx(1 / 6)
    assert find(frame, "avg@n", "frac:0.75").value == 1
    assert find(frame, "avg@n", "frac:0.75").n_questions == 6
    assert find(frame, "step", "frac:0.75", against="frac:0.25").value == pytest.approx(5 / 6)
    assert math.isnan(find(frame, "step", "frac:0.75").p_holm)  # the family is that of the budgets in tokens
    assert find(frame, "left_out", part="did not end").value == 4 * 4
    assert find(frame, "avg@n", "64").n_questions == 10
    # A turn that ended inside the thinking has no whole thinking to take a share of either.
    ended = [replace(r, thinking_end=ThinkingEnd.EOS) if r.key.index == 0 and r.budget in SHARES else r for r in run.records]
    frame = build_sweep([replace(run, records=tuple(ended))])
    assert find(frame, "left_out", part="did not end").value == 4 * 4 + 6


def test_stability_and_choices_are_refused_for_greedy_draws_and_for_one_sample() -> None:
    greedy = build_sweep([make_run(by_row(lambda row: 4 * (row % 2)), temperature=0.0, k=[2])])
    task = {"task": "pocket_chain"}
    assert find(greedy, "pass@k", "16", **task).method == "not given: greedy draws repeat themselves"
    assert find(greedy, "loss_at_enough", **task).method == "not given: greedy draws repeat themselves"
    assert set(greedy[greedy["metric"] == "maj@k"]["k"]) == {1}
    alone = build_sweep([make_run(by_row(lambda row: row % 2), n_samples=1)])
    assert find(alone, "loss_at_enough", **task).method == "not given: needs 2 samples per question"
    assert not alone["metric"].isin(["regret", "oracle_gain"]).any()


def test_unknown_token_counts_give_no_number_of_tokens(run: StoredRun) -> None:
    unknown = replace(run, records=tuple(replace(r, n_thinking_tokens=None) for r in run.records))
    frame = build_sweep([unknown], price=1.0)
    for metric in ("gain_per_1000_tokens", "overthinking_share", "futility_share", "tokens_per_question"):
        rows = frame[(frame["metric"] == metric) & (frame["task"] == "sums")]
        assert rows["value"].isna().all()
        assert set(rows["method"]) == {"not given: the samples' tokens are not all counted"}
    assert not frame["metric"].isin(["on_frontier", "oracle_gain", "cost_per_correct"]).any()
    assert find(frame, "step", "16").value == find(build_sweep([run]), "step", "16").value


def test_a_missing_sample_is_refused_or_its_trajectory_is_left_out(run: StoredRun) -> None:
    partial = replace(run, records=run.records[1:])
    with pytest.raises(MetricError, match="lacks 1 of its 640 planned samples"):
        build_sweep([partial])
    frame = build_sweep([partial], allow_partial=True)
    assert find(frame, "left_out", part="lack a budget").value == 1
    kept = [r.grade.correct for (row, index, b), r in table(run).items() if b == "64" and row == 0 and index > 0]
    rest = accuracy(run, "64")[1:]
    assert find(frame, "avg@n", "64").value == pytest.approx(np.mean([np.mean(kept), *rest]))


def test_a_task_without_any_sample_has_no_rows_and_its_domain_no_mean(run: StoredRun) -> None:
    without = replace(run, records=tuple(r for r in run.records if r.key.task == "sums"))
    assert set(build_sweep([without], allow_partial=True)["task"]) == {"sums"}


def test_a_run_with_one_budget_is_no_sweep() -> None:
    single = make_run(by_row(lambda row: 2), budgets=(64, "off"))
    assert not has_sweep(single)
    with pytest.raises(MetricError, match="at least two thinking budgets in tokens; mine has 64, off"):
        build_sweep([single])
    with pytest.raises(MetricError, match="k must be at least 1; met 0"):
        build_sweep([make_run(by_row(lambda row: 2))], k=[0, 2])
    assert has_sweep(make_run(by_row(lambda row: 2), budgets=(64, "unlimited")))


def test_unfinished_samples_count_as_wrong_at_their_budget() -> None:
    def ended(record: Any) -> dict[str, Any]:
        return {"grade": replace(record.grade, status=Status.UNFINISHED)} if record.budget == 16 else {}

    frame = build_sweep([cut_run(lambda *_: True, lambda *_: 100, answer=ended)])
    assert find(frame, "unfinished_rate", "16").value == 1
    assert [find(frame, "avg@n", b).value for b in ("0", "16", "64")] == [1, 0, 1]


def test_what_rests_on_one_trajectory_is_refused_where_each_budget_is_a_draw_of_its_own(run: StoredRun, frame: Any) -> None:
    apart = build_sweep([replace(run, manifest={**run.manifest, "protocol": ENGINE_CAPS})])
    rests = ["overthinking_share", "futility_share", "hindsight_gain", "starvation", "turned_wrong", "turned_right"]
    refused = apart["metric"].isin(rests) | (apart["part"].isin(DEPTHS) & (apart["metric"] == "escape_rate"))
    assert set(apart[refused]["metric"]) == {*rests, "escape_rate"}
    assert apart[refused]["value"].isna().all()
    assert set(apart[refused]["method"]) == {not_given(APART).method}
    assert not (apart["metric"] == "forced_samples").any()
    # The rest is paired over questions, and stays as it was.
    same_numbers = ["avg@n", "step", "to_largest", "area", "gain_per_1000_tokens", "regret", "oracle_gain", "vote_instead"]
    for metric in same_numbers:
        assert (
            apart[apart["metric"] == metric]
            .reset_index(drop=True)
            .equals(frame[frame["metric"] == metric].reset_index(drop=True))
        )


def test_steps_do_not_depend_on_which_draw_of_another_budget_stands_beside_one(run: StoredRun) -> None:
    def turned(record: Any) -> Any:
        shift = 1 if record.budget == 64 else 0  # the samples of one budget are numbered anew
        return replace(record, key=replace(record.key, index=(record.key.index + 2 * shift) % 4))

    protocol = {**run.manifest, "protocol": ENGINE_CAPS}
    one, other = (
        build_sweep([replace(run, manifest=protocol, records=records)], frontier=False)
        for records in (run.records, tuple(map(turned, run.records)))
    )
    for metric in ("step", "to_largest", "area", "regret", "escape_rate", "answer_tokens_extra", "loss_at_enough"):
        first, second = (frame[frame["metric"] == metric].reset_index(drop=True) for frame in (one, other))
        assert len(first)
        assert first.drop(columns="method").equals(second.drop(columns="method"))


def test_each_draw_that_ended_by_itself_counts_as_a_natural_answer_of_its_own() -> None:
    run = cut_run(lambda *_: True, lambda *_: 20, budgets=(16, 32, 64), n_questions=5, tasks={"sums": "in_domain"})
    apart = replace(run, manifest={**run.manifest, "protocol": ENGINE_CAPS})
    counted = [find(build_sweep([r]), "long_answer", "natural").n_questions for r in (run, apart)]
    assert counted == [5 * 4, 2 * 5 * 4]
