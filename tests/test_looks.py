"""What a run's manifest tells of its looks, and what a table says of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import ConfigError, InputError, MetricError, StoreError
from raml_eval.intervals import look_levels
from raml_eval.looks import (
    KEY,
    Course,
    Decision,
    Look,
    Until,
    base_digest,
    check_base,
    check_looks,
    note_look,
    open_course,
    read_looks,
    restrict_run,
)
from raml_eval.plan import Plan
from raml_eval.reporting.boards.board import read_board
from raml_eval.reporting.boards.entering import make_entry
from raml_eval.reporting.looked import look_notes
from raml_eval.tables import missing_samples
from raml_eval.types import SampleKey, StoredRun
from tests.factory import by_row, make_run

TASKS: Mapping[str, Any] = {"pocket_chain": "in_domain", "pocket_sort": "cross_domain"}
PLAN = Plan(tuple(TASKS), (16, 64), 4)


def run_of(hits: int = 2, tasks: Mapping[str, Any] = TASKS) -> StoredRun:
    """A run in which no two tasks ask the same question, in clusters of two."""
    run = make_run(by_row(lambda row: hits), tasks=tasks, n_questions=20, per_cluster=2)

    def own(task: str, question_id: str) -> tuple[str, str]:
        row = question_id.partition("-")[0]
        return task, f"{row}-{task}{row}"

    questions = {
        own(*key): replace(q, id=own(*key)[1], messages=({"role": "user", "content": str(own(*key))},))
        for key, q in run.questions.items()
    }
    records = (replace(r, key=SampleKey(*own(r.key.task, r.key.question_id), r.key.index)) for r in run.records)
    classes = {own(*key): group for key, group in run.classes.items()}
    return replace(run, questions=questions, records=tuple(records), classes=classes)


def decide(run: StoredRun, look: Look) -> Decision:
    return Decision(False, "nothing")


def course_of(stored: Mapping[str, Any] | None = None, n_looks: int = 4, **more: Any) -> Course:
    run = run_of(**more)
    return open_course(Until(run, "f00d", decide, n_looks), PLAN, run.questions, run.tasks, 0, stored)


def test_a_course_plans_every_question_and_knows_its_looks() -> None:
    course = course_of()
    assert course.n_planned == 40
    assert course.stopped_at is None
    looks = [course.look(number) for number in range(1, 5)]
    # The places of clusters of two questions are rounded, so a look may come a cluster of each task early or late.
    assert [look.n_questions for look in looks] == [len(course.drawn(number)) for number in range(1, 5)]
    assert looks[0].n_questions == pytest.approx(10, abs=4)
    assert looks[-1].n_questions == 40
    assert looks[-1].fractions == tuple(look.n_questions / 40 for look in looks)
    assert [look.level(0.96) for look in looks] == pytest.approx(look_levels(looks[-1].fractions, 0.96))


def test_both_tasks_clusters_of_one_name_stay_together() -> None:
    course = course_of()
    run = run_of()
    for batch in course.batches:
        clusters = [(key[0], run.questions[key].cluster) for key in batch]
        assert all(clusters.count(cluster) == 2 for cluster in clusters)


def test_a_restricted_run_is_one_of_fewer_questions() -> None:
    run = run_of()
    run = replace(run, manifest={**run.manifest, "tasks": {name: {"questions": []} for name in TASKS}}, n_errors=3)
    kept = list(run.questions)[:7]
    few = restrict_run(run, kept)
    assert list(few.questions) == list(few.classes) == kept
    assert len(few.records) == 7 * 4 * 2
    assert not missing_samples(few)
    assert few.n_errors == 0


def test_a_base_is_known_by_the_verdicts_that_count() -> None:
    run = run_of()
    digest = base_digest(run, PLAN, run.questions)
    assert digest == base_digest(replace(run, records=run.records[::-1], name="other"), PLAN, run.questions)
    assert digest != base_digest(run_of(hits=3), PLAN, run.questions)
    assert digest == base_digest(run_of(tasks={**TASKS, "pocket_logic": "in_domain"}), PLAN, run.questions)


def test_a_base_must_have_everything() -> None:
    run = run_of()
    check_base(run, PLAN, run.questions)
    with pytest.raises(ConfigError, match="lacks task pocket_logic"):
        check_base(run, Plan((*TASKS, "pocket_logic"), (16,), 4), run.questions)
    with pytest.raises(ConfigError, match="lacks budget off"):
        check_base(run, Plan(tuple(TASKS), ("off",), 4), run.questions)
    with pytest.raises(ConfigError, match=r"lacks question .* and 1 more, so nothing"):
        check_base(run, PLAN, [*run.questions, *((task, "20-aaaaaa") for task in ("x", "y", "z", "w"))])
    partly = replace(run, records=tuple(r for r in run.records if r.budget == 16))
    check_base(partly, Plan(tuple(TASKS), (16,), 4), run.questions)
    with pytest.raises(ConfigError, match="lacks 160 of its planned samples"):
        check_base(partly, PLAN, run.questions)


def test_a_look_is_noted_once_and_checked_ever_after() -> None:
    course = course_of()
    record = dict(course.record)
    entry = {"low": math.nan, "cells": [{"high": math.inf}], "verdict": "pass"}
    note_look(record, course.look(1), Decision(True, "passes", entry))
    assert record["looks"][0]["decision"] == {"low": None, "cells": [{"high": None}], "verdict": "pass"}
    json.dumps(record, allow_nan=False)
    note_look(record, course.look(1), Decision(True, "passes", entry))
    assert len(record["looks"]) == 1
    with pytest.raises(StoreError, match="look 1 of 4 said 'passes' when it was taken and says 'fails' now"):
        note_look(record, course.look(1), Decision(True, "fails", entry, exit_code=1))


def test_a_course_goes_on_only_as_it_began() -> None:
    first = course_of()
    stored = {KEY: json.loads(json.dumps(first.record)), "plan": PLAN.fields()}
    assert course_of(stored).record == first.record
    for change in ({"n_looks": 5}, {"hits": 3}):
        with pytest.raises(StoreError, match=r"begun to decide something else .*(there and|changed)"):
            course_of(stored, **change)
    with pytest.raises(StoreError, match="budgets"):
        course_of({**stored, "plan": {**PLAN.fields(), "budgets": [16]}})
    with pytest.raises(StoreError, match="begun without"):
        course_of({"plan": PLAN.fields()})


def test_changed_rules_are_named_by_their_keys() -> None:
    run = run_of()

    def course(stored: Mapping[str, Any] | None, gate: str, rules: Mapping[str, Any]) -> Course:
        until = Until(run, gate, decide, 4, rules=rules, name="gate.yaml")
        return open_course(until, PLAN, run.questions, run.tasks, 0, stored)

    rules = {"margin": 2.0, "cells": [{"task": "a", "level": None}]}
    stored = {KEY: json.loads(json.dumps(course(None, "f00d", rules).record)), "plan": PLAN.fields()}
    changed = {"margin": 3.0, "cells": [{"task": "a", "level": 0.9}, {"task": "b"}]}
    with pytest.raises(StoreError) as met:
        course(stored, "beef", changed)
    assert "--gate gate.yaml: margin 2.0 there and 3.0 here; cells.1.level None there and 0.9 here" in str(met.value)
    assert "f00d" not in str(met.value)
    del stored[KEY]["rules"]  # as earlier versions stored it
    with pytest.raises(StoreError, match=r"--gate gate.yaml: its rules have changed"):
        course(stored, "beef", changed)
    assert course(stored, "f00d", rules).record == stored[KEY]


def noted(n_looks: int, decided: bool, **change: Any) -> StoredRun:
    course = course_of()
    record = {**course.record, "looks": [], **change}
    for number in range(1, n_looks + 1):
        note_look(record, course.look(number), Decision(decided and number == n_looks, "within the margin"))
    run = run_of()
    return replace(run, manifest={**run.manifest, KEY: record})


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (noted(2, True, stopped_at=2), ["stopped at look 2 of 4", "decided, within the margin", "further from", "0.5 points"]),
        (noted(4, False, stopped_at=4), ["the last of 4 looks", "all 40 questions", "not decided"]),
        (noted(4, True, stopped_at=4), ["the last of 4 looks", "all 40 questions", "(decided"]),
        (noted(2, False), ["is not finished", "look 2 of 4", "not decided"]),
        (noted(2, True, stopped_at=2, drawn_on=True), ["drawn on", "look 2 of 4", "whatever the looks showed"]),
        (noted(0, False), ["none of its 4 looks"]),
    ],
)
def test_a_table_says_how_far_a_run_was_looked_at(run: StoredRun, said: list[str]) -> None:
    (text,) = look_notes(run)
    assert "--until-decided against mine" in text
    for words in said:
        assert words in text


def test_a_table_says_nothing_where_nobody_looked() -> None:
    assert look_notes(run_of()) == []
    assert look_notes(noted(0, False, drawn_on=True)) == []


def test_a_run_between_looks_is_compared_with_nothing() -> None:
    for run, place in ((noted(2, False), "between looks 2 and 3 of 4"), (noted(0, False), "before look 1 of 4")):
        for gated in (False, True):
            with pytest.raises(MetricError, match=f"run mine is {place} .* one more look. Finish it with its own command"):
                check_looks(run, gated)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (noted(2, True, stopped_at=2), "look 2 of 4 ended it, decided, within the margin. Another gate"),
        (noted(4, False, stopped_at=4), "look 4 of 4 ended it, not decided, within the margin. Another gate"),
    ],
)
def test_a_run_that_a_look_ended_has_had_its_gate(run: StoredRun, said: str) -> None:
    check_looks(run, gated=False)
    with pytest.raises(MetricError, match=said):
        check_looks(run, gated=True)


def test_a_whole_run_is_free() -> None:
    for run in (run_of(), noted(2, True, stopped_at=2, drawn_on=True), noted(0, False, drawn_on=True)):
        check_looks(run, gated=True)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"fractions": None}, "fractions"),
        ({"stopped_at": "2"}, "stopped_at"),
        ({"base": {}}, "base.name"),
        ({"looks": [{"look": 1}]}, r"looks\[0\].n_questions"),
        ({"looks": [1]}, r"looks\[0\].look"),
    ],
)
def test_a_spoilt_record_is_one_line(change: dict[str, Any], key: str) -> None:
    run = noted(1, True, stopped_at=1)
    spoilt = replace(run, manifest={**run.manifest, KEY: {**run.manifest[KEY], **change}})
    for ask in (look_notes, read_looks, lambda run: check_looks(run, gated=True)):
        with pytest.raises(StoreError, match=rf"manifest.json, sequential\) cannot be read: {key}"):
            ask(spoilt)
    with pytest.raises(StoreError, match="cannot be read: sequential is missing or of another type"):
        read_looks(replace(run, manifest={KEY: [1]}))
    stored = {KEY: dict(spoilt.manifest[KEY]), "plan": PLAN.fields()}
    with pytest.raises(StoreError, match="cannot be read"):
        course_of(stored)


BOARD = """
title: Tiny
description: For tests.
tasks: [pocket_chain, pocket_sort]
budgets: [16, 64]
samples: 4
rank_by: {budget: 64}
rules: {backends: [fake], protocol: {sampling: {temperature: 1.0}}}
"""


def test_a_leaderboard_takes_no_run_that_stopped_early(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text(BOARD)
    board = read_board(tmp_path)
    for run in (noted(2, True, stopped_at=2), noted(2, False)):
        with pytest.raises(InputError, match="only the questions up to a look"):
            make_entry(run, board)
    for run in (noted(4, True, stopped_at=4), noted(2, True, stopped_at=2, drawn_on=True), run_of()):
        entry = make_entry(replace(run, grader_versions=("1",)), board)
        assert entry["rows"]
        notes = [caveat["text"] for caveat in entry["caveats"] if caveat["kind"] == "note"]
        assert notes == look_notes(run)
