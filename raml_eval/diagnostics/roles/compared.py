"""The endings compared: the gold's likelihood after each, at the end of natural thinkings and at shares of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raml_eval.diagnostics.roles.changes import ALL, Values, interval
from raml_eval.diagnostics.roles.closings import NOTHING, OWN
from raml_eval.diagnostics.roles.thoughts import SHARES, Thought


def ending_rows(thoughts: Sequence[Thought], by_ending: Mapping[str, Values]) -> list[dict[str, Any]]:
    """One row for each task, share and ending; of several tasks, ALL, over the thinkings of all, comes first.

    Only natural thinkings that have a value after every ending count, so that all rows of a task are of the same ones.
    against_own and against_nothing are paired differences of NLL: below 0, the ending makes the gold likelier than the other.
    """
    natural = [one for one in thoughts if one.natural and all(_has(values, one) for values in by_ending.values())]
    tasks = list(dict.fromkeys(one.task for one in natural))
    rows = []
    for task in [ALL, *tasks] if len(tasks) > 1 else tasks:
        own = [one for one in natural if task in (ALL, one.task)]
        clusters = [one.cluster for one in own]
        for share in SHARES:
            at = {name: [values[one.id][one.share_marks[share]] for one in own] for name, values in by_ending.items()}
            for name, nll in at.items():
                row: dict[str, Any] = {"task": task, "share": share, "ending": name, "n": len(own)}
                row["n_questions"] = len({one.question for one in own})
                row |= interval("nll", nll, clusters, least=0.0)
                for column, other in (("against_own", OWN), ("against_nothing", NOTHING)):
                    base = at.get(other, []) if other != name else []
                    row |= interval(column, [a - b for a, b in zip(nll, base, strict=False)], clusters if base else [])
                rows.append(row)
    return rows


def _has(values: Values, one: Thought) -> bool:
    return all(mark in values.get(one.id, {}) for mark in one.share_marks.values())
