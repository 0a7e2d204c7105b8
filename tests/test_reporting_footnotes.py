"""Each kind of note stands on the rows that it is about, and on no others; equal notes of several runs are one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from raml_eval.reporting.footnotes import _FINDERS, find_footnotes
from raml_eval.reporting.numbers import index_numbers
from raml_eval.reporting.raw import mark_row
from raml_eval.reporting.report import render_report
from raml_eval.tables import Row, build_frame, frame_rows
from raml_eval.types import Budget, Domain, Status, StoredRun
from tests.factory import by_row, make_run

TASKS: Mapping[str, Domain] = {"sums": "in_domain", "more_sums": "in_domain", "logic": "cross_domain"}
Place = tuple[str, str, str]  # domain, task, budget


def some(task: str, row: int, index: int, budget: Budget) -> Status:
    return Status.CORRECT if index < row % 5 else Status.INCORRECT


def run_of(status: Callable[[str, int, int, Budget], Status] = some, **more: Any) -> StoredRun:
    engine = {"name": "hf", **more.pop("engine", {})}
    return make_run(status, tasks=TASKS, engine=engine, budgets=more.pop("budgets", (64, "off")), **more)


def one(status: Status) -> Callable[[str, int, int, Budget], Status]:
    """Everything is right, but the first sample of logic at 64."""
    return lambda task, row, index, budget: status if (task, row, index, budget) == ("logic", 0, 0, 64) else Status.CORRECT


def with_manifest(run: StoredRun, **more: Any) -> StoredRun:
    return replace(run, manifest={**run.manifest, **more})


def leaking() -> StoredRun:
    run = run_of(protocol={"prompt": {"format": {"name": "plain", "closer": ""}}})
    records = (replace(r, leak=(r.key.task, r.budget) == ("sums", "off")) for r in run.records)
    return replace(run, records=tuple(records))


def without_first(task: str, budget: Budget) -> StoredRun:
    run = run_of()
    left = tuple(r for r in run.records if not ((r.key.task, r.budget) == (task, budget) and r.key.index == 0))
    return replace(run, records=left)


def everywhere(row: Row) -> bool:
    return True


def logic_at_64(row: Row) -> bool:
    return bool(row["domain"] == "cross_domain" and row["budget"] == "64")


def sums_and_their_mean(row: Row) -> bool:
    return row["task"] in ("sums", "macro") and row["domain"] == "in_domain"


KINDS: list[tuple[str, StoredRun, Callable[[Row], bool]]] = [
    ("the fake backend made", run_of(engine={"name": "fake"}), everywhere),
    ("made again from", with_manifest(run_of(), restored=True), everywhere),
    ("a seeded subset", run_of(limit=10), everywhere),
    ("partial:", without_first("logic", 64), logic_at_64),
    ("questions are synthetic", run_of(synthetic={"sums": 3}), sums_and_their_mean),
    ("the grader was stopped", run_of(one(Status.TIMEOUT)), logic_at_64),
    ("are unfinished", run_of(one(Status.UNFINISHED)), logic_at_64),
    ("greedy draws", run_of(temperature=0.0), everywhere),
    ("need 4 samples", without_first("logic", 64), logic_at_64),
    ("one question", run_of(n_questions=1), lambda row: row["task"] != "macro" or row["domain"] == "cross_domain"),
    ("the budget cut", run_of(budgets=(16, 64, "off")), lambda row: row["budget"] == "16"),
    (
        "hold delimiters of thinking",
        leaking(),
        lambda row: sums_and_their_mean(row) and row["budget"] == "off",
    ),
    ("does not reproduce", run_of(engine={"reproducible": False}), everywhere),
    ("verdicts are those of several", replace(run_of(), grader_versions=("1", "2")), everywhere),
]


@pytest.mark.parametrize(("words", "run", "applies"), KINDS, ids=[words for words, *_ in KINDS])
def test_a_note_stands_on_the_rows_that_it_is_about(words: str, run: StoredRun, applies: Callable[[Row], bool]) -> None:
    frame = build_frame([run], allow_partial=True)
    notes = find_footnotes([run], frame)
    (number,) = [i for i, note in enumerate(notes, 1) if words in note.text]
    for row in frame_rows(frame):
        wanted = applies(row)
        if words == "one question" and row["task"] == "macro":
            continue  # whether a mean holds such a task is the next test's
        assert (number in mark_row(row, notes, [run])) == wanted, row


def test_a_mean_has_the_notes_of_its_tasks() -> None:
    run = run_of(one(Status.UNFINISHED))
    frame = build_frame([run])
    marked = {(row["task"], row["budget"]) for row in frame_rows(frame) if mark_row(row, find_footnotes([run], frame), [run])}
    assert marked == {("logic", "64"), ("macro", "64")}


def test_gains_over_fewer_questions_are_told_of_their_task_alone() -> None:
    run, base = run_of(name="new"), run_of(name="old")
    lacking = {key for key in base.questions if key[0] == "sums" and key[1].startswith("0-")}
    fewer = replace(
        base,
        questions={key: q for key, q in base.questions.items() if key not in lacking},
        records=tuple(r for r in base.records if (r.key.task, r.key.question_id) not in lacking),
    )
    frame = build_frame([run], base=fewer)
    notes = find_footnotes([run], frame)
    (number,) = [i for i, note in enumerate(notes, 1) if "gains cover only" in note.text]
    told = {(row["task"], row["metric"]) for row in frame_rows(frame) if number in mark_row(row, notes, [run])}
    assert told == {("sums", "gain"), ("macro", "gain")}
    assert not index_numbers([run], frame, False).column_marks("sums", "in_domain")  # beside the gains, not the accuracy


def test_a_mean_over_fewer_tasks_is_told_of_that_mean_alone() -> None:
    every, fewer = run_of(name="every"), make_run(by_row(lambda row: 2), name="fewer", tasks={"sums": "in_domain"})
    frame = build_frame([every, fewer])
    notes = find_footnotes([every, fewer], frame)
    (number,) = [i for i, note in enumerate(notes, 1) if "is that of sums, without more_sums" in note.text]
    told = {
        (row["run"], row["task"], row["domain"]) for row in frame_rows(frame) if number in mark_row(row, notes, [every, fewer])
    }
    assert told == {("fewer", "macro", "in_domain")}
    markdown = render_report([every, fewer], format="markdown")
    (line,) = [line for line in markdown.splitlines() if "without more_sums" in line]
    means = markdown.split("Macro means")[1].split("Notes")[0]
    assert means.count(f"in-domain<sup>{line.partition('.')[0]}</sup>") == 2  # at each budget of the run


def test_equal_notes_of_several_runs_are_one_with_several_marks() -> None:
    runs = [run_of(name=name, model=name, limit=limit) for name, limit in (("a", 10), ("b", 10), ("c", None))]
    frame = build_frame(runs)
    notes = find_footnotes(runs, frame)
    assert [note.text for note in notes] == ["a, b: a seeded subset of at most 10 questions per task (--limit 10)"]
    marked = {row["run"] for row in frame_rows(frame) if mark_row(row, notes, runs)}
    assert marked == {"a", "b"}


def test_no_note_is_without_a_place() -> None:
    for _, run, _ in KINDS:
        frame = build_frame([run], allow_partial=True)
        assert all(note.places for note in find_footnotes([run], frame))
    assert len(set(_FINDERS)) == len(_FINDERS)
