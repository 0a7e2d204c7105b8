"""What a report says about an imported run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from raml_eval.columns import Samples, columns_of
from raml_eval.reporting.footnotes import footnotes
from raml_eval.reporting.imports import describe_agreement, import_notes
from raml_eval.tables import build_frame
from raml_eval.types import Finish, Imported, Status, StoredRun
from tests.factory import by_row, make_record, make_run

ABOUT = {"harness": "lm-eval", "version": "0.4.13", "hides_thinking": "", "n_open": 0, "n_sealed": 0, "left_out": {}}


def records(*pairs: tuple[Status, Mapping[str, float]], of_question: bool = False) -> Samples:
    """Samples with our status and the log's verdict."""
    found = [
        replace(make_record("t", row, 0, 16, status), imported=Imported(verdict, of_question))
        for row, (status, verdict) in enumerate(pairs)
    ]
    return columns_of(found, {})


def imported_run(**about: Any) -> StoredRun:
    run = make_run(by_row(lambda row: row % 5))
    samples = tuple(
        replace(r, answer_finish=Finish.UNKNOWN, imported=Imported({"acc": float(r.grade.correct)})) for r in run.records
    )
    manifest = {**run.manifest, "imported": {**ABOUT, **about}}
    return replace(run, manifest=manifest, records=samples, grader_versions=("7",))


def test_a_run_drawn_here_has_no_such_notes() -> None:
    assert import_notes(make_run(by_row(lambda row: row % 5))) == []


def test_agreement_is_counted_by_metric_and_direction() -> None:
    right, wrong = Status.CORRECT, Status.INCORRECT
    pairs = [(right, {"a": 1.0, "b": 0.0}), (wrong, {"a": 0.0, "b": 1.0}), (Status.UNFINISHED, {"a": 1.0}), (right, {"a": 0.0})]
    assert describe_agreement(records(*pairs)) == (
        "their a agrees with our verdict on 50.0 % of 4 samples (right only there: 1, only here: 1); "
        "their b agrees with our verdict on 0.0 % of 2 samples (right only there: 1, only here: 1)"
    )


def test_a_stopped_grader_has_no_verdict_to_agree_with() -> None:
    pairs = [(Status.TIMEOUT, {"a": 1.0}), (Status.CORRECT, {"a": 1.0})]
    assert "100.0 % of 1 sample (" in describe_agreement(records(*pairs))


@pytest.mark.parametrize(
    "found",
    [
        records((Status.CORRECT, {})),
        records((Status.CORRECT, {"f1": 0.5}), (Status.CORRECT, {"f1": 1.0})),
        records((Status.CORRECT, {"a": 1.0}), of_question=True),
    ],
)
def test_verdicts_that_cannot_be_set_beside_ours_are_not(found: Samples) -> None:
    assert (
        describe_agreement(found)
        == "the log holds no right-or-wrong verdicts on single samples that ours could be compared with"
    )


def test_more_metrics_than_fit_are_counted() -> None:
    text = describe_agreement(records((Status.CORRECT, {f"m{n}": 1.0 for n in range(6)})))
    assert text.count("agrees") == 4
    assert text.endswith("and 2 more metrics")


def test_every_report_says_where_the_run_came_from() -> None:
    run = imported_run()
    found = footnotes([run], build_frame([run]))
    assert found[0] == "imported from lm-eval 0.4.13, graded by raml_eval (grader 7)"
    assert found[1].startswith("their acc agrees with our verdict on 100.0 % of 160 samples")
    assert found[2].startswith("the log does not say how 160 of 160 answers ended")


def test_several_runs_are_told_apart() -> None:
    run, other = imported_run(), make_run(by_row(lambda row: row % 5), name="other")
    found = footnotes([run, other], build_frame([run, other]))
    assert found[0].startswith("mine: imported from lm-eval")
    assert not any(text.startswith("other: imported") for text in found)


def test_what_the_log_hides_decides_and_lacks() -> None:
    about = {
        "hides_thinking": "it was taken out",
        "n_open": 3,
        "n_sealed": 4,
        "left_out": {"no target": 2, "several targets": 1},
        "version": None,
    }
    notes = import_notes(imported_run(**about))
    assert notes[0].startswith("imported from lm-eval (its version is not in the log)")
    assert notes[3] == "it was taken out: thinking is not shown, and if it never ended it counts as an answer"
    assert notes[4] == "the thinking of 4 completions is not in the log"
    assert notes[5].startswith("3 completions that neither open nor end their thinking count as unfinished")
    assert notes[6] == "questions of the log that were left out: 2 with no target, 1 with several targets"
