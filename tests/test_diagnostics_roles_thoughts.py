"""Thinkings with their occurrences, and the positions that have to be scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from raml_eval.diagnostics.curves.targets import Asking, Choice, Skipped, read_targets, survey
from raml_eval.diagnostics.roles.occurrences import LINE, choose_words, find_occurrences
from raml_eval.diagnostics.roles.thoughts import Thought, choose_occurrences, needed_positions, read_thoughts
from raml_eval.store.seeking import RunReader
from raml_eval.types import Prompts, QuestionKey, SampleKey, Status
from tests.scripted import CLOSE, OFF, OPEN, Letters, run_scripted

PROMPTS: dict[QuestionKey, Prompts] = {
    ("sums", f"{i}-abcdef"): {"thinking": (100 + i, OPEN), "off": (100 + i, OFF)} for i in range(6)
}


def thought(name: str, text: str, verdict: Status = Status.CORRECT, natural: bool = True) -> Thought:
    ids = Letters().encode(text)
    found = tuple(find_occurrences(text, [*range(len(ids) + 1)], choose_words()))
    key = SampleKey("sums", f"{name}-abcdef", 0)
    return Thought(f"{key}@64", key, name, "thinking", verdict, natural, np.array(ids, dtype=np.int64), found)


def test_the_thinkings_of_a_run_are_read(tmp_path: Path) -> None:
    run_scripted(tmp_path / "run")
    skipped: Skipped = {}
    with RunReader(tmp_path / "run") as reader:
        found = survey(reader, Choice(), PROMPTS, "")
        asking = Asking(Letters(), (CLOSE,), found.introductions)
        targets = list(read_targets(reader, Choice(), found.golds, PROMPTS, asking, skipped))
        thoughts = read_thoughts(targets, reader.questions, Letters(), choose_words(["a"]), skipped)
    # Question i is thought about for i tokens "a"; answers without thinking are none, and neither is a thinking of no token.
    assert sorted(len(one.ids) for one in thoughts) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert len(skipped["it has no token"]) == 2
    assert all(one.natural and one.verdict is Status.CORRECT for one in thoughts)
    assert [len(one.occurrences) for one in thoughts if len(one.ids) == 1] == [1, 1]  # "aa" is another word
    assert not [one for one in thoughts if len(one.ids) == 2 and one.occurrences]


def test_thinkings_without_a_verdict_are_left_out(tmp_path: Path) -> None:
    run_scripted(tmp_path / "run", policy={"answer_tokens": 2})
    skipped: Skipped = {}
    with RunReader(tmp_path / "run") as reader:
        found = survey(reader, Choice(), PROMPTS, "")
        asking = Asking(Letters(), (CLOSE,), found.introductions)
        targets = read_targets(reader, Choice(), found.golds, PROMPTS, asking, {})
        assert read_thoughts(targets, reader.questions, Letters(), choose_words(), skipped) == []
    ((reason, keys),) = skipped.items()
    assert reason == "unfinished, so neither correct nor incorrect"
    assert len(keys) == 12


def test_positions_are_those_of_occurrences_nulls_and_shares() -> None:
    one, other = thought("0", "ab\ncd\nefgh"), thought("1", "ijklmnopqr", natural=False)
    found = choose_occurrences([one, other], 20, 0)
    assert [(at.occurrence.start, at.occurrence.stop) for at in found.chosen] == [(2, 3), (5, 6)]
    # A line break stands twice, in a bin of its own, so there is no null; ten tokens have shares 2, 5, 8 and 10.
    assert needed_positions(found) == {one.id: {2, 3, 5, 6, 8, 10}, other.id: set()}
    assert found.n_found == {("sums", Status.CORRECT, LINE): 2}


def test_nulls_come_from_the_same_verdict() -> None:
    texts = ("a\nb\ncdefgh", "p\nq\nrstuvw"), ("\nxyzabcdef", "\nxyzabcdef")
    right = [thought(str(i), text) for i, text in enumerate(texts[0])]
    wrong = [thought(str(2 + i), text, Status.INCORRECT) for i, text in enumerate(texts[1])]
    found = choose_occurrences([*right, *wrong], 20, 0)
    for one in found.chosen:
        assert all(found.thoughts[span.member].verdict is one.thought.verdict for span in one.null)


@pytest.mark.parametrize("most", [1, 3, 20])
def test_at_most_so_many_of_a_role_are_measured(most: int) -> None:
    one = thought("0", "wait\n" * 9)
    found = choose_occurrences([one], most, 5)
    assert sum(at.occurrence.is_word for at in found.chosen) == min(most, 9)
    assert found.n_found["sums", Status.CORRECT, "Wait"] == 9
    assert choose_occurrences([one], most, 5).chosen == found.chosen


def test_a_larger_choice_holds_the_smaller_one() -> None:
    one = thought("0", "wait\n" * 9)
    small, large = (
        {(at.occurrence.start, at.occurrence.role) for at in choose_occurrences([one], n, 5).chosen} for n in (3, 6)
    )
    assert small < large
