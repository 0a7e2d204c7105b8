"""A question's thinkings held against one another: are the correct ones shorter, and what would the shortest have scored?

Hard questions make thinking long and answers wrong, so over all questions length and correctness go together even if length
does nothing. Within a question, difficulty is the same for all its samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from raml_eval.types import Status, ThinkingEnd

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
QUESTION = ["group", "question_id", "cluster"]


def group_of(subjects: pd.DataFrame) -> pd.Series:
    """Each subject's group, whose numbers stand in one row: its task, with the hint if its prompt gave one."""
    hinted = subjects["prompt"] != "thinking"
    task = subjects["task"].astype(str)
    return task.where(~hinted, task + " (" + subjects["prompt"].astype(str) + ")")


def add_length(subjects: pd.DataFrame) -> pd.DataFrame:
    """The subjects with their group, and length: tokens, or characters in a group where any token count is unknown."""
    grouped = subjects.assign(group=group_of(subjects))
    unknown = grouped["n_tokens"].isna().groupby(grouped["group"]).transform("any")
    length = grouped["n_tokens"].where(~unknown, grouped["n_characters"]).astype("float64")
    return grouped.assign(
        length=length,
        unit=np.where(unknown, "characters", "tokens"),
        correct=grouped["verdict"] == Status.CORRECT.value,
    )


def build_questions(subjects: pd.DataFrame) -> pd.DataFrame:
    """One row for each question and prompt, from subjects with their lengths (add_length).

    n and n_correct count all its thinkings. auroc is the chance that a correct one is longer than one that is not, ties by
    half; log_ratio is the mean log length of the correct less that of the others, a length of 0 counting as 1. Both leave out
    samples whose grader was stopped, and are NaN unless there are both. auroc_ended and log_ratio_ended are of thinkings that
    ended by themselves, which no budget has cut. shortest_correct and longest_correct are lengths; accuracy is the mean, and
    accuracy_of_shortest that of the shortest thinking, of equally short ones their mean.
    """
    frame = subjects.assign(log=np.log(subjects["length"].clip(lower=1.0)))
    by = frame.groupby(QUESTION, sort=False, observed=True)
    found = by.agg(task=("task", "first"), unit=("unit", "first"), n=("correct", "size"), n_correct=("correct", "sum"))
    found["accuracy"] = by["correct"].mean()
    shortest = frame[frame["length"] == by["length"].transform("min")]
    found["accuracy_of_shortest"] = shortest.groupby(QUESTION, sort=False, observed=True)["correct"].mean()
    right = frame[frame["correct"]].groupby(QUESTION, sort=False, observed=True)["length"]
    found["shortest_correct"], found["longest_correct"] = right.min(), right.max()
    judged = frame[frame["verdict"] != Status.TIMEOUT.value]
    ended = judged[judged["end"] == ThinkingEnd.NATURAL.value]
    for suffix, chosen in (("", judged), ("_ended", ended)):
        effects = _effects(chosen)
        for name in ("auroc", "log_ratio"):
            found[f"{name}{suffix}"] = effects[name].reindex(found.index)
    return found.reset_index()


def _effects(frame: pd.DataFrame) -> pd.DataFrame:
    """auroc and log_ratio of each question with both verdicts, by question."""
    by = frame.groupby(QUESTION, sort=False, observed=True)
    ranked = frame.assign(rank=by["length"].rank(method="average"))
    right = ranked[ranked["correct"]].groupby(QUESTION, sort=False, observed=True)
    wrong = ranked[~ranked["correct"]].groupby(QUESTION, sort=False, observed=True)
    both = right.agg(n=("rank", "size"), ranks=("rank", "sum"), log=("log", "mean")).join(
        wrong.agg(n_wrong=("rank", "size"), log_wrong=("log", "mean")), how="inner"
    )
    auroc = (both["ranks"] - both["n"] * (both["n"] + 1) / 2) / (both["n"] * both["n_wrong"])
    return both.assign(auroc=auroc, log_ratio=both["log"] - both["log_wrong"])[["auroc", "log_ratio"]]


def pooled_effect(lengths: Floats, correct: NDArray[np.bool_]) -> tuple[float, float]:
    """AUROC and log ratio over all samples as if they were of one question, which confounds length with difficulty.

    NaN unless there are both verdicts.

    Example: pooled_effect(np.array([1.0, 2.0]), np.array([False, True])) == (1.0, np.log(2.0))
    """
    from scipy.stats import rankdata

    n_right, n_wrong = int(correct.sum()), int((~correct).sum())
    if not n_right or not n_wrong:
        return float("nan"), float("nan")
    ranks = rankdata(lengths)
    auroc = (ranks[correct].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong)
    logs = np.log(np.maximum(lengths, 1.0))
    return float(auroc), float(logs[correct].mean() - logs[~correct].mean())


def groups_in_order(subjects: pd.DataFrame) -> Sequence[str]:
    """The groups in the order in which they appear."""
    return list(dict.fromkeys(subjects["group"]))
