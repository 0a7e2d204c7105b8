"""Clusters of questions across tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from raml_eval.tables import build_frame, build_sweep, global_clusters
from raml_eval.types import Domain, Question
from tests.factory import by_row, describe_task, make_question, make_run

TASKS = {name: describe_task(name, "in_domain") for name in ("whole", "part", "other")}


def names(*questions: Question) -> list[str]:
    found = global_clusters({(q.task, q.id): q for q in questions}, TASKS)
    return [found[q.task, q.id] for q in questions]


def test_questions_of_their_own_are_apart() -> None:
    assert len(set(names(*(make_question(task, row) for task in TASKS for row in range(3))))) == 9


def test_the_same_messages_are_one_cluster_in_any_task() -> None:
    one = make_question("whole", 3)
    again = replace(make_question("other", 8, "bbbbbb"), messages=one.messages)
    assert len(set(names(one, again, make_question("other", 9, "cccccc")))) == 2


def test_the_same_row_of_one_data_set_is_one_cluster_though_its_place_and_prompt_differ() -> None:
    one, part = make_question("whole", 17, "3fa9c1"), make_question("part", 2, "3fa9c1")
    assert len(set(names(one, part))) == 1
    apart = global_clusters(
        {("whole", one.id): one, ("part", part.id): part},
        {**TASKS, "part": replace(TASKS["part"], dataset="elsewhere")},
    )
    assert len(set(apart.values())) == 2


def test_rows_that_a_hash_does_not_tell_apart_are_not_joined() -> None:
    assert len(set(names(*(make_question(task, row) for task in ("whole", "part") for row in range(2))))) == 4


def test_a_shared_question_joins_the_clusters_that_it_stands_in() -> None:
    story = [make_question("whole", row, f"aaaaa{row}", cluster="story") for row in range(2)]
    other = [make_question("part", row, f"bbbbb{row}", cluster="tale") for row in range(2)]
    joined = replace(other[1], messages=story[0].messages)
    assert len(set(names(*story, other[0], joined))) == 1
    assert len(set(names(*story, *other))) == 2


def test_imported_questions_without_messages_are_apart() -> None:
    bare = [replace(make_question("whole", row), messages=()) for row in range(3)]
    assert len(set(names(*bare))) == 3


def test_the_macro_mean_of_tasks_that_share_questions_is_as_unsure_as_one_task() -> None:
    run = make_run(by_row(lambda row: row % 5), n_questions=60, tasks={"a": "in_domain", "b": "in_domain"}, budgets=(16, 64))
    asked = {key: replace(q, messages=({"role": "user", "content": q.id},)) for key, q in run.questions.items()}
    shared = replace(run, questions=asked)
    for build in (build_frame, build_sweep):
        alone, together = (_macro(build([one])) for one in (run, shared))
        task = build([run]).query("task == 'a' and budget == '16' and metric == 'avg@n'").iloc[0]
        assert together == pytest.approx(task.high - task.low)
        assert alone == pytest.approx(together / 2**0.5)


def _macro(frame: Any) -> float:
    row = frame.query("task == 'macro' and budget == '16' and metric == 'avg@n'").iloc[0]
    return float(row.high - row.low)


def test_gains_over_shared_questions_are_pooled_over_their_clusters() -> None:
    tasks: Mapping[str, Domain] = {"a": "in_domain", "b": "in_domain"}
    base = make_run(by_row(lambda row: row % 4), name="base", n_questions=60, tasks=tasks, budgets=(64,))
    new = make_run(by_row(lambda row: row * 3 % 5), name="new", n_questions=60, tasks=tasks, budgets=(64,))
    asked = {key: replace(q, messages=({"role": "user", "content": q.id},)) for key, q in new.questions.items()}
    frame = build_frame([replace(new, questions=asked)], base=base).query("metric == 'gain'").set_index("task")
    assert frame.high["macro"] - frame.low["macro"] == pytest.approx(frame.high["a"] - frame.low["a"])


def test_tasks_of_one_family_share_the_clusters_that_they_name_alike() -> None:
    english = make_question("whole", 3, "aaaaaa", cluster="problem 3")
    chinese = make_question("other", 3, "bbbbbb", cluster="problem 3")
    family = {name: replace(task, family="olympiad") for name, task in TASKS.items()}
    questions = {(q.task, q.id): q for q in (english, chinese)}
    assert len(set(global_clusters(questions, TASKS).values())) == 2
    assert len(set(global_clusters(questions, family).values())) == 1
