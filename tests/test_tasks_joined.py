"""Rows that are published as several configurations: joined in order, or refused with what is wrong."""

from __future__ import annotations

import pytest
from datasets import Dataset, DatasetDict

from raml_eval.errors import TaskError
from raml_eval.tasks import joined
from raml_eval.tasks.joined import load_joined


def published(task: str, dataset: str, config: str | None, arguments: object) -> DatasetDict:
    return DatasetDict({"test": Dataset.from_list([{"question": f"{config} {i}"} for i in range(2)])})


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "fetch_dataset", published)


def test_the_parts_follow_in_their_order() -> None:
    rows = load_joined("made/up", {"B": "two/test", "A": "one/test"}, "part", "tasks/mine.yaml")["test"]
    assert rows["question"][:] == ["two 0", "two 1", "one 0", "one 1"]
    assert rows["part"][:] == ["B", "B", "A", "A"]


def test_a_missing_split_is_named() -> None:
    with pytest.raises(TaskError, match=r"task mine reads the split dev of made/up \(one\), which has test\."):
        load_joined("made/up", {"A": "one/dev"}, "part", "tasks/mine.yaml")


def test_parts_of_two_commits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    commits = iter(("a" * 40, "b" * 40))
    monkeypatch.setattr(joined, "commit_of", lambda rows: next(commits))
    with pytest.raises(TaskError, match=r"from several commits: A a+, B b+"):
        load_joined("made/up", {"A": "one/test", "B": "two/test"}, "part", "tasks/mine.yaml")
