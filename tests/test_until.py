"""Runs that are drawn until a look decides: real sessions on the scripted engine, killed, resumed, failing and changed."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import raml_eval
from raml_eval.backends import open_backend
from raml_eval.backends.fake import FakeBackend
from raml_eval.comparison import compare_gated, compare_runs
from raml_eval.config import build_config, flags_layer
from raml_eval.errors import ConfigError, GenerationError, MetricError, StoreError
from raml_eval.gate_file import load_gate
from raml_eval.intervals import Part, pooled_difference
from raml_eval.looks import Decide, Decision, Look, Until
from raml_eval.progress import Progress
from raml_eval.reporting.footnotes import footnotes
from raml_eval.reporting.report import render_report
from raml_eval.runner import Drawing, run_all
from raml_eval.session import run_session
from raml_eval.store import read_run
from raml_eval.tables import build_frame, global_clusters, missing_samples
from raml_eval.types import Completion, Finish, QuestionKey, SampleRecord, SamplingParams, Status, StoredRun
from raml_eval.until import open_until
from tests import scripted
from tests.dying import dies_at

FEW: dict[str, Any] = {
    "model": "pocket", "backend": "fake", "tasks": "pocket_chain,pocket_sort", "samples": 2, "limit": 20,
    "thinking_budget": [0, 16], "answer_tokens": 48,
}  # fmt: skip
LOOKS = 4


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    return read_run(raml_eval.evaluate(**FEW, seed=1, out=tmp_path_factory.mktemp("base")).directory)


class At:
    """Decides at one look, and remembers what it was shown."""

    def __init__(self, number: int, exit_code: int = 0) -> None:
        self.number, self.exit_code, self.shown = number, exit_code, list[tuple[StoredRun, Look]]()

    def __call__(self, run: StoredRun, look: Look) -> Decision:
        self.shown.append((run, look))
        decided = look.number == self.number
        return Decision(decided, f"{len(run.records)} samples", {"number": look.number}, self.exit_code if decided else 3)


def accuracy(run: StoredRun, keys: Sequence[QuestionKey]) -> np.ndarray[Any, np.dtype[np.float64]]:
    right: Counter[QuestionKey] = Counter()
    for record in run.records:
        right[record.key.task, record.key.question_id] += record.budget == 16 and record.status is Status.CORRECT
    return np.array([right[key] / run.n_samples for key in keys])


def within(base: StoredRun, margin: float) -> Decide:
    """Decides as soon as the interval of the pooled difference lies on one side of -margin."""

    def decide(run: StoredRun, look: Look) -> Decision:
        clusters = global_clusters(run.questions, run.tasks)
        asked = [[key for key in run.questions if key[0] == task] for task in run.tasks]
        parts = [Part(accuracy(base, keys), accuracy(run, keys), [clusters[key] for key in keys]) for keys in asked]
        found = pooled_difference(parts, look.level())
        decided = found.low > -margin or found.high < -margin
        return Decision(decided, f"difference {found.value:.3f}", {"low": found.low, "high": found.high})

    return decide


def run_until(out: Path, until: Until | None, opener: Any = open_backend, **change: Any) -> StoredRun:
    config = build_config([flags_layer(**{**FEW, "out": out, **change})])
    return asyncio.run(run_session(config, quiet=True, opener=opener, until=until))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def until_of(base: StoredRun, decide: Decide) -> Until:
    return Until(base, "f00d", decide, LOOKS)


def drawn(run: StoredRun) -> dict[object, SampleRecord]:
    return {(r.key, r.budget): replace(r, session=0, trajectory=None) for r in run.records}


def test_without_a_decision_everything_is_drawn_as_in_any_run(tmp_path: Path, base: StoredRun) -> None:
    decide = At(0)
    run = run_until(tmp_path / "until", until_of(base, decide))
    whole = run_until(tmp_path / "plain", None)
    assert drawn(run) == drawn(whole)
    assert set(run.questions) == set(whole.questions)
    told = run.manifest["sequential"]
    assert [look["n_questions"] for look in told["looks"]] == [10, 20, 30, 40]
    assert [look["decided"] for look in told["looks"]] == [False] * 4
    assert told["stopped_at"] == 4
    levels = [look["level"] for look in told["looks"]]
    assert levels == [look.level() for _, look in decide.shown]
    assert levels == sorted(levels, reverse=True)
    assert 0.95 < levels[-1] < 0.97
    assert run == read_run(tmp_path / "until")


async def no_engine(*_: Any, **__: Any) -> Any:
    raise AssertionError("the engine was started")


@pytest.mark.parametrize(
    ("cell", "settings", "said"),
    [
        ({"task": "pocket_logic"}, {}, "neither run has it"),
        ({"suite": "pocket"}, {}, "lacks pocket_chain_long"),
        ({"task": "*", "budget": 64}, {}, "has no samples at 64"),
        ({"task": "*", "budget": 16, "metric": "pass@4"}, {"samples": 4}, "needs 4 samples per question; run .* has 2"),
        (
            {"task": "*", "budget": 16, "metric": "pass@2"},
            {"samples": 1},
            "needs 2 samples per question; run NEW .planned. has 1",
        ),
        ({"task": "*", "budget": 16, "min_samples": 3}, {}, "n = 2, wanted at least 3"),
        ({"task": "*", "budget": 16, "metric": "pass@2"}, {"temperature": 0}, "made differently in 1 key.*allow_different"),
    ],
)
def test_a_gate_that_no_look_could_judge_is_refused_before_the_engine_starts(
    cell: dict[str, Any], settings: dict[str, Any], said: str, tmp_path: Path, base: StoredRun
) -> None:
    (tmp_path / "gate.yaml").write_text(json.dumps({"cells": [cell]}))
    until = open_until(base.directory, tmp_path / "gate.yaml", LOOKS)
    with pytest.raises((MetricError, ConfigError), match=said):
        run_until(tmp_path / "run", until, opener=no_engine, **settings)
    assert not (tmp_path / "run" / "samples.jsonl").exists()


def test_a_gate_that_looks_can_judge_is_drawn(tmp_path: Path, base: StoredRun, capsys: pytest.CaptureFixture[str]) -> None:
    """Also if an advisory cell cannot be judged. Each look tells the difference with its interval."""
    cells = [{"domain": "in_domain", "budget": 16, "metric": "pass@2", "margin": 99}, {"task": "gone", "tier": "advisory"}]
    (tmp_path / "gate.yaml").write_text(json.dumps({"cells": cells}))
    until = open_until(base.directory, tmp_path / "gate.yaml", LOOKS)
    run = run_until(tmp_path / "run", until)
    last = run.manifest["sequential"]["looks"][-1]
    assert last["decided"]
    assert re.search(r"gate gate passed: pocket_chain|in-domain mean, pass@2 at 16: [+-]\d.* \[.*\] points at 9", last["words"])
    with pytest.raises(MetricError, match="was drawn until its gate was decided"):
        compare_gated(base, run, load_gate(tmp_path / "gate.yaml"))
    assert compare_runs(base, run).verdict
    with pytest.raises(ConfigError, match="lacks question"):  # a base that a look ended has not every question
        run_until(tmp_path / "next", replace(until, base=run))


def test_a_look_is_shown_whole_batches_and_nothing_else(tmp_path: Path, base: StoredRun) -> None:
    decide = At(0)
    run_until(tmp_path, until_of(base, decide))
    before: set[object] = set()
    for run, look in decide.shown:
        assert not missing_samples(run)
        assert len(run.records) == len(run.questions) * 2 * 2 == look.n_questions * 4
        assert before < set(run.questions)
        assert Counter(task for task, _ in run.questions) == dict.fromkeys(run.tasks, look.n_questions / 2)
        assert {(r.key.task, r.key.question_id) for r in run.records} == set(run.questions)
        before = set(run.questions)


def test_a_decided_run_is_complete_for_what_it_holds(tmp_path: Path, base: StoredRun) -> None:
    run = run_until(tmp_path, until_of(base, At(2)))
    assert run.manifest["sequential"]["stopped_at"] == 2
    assert run.manifest["sequential"]["looks"][1]["decision"] == {"number": 2}
    assert len(run.questions) == sum(len(task["questions"]) for task in run.manifest["tasks"].values()) == 20
    assert len(run.records) == 20 * 4
    assert not missing_samples(run)
    said = [text for text in footnotes([run], build_frame([run])) if "look 2 of 4" in text]
    assert len(said) == 1
    assert "20 of 40 questions" in said[0]
    assert said[0] in render_report([run], format="markdown")


def test_the_interval_of_a_look_decides(tmp_path: Path, base: StoredRun) -> None:
    run = run_until(tmp_path, until_of(base, within(base, 0.6)))
    *undecided, last = run.manifest["sequential"]["looks"]
    assert last["decided"]
    assert last["decision"]["low"] > -0.6
    assert all(look["decision"]["low"] <= -0.6 <= look["decision"]["high"] for look in undecided)
    assert run.manifest["sequential"]["stopped_at"] < 4


def test_a_decided_run_started_again_draws_nothing(tmp_path: Path, base: StoredRun, capsys: pytest.CaptureFixture[str]) -> None:
    first = run_until(tmp_path, until_of(base, At(2)))

    async def closed(*args: Any, **more: Any) -> Any:
        raise AssertionError("the engine was started")

    again = run_until(tmp_path, until_of(base, At(2)), opener=closed)
    assert "ended at look 2 of 4 (80 samples), so nothing is drawn" in capsys.readouterr().err
    assert (again.records, again.questions, again.manifest) == (first.records, first.questions, first.manifest)


def test_without_the_option_a_stopped_run_is_drawn_on_and_says_so(tmp_path: Path, base: StoredRun) -> None:
    stopped = run_until(tmp_path / "until", until_of(base, At(1)))
    grown = run_until(tmp_path / "until", None)
    assert drawn(stopped).items() <= drawn(grown).items()
    assert drawn(grown) == drawn(run_until(tmp_path / "plain", None))
    assert grown.manifest["sequential"]["drawn_on"]
    said = [text for text in footnotes([grown], build_frame([grown])) if "look 1 of 4" in text]
    assert len(said) == 1
    assert "drawn on" in said[0]
    with pytest.raises(StoreError, match="drawn on without it"):
        run_until(tmp_path / "until", until_of(base, At(1)))


def test_a_run_that_was_begun_without_looks_gets_none(tmp_path: Path, base: StoredRun) -> None:
    run_until(tmp_path, None, limit=5)
    with pytest.raises(StoreError, match="begun without --until-decided"):
        run_until(tmp_path, until_of(base, At(1)))


def weaker(run: StoredRun) -> StoredRun:
    """The run with one verdict turned."""
    first = run.records[0]
    status = Status.INCORRECT if first.status is Status.CORRECT else Status.CORRECT
    return replace(run, records=(replace(first, grade=replace(first.grade, status=status)), *run.records[1:]))


@pytest.mark.parametrize(
    ("until", "settings", "said"),
    [
        ({"gate": "beef"}, {}, "--gate .*: its rules have changed"),
        ({"n_looks": 5}, {}, "--looks: 4 there and 5 here"),
        ({"level": 0.9}, {}, r"level: 0.95 there and 0.9 here"),
        ({"base": None}, {}, r"verdicts of the base \(--until-decided\)"),
        ({}, {"seed": 1}, "--seed: 0 there and 1 here"),
        ({}, {"samples": 3}, "samples: 2 there and 3 here"),
    ],
)
def test_what_looks_depend_on_cannot_change(
    until: dict[str, Any], settings: dict[str, Any], said: str, tmp_path: Path, base: StoredRun
) -> None:
    run_until(tmp_path, until_of(base, At(2)))
    before = (tmp_path / "manifest.json").read_bytes()
    change = until | ({"base": weaker(base)} if "base" in until else {})
    with pytest.raises(StoreError, match=said):
        run_until(tmp_path, replace(until_of(base, At(2)), **change), **settings)
    assert (tmp_path / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"limit": 21}, "lacks question pocket_.* Pass the --limit of the base"),
        ({"thinking_budget": [0, 17]}, "lacks budget 17"),
        ({"tasks": "pocket_chain,pocket_chain_long"}, "lacks task pocket_chain_long"),
    ],
)
def test_a_base_that_cannot_be_compared_is_refused(
    settings: dict[str, Any], said: str, tmp_path: Path, base: StoredRun
) -> None:
    with pytest.raises(ConfigError, match=said):
        run_until(tmp_path / "new", until_of(base, At(1)), **settings)
    assert not (tmp_path / "new").exists()


def test_a_base_with_missing_samples_is_refused(tmp_path: Path, base: StoredRun) -> None:
    partial = replace(base, records=base.records[1:])
    with pytest.raises(ConfigError, match="lacks 1 of its planned samples"):
        run_until(tmp_path, until_of(partial, At(1)))


class Failing:
    """An engine whose first draws of a thinking fail, for a question in five."""

    def __init__(self, engine: FakeBackend, times: int, reproducible: bool) -> None:
        self.engine, self.times = engine, times
        self.description = replace(engine.description, reproducible=reproducible)
        self.failed: Counter[tuple[int, ...]] = Counter()

    async def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        key = (*prompt_ids, params.seed)
        thinks = params.max_tokens < FEW["answer_tokens"]
        if thinks and sum(prompt_ids) % 5 == 0 and self.failed[key] < self.times:
            self.failed[key] += 1
            raise GenerationError("made to fail")
        return await self.engine.generate(prompt_ids, params)

    async def aclose(self) -> None:
        await self.engine.aclose()


def failing(times: int, reproducible: bool = True) -> Any:
    async def opener(*args: Any, **more: Any) -> Any:
        return Failing(await open_backend(*args, **more), times, reproducible)  # type: ignore[arg-type]

    return opener


def test_samples_that_fail_once_are_drawn_again_before_the_look(tmp_path: Path, base: StoredRun) -> None:
    run = run_until(tmp_path / "failing", until_of(base, At(3)), opener=failing(1))
    assert (tmp_path / "failing" / "errors.jsonl").read_text()
    assert not missing_samples(run)
    whole = run_until(tmp_path / "whole", until_of(base, At(3)))
    assert drawn(run) == drawn(whole)
    assert run.manifest["sequential"] == whole.manifest["sequential"]


def test_a_second_try_is_a_redraw_if_seeds_do_not_reproduce(tmp_path: Path, base: StoredRun) -> None:
    run = run_until(tmp_path, until_of(base, At(2)), opener=failing(1, reproducible=False))
    failed = {(line["task"], line["question_id"], line["sample"]) for line in lines(tmp_path / "errors.jsonl")}
    redrawn = {t.key for t in run.trajectories.values() if t.redrawn}
    assert {(key.task, key.question_id, key.index) for key in redrawn} == failed != set()
    assert len(redrawn) < len(run.trajectories)


def test_what_could_never_be_compared_is_refused_before_anything_is_drawn(tmp_path: Path, base: StoredRun) -> None:
    def check(run: StoredRun) -> None:
        assert run.manifest["protocol"]["sampling"] == base.manifest["protocol"]["sampling"] | {"seed": 0}
        raise MetricError("the runs were made differently")

    with pytest.raises(MetricError, match="made differently"):
        run_until(tmp_path, replace(until_of(base, At(1)), check=check))
    assert not (tmp_path / "samples.jsonl").read_text()


def test_no_look_is_taken_while_samples_are_owed(tmp_path: Path, base: StoredRun) -> None:
    run = run_until(tmp_path, until_of(base, At(3)), opener=failing(1000))
    told = run.manifest["sequential"]
    assert told["stopped_at"] is None
    assert missing_samples(run)
    assert {task for task, _ in missing_samples(run)} <= set(run.tasks)
    assert all(look["n_questions"] < len(run.questions) for look in told["looks"])
    said = footnotes([run], build_frame([run], allow_partial=True))
    assert any("--until-decided against" in text for text in said)
    done = run_until(tmp_path, until_of(base, At(3)))
    assert done.manifest["sequential"]["stopped_at"] == 3
    assert not missing_samples(done)


def test_a_verdict_that_changed_between_looks_is_noticed(tmp_path: Path, base: StoredRun) -> None:
    run_until(tmp_path, until_of(base, At(3)))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["sequential"]["stopped_at"] = None
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match="look 1 of 4 said '40 samples' when it was taken and says '40 samples' now"):
        run_until(tmp_path, until_of(base, At(1)))


CHILD = """
import sys
from pathlib import Path
from tests.dying import dies_at
from tests.test_until import At, read_run, run_until, until_of
out, base = map(Path, sys.argv[1:])
run_until(out, until_of(read_run(base), At(3)), backend_args={"latency_s": 0.05}, concurrency=2)
"""


def test_a_killed_run_goes_on_in_the_same_order_with_the_same_looks(tmp_path: Path, base: StoredRun) -> None:
    out, samples = tmp_path / "killed", tmp_path / "killed" / "samples.jsonl"
    looks: list[list[Any]] = []
    for n in (20, 80):
        command = [sys.executable, "-c", dies_at(samples, n) + CHILD, str(out), str(base.directory)]
        assert subprocess.run(command, timeout=300, check=False).returncode == -signal.SIGKILL
        looks.append(json.loads((out / "manifest.json").read_text())["sequential"]["looks"])
    assert any(looks), "killed before the first look"
    run = run_until(out, until_of(base, At(3)))
    whole = run_until(tmp_path / "whole", until_of(base, At(3)))
    assert drawn(run) == drawn(whole)
    assert run.manifest["sequential"] == whole.manifest["sequential"]
    assert {name: task["questions"] for name, task in run.manifest["tasks"].items()} == {
        name: task["questions"] for name, task in whole.manifest["tasks"].items()
    }
    assert all(run.manifest["sequential"]["looks"][: len(seen)] == seen for seen in looks)
    assert len(run.manifest["sessions"]) > 1


def test_progress_shows_the_looks(tmp_path: Path, base: StoredRun, capsys: pytest.CaptureFixture[str]) -> None:
    config = build_config([flags_layer(**FEW, out=tmp_path)])
    asyncio.run(run_session(config, until=until_of(base, At(2))))
    told = capsys.readouterr().err
    assert "look 1 of 4, 10 of 40 questions: not decided, 40 samples" in told
    assert "look 2 of 4, 20 of 40 questions: decided, 80 samples" in told
    assert "80/80 samples" in told


class Capping:
    """An engine that ends thinking itself, as tests.scripted.solver would answer."""

    async def generate_capped(
        self, prompt_ids: Sequence[int], params: SamplingParams, thinking_token_budget: int
    ) -> Completion:
        number = prompt_ids[0] - 100
        thinking = [97] * min(number, thinking_token_budget)
        answer = map(ord, f"\\boxed{{{number}}}")
        return Completion((*thinking, scripted.CLOSE, *answer, scripted.EOS), Finish.STOP)


def test_a_capped_draw_whose_grading_failed_is_not_stored_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tried_twice(drawing: Drawing, progress: Progress) -> None:
        drawing.native = Capping()
        with monkeypatch.context() as once:

            async def fail(*args: Any) -> Any:
                raise GenerationError("made to fail")

            once.setattr(drawing.pool, "grade_sample", fail)
            await run_all(drawing, progress)
        await run_all(drawing, progress)

    monkeypatch.setattr(scripted, "run_all", tried_twice)
    run = scripted.run_scripted(tmp_path, budgets=(3,), n_questions=5, n_samples=1)
    assert len((tmp_path / "errors.jsonl").read_text().splitlines()) == 5
    assert len(run.records) == len(run.trajectories) == 5
