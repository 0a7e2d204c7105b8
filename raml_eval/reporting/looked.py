"""What a table says of a run that was looked at while it was drawn."""

from __future__ import annotations

from raml_eval.looks import read_looks
from raml_eval.types import StoredRun
from raml_eval.wording import count_noun

# benchmarks/until_decided.py: the mean of estimate - truth where the drawing ended, and of early stops a point from the margin.
BIAS = (
    "means at early stops lie on average further from what was tested than the truth (simulated with 4 tasks of 134 questions, "
    "n = 8, margin 5 points: by 0.5 points at a true drop of 0 or 10, by 2.3 in the few runs that stop early at one of 4 or 6)"
)
UNADJUSTED = "the intervals here do not allow for the looks; those that decided are in manifest.json"


def stopped_early(run: StoredRun) -> bool:
    """True if the run's questions are those up to a look that was not the last, whether or not that look ended it."""
    told = read_looks(run)
    return told is not None and not told["drawn_on"] and told["stopped_at"] != len(told["fractions"])


def look_notes(run: StoredRun) -> list[str]:
    """What must be said of every number of the run; empty if it was drawn whole."""
    told = read_looks(run)
    if not told:
        return []
    looks, n_looks, total = told["looks"], len(told["fractions"]), told["n_questions_planned"]
    against = f"--until-decided against {told['base']['name']}"
    if not looks:
        return [] if told["drawn_on"] else [f"{against}, which has taken none of its {n_looks} looks"]
    last = looks[-1]
    place = f"look {last['look']} of {n_looks}, after {last['n_questions']} of {count_noun(total, 'question')}"
    result = f"{'decided' if last['decided'] else 'not decided'}, {last['words']}"
    if told["drawn_on"]:
        return [
            f"drawn on to all questions after {against} had come to {place} ({result}): the means are without bias only if "
            f"that would have been done whatever the looks showed, and {UNADJUSTED}"
        ]
    if told["stopped_at"] is None:
        return [f"{against} is not finished and came to {place} ({result}), of several looks: {UNADJUSTED}"]
    if not stopped_early(run):
        return [f"{against} went to the last of {n_looks} looks, after all {total} questions ({result}); {UNADJUSTED}"]
    return [f"{against} stopped at {place} ({result}): {BIAS}, and {UNADJUSTED}"]
