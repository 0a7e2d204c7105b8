"""The caveats of an imported run: whose log it was, how far its verdicts agree with ours, and what the log does not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raml_eval.reporting.render import percent
from raml_eval.types import Finish, SampleRecord, Status, StoredRun
from raml_eval.wording import count_noun

LISTED = 4  # metrics that the line about agreement names


def import_notes(run: StoredRun) -> list[str]:
    """Every caveat of an imported run, the source first. Empty for a run that was drawn here."""
    about = run.imported
    if about is None:
        return []
    notes = [describe_source(run), describe_agreement(run.records)]
    unknown = sum(record.answer_finish is Finish.UNKNOWN for record in run.records)
    if unknown:
        notes.append(
            f"the log does not say how {unknown} of {len(run.records)} answers ended: one that was cut off counts as finished"
        )
    return notes + _describe_log(about)


def describe_source(run: StoredRun) -> str:
    """Where the run was imported from, and whose grader gave its verdicts."""
    about = run.imported or {}
    graders = ", ".join(run.grader_versions)
    version = about["version"] or "(its version is not in the log)"
    return f"imported from {about['harness']} {version}, graded by raml_eval (grader {graders})"


def describe_agreement(records: Sequence[SampleRecord]) -> str:
    """How often each of the log's right-or-wrong verdicts agrees with ours. Samples whose grader was stopped are left out."""
    verdicts: dict[str, list[tuple[float, bool]]] = {}
    for record in records:
        if record.imported is None or record.imported.of_question or record.status is Status.TIMEOUT:
            continue
        for metric, value in record.imported.verdict.items():
            verdicts.setdefault(metric, []).append((value, record.grade.correct))
    lines = [_agreement(metric, found) for metric, found in verdicts.items() if {value for value, _ in found} <= {0.0, 1.0}]
    if not lines:
        return "the log holds no right-or-wrong verdicts on single samples that ours could be compared with"
    more = f"; and {len(lines) - LISTED} more metrics" if len(lines) > LISTED else ""
    return f"{'; '.join(lines[:LISTED])}{more}"


def _agreement(metric: str, found: Sequence[tuple[float, bool]]) -> str:
    theirs = sum(value == 1.0 and not ours for value, ours in found)
    ours = sum(value == 0.0 and right for value, right in found)
    agreed = percent((len(found) - theirs - ours) / len(found))
    samples = count_noun(len(found), "sample")
    return f"their {metric} agrees with our verdict on {agreed} % of {samples} (right only there: {theirs}, only here: {ours})"


def _describe_log(about: Mapping[str, Any]) -> list[str]:
    notes = []
    if about["hides_thinking"]:
        notes.append(f"{about['hides_thinking']}: thinking is not shown, and if it never ended it counts as an answer")
    if about["n_sealed"]:
        notes.append(f"the thinking of {count_noun(about['n_sealed'], 'completion')} is not in the log")
    if about["n_open"]:
        many = f"{about['n_open']} completions that neither open nor end their thinking count as unfinished"
        one = "1 completion that neither opens nor ends its thinking counts as unfinished"
        shown = "the prompt opened it, as the other completions show or the import was told"
        notes.append(f"{one if about['n_open'] == 1 else many}: {shown}")
    if about["left_out"]:
        listed = ", ".join(f"{n} with {reason}" for reason, n in about["left_out"].items())
        notes.append(f"questions of the log that were left out: {listed}")
    return notes
