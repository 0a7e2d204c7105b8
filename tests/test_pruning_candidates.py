"""Which thinking can be shortened, and why the rest cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from raml_eval.diagnostics.pruning.candidates import CUT, ENDED_TURN, NEVER_ENDED, read_candidates
from raml_eval.diagnostics.subjects import choose_questions
from raml_eval.errors import ConfigError
from raml_eval.store.seeking import RunReader
from raml_eval.types import SamplingParams, ThinkingEnd
from tests.scripted import EOS, run_scripted, solver


def collect(path: Path, limit: int | None = None) -> tuple[dict[str, int], Counter[str]]:
    """The lengths of the candidates by question, and the reasons for the others."""
    skipped: Counter[str] = Counter()
    with RunReader(path) as run:
        found = list(read_candidates(run, choose_questions(run, (), limit), skipped))
    return {one.subject.question.id: len(one.subject.trajectory.token_ids) for one in found}, skipped


def test_thinking_that_ended_by_itself_can_be_shortened(tmp_path: Path) -> None:
    run_scripted(tmp_path, n_questions=6, budgets=(0, 3, "unlimited", "off"), n_samples=2)
    found, skipped = collect(tmp_path)
    assert found == {f"{n}-abcdef": n for n in range(6)}  # the solver thinks as long as its question's number
    assert not skipped


def test_thinking_that_a_budget_cut_cannot(tmp_path: Path) -> None:
    run_scripted(tmp_path, n_questions=6, budgets=(3,), n_samples=2)
    found, skipped = collect(tmp_path)
    assert found == {f"{n}-abcdef": n for n in range(4)}
    assert skipped == {NEVER_ENDED: 4}


def test_a_share_alone_does_not_read_the_whole(tmp_path: Path) -> None:
    run_scripted(tmp_path, n_questions=3, budgets=("frac:0.5",), n_samples=1)
    found, skipped = collect(tmp_path)
    assert found == {"0-abcdef": 0}
    assert skipped == {CUT: 2}


def test_a_turn_that_ended_within_the_thinking_has_no_answer(tmp_path: Path) -> None:
    def stopping(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        yield from (97, 97, EOS) if prompt[0] == 101 else solver(prompt, params)

    run_scripted(tmp_path, script=stopping, n_questions=3, budgets=("unlimited",), n_samples=1)
    found, skipped = collect(tmp_path)
    assert set(found) == {"0-abcdef", "2-abcdef"}
    assert skipped == {ENDED_TURN: 1}


def test_the_runs_own_samples_are_found_by_what_they_read(tmp_path: Path) -> None:
    run_scripted(tmp_path, n_questions=6, budgets=(0, 3, "unlimited", "off"), n_samples=1)
    with RunReader(tmp_path) as run:
        found = {one.subject.question.id: one for one in read_candidates(run, choose_questions(run, (), None), Counter())}
        last = found["5-abcdef"]
        cut = last.cut_at(3)
        assert cut is not None
        assert cut.budget == 3
        assert cut.thinking_end is ThinkingEnd.FORCED
        assert last.cut_at(2) is None
        assert found["2-abcdef"].cut_at(3) is None
        assert last.off is not None
        assert last.off.budget == "off"
        assert len(choose_questions(run, ("sums",), 2)) == 2
        with pytest.raises(ConfigError, match="no task 'other'"):
            choose_questions(run, ("other",), None)
