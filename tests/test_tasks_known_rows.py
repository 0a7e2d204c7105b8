"""One commit of a data set always gives the same rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from raml_eval.errors import TaskError
from raml_eval.tasks.known_rows import FILE_NAME, check_known_rows
from tests.factory import describe_task
from tests.hub import Hub, load_in_new_process

TASK = describe_task("mine", "in_domain")
COMMIT = "a" * 40


def test_other_rows_of_one_commit_are_refused(tmp_path: Path) -> None:
    check_known_rows(TASK, {}, COMMIT, "1" * 64, tmp_path)
    check_known_rows(TASK, {}, COMMIT, "1" * 64, tmp_path)
    with pytest.raises(TaskError, match=r"at commit a{40} have the digest 222222222222, and had 111111111111"):
        check_known_rows(TASK, {}, COMMIT, "2" * 64, tmp_path)


def test_other_commits_configurations_splits_and_files_are_apart(tmp_path: Path) -> None:
    check_known_rows(TASK, {}, COMMIT, "1" * 64, tmp_path)
    check_known_rows(TASK, {}, "b" * 40, "2" * 64, tmp_path)
    check_known_rows(replace(TASK, config="other"), {}, COMMIT, "2" * 64, tmp_path)
    check_known_rows(replace(TASK, split="train"), {}, COMMIT, "2" * 64, tmp_path)
    check_known_rows(TASK, {"data_files": {"test": "a.jsonl"}}, COMMIT, "2" * 64, tmp_path)
    check_known_rows(TASK, {"data_files": {"test": "b.jsonl"}}, COMMIT, "3" * 64, tmp_path)
    assert len(json.loads((tmp_path / FILE_NAME).read_text())) == 6


@pytest.mark.parametrize("damaged", ["", "[1]", "{"])
def test_a_damaged_note_is_written_anew(tmp_path: Path, damaged: str) -> None:
    (tmp_path / FILE_NAME).write_text(damaged)
    check_known_rows(TASK, {}, COMMIT, "1" * 64, tmp_path)
    assert list(json.loads((tmp_path / FILE_NAME).read_text()).values()) == ["1" * 64]


def test_a_changed_row_in_the_cache_is_noticed_by_every_task_on_it(hub: Hub, tmp_path: Path) -> None:
    home = tmp_path / "home"
    load_in_new_process(["math500_l5"], hub.url, home)
    note = home / FILE_NAME
    known = json.loads(note.read_text())
    ((key, digest),) = known.items()
    note.write_text(json.dumps({key: digest[::-1]}))
    loaded = load_in_new_process(["math500", "math500_l5", "aime24"], hub.url, home)
    assert "was changed or damaged" in loaded["math500"][0]
    assert "was changed or damaged" in loaded["math500_l5"][0]
    assert len(loaded["aime24"].questions) == 5
