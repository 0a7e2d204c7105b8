"""The thinkings of a run, and the golds of questions as completions give them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import raml_eval
from raml_eval.diagnostics.subjects import SHORTER, Gold, gold_of, read_subjects
from raml_eval.store.seeking import RunReader
from raml_eval.types import Grade, Status
from tests.stored import WRONG, Drawn, ask, store_run

RIGHT = Grade(Status.CORRECT, "7")


def test_each_thinking_comes_once_with_its_samples_in_order(tmp_path: Path) -> None:
    samples = [
        Drawn("7", RIGHT, budget=16, thinking="so it is 7", question=1),
        Drawn("7", RIGHT, budget=16, thinking="so it is 7"),
        Drawn("9", WRONG, budget=4, thinking="so i"),
        Drawn("7", RIGHT, budget="unlimited", thinking="so it is 7"),
    ]
    path = store_run(tmp_path / "run", [ask(0, "7"), ask(1, "7")], samples)
    skipped: Counter[str] = Counter()
    with RunReader(path) as run:
        subjects = list(read_subjects(run, skipped))
    assert [(one.question.id, [record.budget for record in one.records]) for one in subjects] == [
        ("0-abcdef", [4, 16, "unlimited"]), ("1-abcdef", [16]),
    ]  # fmt: skip
    assert [one.correct for one in subjects] == [True, True]
    assert not skipped


def test_a_thinking_that_no_sample_reads_is_counted(tmp_path: Path) -> None:
    path = store_run(tmp_path / "run", [ask(0, "7")], [Drawn("7", RIGHT), Drawn("8", WRONG)])
    lines = (path / "samples.jsonl").read_text().splitlines()
    (path / "samples.jsonl").write_text(lines[0] + "\n")
    skipped: Counter[str] = Counter()
    with RunReader(path) as run:
        assert len(list(read_subjects(run, skipped))) == 1
    assert skipped == {"no sample reads it": 1}


def test_a_thinking_that_was_drawn_again_and_longer_counts_once(tmp_path: Path) -> None:
    """The run's budgets grew, so that its thinking was drawn up to 8 tokens first, and up to 24 later."""
    settings = {"model": "pocket", "backend": "fake", "tasks": ["pocket_chain"], "limit": 2, "samples": 2, "answer_tokens": 24}
    for budgets in ([0, 8], [0, 8, 24]):
        raml_eval.evaluate(**settings, thinking={"budgets": budgets}, max_total_tokens=None, out=tmp_path / "run")
    skipped: Counter[str] = Counter()
    with RunReader(tmp_path / "run") as run:
        n_drawn = sum(len(run.trajectories(key)) for key in run.questions)
        subjects = list(read_subjects(run, skipped))
    assert len({subject.key for subject in subjects}) == len(subjects) == 4
    assert (n_drawn, skipped) == (4 + skipped[SHORTER], {SHORTER: 4})
    assert {tuple(record.budget for record in one.records) for one in subjects} == {(0, 8, 24)}
    assert {one.trajectory.limit for one in subjects} == {24}


@pytest.mark.parametrize(
    ("question", "gold"),
    [
        (ask(0, "12"), Gold("\\boxed{", "12")),
        (ask(0, ""), "no gold"),
        (ask(0, "print(1)", "code"), "the gold of grader code is no single text"),
    ],
)
def test_a_gold_is_what_a_completion_would_give(question: object, gold: object) -> None:
    assert gold_of(question) == gold  # type: ignore[arg-type]
