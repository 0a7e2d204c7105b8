"""The notes in csv and json: each row has those that apply to it, and no others."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raml_eval.reporting.footnotes import Footnote, find_footnotes
from raml_eval.reporting.raw import mark_row
from raml_eval.reporting.report import render_report
from raml_eval.reporting.sweep import render_sweep
from raml_eval.tables import COLUMNS, build_frame, build_sweep
from raml_eval.types import StoredRun
from tests.factory import by_row, make_run
from tests.sweeps import cut_run
from tests.test_cli import FAKE, cli

MADE_UP = "the fake backend made these answers up"


def real(run: StoredRun) -> StoredRun:
    """The run, as if an engine had drawn it."""
    return replace(run, manifest={**run.manifest, "engine": {**run.manifest["engine"], "name": "hf"}})


def synthetic(run: StoredRun, task: str) -> StoredRun:
    """The run, with generated questions in one task."""
    return replace(run, questions={key: replace(q, synthetic=key[0] == task) for key, q in run.questions.items()})


CLEAN = real(make_run(by_row(lambda row: row % 5), n_questions=10, budgets=(64, "off")))


def both(runs: list[StoredRun]) -> list[tuple[dict[str, Any], list[str]]]:
    """Each row of the json with the texts of its notes. The csv holds the same."""
    shown = json.loads(render_report(runs, format="json"))
    rows = [(row, [shown["notes"][number - 1] for number in row["notes"]]) for row in shown["rows"]]
    table = list(csv.DictReader(io.StringIO(render_report(runs, format="csv"))))
    assert [row["notes"] for row in table] == ["; ".join(texts) for _, texts in rows]
    return rows


def test_a_clean_run_has_an_empty_column() -> None:
    assert find_footnotes([CLEAN], build_frame([CLEAN])) == []
    assert {tuple(texts) for _, texts in both([CLEAN])} == {()}
    assert list(build_frame([CLEAN]).columns) == list(COLUMNS)  # Python's frame has none


def test_synthetic_rows_are_told_of_their_task_and_of_the_mean_that_holds_it() -> None:
    text = "pocket_sort: 10 of 10 questions are synthetic, so this is no score on that benchmark"
    rows = both([synthetic(CLEAN, "pocket_sort")])
    told = {(row["task"], row["domain"]) for row, texts in rows if texts}
    assert told == {("pocket_sort", "cross_domain"), ("macro", "cross_domain")}
    assert {tuple(texts) for _, texts in rows} == {(), (text,)}


def test_a_note_on_one_budget_or_one_run_stays_there() -> None:
    partial = replace(CLEAN, records=tuple(r for r in CLEAN.records if not (r.budget == 64 and r.key.index == 3)))
    shown = json.loads(render_report([partial], format="json", allow_partial=True))
    told = {row["budget"] for row in shown["rows"] if row["notes"]}
    assert told == {"64"}
    other = synthetic(make_run(by_row(lambda row: 2), name="other", budgets=(16, 64)), "pocket_chain")
    rows = both([CLEAN, other])
    assert {row["run"] for row, texts in rows if texts} == {"other"}
    assert all(any(MADE_UP in text for text in texts) for row, texts in rows if row["run"] == "other")
    cut = {(row["run"], row["budget"]) for row, texts in rows if any("the budget cut" in text for text in texts)}
    assert cut == {("other", "16")}  # tables set no mark for it, and it is about that budget alone


def test_a_sweep_has_the_notes_of_both_budgets_of_a_difference() -> None:
    run = cut_run(lambda *_: True, lambda task, row, index: 10 + 20 * (row % 5), tasks={"sums": "in_domain"})
    frame = build_sweep([run])
    notes = [Footnote("on 16", frozenset({(run.name, "sums", "16")})), Footnote("on all", frozenset({(run.name, None, None)}))]
    step = {"run": run.name, "task": "sums", "domain": "in_domain"}
    marks = {pair: mark_row({**step, "budget": pair[0], "against": pair[1]}, notes, [run]) for pair in
             (("16", "0"), ("64", "16"), ("64", ""), ("", ""), ("natural", ""))}  # fmt: skip
    assert marks == {("16", "0"): [1, 2], ("64", "16"): [1, 2], ("64", ""): [2], ("", ""): [1, 2], ("natural", ""): [1, 2]}
    shown = json.loads(render_sweep([run], frame, "json"))
    assert all(1 in row["notes"] for row in shown["rows"])
    assert MADE_UP in shown["notes"][0]
    table = list(csv.DictReader(io.StringIO(render_sweep([run], frame, "csv"))))
    assert all(MADE_UP in row["notes"] for row in table)
    assert list(table[0])[-1] == "notes"


@pytest.mark.parametrize("command", ["report", "sweep"])
def test_a_run_of_the_fake_backend_says_so_in_each_row(command: str, tmp_path: Path) -> None:
    assert cli(*FAKE, "--out", tmp_path / "run").returncode == 0
    table = list(csv.DictReader(io.StringIO(cli(command, tmp_path / "run", "--format", "csv").stdout)))
    assert len(table) > 20
    assert all(row["notes"].startswith(MADE_UP) for row in table)


def test_a_note_is_no_formula() -> None:
    run = replace(
        CLEAN, name="=cmd", directory=Path("=cmd"), manifest={**CLEAN.manifest, "plan": {**CLEAN.manifest["plan"], "limit": 5}}
    )
    table = list(csv.DictReader(io.StringIO(render_report([run, CLEAN], format="csv"))))
    assert table[0]["notes"].startswith("'=cmd: a seeded subset")
