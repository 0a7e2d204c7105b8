"""Sessions with programs as answers: the manifest names the sandbox; without one, the run is refused before the engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from raml_eval.backends.fake import FakeBackend
from raml_eval.config import build_config
from raml_eval.errors import ConfigError
from raml_eval.reporting.report import render_report
from raml_eval.sandbox import bubblewrap, trial
from raml_eval.session import run_session
from raml_eval.tables import load_run
from raml_eval.types import SamplingParams, Status, StoredRun, TokenIds
from tests.sandboxes import needs_sandbox

YAML = """
task: programs
custom_dataset: !function raml_eval.tasks.docs.load_jsonl
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
doc_to_text: question
doc_to_target: target
generation_kwargs: {until: []}
metadata:
  version: 1
  raml: {domain: cross_domain, grader: code, answer_format: code, source: mine, licence: MIT, revision: "1", tests: checks}
"""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "programs.yaml").write_text(YAML)
    rows = []
    for n in range(2):
        tests = {"style": "python", "names": ["f"], "tests": [f"assert f({x}) == {x + n}" for x in (1, 2)]}
        rows.append({"question": f"Write f, which adds {n}.", "target": f"adds {n}", "checks": json.dumps(tests)})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {
        "model": "pocket", "backend": "fake", "tasks": "programs", "task_path": [str(folder)], "samples": 4,
        "thinking": {"budgets": ["off"]}, "answer_tokens": 200, "out": str(tmp_path / "run"),
    }  # fmt: skip


async def open_programmer(_backend: str, path: str, **_: Any) -> FakeBackend:
    """An engine that always answers with a program that adds nothing."""
    tokenizer = AutoTokenizer.from_pretrained(path)

    def write(prompt_ids: TokenIds, params: SamplingParams) -> Iterator[int]:
        yield from tokenizer.encode("```python\ndef f(x):\n    return x\n```", add_special_tokens=False)
        while True:
            yield tokenizer.eos_token_id

    return FakeBackend(write, tokenizer=tokenizer)


def sit(settings: dict[str, Any]) -> StoredRun:
    return asyncio.run(run_session(build_config([settings]), quiet=True, opener=open_programmer))


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None)
    trial.working_sandbox.cache_clear()
    yield
    trial.working_sandbox.cache_clear()


@needs_sandbox
def test_programs_are_graded_stored_and_grouped(settings: dict[str, Any]) -> None:
    run = sit(settings)
    assert {(r.target, r.status) for r in run.records} == {("adds 0", Status.CORRECT), ("adds 1", Status.INCORRECT)}
    assert {record.grade.answer for record in run.records} == {"def f(x):\n    return x\n"}
    assert all(len(set(group.values())) == 1 for group in run.classes.values())
    assert run.manifest["sessions"][-1]["sandbox"].startswith("bubblewrap")
    assert "without a sandbox" not in render_report([load_run(run.directory)], format="markdown")
    question = next(iter(run.questions.values()))
    assert json.loads(question.tests)["names"] == ["f"]  # a regrade needs the run directory alone


@pytest.mark.usefixtures("no_bubblewrap")
def test_without_a_sandbox_a_run_ends_before_its_engine_starts(settings: dict[str, Any]) -> None:
    async def opener(*_: Any, **__: Any) -> FakeBackend:
        raise AssertionError("the engine was started")

    with pytest.raises(ConfigError, match=r"runs only in a sandbox.*the command bwrap is not there.*--allow-unsafe-code"):
        asyncio.run(run_session(build_config([settings]), quiet=True, opener=opener))
    assert not (Path(settings["out"]) / "manifest.json").exists()


@pytest.mark.usefixtures("no_bubblewrap")
def test_a_waived_sandbox_stands_in_the_manifest_and_under_the_report(settings: dict[str, Any]) -> None:
    run = sit({**settings, "grading": {"allow_unsafe_code": True}})
    assert {record.status for record in run.records} == {Status.CORRECT, Status.INCORRECT}
    assert run.manifest["sessions"][-1]["sandbox"] == "none"
    assert run.manifest["config"]["grading"]["allow_unsafe_code"] is True
    text = " ".join(render_report([load_run(run.directory)], format="markdown").split())
    assert "programs ran without a sandbox (--allow-unsafe-code)" in text


def test_changed_tests_are_another_task(settings: dict[str, Any]) -> None:
    from raml_eval.manifest import questions_digest
    from raml_eval.tasks.catalogue import load_catalogue
    from raml_eval.tasks.load import load_task

    def digest() -> str:
        return questions_digest(load_task(load_catalogue(map(Path, settings["task_path"])), "programs"))  # type: ignore[arg-type]

    before = digest()
    rows = Path(settings["task_path"][0], "rows.jsonl")
    rows.write_text(rows.read_text().replace("== 3", "== 4"))
    assert digest() != before
