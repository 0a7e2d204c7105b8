"""Claims of a direction: what makes runs unfit for a test, what a reader must know, and their rows in the frame."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from raml_eval.reporting.render import Table
from raml_eval.reporting.reports.assemble import Assembled, assemble
from raml_eval.reporting.reports.definition import Definition
from raml_eval.reporting.reports.files import text_of
from raml_eval.types import Domain, Status, StoredRun
from tests.factory import make_run

SUMS: Mapping[str, Domain] = {"sums": "in_domain"}


def run_of(name: str, solved: int, n: int = 2, tasks: Mapping[str, Domain] = SUMS, **sampling: Any) -> StoredRun:
    run = make_run(
        lambda task, row, index, budget: Status.CORRECT if row < solved else Status.INCORRECT,
        name=name, tasks=tasks, n_samples=n, n_questions=30, budgets=("unlimited",),
    )  # fmt: skip
    manifest = {**run.manifest, "protocol": {"sampling": {"temperature": 1.0, **sampling}}}
    return replace(run, manifest=manifest, grader_versions=("4",))


def first_questions(run: StoredRun, n: int) -> StoredRun:
    kept = {key: question for key, question in run.questions.items() if int(key[1].partition("-")[0]) < n}
    return replace(run, questions=kept, records=tuple(r for r in run.records if (r.key.task, r.key.question_id) in kept))


def claimed(*runs: StoredRun, test: str = "rises", base: StoredRun | None = None, **more: Any) -> Assembled:
    claims = [{"says": "more steps are better", "test": test}]
    definition = {"title": "t", "about": "a", "parts": [{"part": "claims", "claims": claims, **more}]}
    about = [f"{run.name}:step={place}" for place, run in enumerate(runs, 1)]
    return assemble(Definition.model_validate(definition), runs, base=base, about=about)


def table_of(made: Assembled) -> Table:
    ((table,),) = (section.tables for section in made.report.sections)
    return table


def row_of(made: Assembled, test: str = "rises") -> pd.Series[Any]:
    (row,) = (row for _, row in made.frame[made.frame["metric"] == f"claim: {test}"].iterrows())
    return row


LOW, MIDDLE, HIGH = run_of("low", 4), run_of("middle", 12), run_of("high", 24)


def test_a_rise_of_like_runs_holds_without_a_note() -> None:
    made = claimed(LOW, MIDDLE, HIGH)
    assert table_of(made).rows[0][4].text == "holds"
    assert not any("low, middle, high:" in note for note in made.report.notes)


def test_a_rise_s_row_names_all_its_runs_and_the_verdict() -> None:
    both: Mapping[str, Domain] = {"sums": "in_domain", "more": "in_domain"}
    made = claimed(run_of("low", 4, tasks=both), MIDDLE, HIGH)
    row = row_of(made)
    assert (row["run"], row["runs"], row["left_out"]) == ("low, middle, high", "low, middle, high", "more")
    assert (row["verdict"], row["n_samples"], row["interval_level"]) == ("holds", 2, 0.95)
    assert table_of(made).rows[0][4].text == "holds, without more"
    assert not (made.frame["metric"][made.frame["run"] == "high"] == "claim: rises").any()
    assert "low, middle, high" in text_of(made, "csv")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (run_of("other", 24, temperature=0.2), "sampling.temperature 1.0, then 0.2"),
        (replace(run_of("other", 24), grader_versions=("3",)), "grader '4', then '3'"),
    ],
)
@pytest.mark.parametrize("place", [1, 2])
def test_runs_made_differently_are_not_tested(other: StoredRun, words: str, place: int) -> None:
    runs = [LOW, MIDDLE]
    runs.insert(place, other)
    made = claimed(*runs)
    told = table_of(made).rows[0]
    assert told[4].text.startswith("not tested: the runs were made differently: ")
    assert words in told[4].text
    assert told[2].text == told[3].text == ""
    assert not (made.frame["metric"] == "claim: rises").any()


def test_a_difference_of_two_runs_shows_though_the_first_stores_nothing() -> None:
    silent = replace(LOW, manifest={**LOW.manifest, "protocol": {}})
    told = table_of(claimed(silent, MIDDLE, run_of("other", 24, temperature=0.2))).rows[0]
    assert "sampling.temperature 1.0, then 0.2" in told[4].text
    made = claimed(silent, MIDDLE, HIGH)
    assert table_of(made).rows[0][4].text == "holds"
    assert any("only some of the runs store sampling.temperature" in note for note in made.report.notes)


def test_other_n_shared_questions_and_runs_without_x_are_notes_on_the_rise() -> None:
    low, high = run_of("low", 4, n=1), first_questions(run_of("high", 24, n=4), 12)
    definition = {
        "title": "t", "about": "a", "parts": [{"part": "claims", "claims": [{"says": "x", "test": "rises"}]}],
    }  # fmt: skip
    about = ["low:step=1", "high:step=2"]
    made = assemble(Definition.model_validate(definition), [low, high, MIDDLE], about=about)
    notes = [note for note in made.report.notes if note.startswith("low, high: ")]
    assert notes == [
        "low, high: sums: 12 questions are shared by all of the runs, of 30 in low, 12 in high",
        "low, high: samples per question: 1 in low, 4 in high",
    ]
    assert any("middle is left out of part 1 (claims): no step is told" in note for note in made.report.notes)
    content = json.loads(text_of(made, "json"))
    (number,) = [at for at, text in enumerate(content["notes"], 1) if text == notes[0]]
    assert {row["metric"] for row in content["rows"] if number in row["notes"]} == {"claim: rises"}
    assert row_of(made)["n_questions"] == 12
    assert pd.isna(row_of(made)["n_samples"])


def test_runs_without_a_common_budget_are_not_tested() -> None:
    other = make_run(lambda *_: Status.CORRECT, name="other", tasks=SUMS, n_samples=2, n_questions=30, budgets=(16,))
    other = replace(other, manifest={**other.manifest, "protocol": HIGH.manifest["protocol"]}, grader_versions=("4",))
    assert "two values of step at one thinking budget" in table_of(claimed(LOW, other)).rows[0][4].text


def test_the_notes_of_the_pairs_stand_on_gains_that_a_paper_claims() -> None:
    base = run_of("base", 4, n=4)
    made = claimed(HIGH, test="gain", base=base)
    row = row_of(made, "gain")
    assert (row["run"], row["runs"], row["verdict"], row["left_out"]) == ("high", "high", "holds", "")
    assert "high: base has 4 samples per question and high has 2" in made.report.notes
    rows = json.loads(text_of(made, "json"))["rows"]
    assert all(row["notes"] for row in rows if row["metric"] == "claim: gain")


def test_only_a_source_is_called_a_paper() -> None:
    own, cited = claimed(LOW, HIGH), claimed(LOW, HIGH, source="Figure 1")
    assert table_of(own).header[0].text == "claim"
    assert "paper" not in own.report.sections[0].lead
    assert table_of(cited).header[0].text == "the paper says"
    assert cited.report.sections[0].lead.startswith("Source: Figure 1. The paper shows these as figures")
