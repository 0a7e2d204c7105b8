"""What a manifest says about the origin of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import raml_eval
from raml_eval import manifest
from tests.imports import import_lines, line


def test_without_git_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = tmp_path / "checkout"
    (checkout / ".git").mkdir(parents=True)
    monkeypatch.setattr(manifest, "__file__", str(checkout / "raml_eval" / "manifest.py"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert manifest.git_commit() is None


LORA = {"name": "/x/lora", "base": "/x/base", "base_origin": "folder"}


@pytest.mark.parametrize(
    ("model", "long", "short"),
    [
        ({"name": "org/m", "origin": "hub"}, "org/m", "org/m"),
        ({"name": "out/step_5", "origin": "folder"}, "out/step_5", "step_5"),
        ({"name": "org/m"}, "org/m", "org/m"),
        (
            {"name": "pocket", "origin": "package", "adapter": {**LORA, "base_origin": "package"}},
            "pocket + /x/lora",
            "pocket + lora",
        ),
        ({"name": "/x/lora/", "origin": "folder", "adapter": LORA}, "/x/base + /x/lora", "base + lora"),
        (
            {"name": "/x/lora", "origin": "folder", "adapter": {**LORA, "base": "org/m", "base_origin": "hub"}},
            "org/m + /x/lora",
            "org/m + lora",
        ),
        (
            {"name": "/x/lora", "origin": "folder", "adapter": {**LORA, "base": "/y/pocket", "base_origin": "package"}},
            "pocket + /x/lora",
            "pocket + lora",
        ),
        (
            {"name": "/x/lora", "origin": "folder", "adapter": {"name": "/x/lora", "base": "org/m"}},
            "org/m + /x/lora",
            "org/m + lora",
        ),
    ],
)
def test_an_adapters_run_is_named_by_base_and_adapter(model: dict[str, Any], long: str, short: str) -> None:
    assert manifest.name_model(model) == long
    assert manifest.name_model(model, short=True) == short


def test_drawn_and_imported_runs_say_the_same_things(tmp_path: Path) -> None:
    drawn = raml_eval.evaluate(
        model="pocket",
        backend="fake",
        tasks="pocket_chain",
        limit=1,
        thinking_budget="off",
        answer_tokens=8,
        out=tmp_path / "drawn",
    ).manifest
    imported = import_lines(tmp_path, [line()]).manifest
    assert set(imported) - set(drawn) == {"imported"}
    assert set(drawn) <= set(imported)
    assert {frozenset(run["sessions"][0]) for run in (drawn, imported)} == {frozenset(drawn["sessions"][0])}
    tasks = [next(iter(run["tasks"].values())) for run in (drawn, imported)]
    assert set(tasks[0]) == set(tasks[1])
