"""Within-question effects against their definition, pair by pair, and Simpson's paradox."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval.diagnostics.by_question import add_length, build_questions, pooled_effect


def frame(rows: list[tuple[int, int, str]], **more: Any) -> pd.DataFrame:
    """Subjects of (question, length, verdict)."""
    return add_length(
        pd.DataFrame(
            {
                "task": "sums",
                "prompt": "thinking",
                "question_id": [f"q{question}" for question, _, _ in rows],
                "cluster": [f"q{question}" for question, _, _ in rows],
                "n_tokens": [length for _, length, _ in rows],
                "n_characters": [4 * length for _, length, _ in rows],
                "verdict": [verdict for *_, verdict in rows],
                "end": "natural",
                **more,
            }
        )
    )


def auroc(right: list[int], wrong: list[int]) -> float:
    pairs = list(itertools.product(right, wrong))
    return sum((r > w) + (r == w) / 2 for r, w in pairs) / len(pairs) if pairs else math.nan


ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.sampled_from(["correct", "incorrect", "unfinished"])))


@settings(max_examples=60)
@given(ROWS.filter(bool))
def test_each_question_is_what_its_pairs_say(rows: list[tuple[int, int, str]]) -> None:
    for found in build_questions(frame(rows)).to_dict("records"):
        own = [(length, verdict == "correct") for question, length, verdict in rows if f"q{question}" == found["question_id"]]
        right, wrong = ([length for length, correct in own if correct is side] for side in (True, False))
        assert found["n"] == len(own)
        assert found["n_correct"] == len(right)
        assert found["auroc"] == pytest.approx(auroc(right, wrong), nan_ok=True)
        if right and wrong:
            logs = [np.mean([math.log(max(length, 1)) for length in side]) for side in (right, wrong)]
            assert found["log_ratio"] == pytest.approx(logs[0] - logs[1])
        least = min(length for length, _ in own)
        assert found["accuracy_of_shortest"] == pytest.approx(np.mean([correct for length, correct in own if length == least]))
        assert found["shortest_correct"] == pytest.approx(min(right, default=math.nan), nan_ok=True)
        assert found["longest_correct"] == pytest.approx(max(right, default=math.nan), nan_ok=True)


@settings(max_examples=60)
@given(ROWS.filter(bool))
def test_the_pooled_effect_is_that_of_one_question(rows: list[tuple[int, int, str]]) -> None:
    lengths = np.array([length for _, length, _ in rows], dtype=float)
    correct = np.array([verdict == "correct" for *_, verdict in rows])
    one = build_questions(frame([(0, length, verdict) for _, length, verdict in rows])).iloc[0]
    found = pooled_effect(lengths, correct)
    assert found[0] == pytest.approx(one["auroc"], nan_ok=True)
    assert found[1] == pytest.approx(one["log_ratio"], nan_ok=True)


def test_the_paradox_is_taken_apart() -> None:
    """Within each question the correct ones are longer, and over both they are shorter, since the hard one is long."""
    easy = [(0, 11, "correct")] * 8 + [(0, 10, "incorrect")] * 2
    hard = [(1, 101, "correct")] * 2 + [(1, 100, "incorrect")] * 8
    subjects = frame(easy + hard)
    assert build_questions(subjects)["auroc"].tolist() == [1.0, 1.0]
    pooled, ratio = pooled_effect(subjects["length"].to_numpy(), subjects["correct"].to_numpy(dtype=bool))
    assert pooled < 0.5
    assert ratio < 0


def test_stopped_graders_and_cut_thinkings_are_left_out_where_they_would_mislead() -> None:
    rows = [(0, 5, "correct"), (0, 9, "timeout"), (0, 7, "incorrect"), (0, 3, "incorrect")]
    found = build_questions(frame(rows, end=["natural", "natural", "forced", "natural"])).iloc[0]
    assert (found["auroc"], found["auroc_ended"]) == (0.5, 1.0)
    assert (found["n"], found["accuracy"]) == (4, 0.25)


def test_characters_stand_in_for_a_whole_task_if_one_token_count_is_unknown() -> None:
    lengths = frame([(0, 5, "correct"), (1, 6, "correct")]).assign(n_tokens=[5, None])
    known = add_length(pd.concat([lengths, lengths.assign(task="other", n_tokens=[1, 2])]))
    assert known.groupby("task", sort=False)["unit"].first().to_dict() == {"sums": "characters", "other": "tokens"}
    assert known["length"].tolist() == [20, 24, 1, 2]


def test_samples_under_another_hint_are_a_group_of_their_own() -> None:
    subjects = add_length(frame([(0, 5, "correct"), (0, 9, "incorrect")]).assign(prompt=["effort:low", "thinking"]))
    assert subjects["group"].tolist() == ["sums (effort:low)", "sums"]
    assert build_questions(subjects)["auroc"].isna().all()
