"""Gains over a base that is not among the runs: every caveat of the base and of the pair stands with them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from raml_eval.reporting.gains import gain_footnotes
from raml_eval.reporting.report import render_report
from raml_eval.reporting.reports.assemble import assemble
from raml_eval.reporting.reports.definition import Definition, find_report
from raml_eval.reporting.reports.files import text_of
from raml_eval.tables import build_frame
from raml_eval.types import Status, StoredRun
from tests.factory import make_run


def run_of(name: str, solved: int, n_samples: int = 4, temperature: float = 1.0, grader: str = "4") -> StoredRun:
    run = make_run(
        lambda task, row, index, budget: Status.CORRECT if row < solved else Status.INCORRECT,
        name=name, n_samples=n_samples, n_questions=20, budgets=(16, "unlimited"),
    )  # fmt: skip
    manifest = {**run.manifest, "protocol": {"sampling": {"temperature": temperature}}}
    manifest["engine"] = {**run.manifest["engine"], "name": "hf"}
    return replace(run, manifest=manifest, grader_versions=(grader,))


NEW = run_of("new", 14)
OTHER = run_of("other", 6, n_samples=2, temperature=0.2, grader="3")
FAKE = replace(
    OTHER, manifest={**OTHER.manifest, "engine": {**OTHER.manifest["engine"], "name": "fake"}}, records=OTHER.records[1:]
)
TOLD = (
    "the base other: the fake backend made these answers up",
    "the base other: partial: 1 of 160 planned samples are missing",
    "other has 2 samples per question and new has 4",
    "sampling.temperature 0.2, then 1.0",
    "grader '3', then '4'",
)


@pytest.mark.parametrize("form", ["markdown", "csv"])
def test_the_standard_report_tells_all_of_it(form: str) -> None:
    text = " ".join(render_report([NEW], format=form, base=FAKE, allow_partial=True).split())
    assert [note for note in TOLD if note not in text] == []


def test_the_notes_stand_on_gains_alone() -> None:
    content = json.loads(render_report([NEW], format="json", base=FAKE, allow_partial=True))
    (number,) = [at for at, text in enumerate(content["notes"], 1) if "the fake backend" in text]
    assert {row["metric"] for row in content["rows"] if number in row["notes"]} == {"gain"}


@pytest.mark.parametrize("name", ["checkpoint", "budget-sweep", "stability"])
def test_every_report_over_a_base_tells_all_of_it(name: str) -> None:
    made = assemble(find_report(name)[1], [NEW], base=FAKE, allow_partial=True)
    document = " ".join(made.report.notes)
    assert [note for note in TOLD if note not in document] == []
    rows = json.loads(text_of(made, "json"))["rows"]
    assert all(row["notes"] for row in rows if row["metric"] == "gain")


def test_alike_runs_and_runs_without_a_base_have_no_such_note() -> None:
    base = run_of("base", 6)
    (own,) = gain_footnotes([NEW], base, build_frame([NEW], base=base))
    assert own.text.startswith("the base base: the budget cut the thinking of up to 100.0 % of samples")
    assert gain_footnotes([NEW], None, build_frame([NEW])) == []
    both = [base, NEW]
    assert gain_footnotes(both, base, build_frame(both, base=base)) == []


def test_only_a_report_with_gains_says_what_they_are_over() -> None:
    base = run_of("base", 6)
    parts = ({"part": "runs"}, {"part": "stability_curve"}, {"part": "means"})
    for shown, has_gains in ((parts[:2], False), (parts, True)):
        definition = Definition.model_validate({"title": "t", "about": "a", "parts": shown})
        lead = assemble(definition, [NEW], base=base).report.lead[0]
        assert lead == ("a Gains are over base." if has_gains else "a")
