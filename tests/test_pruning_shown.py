"""What a report shows of a pruning: its tables, and the caveats that belong to them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.pruning.outcomes import Collected, Outcome
from raml_eval.diagnostics.pruning.shown import Told, difference_table, flat, write_pruning
from raml_eval.diagnostics.pruning.summary_rows import summarise_outcomes
from raml_eval.grading import GRADER_VERSION
from raml_eval.reporting.diagnosed import render_diagnosis
from raml_eval.types import Status
from tests.test_pruning_summary_rows import outcome

TOLD = Told({}, {}, (GRADER_VERSION,), "hf", "hf")


def shown(path: Path, outcomes: list[Outcome], told: Told = TOLD, collected: Collected | None = None) -> str:
    folder = DiagnosisFolder(path, "pruning", {})
    write_pruning(folder, collected or Collected(outcomes, {}, Counter()), summarise_outcomes(outcomes), told)
    return " ".join(render_diagnosis(folder.path).split())


def test_the_tables_hold_the_rows(tmp_path: Path) -> None:
    outcomes = [outcome("a", n, 0, rule, pruned=Status.CORRECT) for n in range(8) for rule in ("last:1", "share:0.5")]
    text = shown(tmp_path, outcomes)
    rows = summarise_outcomes(outcomes)
    frame = pd.read_parquet(tmp_path / "pruning/rules.parquet")
    assert list(frame["rule"]) == ["last:1", "share:0.5"]
    assert list(frame["pruned"]) == [1.0, 1.0]
    assert list(frame["pruned_low"]) == pytest.approx([row.accuracy["pruned"].low for row in rows])
    every = pd.read_parquet(tmp_path / "pruning/outcomes.parquet")
    assert len(every) == len(outcomes)
    assert set(every["pruned"]) == {"correct"}
    assert "budget forcing themselves" in text
    assert "+100.0" in text
    assert "n/a" in text


def test_what_a_difference_of_nothing_could_miss_is_told(tmp_path: Path) -> None:
    text = shown(tmp_path / "few", [outcome("a", n, 0, n_kept=n % 2) for n in range(25)])
    assert "+0.0 [-13.7, 13.7]*" in text
    assert "at least so many points to either side: 13.7 (a)." in text
    assert "*: Gaffke's interval, which stands where few questions carry the number." in text
    right = [outcome("a", n, 0, pruned=Status.CORRECT if n % 2 else Status.INCORRECT) for n in range(60)]
    rules = pd.read_parquet(tmp_path / "few/pruning/rules.parquet")
    assert set(rules["whole_method"]) == {"Gaffke interval"}  # all are incorrect
    both = [
        replace(one, whole=Status.CORRECT if int(one.question_id) % 3 else Status.INCORRECT, forced=one.whole) for one in right
    ]
    varied = [replace(one, forced=Status.CORRECT if int(one.question_id) % 5 else Status.INCORRECT) for one in both]
    text = shown(tmp_path / "many", varied)
    assert "points to either side" not in text
    assert "p (forced)" in text


def test_a_p_value_is_never_0(tmp_path: Path) -> None:
    text = shown(tmp_path, [outcome("a", n, 0, pruned=Status.CORRECT) for n in range(40)])
    assert "<0.001" in text
    assert " 0.000" not in text


def test_summaries_that_are_longer_are_a_column_if_there_are_any() -> None:
    for n_kept, there in ((5, False), (20, True)):
        table = difference_table(summarise_outcomes([outcome("a", n, 0, n_kept=n_kept) for n in range(3)]))
        assert ("n_longer" in [column.name for column in table.columns]) is there


def test_nan_is_null() -> None:
    (row,) = summarise_outcomes([outcome("a", n, 0, "first:1") for n in range(3)])
    told = flat(row)
    assert told["over_forced"] is None
    assert not any(isinstance(value, float) and math.isnan(value) for value in told.values())


@pytest.mark.parametrize(
    ("told", "note"),
    [
        (Told({"why": 3}, {}, (GRADER_VERSION,), "hf", "hf"), "those of thinking that ended by itself: why: 3."),
        (Told({}, {}, ("0",), "hf", "hf"), "verdicts are those of grader 0"),
        (Told({}, {}, (GRADER_VERSION,), "vllm", "hf"), "drawn by vllm, the new answers by hf"),
    ],
)
def test_what_makes_the_sides_unequal_is_told(tmp_path: Path, told: Told, note: str) -> None:
    outcomes = [outcome("a", n, 0) for n in range(3)]
    assert note in shown(tmp_path / "with", outcomes, told)
    assert note not in shown(tmp_path / "without", outcomes)


def test_emptied_cut_and_longer_thinkings_are_counted(tmp_path: Path) -> None:
    outcomes = [
        outcome("a", 0, 0, n_kept=0),
        outcome("a", 1, 0, n_kept=20, cut=True, pruned=Status.UNFINISHED),
        outcome("a", 2, 0, no_thinking_mode="0", whole=Status.TIMEOUT),
    ]
    text = shown(tmp_path, outcomes)
    assert "nothing was left of 1 thinking, which is a thinking budget of 0" in text
    assert "1 summary ran out of tokens" in text
    assert "1 thinking became longer" in text
    assert "whole, pruned, forced, no thinking: last:1 0, 1, 0, 0" in text
    assert "with the status timeout count as not correct" in text
    assert "with the status unfinished count as not correct" in text
    assert "without thinking or a thinking that is closed at once" in text


def test_nothing_pruned_is_said(tmp_path: Path) -> None:
    collected = Collected([], {"last:1": Counter({"too long": 2})}, Counter({"summary:x": 1}))
    text = shown(tmp_path, [], collected=collected)
    assert "Nothing was pruned." in text
    assert "last:1: left out: too long: 2." in text
    assert "summary:x: 1 thinking failed and is still owed" in text
