"""Which forced answers count as reasoning that goes on, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from raml_eval.columns import columns_of
from raml_eval.intervals import mean_interval, paired_difference
from raml_eval.reflection import REFLECTIONS, count_reflections
from raml_eval.reporting.footnotes import footnotes
from raml_eval.tables import build_frame, build_sweep, escape_rates
from raml_eval.tables.escape import DEPTHS, find_escapes, long_answer
from raml_eval.types import SampleRecord, StoredRun, ThinkingEnd
from tests.sweeps import cut_run, find

RAMBLE = "Wait, that is wrong. Let me re-check it. \\boxed{1}"


def size(task: str, row: int, index: int) -> int:
    return 30 * (row % 4 + 1)  # 30, 60, 90, 120


def speak(record: SampleRecord) -> Mapping[str, Any]:
    """Natural answers have 10 tokens; forced ones of samples 0 and 1 go on for 50, and sample 3 writes the delimiter again."""
    if record.thinking_end is not ThinkingEnd.FORCED or record.key.index == 2:
        return {"answer_ids": tuple(range(10))}
    if record.key.index == 3:
        return {"answer_ids": tuple(range(10)), "leak": True}
    return {"answer_ids": tuple(range(50)), "answer": RAMBLE if record.key.index == 0 else "\\boxed{1} as shown above"}


@pytest.fixture(scope="module")
def run() -> StoredRun:
    return cut_run(lambda *_: True, size, budgets=(0, 40, 80, "unlimited"), n_questions=12, answer=speak)


@pytest.fixture(scope="module")
def frame(run: StoredRun) -> Any:
    return build_sweep([run])


def test_an_escape_is_a_delimiter_or_a_long_answer_with_a_word_of_reflection(run: StoredRun, frame: Any) -> None:
    # Of the four samples, 0 reasons on, 1 is long without such a word, 2 is short, 3 writes the delimiter.
    for budget, n_forced in ((0, 12), (40, 9), (80, 6)):
        row = find(frame, "escape_rate", str(budget))
        assert (row.value, row.n_questions) == (0.5, n_forced)
        assert row.low == mean_interval([0.5] * n_forced, list("abcdefghijkl")[:n_forced]).low
    assert find(frame, "long_answer", "natural").value == 10
    assert "unlimited" not in set(frame[frame["metric"] == "escape_rate"]["budget"])
    rates = {rate.budget: (rate.n_forced, rate.n_escaped) for rate in escape_rates(run)}
    assert rates == {0: (48, 24), 40: (36, 18), 80: (24, 12)}


def test_only_forced_answers_escape_and_few_natural_ones_show_no_length(run: StoredRun) -> None:
    forced = next(r for r in run.records if r.thinking_end is ThinkingEnd.FORCED and r.key.index == 0)
    natural = next(r for r in run.records if r.thinking_end is ThinkingEnd.NATURAL)
    again = replace(forced, leak=True)
    samples = columns_of([forced, forced, natural, again], {})
    assert find_escapes(samples, np.array([49.0, 50.0, 0.0, 50.0])).tolist() == [True, False, False, True]
    assert long_answer(np.arange(19.0)) == np.inf
    assert long_answer(np.append(np.arange(20.0), np.nan)) == pytest.approx(np.quantile(np.arange(20), 0.95))


def test_lengths_are_compared_on_the_questions_that_have_both_ends(frame: Any) -> None:
    mixed = [(50 + 50 + 10 + 10) / 4] * 12
    row = find(frame, "answer_tokens_extra", "0")
    assert row.value == pytest.approx(paired_difference([10] * 12, mixed, list("abcdefghijkl"), bounds=None).value) == 20
    assert find(frame, "answer_tokens_after_end", "natural").value == 10
    assert find(frame, "answer_tokens_after_end", "40").value == 30
    # Sample 0 has two words (Wait, Let me re-check) in the 120 tokens of a question's four answers.
    assert find(frame, "reflections_per_1000_tokens", "0").value == pytest.approx(1000 * 2 / 120)
    assert find(frame, "reflections_per_1000_tokens", "natural").value == 0
    assert find(frame, "delimiter_again", "40").value == 0.25
    assert find(frame, "delimiter_again", "natural").value == 0


def test_the_depth_of_a_cut_is_the_share_that_was_kept(frame: Any) -> None:
    # 40 of 60, 90 and 120 tokens; 80 of 90 and 120: depths 2/3, 4/9, 1/3 and 8/9, 2/3, for 3 questions of 4 samples each.
    counts = {part: find(frame, "forced_samples", part=part).value for part in DEPTHS}
    assert counts == {"nothing kept": 48, "first third": 12, "second third": 36, "last third": 12}
    assert all(find(frame, "escape_rate", part=part).value == 0.5 for part in DEPTHS)
    assert find(frame, "answer_tokens_after_end", part="last third").value == 30
    assert find(frame, "delimiter_again", part="nothing kept").value == 0.25


def test_a_table_warns_of_budgets_that_do_not_bind(run: StoredRun) -> None:
    (note,) = [note for note in footnotes([run], build_frame([run])) if "go on reasoning" in note]
    assert note == (
        "up to 50.0 % of the answers after a forced end go on reasoning (sums at 0), so these budgets do not bound what the "
        "model thinks"
    )
    quiet = cut_run(lambda *_: True, size, n_questions=12)
    assert not any("go on reasoning" in note for note in footnotes([quiet], build_frame([quiet])))


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("Wait, 12 is even. However, let me re-check that.", 3),
        ("WAIT. Hold on!", 2),
        ("The waiter awaits; somehow it holds one.", 0),
        ("等等，让我再想想。", 2),
        ("待って。もう一度確認する", 2),
        ("Attends, vérifions. Cependant", 3),
        ("", 0),
    ],
)
def test_words_of_reflection_are_whole_words_in_any_case(text: str, n: int) -> None:
    assert count_reflections(text) == n


def test_each_phrase_is_counted_once() -> None:
    for phrases in REFLECTIONS.values():
        assert len(set(phrases)) == len(phrases)
        assert all(count_reflections(f"so: {phrase} .") == 1 for phrase in phrases)
        assert all(phrase == phrase.lower() for phrase in phrases)
