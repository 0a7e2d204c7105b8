"""Samples as columns say the same as their records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from raml_eval.columns import ENDS, NONE, STATUSES, Samples, columns_of, group_rows
from raml_eval.types import Finish, Grade, Imported, SampleRecord, Status, ThinkingEnd
from tests.factory import by_row, make_record, make_run

RUN = make_run(by_row(lambda row: row % 5), budgets=("off", 16, 64))


def told(samples: Samples, row: int) -> tuple[object, ...]:
    """What the columns say of one sample, but for its class and its trajectory."""
    key, budget = samples.key(row), samples.budgets[samples.budget[row]]
    ways = STATUSES[samples.status[row]], ENDS[samples.end[row]], bool(samples.leak[row])
    return key, budget, *ways, samples.thinking[row], samples.answer[row]


def test_every_record_is_there_in_its_order() -> None:
    samples = columns_of(RUN.records, RUN.classes, RUN.trajectories)
    expected = [
        (r.key, r.budget, r.status, r.thinking_end, r.leak, r.n_thinking_tokens, r.n_answer_tokens) for r in RUN.records
    ]
    assert [told(samples, row) for row in range(len(samples))] == expected
    assert samples.n_trajectories == len(RUN.trajectories)
    thought = samples.trajectory != NONE
    assert thought.tolist() == [r.trajectory is not None for r in RUN.records]
    assert len(np.unique(samples.trajectory[thought])) == len(RUN.trajectories)
    assert (samples.full_length[thought] == 40).all()
    assert np.isnan(samples.full_length[~thought]).all()


def test_part_of_the_samples_keeps_what_is_told_of_each() -> None:
    wordy = tuple(replace(r, answer="wait, " * row) for row, r in enumerate(RUN.records))
    samples = columns_of(wordy, RUN.classes)
    mask = samples.is_status(Status.CORRECT)
    part = samples.take(mask).take(np.array([3, 1]))
    rows = np.flatnonzero(mask)[[3, 1]]
    assert [told(part, row) for row in range(2)] == [told(samples, row) for row in rows]
    assert part.reflections(np.array([1, 0])).tolist() == rows[::-1].tolist()


def test_what_is_not_known_is_not_a_number() -> None:
    record = replace(
        make_record("t", 0, 0, 16, Status.UNFINISHED),
        n_thinking_tokens=None,
        answer_finish=Finish.UNKNOWN,
        trajectory="lost",
        imported=Imported({"acc": 1.0}),
    )
    of_question = replace(record, key=replace(record.key, index=1), imported=Imported({"acc": 0.0}, of_question=True))
    samples = columns_of([record, of_question], {})
    assert np.isnan([*samples.thinking, *samples.answer, *samples.score, *samples.full_length]).all()
    assert samples.ending_unknown.all()
    assert samples.answer_class.tolist() == [NONE, NONE]
    assert samples.verdicts["acc"][0] == 1
    assert np.isnan(samples.verdicts["acc"][1])


def test_answers_are_equal_within_a_question_and_by_their_class() -> None:
    def answer(row: int, index: int, text: str | None, status: Status = Status.INCORRECT) -> SampleRecord:
        return replace(make_record("t", row, index, 16, status), grade=Grade(status, text))

    records = [answer(0, 0, "1/2"), answer(0, 1, "0.5"), answer(0, 2, "x"), answer(1, 0, "x"), answer(0, 3, "0")]
    records += [answer(0, 4, "x", Status.TIMEOUT), answer(0, 5, None, Status.NO_ANSWER)]
    half, same, x, elsewhere, zero, *none = columns_of(records, {("t", "0-aaaaaa"): {"1/2": 0, "0.5": 0}}).answer_class
    assert half == same
    assert len({half, x, elsewhere, zero}) == 4  # a text "0" is not the class 0
    assert none == [NONE, NONE]


def test_the_first_repetition_is_that_of_the_later_line() -> None:
    records = [
        make_record("t", row, index, budget, Status.CORRECT) for row in (0, 1) for index in (0, -3) for budget in (8, "off")
    ]
    assert columns_of(records, {}).first_repetition() is None
    assert columns_of([], {}).first_repetition() is None
    assert columns_of([*records, records[5], records[1]], {}).first_repetition() == len(records)


@pytest.mark.parametrize("keys", [[], [3, 1, 3, 3, 2, 1]])
def test_rows_are_grouped_in_the_order_of_their_keys(keys: list[int]) -> None:
    groups = [(key, rows.tolist()) for key, rows in group_rows(np.array(keys, dtype=np.int64))]
    assert groups == [(key, [i for i, k in enumerate(keys) if k == key]) for key in dict.fromkeys(keys)]


def test_a_trajectory_that_is_open_or_has_no_tokens_has_no_full_length() -> None:
    drawn = {name: t for name, t in RUN.trajectories.items() if name.startswith("pocket_chain/0-")}
    first, second, third, fourth = drawn
    changed = {
        first: replace(drawn[first], end=ThinkingEnd.LENGTH),
        second: replace(drawn[second], token_ids=()),
        third: replace(drawn[third], redrawn=True),
        fourth: drawn[fourth],
    }
    own = [r for r in RUN.records if r.budget == 64 and r.trajectory in drawn]
    samples = columns_of(own, {}, changed)
    assert np.nan_to_num(samples.full_length, nan=-1).tolist() == [-1, -1, 40, 40]
    assert (samples.n_trajectories, samples.n_redrawn) == (4, 1)
