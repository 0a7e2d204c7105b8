"""The action in .github/actions/evaluate, run step by step by a shell that plays the runner."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from raml_eval.cli.comparing import compare
from tests.action_runner import Played, Runner, read_pairs
from tests.expressions import evaluate, fill

ROOT = Path(__file__).resolve().parents[1]
ACTION = ROOT / ".github" / "actions" / "evaluate"
SMALL = {
    "model": "pocket", "backend": "fake", "tasks": "pocket_chain,pocket_logic", "samples": "2", "limit": "3",
    "thinking-budget": "0,16", "args": "--answer-tokens=16\n--max-total-tokens=256", "install": "",
}  # fmt: skip


HAS_GATE = "gate" in inspect.signature(compare).parameters
needs_gate = pytest.mark.skipif(not HAS_GATE, reason="compare has no --gate yet")
needs_exits = pytest.mark.skipif(importlib.util.find_spec("raml_eval.exits") is None, reason="run does not end with 4 yet")


def runner(folder: Path) -> Runner:
    """A runner with an empty workspace, and the raml-eval of this environment on its path."""
    for name in ("workspace", "temp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return Runner(folder / "workspace", folder / "temp", {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)})


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Runner, Played]:
    """A small run by the action, without a baseline."""
    made = runner(tmp_path_factory.mktemp("first"))
    return made, made.play(ACTION, {**SMALL, "gate": "gate.yaml"})


def test_a_run_without_a_baseline(first: tuple[Runner, Played]) -> None:
    made, played = first
    assert (played.failed, played.code) == (False, 0), [step.log for step in played.steps]
    assert played.outputs == {
        "run": "evaluation/run", "exit-code": "0", "verdict": "", "gate": "", "comparison": "", "comment": "",
        "report": "evaluation/report.md",
    }  # fmt: skip
    assert len((made.workspace / "evaluation/run/samples.jsonl").read_text().splitlines()) == 2 * 3 * 2 * 2
    report = (made.workspace / "evaluation/report.md").read_text()
    assert "pocket_chain" in report
    assert report in played.summary
    assert "nothing was compared" in played.summary
    assert [(kind, title) for kind, title, _ in played.annotations] == [("warning", "raml-eval: no baseline")]
    outcomes = {step.name: step.outcome for step in played.steps if step.outcome == "skipped"}
    assert set(outcomes) == {
        "Install raml-eval",
        "Compare with the baseline",
        "Enter the run into the leaderboard",
        "Pass or fail",
    }
    assert played.step("Set up Python").uses == ("actions/setup-python@v5", {"python-version": "3.11"})


def test_a_second_job_on_the_same_folder_continues_the_run(first: tuple[Runner, Played]) -> None:
    made, _ = first
    samples = made.workspace / "evaluation/run/samples.jsonl"
    before = samples.read_bytes()
    played = made.play(ACTION, {**SMALL, "out": ""})
    assert "the engine was not started" in played.step("Draw the samples").log
    assert samples.read_bytes() == before


def test_a_run_that_cannot_be_made_fails_with_its_own_code(tmp_path: Path) -> None:
    played = runner(tmp_path).play(ACTION, {**SMALL, "tasks": "pocket_chian"})
    assert played.code == 2
    assert played.outputs["exit-code"] == "2"
    assert played.outputs["run"] == "evaluation/run"
    assert played.step("Report").outcome == "skipped"
    assert "pocket_chian" in played.step("Draw the samples").log
    assert [title for _, title, _ in played.annotations] == ["raml-eval: the run failed (exit code 2)"]


HOSTILE = (
    "a$(touch x)`touch x`\"; touch x; \"'; touch x; '${{ github.token }}\n::set-output name=run::elsewhere\nrun=elsewhere\n*"
)


def test_hostile_values_are_values(tmp_path: Path) -> None:
    made = runner(tmp_path)
    names = ["preset", "config", "model", "backend", "tasks", "samples", "limit", "thinking-budget", "args"]
    for chosen in (names, ["model"], ["tasks"]):
        played = made.play(ACTION, {**SMALL, **dict.fromkeys(chosen, HOSTILE)})
        assert played.step("Draw the samples").code == 2
        assert played.outputs["run"] == "evaluation/run"
    assert HOSTILE.split(";")[0] in played.step("Draw the samples").log
    assert not list(tmp_path.rglob("x"))


def test_a_hostile_folder_is_only_a_folder(tmp_path: Path) -> None:
    made = runner(tmp_path)
    out = HOSTILE.replace("/", "")
    played = made.play(ACTION, {**SMALL, "out": out, "tasks": "pocket_chain", "board": HOSTILE})
    assert played.outputs["run"] == f"{out}/run"
    assert (made.workspace / out / "run" / "manifest.json").is_file()
    assert played.step("Enter the run into the leaderboard").code == 2
    assert not list(tmp_path.rglob("x"))


def test_what_raml_eval_prints_is_no_workflow_command(tmp_path: Path) -> None:
    made = runner(tmp_path)
    command = tmp_path / "bin" / "raml-eval"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\necho '::set-output name=run::elsewhere'\nprintf '::error::made up' >&2\n")
    command.chmod(0o755)
    made.env["PATH"] = f"{command.parent}{os.pathsep}{made.env['PATH']}"
    played = made.play(ACTION, SMALL)
    assert "::error::made up" in played.step("Draw the samples").log
    assert played.outputs["run"] == "evaluation/run"
    assert not [text for _, _, text in played.annotations if "made up" in text]


def test_the_run_is_entered_into_a_board(tmp_path: Path) -> None:
    made = runner(tmp_path)
    board = made.workspace / "board"
    board.mkdir()
    described = {
        "title": "Small", "description": "Small runs.", "tasks": ["pocket_chain"], "budgets": [0, 16], "samples": 2,
        "rank_by": {"domain": "in_domain", "budget": 16}, "limit": 3,
        "rules": {"backends": ["fake"], "protocol": {"answer_tokens": 16}},
    }  # fmt: skip
    (board / "board.yaml").write_text(yaml.safe_dump(described))
    played = made.play(ACTION, {**SMALL, "tasks": "pocket_chain", "board": "board"})
    assert not played.failed, played.step("Enter the run into the leaderboard").log
    assert "| pocket" in (board / "README.md").read_text()
    assert "made these answers up" in (board / "README.md").read_text()


# The engine drops requests, by their number in this process; a file counts the processes, and only the first ones drop any.
FLAKY = """#!{python}
from pathlib import Path
from raml_eval.backends.fake import FakeBackend
from raml_eval.cli import main
from raml_eval.errors import GenerationError

