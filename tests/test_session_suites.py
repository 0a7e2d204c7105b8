"""A run stores the suites that it was asked for, and what its checkpoint says about itself."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import raml_eval
from raml_eval.tables import step_of, suites_of
from raml_eval.types import Primary, Suite
from tests.test_tasks_catalogue import write_task

FEW: dict[str, Any] = {
    "model": "pocket", "backend": "fake", "limit": 1, "thinking_budget": "off", "answer_tokens": 8
}  # fmt: skip
POCKET = ("pocket_chain", "pocket_chain_long", "pocket_sort", "pocket_logic")


def test_a_run_stores_the_suites_it_was_asked_for_by_name_and_grows_with_them(tmp_path: Path) -> None:
    suite = "group: mine\ntask: [pocket_sort]\nmetadata: {version: 1, raml: {primary: {metric: pass@2, budget: 64}}}\n"
    write_task(tmp_path, "tasks/mine", suite)
    few, out = {**FEW, "task_path": [tmp_path / "tasks"]}, tmp_path / "out"
    assert suites_of(raml_eval.evaluate(**few, tasks="pocket_sort", out=out)) == {}
    mine = {"mine": Suite(("pocket_sort",), Primary("pass@2", 64))}
    assert suites_of(raml_eval.evaluate(**few, tasks="mine", out=out)) == mine  # complete: nothing is drawn
    grown = raml_eval.evaluate(**few, tasks="pocket", out=out)
    assert suites_of(grown) == {**mine, "pocket": Suite(POCKET, Primary("avg@n", "unlimited"))}
    assert suites_of(raml_eval.load_run(out)) == suites_of(grown)
    assert "suites" not in grown.manifest["protocol"]


def test_a_primary_endpoint_stays_the_one_declared_first(tmp_path: Path) -> None:
    few, out = {**FEW, "task_path": [tmp_path / "tasks"], "tasks": "mine"}, tmp_path / "out"
    text = "group: mine\ntask: [pocket_sort]\nmetadata: {version: 1, raml: {primary: {metric: %s, budget: 64}}}\n"
    write_task(tmp_path, "tasks/mine", text % "avg@n")
    raml_eval.evaluate(**few, out=out)
    write_task(tmp_path, "tasks/mine", (text % "pass@8").replace("[pocket_sort]", "[pocket_sort, pocket_chain]"))
    run = raml_eval.evaluate(**few, out=out)
    assert suites_of(run) == {"mine": Suite(("pocket_sort", "pocket_chain"), Primary("avg@n", 64))}


def test_a_manifest_without_suites_is_read_and_resumed(tmp_path: Path) -> None:
    raml_eval.evaluate(**FEW, tasks="pocket", out=tmp_path)
    path = tmp_path / "manifest.json"
    older = json.loads(path.read_text())
    del older["suites"]
    path.write_text(json.dumps(older))
    assert suites_of(raml_eval.load_run(tmp_path)) == {}
    assert list(suites_of(raml_eval.evaluate(**FEW, tasks="pocket", out=tmp_path))) == ["pocket"]


def test_a_run_stores_what_its_checkpoint_says(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(str(resources.files("raml_eval") / "pocket"), model)
    few = {**FEW, "tasks": "pocket_sort", "out": tmp_path / "out"}
    first = raml_eval.evaluate(**{**few, "model": str(model)})
    assert step_of(first) is None
    (model / "checkpoint.yaml").write_text("step: 500\nparadigm: sft\n")
    resumed = raml_eval.evaluate(**{**few, "model": str(model), "samples": 2})  # the same model: its content has not changed
    assert step_of(resumed) == step_of(raml_eval.load_run(tmp_path / "out")) == 500
    assert resumed.manifest["model"]["checkpoint"] == {"step": 500, "paradigm": "sft"}
    assert resumed.manifest["protocol"] == first.manifest["protocol"]
