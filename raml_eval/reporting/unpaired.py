"""What a table says of a sweep whose budgets are not cuts of one trajectory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from raml_eval.columns import IntArray
from raml_eval.lazy import samples_of
from raml_eval.tables import draws_apart
from raml_eval.types import StoredRun, Trajectory


def unpaired_notes(run: StoredRun) -> list[str]:
    """How many samples have budgets that are draws of their own, and why; empty if there are none."""
    samples = samples_of(run)
    thought = np.flatnonzero(samples.trajectory >= 0)
    draw, trajectory = samples.draws()[thought], samples.trajectory[thought]
    n_trajectories = int(trajectory.max(initial=0)) + 1
    pairs = np.unique(draw * n_trajectories + trajectory)  # each draw's trajectories, once
    found, counts = np.unique(pairs // n_trajectories, return_counts=True)
    several = int((counts > 1).sum())
    if several and not draws_apart(run):
        several = _count_apart(run, thought[np.isin(draw, found[counts > 1])])
    if not several:
        return []
    why = "their thinking was drawn at several limits and came out differently"
    why = "the engine enforced the budgets, and each is a draw of its own (--capped-by engine)" if draws_apart(run) else why
    return [f"the budgets of {several} of {len(found)} samples are not cuts of one trajectory: {why}"]


def _count_apart(run: StoredRun, rows: IntArray) -> int:
    """How many of the draws of these samples have trajectories that are not the beginnings of one."""
    draws: dict[object, set[str]] = {}
    for row in rows:
        record = run.records[row]
        draws.setdefault(record.key, set()).add(record.trajectory or "")
    return sum(not _one_draw([run.trajectories[i] for i in ids]) for ids in draws.values())


def _one_draw(trajectories: Sequence[Trajectory]) -> bool:
    """True if each shorter draw is the beginning of the longest one, as a reproducible engine draws it."""
    longest = max(trajectories, key=lambda t: len(t.token_ids)).token_ids
    return all(t.token_ids == longest[: len(t.token_ids)] for t in trajectories)