attempts = Path({folder!r}) / "attempts"
attempts.write_text("x" * (1 + (len(attempts.read_text()) if attempts.exists() else 0)))
draw, n = FakeBackend.generate, 0

async def generate(self, *given):
    global n
    n += 1
    if n == 3 and len(attempts.read_text()) <= {bad}:
        raise GenerationError("the engine dropped the request.")
    return await draw(self, *given)

FakeBackend.generate = generate
main()
"""


def flaky(folder: Path, bad: int) -> Runner:
    """A runner whose raml-eval is the real one on a fake engine that drops a request in the first so many commands."""
    made = runner(folder)
    command = folder / "bin" / "raml-eval"
    command.parent.mkdir()
    command.write_text(FLAKY.format(python=sys.executable, folder=str(folder), bad=bad))
    command.chmod(0o755)
    made.env["PATH"] = f"{command.parent}{os.pathsep}{made.env['PATH']}"
    return made


@needs_exits
def test_samples_that_are_owed_are_drawn_by_a_second_attempt(tmp_path: Path) -> None:
    played = flaky(tmp_path, 1).play(ACTION, SMALL)
    assert not played.failed, [step.log for step in played.steps]
    assert played.outputs["exit-code"] == "0"
    assert [title for _, title, _ in played.annotations] == ["raml-eval: samples failed"]


@needs_exits
def test_samples_that_stay_owed_fail_the_job_and_are_reported(tmp_path: Path) -> None:
    played = flaky(tmp_path, 2).play(ACTION, {**SMALL, "baseline": "anything", "board": "anything"})
    assert played.code == 4
    assert played.outputs["exit-code"] == "4"
    assert [kind for kind, _, _ in played.annotations] == ["warning", "error"]
    assert "stored in evaluation/run" in played.annotations[-1][2]
    outcomes = {step.name: step.outcome for step in played.steps}
    assert outcomes["Report"] == "success"
    assert "pocket_chain" in played.summary
    assert outcomes["Compare with the baseline"] == outcomes["Enter the run into the leaderboard"] == "skipped"


GATE = "name: small\ncells: [{task: pocket_chain, inconclusive: fail}]\n"
FILES = {"comparison.md", "comparison.json", "gate.xml", "badge.svg", "badge.json", "comment.md"}


def with_baseline(first: tuple[Runner, Played], folder: Path, gate: str = GATE) -> Runner:
    """A workspace with a gate, and the first run as an unpacked artifact."""
    made = runner(folder)
    shutil.copytree(first[0].workspace / "evaluation" / "run", made.workspace / "artifact" / "run")
    (made.workspace / "gate.yaml").write_text(gate)
    return made


@needs_gate
@pytest.mark.parametrize(("word", "code"), [("fail", 3), ("warn", 0)])
def test_an_equal_run_is_inconclusive(word: str, code: int, first: tuple[Runner, Played], tmp_path: Path) -> None:
    made = with_baseline(first, tmp_path, GATE.replace("fail", word))
    played = made.play(ACTION, {**SMALL, "args": SMALL["args"] + "\n--seed=1", "baseline": "artifact", "gate": "gate.yaml"})
    assert played.code == code, [step.log for step in played.steps]
    assert played.outputs["exit-code"] == str(code)
    assert played.outputs["verdict"] == "inconclusive"
    assert played.outputs["gate"] == ("inconclusive" if code else "passed")
    assert {path.name for path in (made.workspace / played.outputs["comparison"]).iterdir()} == FILES
    comment = (made.workspace / played.outputs["comment"]).read_text()
    assert comment.startswith("<!-- raml-eval gate: small -->\n")
    assert played.summary.count((made.workspace / "evaluation/comparison/comparison.md").read_text()) == 1
    assert (made.workspace / "evaluation/report.md").read_text() in played.summary
    assert played.step("Pass or fail").outcome == ("failure" if code else "skipped")
    assert [title for _, title, _ in played.annotations] == (
        ["raml-eval: inconclusive, where that blocks (exit code 3)"] if code else []
    )


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "evaluation-0123456"),
        ({"name": "it's 7: {x}"}, "it's 7: {x}"),
        ({"name": "7"}, "7"),
        ({"config": "own.yaml"}, "mine"),
        ({"config": "other.yaml"}, "evaluation-0123456"),
    ],
)
def test_a_run_is_named_so_that_tables_tell_it_apart(given: dict[str, str], name: str, tmp_path: Path) -> None:
    made = runner(tmp_path)
    made.env["GITHUB_SHA"] = "0123456789abcdef"
    (made.workspace / "own.yaml").write_text("name: mine\n")
    (made.workspace / "other.yaml").write_text("samples: 2\n")
    played = made.play(ACTION, {**SMALL, "tasks": "pocket_chain", "limit": "1", **given})
    assert not played.failed, [step.log for step in played.steps]
    assert json.loads((made.workspace / "evaluation/run/manifest.json").read_text())["name"] == name


@needs_gate
@pytest.mark.parametrize(("word", "code"), [("fail", 3), ("warn", 0)])
def test_a_run_until_its_gate_is_decided(word: str, code: int, first: tuple[Runner, Played], tmp_path: Path) -> None:
    made = with_baseline(first, tmp_path, GATE.replace("fail", word))
    args = SMALL["args"] + "\n--seed=1\n--until-decided=artifact/run\n--gate=gate.yaml\n--looks=1"
    played = made.play(ACTION, {**SMALL, "args": args})
    assert (played.code, played.outputs["exit-code"]) == (code, str(code)), [step.log for step in played.steps]
    assert played.step("Report").outcome == "success"
    assert (made.workspace / "evaluation/report.md").read_text() in played.summary
    titles = [title for _, title, _ in played.annotations]
    assert titles == (["raml-eval: inconclusive, where that blocks (exit code 3)"] if code else [])
    assert ("judged while the run was drawn" in played.summary) == (not code)
    assert "nothing was compared" not in played.summary


@needs_gate
@pytest.mark.slow
def test_a_damaged_model_is_worse_and_still_reported(tmp_path: Path) -> None:
    made = runner(tmp_path)
    shutil.copytree(ROOT / "raml_eval" / "pocket", made.workspace / "pocket")
    (made.workspace / "gate.yaml").write_text(GATE)
    real = {**SMALL, "model": "./pocket", "backend": "hf", "tasks": "pocket_chain", "limit": "15"}
    real["thinking-budget"] = "unlimited"
    real["args"] = "--answer-tokens=48\n--max-total-tokens=512\n--temperature=1"
    assert not made.play(ACTION, {**real, "out": "base"}).failed
    damage(made.workspace / "pocket" / "model.safetensors")
    played = made.play(ACTION, {**real, "out": "new", "baseline": "base/run", "gate": "gate.yaml"})
    assert (played.code, played.outputs["exit-code"]) == (1, "1"), [step.log for step in played.steps]
    assert (played.outputs["verdict"], played.outputs["gate"]) == ("worse", "failed")
    assert (made.workspace / "new" / "report.md").read_text() in played.summary
    ((_, title, text),) = played.annotations
    assert title == "raml-eval: worse, or the gate failed (exit code 1)"
    assert text.startswith("Gate small: failed")


def damage(weights: Path) -> None:
    """Every matrix has noise of half its own size on it."""
    torch, files = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    generator = torch.Generator().manual_seed(0)
    tensors = files.load_file(weights)
    for name, tensor in tensors.items():
        if tensor.ndim == 2:
            noise = torch.randn(tensor.shape, generator=generator) * tensor.float().std() / 2
            tensors[name] = (tensor.float() + noise).to(tensor.dtype)
    files.save_file(tensors, weights, metadata={"format": "pt"})


@needs_gate
@pytest.mark.parametrize("baseline", ["cut", HOSTILE], ids=["cut", "hostile"])
def test_a_baseline_that_cannot_be_read_fails_and_is_no_pass(
    baseline: str, first: tuple[Runner, Played], tmp_path: Path
) -> None:
    made = with_baseline(first, tmp_path)
    shutil.copytree(first[0].workspace / "evaluation", made.workspace / "evaluation")
    stale = made.workspace / "evaluation" / "comparison" / "comment.md"
    stale.parent.mkdir()
    stale.write_text("what another comparison said")
    cut = shutil.copytree(made.workspace / "artifact", made.workspace / "cut") / "run" / "manifest.json"
    cut.write_bytes(cut.read_bytes()[:100])
    played = made.play(ACTION, {**SMALL, "baseline": baseline, "gate": "gate.yaml", "allow-different": "", "compare-args": ""})
    assert (played.code, played.outputs["exit-code"], played.outputs["verdict"]) == (2, "2", "")
    assert played.step("Report").outcome == "success"
    assert stale.read_text().startswith("<!-- raml-eval gate: small -->")
    assert "another comparison" not in stale.read_text()
    assert [title for _, title, _ in played.annotations] == ["raml-eval: not comparable (exit code 2)"]
    assert not list(tmp_path.rglob("x"))


@needs_gate
def test_hostile_values_of_the_comparison_are_values(first: tuple[Runner, Played], tmp_path: Path) -> None:
    made = with_baseline(first, tmp_path)
    shutil.copytree(first[0].workspace / "evaluation", made.workspace / "evaluation")
    hostile = dict.fromkeys(("gate", "allow-different", "compare-args"), HOSTILE)
    played = made.play(ACTION, {**SMALL, "baseline": "artifact", **hostile})
    assert (played.code, played.outputs["run"], played.outputs["comment"]) == (2, "evaluation/run", "")
    assert "**Not compared** (exit code 2)" in played.summary
    assert not list(tmp_path.rglob("x"))


@needs_gate
@pytest.mark.slow
def test_another_protocol_is_refused_or_allowed_by_name(first: tuple[Runner, Played], tmp_path: Path) -> None:
    made = with_baseline(first, tmp_path)
    other = {**SMALL, "args": SMALL["args"] + "\n--top-p=0.5", "baseline": "artifact", "compare-args": "--margin=5"}
    played = made.play(ACTION, other)
    assert (played.code, played.outputs["comment"]) == (2, "")
    assert "sampling.top_p" in played.summary
    played = made.play(ACTION, {**other, "allow-different": "\nsampling.top_p\n"})
    assert (played.code, played.outputs["verdict"], played.outputs["gate"]) == (0, "inconclusive", "")
    assert "sampling.top_p" in played.summary


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("inputs.a == 'X' && !steps.one.outputs.none", True),
        ("steps.none.outputs.b || inputs.a", "x"),
        ("(inputs.a != 'x' || 'it''s') && 'yes' || 'no'", "yes"),
        ("steps.one.outputs.b != '' && inputs.a == ''", False),
    ],
)
def test_the_runner_reads_expressions(text: str, value: object) -> None:
    contexts = {"inputs": {"a": "x"}, "steps": {"one": {"outputs": {"b": "${{ inputs.a }}"}}}}
    assert evaluate(text, contexts) == value
    assert fill("<${{ steps.one.outputs.b }}>", contexts) == "<${{ inputs.a }}>"
    with pytest.raises(KeyError):
        evaluate("inputs.b", contexts)


def test_the_runner_reads_output_files(tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_text("a=b=c\nd<<END\ne=1\n\nEN\nEND\nf=\n")
    assert read_pairs(file) == {"a": "b=c", "d": "e=1\n\nEN", "f": ""}
    for wrong in ("d<<END\ne\n", "word\n"):
        file.write_text(wrong)
        with pytest.raises(ValueError, match="output"):
            read_pairs(file)


def test_the_runner_goes_on_only_where_a_step_asks_for_it(tmp_path: Path) -> None:
    steps = [
        {"name": "first", "id": "a", "run": "echo x=1 >> $GITHUB_OUTPUT; echo Y=2 >> $GITHUB_ENV; false | true; echo past"},
        {"name": "second", "run": "true"},
        {"name": "third", "if": "always()", "run": "test $Y = 2; exit $X", "env": {"X": "${{ steps.a.outputs.x }}4"}},
        {"name": "fourth", "if": "${{ failure() && steps.a.outcome == 'success' }}", "run": "true"},
        {"name": "fifth", "if": "success()", "run": "true"},
    ]
    described = {
        "inputs": {},
        "outputs": {},
        "runs": {"using": "composite", "steps": [{"shell": "bash", **one} for one in steps]},
    }
    (tmp_path / "action.yml").write_text(yaml.safe_dump(described))
    played = runner(tmp_path).play(tmp_path, {})
    assert [step.outcome for step in played.steps] == ["failure", "skipped", "failure", "skipped", "skipped"]
    assert (played.code, "past" in played.steps[0].log) == (14, False)
