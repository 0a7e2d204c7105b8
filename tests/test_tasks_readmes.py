"""The README of each task's folder: the required headings, the names of its tasks, and a row in the published columns."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from raml_eval.tasks.catalogue import load_catalogue, tasks_dir
from raml_eval.tasks.sources import is_source_name

HEADINGS = ["What it asks", "Source", "Licence", "Size", "Metric", "Known pitfalls", "A row"]
# Folders without one. A folder that gets a README must be struck off.
WITHOUT = {
    *("pocket_chain", "pocket_chain_long", "pocket_logic", "pocket_sort"),
}
FOLDERS = sorted({path.parent for path in tasks_dir().glob("*/*.yaml")} - {tasks_dir() / "suites"})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_readme(folder: Path) -> None:
    page = folder / "README.md"
    assert page.is_file() == (folder.name not in WITHOUT)
    if folder.name in WITHOUT:
        return
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.M) == HEADINGS
    for task in folder.glob("*.yaml"):
        assert re.search(rf"\b{task.stem}\b", text), f"{page} does not name {task.stem}"
    (row,) = re.findall(r"^```json\n(.*?)^```$", text, re.S | re.M)
    assert json.loads(row)


@pytest.mark.parametrize(
    "name", sorted(name for name, file in load_catalogue().files.items() if file.path.parent.name not in WITHOUT)
)
def test_every_task_says_whether_its_rows_may_be_passed_on(name: str) -> None:
    assert load_catalogue().tasks[name].redistribute in ("yes", "no", "non_commercial")


def test_a_task_with_a_readme_has_the_columns_of_its_row() -> None:
    """The column that a task takes for clusters or strata is in the row, unless the task adds it."""
    added = {"problem_key", "original", "part", "language", "level", "rule_key", "rule_title", "story", "passage", "puzzle_key"}
    for file in load_catalogue().files.values():
        if file.path.parent.name in WITHOUT or is_source_name(file.name):
            continue
        raml = file.config["metadata"]["raml"]
        (row,) = re.findall(r"^```json\n(.*?)^```$", (file.path.parent / "README.md").read_text(encoding="utf-8"), re.S | re.M)
        for field in ("cluster", "stratum"):
            assert raml.get(field) in {*json.loads(row), *added, None}, (file.name, field)
