"""The clusters of questions across tasks: two tasks may ask the same question, or draw on the same story."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from raml_eval.types import Question, QuestionKey, TaskDescription


def global_clusters(questions: Mapping[QuestionKey, Question], tasks: Mapping[str, TaskDescription]) -> dict[QuestionKey, str]:
    """The cluster of each question, named so that questions of all tasks with the same name are not independent.

    A task's own clusters stay together, and so do those of the same name in tasks of one family (translations, perturbed
    pairs). Two clusters are joined if they hold the same messages, or, in two tasks, the same row of the same data set
    (math500_l5 is a part of math500). A row is known by the digits of its hash in the question's id, which must be unique in
    both tasks.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    rows = Counter((task, _row(question_id)) for task, question_id in questions)
    for key, question in questions.items():
        told = [question.asked]
        if rows[key[0], _row(key[1])] == 1:
            told.append(f"row {tasks[key[0]].dataset} {_row(key[1])}")
        for shared in filter(None, told):
            parent[root(shared)] = root(_own(tasks[key[0]], question))
    first: dict[str, str] = {}  # a cluster is named after its first question, which reads better than a whole prompt
    for (task, _), question in questions.items():
        first.setdefault(root(_own(tasks[task], question)), f"{task}/{question.cluster}")
    return {key: first[root(_own(tasks[key[0]], question))] for key, question in questions.items()}


def _own(task: TaskDescription, question: Question) -> str:
    return f"cluster family {task.family} {question.cluster}" if task.family else f"cluster {task.name} {question.cluster}"


def _row(question_id: str) -> str:
    return question_id.rpartition("-")[2]


def overlap(clusters: Sequence[Collection[str]]) -> NDArray[np.float64] | None:
    """The correlations, (T, T), that T tasks' means have from the clusters that they share; None if they share none.

    Two means over n and m clusters that share s of them correlate by s / sqrt(n m) if a shared cluster has the same value in
    both, and by less otherwise, so intervals that use this are not too short.
    """
    names = [set(of) for of in clusters]
    if sum(map(len, names)) == len(set().union(*names)):
        return None
    return np.array([[len(a & b) / math.sqrt(len(a) * len(b)) for b in names] for a in names])
