"""The clusters of questions across tasks: two tasks may ask the same question, or draw on the same story."""

from __future__ import annotations

from collections.abc import Mapping

from raml_eval.types import Question, QuestionKey, TaskDescription


def global_clusters(questions: Mapping[QuestionKey, Question], tasks: Mapping[str, TaskDescription]) -> dict[QuestionKey, str]:
    """The cluster of each question, named so that questions of all tasks with the same name are not independent.

    A task's own clusters stay together. Clusters of two tasks are joined if they hold the same messages, or the same row of
    the same data set (math500_l5 is a part of math500): a row is known by the digits of its hash in the question's id.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for (task, question_id), question in questions.items():
        own = root(_own(task, question))
        row = f"row {tasks[task].dataset} {question_id.rpartition('-')[2]}"
        for shared in filter(None, (row, _asked(question))):
            parent[root(shared)] = own
            own = root(own)
    names = {key: root(_own(key[0], question)) for key, question in questions.items()}
    first: dict[str, str] = {}  # a cluster is named after its first question, which reads better than a whole prompt
    for key, name in names.items():
        first.setdefault(name, f"{key[0]}/{questions[key].cluster}")
    return {key: first[name] for key, name in names.items()}


def _own(task: str, question: Question) -> str:
    return f"cluster {task} {question.cluster}"


def _asked(question: Question) -> str:
    """The text of all messages; empty for an imported question without any."""
    return "".join(f"message {message.get('role')} {message.get('content')}\n" for message in question.messages)
