"""Rows of the journal and the run: what is owed, what is skipped, and which rules are whole."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from raml_eval.diagnostics.pruning.candidates import Candidate, read_candidates
from raml_eval.diagnostics.pruning.outcomes import collect_outcomes
from raml_eval.diagnostics.subjects import choose_questions
from raml_eval.errors import StoreError
from raml_eval.store.seeking import RunReader
from raml_eval.types import Status
from tests.scripted import run_scripted


@pytest.fixture
def thinkings(tmp_path: Path) -> list[Candidate]:
    run_scripted(tmp_path, n_questions=3, budgets=(1, "unlimited"), n_samples=1)
    with RunReader(tmp_path) as run:
        return list(read_candidates(run, choose_questions(run, (), None), Counter()))


def line(n: int, **more: Any) -> dict[str, Any]:
    drawn = {"at": "x", "status": "incorrect"}
    answers = {"pruned": drawn, "forced": {"budget": 1}, "none": {"at": "y", "status": "unfinished"}}
    return {"n_whole": n, "n_kept": 1, "n_new": 0, **answers, **more}


def collect(thinkings: list[Candidate], lines: dict[str, dict[str, Any]], asked: tuple[str, ...] = ("a",)) -> Any:
    return collect_outcomes(thinkings, lines, asked, {("sums", f"{n}-abcdef"): f"c{n}" for n in range(3)})


def test_answers_are_the_runs_own_or_the_journals(thinkings: list[Candidate]) -> None:
    names = [one.identity for one in thinkings]
    found = collect(thinkings, {names[0]: {"a": {"skipped": "why"}}, names[2]: {"a": line(2)}})
    (one,) = found.outcomes
    assert (one.task, one.question_id, one.cluster, one.rule) == ("sums", "2-abcdef", "c2", "a")
    assert (one.whole, one.pruned, one.forced, one.no_thinking) == (
        Status.CORRECT, Status.INCORRECT, Status.INCORRECT, Status.UNFINISHED,
    )  # fmt: skip
    assert one.correct("whole")
    assert not one.correct("no_thinking")
    assert found.skipped["a"] == {"why": 1}
    assert found.owed == {"a": 1}


def test_what_the_run_has_by_now_counts_even_if_the_line_is_older(thinkings: list[Candidate]) -> None:
    whole, cut = thinkings[0], thinkings[2]
    n = len(whole.subject.trajectory.token_ids)
    own = {"budget": 64}  # the largest budget when the line was drawn
    lines = {
        whole.identity: {"a": line(n, n_kept=n, pruned=own, forced=own)},
        cut.identity: {"a": line(2, forced={"at": "z", "status": "timeout"})},
    }
    by_id = {one.trajectory: one for one in collect(thinkings, lines).outcomes}
    unchanged, first = by_id[whole.subject.trajectory.id], by_id[cut.subject.trajectory.id]
    assert unchanged.unchanged
    assert unchanged.pruned is unchanged.forced is unchanged.whole is whole.subject.whole.status
    stored = cut.cut_at(1)
    assert stored is not None
    assert first.forced is stored.status is not Status.TIMEOUT
    assert (first.unchanged, first.pruned) == (False, Status.INCORRECT)


def test_another_rule_is_shown_only_if_it_is_whole(thinkings: list[Candidate]) -> None:
    names = [one.identity for one in thinkings]
    lines = {name: {"a": line(2), "b": line(2)} for name in names}
    assert {one.rule for one in collect(thinkings, lines).outcomes} == {"a", "b"}
    del lines[names[1]]["b"]
    assert {one.rule for one in collect(thinkings, lines).outcomes} == {"a"}
    assert collect(thinkings, lines, ("a", "b")).owed == {"b": 1}


def test_a_sample_that_is_gone_is_an_error(thinkings: list[Candidate]) -> None:
    lines = {thinkings[0].identity: {"a": line(0, pruned={"budget": 77})}}
    with pytest.raises(StoreError, match="at budget 77"):
        collect(thinkings, lines)
