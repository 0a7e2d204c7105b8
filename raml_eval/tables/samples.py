"""Every sample of a run as one row, joined with the thinking it was drawn from."""

from __future__ import annotations

from typing import Any

import pandas as pd

from raml_eval.store import sample_line
from raml_eval.types import StoredRun


def build_samples(run: StoredRun) -> pd.DataFrame:
    """One row a sample and budget: the fields of samples.jsonl, with ids unpacked, and its thinking.

    thinking_ids are the ids that this budget keeps; trajectory_text is the text of the whole trajectory, of which a smaller
    budget saw the beginning. Both are empty where thinking is off.
    """
    rows: list[dict[str, Any]] = []
    for record in run.records:
        trajectory = run.trajectories.get(record.trajectory or "")
        rows.append(
            {
                **sample_line(record),
                "answer_ids": record.answer_ids,
                "thinking_ids": trajectory.token_ids[: record.n_thinking_tokens] if trajectory else (),
                "trajectory_text": trajectory.text if trajectory else "",
            }
        )
    return pd.DataFrame(rows)
