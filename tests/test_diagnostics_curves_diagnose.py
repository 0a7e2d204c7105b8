"""The whole diagnosis of a run of the pocket model, by its commands, against one plain forward pass a position."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from raml_eval.diagnostics.curves.diagnose import KIND, Wanted, diagnose_curves
from raml_eval.diagnostics.curves.positions import Positions
from raml_eval.diagnostics.curves.targets import Asking, Choice, Target, read_targets, survey
from raml_eval.diagnostics.folder import OtherSettings
from raml_eval.diagnostics.model import load_run_model
from raml_eval.exits import ExitCode
from raml_eval.store.journal import encode_line, read_lines
from raml_eval.store.lines import read_trajectory, trajectory_line
from raml_eval.store.seeking import RunReader
from tests.dying import command_that_dies_at
from tests.scored import naive_logprobs
from tests.test_cli import FAKE, Done, cli, fails

torch = pytest.importorskip("torch")
ROOT = Path(__file__).resolve().parents[1]
DIAGNOSE = ["diagnose", "pseudo-gradient"]
RUN = [
    "run", "--model", "pocket", "--backend", "hf", "--backend-arg", "dtype=float32", "--tasks", "pocket_chain,pocket_logic",
    "--samples", "4", "--limit", "4", "--thinking-budget", "off,0,16,unlimited", "--answer-tokens", "48", "--temperature", "1",
    "--top-p", "1", "--quiet",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "pocket"
    done = cli(*RUN, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def diagnosed(run: Path) -> Path:
    done = cli(*DIAGNOSE, run, "--quiet")
    assert done.returncode == 0, done.stderr
    return run / "diagnostics" / KIND


def journal(folder: Path) -> dict[str, dict[str, object]]:
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert len({line["id"] for line in lines}) == len(lines)
    return {line["id"]: line for line in lines}


def targets_of(run: Path) -> list[Target]:
    with RunReader(run) as reader:
        loaded = load_run_model(reader)
        policy = loaded.policy(16_384)
        found = survey(reader, Choice(), loaded.prompts, policy.answer_prefix)
        asking = Asking(loaded.model.tokenizer, policy.closing_ids, found.introductions)
        return list(read_targets(reader, Choice(), found.golds, loaded.prompts, asking, {}))


def test_every_value_is_that_of_one_plain_forward_pass(run: Path, diagnosed: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(ROOT / "raml_eval" / "pocket", dtype=torch.float32).eval()
    lines, targets = journal(diagnosed), targets_of(run)
    assert {one.id for one in targets} == {*lines}
    assert len(targets) == 2 * 4 * 4 * 2
    for one in targets[::3]:
        line = lines[one.id]
        for at, nll in zip(line["positions"], line["nll"], strict=True):  # type: ignore[call-overload]
            naive = naive_logprobs(model, one.token_ids[: one.n_prompt + at], one.probe.ids, one.probe.n_scored)
            assert nll == pytest.approx(-sum(naive), abs=1e-4 * one.probe.n_scored)


def test_the_tables_hold_the_curves(run: Path, diagnosed: Path) -> None:
    curves, trajectories = (pd.read_parquet(diagnosed / f"{name}.parquet") for name in ("curves", "trajectories"))
    assert list(curves.columns) == [
        "task", "question_id", "sample", "prompt", "position", "share", "nll_mean", "nll_sum", "nll_smoothed"
    ]  # fmt: skip
    assert len(trajectories) == len(journal(diagnosed))
    assert len(curves) == trajectories["n_positions"].sum()
    thinking = curves[curves["prompt"] == "thinking"]
    assert thinking.groupby(["task", "question_id", "sample"])["position"].min().eq(0).all()
    about = json.loads((diagnosed / "diagnosis.json").read_text())
    assert about["complete"]
    assert about["skipped"] == {}
    # Right after the prompt, all thinkings of one question have the same prefix.
    start = thinking[thinking["position"] == 0].groupby(["task", "question_id"])["nll_sum"]
    assert start.nunique().eq(1).all()


def test_the_golds_probability_is_the_accuracy_of_sampling(diagnosed: Path) -> None:
    """Sampling at temperature 1 draws an answer with its probability, so the two agree up to chance."""
    budgets = pd.read_parquet(diagnosed / "budgets.parquet")
    assert set(budgets["budget"]) == {"off", "0", "16", "unlimited"}
    assert (budgets["difference"].abs() < 0.35).all()
    assert abs(budgets["difference"].mean()) < 0.1


def test_the_section_names_files_that_are_there(diagnosed: Path) -> None:
    section = json.loads((diagnosed / "section.json").read_text())
    assert {"by-verdict", "trajectories", "thinking-and-off", "budgets"} <= {one["name"] for one in section["figures"]}
    for figure in section["figures"]:
        assert all((diagnosed / f"{figure['name']}.{ending}").stat().st_size > 1000 for ending in ("svg", "pdf", "png"))
    for table in section["tables"]:
        columns = pd.read_parquet(diagnosed / table["file"]).columns
        assert {name for one in table["columns"] for name in (one["name"], one["low"], one["high"]) if name} <= {*columns}
    assert any("'\\n\\n'" in note for note in section["notes"])


def test_a_second_session_scores_only_what_is_new(run: Path, tmp_path: Path) -> None:
    first = cli(*DIAGNOSE, run, "--quiet", "--out", tmp_path, "--limit", "1", "--task", "pocket_chain")
    assert "8 curves" in first.stdout
    before = journal(tmp_path / KIND)
    more = cli(*DIAGNOSE, run, "--quiet", "--out", tmp_path, "--limit", "2", "--task", "pocket_chain")
    assert "16 curves" in more.stdout
    assert {key: journal(tmp_path / KIND)[key] for key in before} == before


def test_other_settings_are_refused_and_named(run: Path, diagnosed: Path) -> None:
    done = cli(*DIAGNOSE, run, "--quiet", "--stride", "4", "--delimiter", "none")
    assert done.returncode == ExitCode.UNUSABLE
    assert "--stride is 8 there and 4 here" in done.stderr
    assert "--delimiter is 'run' there and 'none' here" in done.stderr


def test_other_settings_are_refused_before_an_engine_starts(
    run: Path, diagnosed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raml_eval.diagnostics.curves.diagnose.open_engine", lambda loaded: pytest.fail("an engine started"))
    with pytest.raises(OtherSettings, match="--stride is 8 there and 4 here"):
        diagnose_curves(run, Wanted(positions=Positions(stride=4)), quiet=True)


def test_a_run_whose_answers_changed_keeps_the_introductions_of_the_folder(run: Path, tmp_path: Path) -> None:
    """As after a regrading, or with more samples: the folder was begun when the answers gave other introductions."""
    few = ["--limit", "1", "--task", "pocket_chain", "--out", tmp_path]
    assert cli(*DIAGNOSE, run, *few, "--quiet").returncode == 0
    path = tmp_path / KIND / "diagnosis.json"
    about = json.loads(path.read_text())
    own = about["settings"]["introductions"]["pocket_chain"]
    own["thinking"] = "Answer: "
    del about["settings"]["introductions"]["pocket_logic"]["off"]  # as if the run had no such budget then
    path.write_text(json.dumps(about))
    (path.parent / "journal.jsonl").unlink()
    done = cli(*DIAGNOSE, run, *few, "--quiet")
    assert done.returncode == 0, done.stderr
    assert json.loads(path.read_text())["settings"]["introductions"]["pocket_logic"].keys() == {"thinking", "off"}
    notes = json.loads((path.parent / "section.json").read_text())["notes"]
    assert [note for note in notes if "(thinking) is introduced by 'Answer: ', as when this diagnosis was begun" in note]
    values = [line["nll"] for line in journal(path.parent).values() if line["prompt"] == "thinking"]
    asked = [one for one in targets_of(run) if one.id in journal(path.parent) and one.prompt == "thinking"]
    assert len(values) == len(asked) == 4


def test_progress_counts_the_chosen_trajectories_alone(run: Path, tmp_path: Path) -> None:
    assert cli(*DIAGNOSE, run, "--out", tmp_path, "--limit", "2", "--quiet").returncode == 0
    done = cli(*DIAGNOSE, run, "--out", tmp_path, "--limit", "1", "--samples", "1")
    assert "4/4 trajectories" in done.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"nll": "low"}, "nll is 'low', wanted a list of finite numbers"),
        ({"positions": [0, "8"]}, "wanted a list of whole numbers"),
        ({"n_scored": None}, "n_scored is None"),
        ({"nll": [float("nan")]}, "nll is [nan]"),
        (None, "lacks the field 'together'"),
    ],
)
def test_a_damaged_journal_is_one_error_with_its_line(
    run: Path, diagnosed: Path, tmp_path: Path, change: dict[str, object] | None, told: str
) -> None:
    shutil.copytree(diagnosed, tmp_path / KIND)
    path = tmp_path / KIND / "journal.jsonl"
    lines = path.read_text().splitlines()
    line = json.loads(lines[2])
    if change is None:
        del line["together"]
    lines[2] = json.dumps({**line, **(change or {})})
    path.write_text("\n".join(lines) + "\n")
    done = cli(*DIAGNOSE, run, "--quiet", "--out", tmp_path)
    fails(done, f"{path}:3 ", told, "Repair the line or delete it (what it holds is then computed again), and run again.")
    path.write_text("\n".join(lines[:2] + lines[3:]) + "\n")
    assert cli(*DIAGNOSE, run, "--quiet", "--out", tmp_path).returncode == 0
    assert len(journal(tmp_path / KIND)) == len(lines)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--every", "--stride", "4"], "exclude one another"),
        (["--every", "--adaptive"], "exclude one another"),
        (["--tolerance", "0.1"], "is for --adaptive"),
    ],
)
def test_choices_that_contradict_each_other_are_refused(run: Path, words: list[str], told: str) -> None:
    done = cli(*DIAGNOSE, run, *words)
    assert done.returncode == ExitCode.UNUSABLE
    assert told in done.stderr


def test_an_engine_that_cannot_score_is_refused(run: Path, tmp_path: Path) -> None:
    done = cli(
        *DIAGNOSE, run, "--backend", "openai_server", "--backend-arg", "base_url=http://127.0.0.1:9/v1", "--out", tmp_path
    )
    assert done.returncode == ExitCode.UNUSABLE
    assert not (tmp_path / KIND).exists()


def test_an_imported_run_is_refused(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("diagnostics"))
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest | {"imported": {"harness": "lm-eval"}}))
    done = cli(*DIAGNOSE, tmp_path / "run")
    assert done.returncode == ExitCode.UNUSABLE
    assert "was imported from lm-eval" in done.stderr


def test_adaptive_positions_come_near_the_whole_curve(run: Path, tmp_path: Path) -> None:
    """The straight lines of an adaptive curve lie within some tolerances of the values at every token."""
    few = ["--limit", "2", "--samples", "2", "--quiet"]
    for name, words in (("every", ["--every"]), ("adaptive", ["--adaptive", "--tolerance", "0.2"])):
        assert cli(*DIAGNOSE, run, *few, *words, "--out", tmp_path / name).returncode == 0
    every, adaptive = (journal(tmp_path / name / KIND) for name in ("every", "adaptive"))
    assert sum(len(line["positions"]) for line in adaptive.values()) < sum(len(line["positions"]) for line in every.values())  # type: ignore[arg-type]
    for key, line in adaptive.items():
        whole = dict(zip(every[key]["positions"], every[key]["nll"], strict=True))  # type: ignore[call-overload]
        for at, nll in zip(line["positions"], line["nll"], strict=True):  # type: ignore[call-overload]
            assert nll == pytest.approx(whole[at], abs=1e-3)


def test_a_failed_engine_leaves_curves_owed(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from raml_eval.backends.hf import HfBackend
    from raml_eval.errors import GenerationError

    score, n = HfBackend.score_at, 0

    async def fail_first(self: HfBackend, *given: object) -> object:
        nonlocal n
        n += 1
        if n == 1:
            raise GenerationError("out of memory. Run again.")
        return await score(self, *given)  # type: ignore[arg-type]

    few = ["--limit", "1", "--quiet", "--out", tmp_path]
    with monkeypatch.context() as patch:
        patch.setattr(HfBackend, "score_at", fail_first)
        done: Done = cli(*DIAGNOSE, run, *few)
    assert done.returncode == ExitCode.OWED
    assert "1 curve failed" in done.stderr
    assert "out of memory" in done.stderr
    about = json.loads((tmp_path / KIND / "diagnosis.json").read_text())
    assert not about["complete"]
    assert not (tmp_path / KIND / "section.json").exists()
    assert cli(*DIAGNOSE, run, *few).returncode == 0
    assert len(journal(tmp_path / KIND)) == 16


def test_the_fake_engine_is_diagnosed_too(tmp_path: Path) -> None:
    assert cli(*FAKE, "--out", tmp_path / "run").returncode == 0
    done = diagnose_curves(tmp_path / "run", Wanted(), quiet=True)
    assert done.n_curves == 2 * 3 * 2
    assert not done.errors


@pytest.mark.vllm
def test_vllm_gives_the_same_curves(run: Path, diagnosed: Path, tmp_path: Path) -> None:
    pytest.importorskip("vllm")
    command = [sys.executable, "-m", "raml_eval", *DIAGNOSE, str(run), "--quiet", "--out", str(tmp_path), "--limit", "2"]
    command += ["--backend", "vllm", "--backend-arg", "max_model_len=1024", "--backend-arg", "dtype=float32"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    vllm, hf = journal(tmp_path / KIND), journal(diagnosed)
    assert len(vllm) == 32
    assert all(line["nll"] == pytest.approx(hf[key]["nll"], abs=1e-3) for key, line in vllm.items())


@pytest.mark.slow
def test_kill_9_loses_nothing_and_scores_nothing_twice(run: Path, diagnosed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("diagnostics"))
    command = [sys.executable, "-m", "raml_eval", *DIAGNOSE, str(copy), "--quiet", "--concurrency", "1"]
    path = copy / "diagnostics" / KIND / "journal.jsonl"
    dying = [sys.executable, "-c", command_that_dies_at(path, 3), *command[3:]]
    assert subprocess.run(dying, stderr=subprocess.DEVNULL, timeout=300, check=False).returncode == -signal.SIGKILL
    before = path.read_text().splitlines()[:-1]
    assert 3 == len(before) < 64
    assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
    assert path.read_text().splitlines()[: len(before)] == before
    killed, whole = journal(path.parent), journal(diagnosed)
    assert {*killed} == {*whole}
    assert all(killed[key]["nll"] == pytest.approx(whole[key]["nll"], abs=1e-3) for key in whole)


def test_a_thinking_that_was_drawn_again_is_scored_again(run: Path, diagnosed: Path, tmp_path: Path) -> None:
    """Under the same id and as long: the first two tokens of each thinking change places."""
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    path = copy / "trajectories.jsonl"
    drawn = [read_trajectory(line) for _, line in read_lines(path)]
    swapped = [replace(one, token_ids=(*one.token_ids[1::-1], *one.token_ids[2:])) for one in drawn]
    assert sum(one != other for one, other in zip(drawn, swapped, strict=True)) > 20
    path.write_bytes(b"".join(encode_line(trajectory_line(one)) for one in swapped))
    for out in ((), ("--out", tmp_path / "fresh")):
        assert cli(*DIAGNOSE, copy, *out, "--quiet").returncode == 0
    again, fresh = (
        pd.read_parquet(place / KIND / "trajectories.parquet") for place in (copy / "diagnostics", tmp_path / "fresh")
    )
    pd.testing.assert_frame_equal(again, fresh, check_exact=False, atol=1e-3)
    assert not again["final"].equals(pd.read_parquet(diagnosed / "trajectories.parquet")["final"])


def test_without_a_curve_the_section_says_so_and_no_older_table_is_left(run: Path, diagnosed: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    questions = [json.loads(line) for line in (copy / "questions.jsonl").read_text().splitlines()]
    without = [{**one, "target": ""} if one["task"] == "pocket_logic" else one for one in questions]
    (copy / "questions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in without))
    done = cli(*DIAGNOSE, copy, "--task", "pocket_logic", "--quiet")
    assert done.returncode == 0, done.stderr
    assert "0 curves" in done.stdout
    section = json.loads((copy / "diagnostics" / KIND / "section.json").read_text())
    assert (section["tables"], section["figures"]) == ([], [])
    assert any("no gold" in note for note in section["notes"])
    assert not list((copy / "diagnostics" / KIND).glob("*.parquet"))
