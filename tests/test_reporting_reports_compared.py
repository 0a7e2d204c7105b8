"""The frame of a report against a base: a row for every number of the tests, at its own level, once."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from raml_eval.comparison import compare_runs
from raml_eval.errors import ConfigError
from raml_eval.reporting.reports.assemble import Assembled, assemble
from raml_eval.reporting.reports.definition import Definition, find_report
from raml_eval.reporting.reports.files import text_of
from raml_eval.types import Status, StoredRun
from tests.factory import make_run


def run_of(name: str, solved: int) -> StoredRun:
    return make_run(
        lambda task, row, index, budget: Status.CORRECT if row < solved and (index or row % 3) else Status.INCORRECT,
        name=name, n_samples=4, n_questions=30, budgets=(16, "unlimited"),
    )  # fmt: skip


def seeded(run: StoredRun, seed: int) -> StoredRun:
    return replace(run, manifest={**run.manifest, "protocol": {"sampling": {"seed": seed}}})


BASE, NEW = seeded(run_of("base", 6), 1), seeded(run_of("new", 15), 1)


def made(*parts: dict[str, Any], base: StoredRun | None = BASE) -> Assembled:
    return assemble(Definition.model_validate({"title": "t", "about": "a", "parts": parts}), [NEW], base=base)


def rows_of(one: Assembled, metric: str) -> pd.DataFrame:
    return one.frame[one.frame["metric"] == metric]


COMPARED = made({"part": "comparison"})
FOUND = compare_runs(BASE, NEW)


def test_a_tested_difference_has_its_level_both_sides_and_its_interval_alone() -> None:
    rows = rows_of(COMPARED, "difference of avg@n")
    cell = FOUND.family("primary")[0]
    row = rows[(rows["family"] == "primary") & (rows["domain"] == cell.domain)].iloc[0]
    assert (row["value_base"], row["value_new"], row["interval_level"]) == (cell.base, cell.new, cell.level)
    assert (row["low_alone"], row["high_alone"]) == (cell.alone.low, cell.alone.high)
    assert row["low"] < row["low_alone"]
    assert row["interval_level"] > 0.95
    assert set(rows_of(COMPARED, "gain")["interval_level"]) == {0.95}
    assert COMPARED.frame[COMPARED.frame["low"].isna()]["interval_level"].isna().all()
    assert COMPARED.frame[COMPARED.frame["low"].notna()]["interval_level"].notna().all()


def test_what_is_shown_and_not_tested_has_rows() -> None:
    rows = COMPARED.frame[COMPARED.frame["family"] == "not tested"]
    told = {(row["task"], row["budget"], row["metric"]): row["value"] for _, row in rows.iterrows()}
    assert told == {(one.scope, one.budget, f"difference of {one.metric}"): one.found.value for one in FOUND.listed}
    assert set(rows["domain"]) == {"in_domain", "cross_domain"}


def test_the_curves_have_a_row_for_each_k_and_domain() -> None:
    rows = rows_of(COMPARED, "difference of pass@k")
    assert [(row["domain"], row["k"]) for _, row in rows.iterrows()] == [(c.domain, k) for c in FOUND.curves for k in c.ks]
    assert list(rows["value_new"]) == [value for curve in FOUND.curves for value in curve.new]
    assert set(rows["method"]) == {"simultaneous band over k"}


def test_noise_and_flips_have_rows() -> None:
    for cell in FOUND.family("primary"):
        rows = rows_of(COMPARED, "noise of avg@n: standard error")
        assert cell.noise is not None
        assert list(rows[rows["domain"] == cell.domain]["value"]) == [cell.noise.standard_error]
    assert rows_of(COMPARED, "flips to right")["value"].sum() == sum(flip.to_right for flip in FOUND.flips) > 0
    assert rows_of(COMPARED, "flips to wrong")["value"].sum() == sum(not flip.to_right for flip in FOUND.flips)


def test_the_raw_gap_has_a_row() -> None:
    one = made({"part": "generalization"})
    rows = rows_of(one, "raw_gap")
    assert list(rows["budget"]) == ["16", "unlimited"]
    means = one.frame[(one.frame["task"] == "macro") & (one.frame["metric"] == "avg@n") & (one.frame["budget"] == "16")]
    inside, across = (means[means["domain"] == domain]["value"].iloc[0] for domain in ("in_domain", "cross_domain"))
    assert rows["value"].iloc[0] == inside - across


def test_a_part_that_stands_twice_has_its_rows_once() -> None:
    assert len(made({"part": "comparison"}, {"part": "comparison"}).frame) == len(COMPARED.frame)
    assert not made({"part": "thinking"}, {"part": "thinking"}).frame.astype(str).duplicated().any()


def test_the_note_on_the_split_stands_where_the_split_does() -> None:
    words = "its split into questions and redrawing"
    assert any(words in note for note in COMPARED.report.notes)
    content = json.loads(text_of(COMPARED, "json"))
    (number,) = [at for at, text in enumerate(content["notes"], 1) if words in text]
    told = {row["metric"] for row in content["rows"] if number in row["notes"]}
    assert told
    assert all(metric.startswith("noise of ") for metric in told)
    assert not any(words in note for note in assemble(find_report("generalization")[1], [NEW], base=BASE).report.notes)


def test_a_transfer_without_ends_has_a_note() -> None:
    def run_with(name: str, inside: int, across: int) -> StoredRun:
        solved = {"pocket_chain": inside, "pocket_sort": across}
        return make_run(
            lambda task, row, index, budget: Status.CORRECT if row < solved[task] else Status.INCORRECT,
            name=name, n_samples=2, n_questions=30, budgets=("unlimited",),
        )  # fmt: skip

    base, few = run_with("base", 2, 0), run_with("few", 25, 3)
    notes = assemble(find_report("generalization")[1], [few], base=base).report.notes
    assert "few: transfer: no interval: a few clusters outweigh the rest, so that all count as fewer than six" in notes
    many = run_with("many", 25, 20)
    assert not any("transfer:" in note for note in assemble(find_report("generalization")[1], [many], base=base).report.notes)


@pytest.mark.parametrize("part", ["table", "trend", "published"])
def test_a_tau_without_numbers_is_an_error_that_names_those_there_are(part: str) -> None:
    more = {"published": [{"name": "x", "values": {}}]} if part == "published" else {}
    with pytest.raises(
        ConfigError, match=re.escape("shows g_pass@4:0.3, and a report has numbers at tau 0.25, 0.5, 0.75, 1 only")
    ):
        made({"part": part, "metrics": ["g_pass@4:0.3"], **more})
    assert made({"part": "table", "metrics": ["g_pass@4:0.5"]}).report.sections
