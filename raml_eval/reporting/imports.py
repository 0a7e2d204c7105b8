"""The caveats of an imported run: whose log it was, how far its verdicts agree with ours, and what the log does not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raml_eval.columns import Samples
from raml_eval.lazy import samples_of
from raml_eval.reporting.render import percent
from raml_eval.types import Status, StoredRun
from raml_eval.wording import count_noun

LISTED = 4  # metrics that the line about agreement names


def import_notes(run: StoredRun) -> list[str]:
    """Every caveat of an imported run, the source first. Empty for a run that was drawn here."""
    about = run.imported
    if about is None:
        return []
    samples = samples_of(run)
    notes = [describe_source(run), describe_agreement(samples)]
    unknown = int(samples.ending_unknown.sum())
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


def describe_agreement(samples: Samples) -> str:
    """How often each of the log's right-or-wrong verdicts agrees with ours. Samples whose grader was stopped are left out."""
    settled, right = ~samples.is_status(Status.TIMEOUT), samples.is_status(Status.CORRECT)
    lines = []
    told_by = {metric: settled & np.isfinite(values) for metric, values in samples.verdicts.items()}
    for metric, told in sorted(told_by.items(), key=lambda one: int(np.argmax(one[1]))):
        values = samples.verdicts[metric]
        if told.any() and np.isin(values[told], (0.0, 1.0)).all():
            lines.append(_agreement(metric, values[told] == 1.0, right[told]))
    if not lines:
        return "the log holds no right-or-wrong verdicts on single samples that ours could be compared with"
    more = f"; and {len(lines) - LISTED} more metrics" if len(lines) > LISTED else ""
    return f"{'; '.join(lines[:LISTED])}{more}"


def _agreement(metric: str, theirs: NDArray[np.bool_], ours: NDArray[np.bool_]) -> str:
    only_theirs, only_ours = int((theirs & ~ours).sum()), int((ours & ~theirs).sum())
    agreed, samples = percent((len(ours) - only_theirs - only_ours) / len(ours)), count_noun(len(ours), "sample")
    return (
        f"their {metric} agrees with our verdict on {agreed} % of {samples} (right only there: {only_theirs}, only here: "
        f"{only_ours})"
    )


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
