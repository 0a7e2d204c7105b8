"""The tables of statistics: shares, rates and intervals of small frames, counted by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval.diagnostics.by_question import add_length, build_questions
from raml_eval.diagnostics.measures import COLUMNS
from raml_eval.diagnostics.statistics_figures import _thinned, figures_of
from raml_eval.diagnostics.summary import (
    change_table,
    gold_table,
    habit_table,
    length_table,
    mean_by_question,
    reflection_table,
    script_table,
    shortest_table,
    within_table,
)
from raml_eval.drawing import save_figure
from raml_eval.intervals import mean_interval

BLANK: dict[str, Any] = {
    **{name: 0 for name, kind in COLUMNS.items() if kind == "int32"},
    **{name: "" for name, kind in COLUMNS.items() if kind == "string"},
    "task": "sums",
    "prompt": "thinking",
    "budget": "16",
    "verdict": "correct",
    "end": "natural",
    "n_tokens": 10,
    "n_characters": 40,
    "ends_in_loop": False,
    "gold_in_question": None,
    "gold_at_share": None,
    "gold_at_token": None,
    "answer_changes": None,
    "right_to_wrong": None,
    "wrong_to_right": None,
    "settled_at": None,
}


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    """Subjects of questions q0, q1, ... unless a row says which."""
    every = [{**BLANK, "question_id": f"q{n}", "cluster": f"q{n}", **row} for n, row in enumerate(rows)]
    return add_length(pd.DataFrame(every))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), min_size=1, max_size=20))
def test_a_mean_is_that_of_the_intervals(values: list[tuple[float, int]]) -> None:
    numbers, clusters = pd.Series([value for value, _ in values]), pd.Series([f"c{cluster}" for _, cluster in values])
    found, wanted = mean_by_question(numbers, clusters, (0.0, 1.0)), mean_interval(numbers.to_numpy(), list(clusters))
    for one, other in ((found.value, wanted.value), (found.low, wanted.low), (found.high, wanted.high)):
        assert one == pytest.approx(other, nan_ok=True)
    assert found.method == wanted.method


def test_an_interval_of_lengths_stops_at_0() -> None:
    (row, _) = length_table(frame(*[{"n_tokens": 1}] * 5, {"n_tokens": 61})).rows
    assert (row["mean"], row["mean_low"]) == (11.0, 0.0)
    assert row["mean_high"] > 30


def test_lengths_of_five_questions_have_no_interval() -> None:
    (row, _) = length_table(frame(*[{"n_tokens": 1}] * 4, {"n_tokens": 61})).rows
    assert (row["mean"], row["mean_low"], row["mean_high"]) == (13.0, None, None)


def test_reflections_are_a_rate_of_sums() -> None:
    rows = [{"n_tokens": 10 * n, "reflections": n, "reflections_en": n - 1, "reflections_ru": 1} for n in range(1, 9)]
    table = reflection_table(frame(*rows))
    assert table.rows[0]["rate"] == pytest.approx(100.0)
    assert (table.rows[0]["rate_en"], table.rows[0]["rate_ru"]) == (
        pytest.approx(1000 * 28 / 360),
        pytest.approx(1000 * 8 / 360),
    )
    assert [column.heading for column in table.columns][-2:] == ["en", "ru"]
    one = reflection_table(frame({"reflections": 1, "reflections_en": 1}))
    assert (one.rows[0]["rate"], one.rows[0]["rate_low"]) == (100.0, None)
    assert [column.heading for column in one.columns][-1] == "all [95 % interval]"
    assert reflection_table(frame({"n_tokens": 0})).rows[0]["rate"] is None


def test_shares_of_loops_and_scripts() -> None:
    foreign = {"n_foreign": 9, "n_letters": 90, "script": "latin", "question_script": "latin"}
    left = {"n_foreign": 80, "n_letters": 90, "script": "han", "question_script": "latin"}
    subjects = frame(
        {**foreign, "n_loops": 2, "ends_in_loop": True},
        {**left, "n_loops": 1},
        {"script": "latin", "question_script": "latin"},
        {"n_foreign": None, "script": "latin", "question_script": ""},  # a question without letters
    )
    row = habit_table(subjects).rows[0]
    shares = [row[name] for name in ("loop", "end_loop", "foreign", "mostly")]
    assert shares == [0.5, 0.25, pytest.approx(2 / 3), pytest.approx(1 / 3)]
    scripts = {row["question"]: row for row in script_table(subjects).rows}
    assert (scripts["latin"]["n"], scripts["latin"]["script_han"]) == (3, pytest.approx(1 / 3))
    assert scripts["none"]["script_latin"] == 1.0


def test_golds_that_are_given_are_in_no_share() -> None:
    subjects = frame(
        {"gold_in_question": True, "gold_at_share": 0.0, "gold_at_token": 0},
        {"gold_in_question": False, "gold_at_share": 0.5, "gold_at_token": 5},
        {"gold_in_question": False},
        {},
    )
    row = gold_table(subjects).rows[0]
    assert [row[name] for name in ("n_fresh", "n_given", "n_none", "named", "at_share", "at_token")] == [2, 1, 1, 0.5, 0.5, 5.0]


def test_changes_are_those_of_whole_sweeps() -> None:
    moved = {"answer_changes": 2, "right_to_wrong": 1, "wrong_to_right": 1, "settled_at": "unlimited"}
    still = {"answer_changes": 0, "right_to_wrong": 0, "wrong_to_right": 0, "settled_at": "0"}
    table = change_table(frame(moved, still, {**still, "settled_at": "1024"}, {}))
    (row,) = table.rows
    assert row["n"] == 3
    assert row["changes"] == pytest.approx(2 / 3)
    assert row["any_right_to_wrong"] == pytest.approx(1 / 3)
    last = [column.name for column in table.columns[-3:]]
    assert last == ["settled_0", "settled_1024", "settled_unlimited"]
    assert [row[name] for name in last] == [1 / 3] * 3
    assert change_table(frame({})).rows == []


def test_rows_of_natural_ends_are_left_out_if_no_end_is_known() -> None:
    subjects = frame({"end": "unknown"}, {"end": "unknown", "verdict": "incorrect"})
    table = within_table(subjects, build_questions(subjects))
    assert [row["of"] for row in table.rows] == ["all"]


def test_the_gain_of_the_shortest_is_paired_by_question() -> None:
    rows = [
        {"question_id": f"q{n}", "cluster": f"q{n}", "n_tokens": length, "verdict": verdict}
        for n in range(8)
        for length, verdict in ((5, "correct"), (9, "incorrect"), (7, "correct"))
    ]
    subjects = frame(*rows)
    (row,) = shortest_table(build_questions(subjects)).rows
    assert (row["accuracy"], row["accuracy_of_shortest"]) == (pytest.approx(2 / 3), 1.0)
    assert row["gain"] == pytest.approx(1 / 3)
    assert row["ratio"] == pytest.approx(7 / 5)
    single = shortest_table(build_questions(frame({}))).rows[0]  # one thinking a question chooses nothing
    assert (single["accuracy"], single["gain"]) == (None, None)


def test_figures_are_drawn_of_whatever_there_is(tmp_path: Path) -> None:
    many = [
        {"task": f"task {n % 28}", "verdict": verdict, "n_tokens": n, "question_id": f"q{n % 28}", "cluster": f"q{n % 28}",
         "gold_in_question": False, "gold_at_share": n / 240 if n % 3 else None}
        for n, verdict in enumerate(["correct", "incorrect", "unfinished", "no_answer", "timeout"] * 48)
    ]  # fmt: skip
    cases: list[list[dict[str, Any]]] = [many, [{}], [{"n_tokens": 0, "gold_in_question": False}], [{"verdict": "timeout"}]]
    names = []
    for case in cases:
        subjects = frame(*case)
        figures = list(figures_of(subjects, within_table(subjects, build_questions(subjects))))
        names.append([figure.name for figure in figures])
        for figure in figures:
            assert save_figure(figure.drawing, tmp_path / f"{figure.name}.png").stat().st_size > 5000
    assert names == [["lengths", "within", "gold"], ["lengths"], ["lengths", "gold"], ["lengths"]]


def test_a_curve_of_many_steps_is_thinned_to_its_shape() -> None:
    x = np.linspace(0, 100, 100_000)
    points, levels = _thinned(x, x**2)
    assert len(points) == 500
    assert (points[0], points[-1]) == (0, 100)
    assert levels.tolist() == (points**2).tolist()
    assert math.isclose(float(np.diff(points).max()), 100 / 499, rel_tol=1e-2)
