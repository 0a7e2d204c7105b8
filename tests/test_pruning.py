"""A pruning from the stored run to its tables: what is compared, what is drawn once, and what a kill leaves."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from raml_eval.diagnostics.model import load_run_model
from raml_eval.diagnostics.pruning.pruning import prune_run
from raml_eval.errors import ConfigError, StoreError
from raml_eval.reporting.diagnosed import render_diagnosis
from raml_eval.store.seeking import RunReader
from raml_eval.types import Status
from tests.pruned import candidates_of, draw_run
from tests.test_cli import cli

RULES = ("no-repeats", "first:2", "last:1", "share:0.5")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_run(tmp_path_factory.mktemp("runs") / "mine")


@pytest.fixture
def run(stored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stored, tmp_path / "mine"))


def journal(run: Path, name: str = "journal") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / f"diagnostics/pruning/{name}.jsonl").read_text().splitlines()]


def test_each_thinking_has_four_answers_by_each_rule(run: Path) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    done = prune_run(run, RULES, quiet=True)
    found = {(one.trajectory, one.rule): one for one in done.collected.outcomes}
    thinkings = candidates_of(run)
    assert len(found) == len(thinkings) * len(RULES)
    assert len(thinkings) > 15
    for thinking in thinkings:
        n = len(thinking.subject.trajectory.token_ids)
        for rule in RULES:
            one = found[thinking.subject.trajectory.id, rule]
            assert one.n_whole == n
            assert one.whole is thinking.subject.whole.status
            assert thinking.off is not None
            assert one.no_thinking is thinking.off.status
            assert one.no_thinking_mode == "off"
            assert one.n_new == 0  # the vocabulary is of bytes
            assert one.unchanged == (one.n_kept == n)
            if one.unchanged:
                assert one.pruned is one.forced is one.whole
        assert found[thinking.subject.trajectory.id, "share:0.5"].n_kept == n // 2
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    assert done.n_owed == 0
    assert json.loads((done.folder / "diagnosis.json").read_text())["complete"]


def test_forced_answers_are_those_of_a_run_at_that_budget(run: Path) -> None:
    prune_run(run, ["first:1"], quiet=True)
    forced = {}
    for line in journal(run):
        if "at" in line["forced"]:
            forced.setdefault(line["n_kept"], []).append(line)
    assert forced
    for budget, lines in list(forced.items())[:3]:
        again = draw_run(run.parent / f"at{budget}", thinking_budget=budget)
        samples = [json.loads(text) for text in (again / "samples.jsonl").read_text().splitlines()]
        by_key = {(one["task"], one["question_id"], one["sample"]): one for one in samples}
        for line in lines:
            one = by_key[line["task"], line["question_id"], line["sample"]]
            told = line["forced"]
            assert (told["answer"], told["seed"], told["status"]) == (one["answer"], one["seed"], one["status"])


def test_the_runs_own_sample_at_a_budget_is_not_drawn_again(run: Path) -> None:
    prune_run(run, ["share:0.5"], quiet=True)
    at_16 = [line for line in journal(run) if line["n_kept"] == 16 and line["n_whole"] > 16]
    assert all(line["forced"] == {"budget": 16} == line["pruned"] for line in at_16)
    cut = [line for line in journal(run) if "at" in line["pruned"]]
    assert cut
    assert all(line["pruned"] == line["forced"] for line in cut)


def test_more_rules_later_draw_only_what_is_new(run: Path) -> None:
    prune_run(run, RULES[:2], quiet=True)
    lines = journal(run)
    done = prune_run(run, RULES, quiet=True)
    assert journal(run)[: len(lines)] == lines
    assert len(journal(run)) == 2 * len(lines)
    assert {row.rule for row in done.rows} == {*RULES}
    # Fewer questions: their rows alone; rules that were not asked for again are shown where they are whole.
    fewer = prune_run(run, ["last:1"], tasks=["pocket_sort"], limit=2, quiet=True)
    assert {row.rule for row in fewer.rows} == {*RULES}
    assert {row.n_questions for row in fewer.rows} == {2}
    assert len(journal(run)) == 2 * len(lines)


def test_one_session_and_several_give_the_same_tables(run: Path, stored: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(stored, tmp_path / "other"))
    prune_run(run, RULES, quiet=True)
    for rule in reversed(RULES):
        prune_run(other, [rule], quiet=True)
    prune_run(other, RULES, quiet=True)
    tables = [pd.read_parquet(path / "diagnostics/pruning/outcomes.parquet") for path in (run, other)]
    order = ["trajectory", "rule"]
    left, right = (table.sort_values(order).reset_index(drop=True) for table in tables)
    pd.testing.assert_frame_equal(left, right)


@pytest.mark.parametrize("kills", [2])
def test_a_killed_pruning_goes_on_where_it_was(run: Path, stored: Path, tmp_path: Path, kills: int) -> None:
    whole = Path(shutil.copytree(stored, tmp_path / "whole"))
    command = [sys.executable, "-m", "raml_eval", "diagnose", "pruning", str(run), "--quiet"]
    for rule in RULES:
        command += ["--by", rule]
    command += ["--backend", "fake", "--backend-arg", "latency_s=0.1"]
    path = run / "diagnostics/pruning/journal.jsonl"
    for _ in range(kills):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = path.stat().st_size if path.exists() else 0
        while process.poll() is None and (path.stat().st_size if path.exists() else 0) <= before:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with path.open("ab") as file:
            file.write(b'{"task":"torn')
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    settings = {"backend_args": {"latency_s": 0.1}}
    done = prune_run(whole, RULES, changes=settings, quiet=True)
    assert len(journal(run)) == len(journal(whole))
    by_key = {(one.trajectory, one.rule): one for one in done.collected.outcomes}
    again = prune_run(run, RULES, changes=settings, quiet=True)  # draws nothing
    assert {(one.trajectory, one.rule): one for one in again.collected.outcomes} == by_key
    assert len(journal(run)) == len(journal(whole))


def test_other_settings_are_refused(run: Path) -> None:
    prune_run(run, ["last:1"], quiet=True)
    with pytest.raises(ConfigError, match=r"--backend-arg \(latency_s\) is not given there"):
        prune_run(run, ["last:1"], changes={"backend_args": {"latency_s": 0.001}}, quiet=True)


def test_a_run_without_thinking_is_refused(tmp_path: Path) -> None:
    run = draw_run(tmp_path / "off", thinking_budget="off", limit=1)
    with pytest.raises(StoreError, match="no thinking that can be shortened"):
        prune_run(run, ["last:1"], quiet=True)


def test_thinking_that_never_ended_is_counted(tmp_path: Path) -> None:
    run = draw_run(tmp_path / "run", thinking_budget=16)
    done = prune_run(run, ["last:1"], quiet=True)
    open_ones = done.skipped["the thinking had not ended at the largest budget"]
    assert open_ones + len(candidates_of(run)) == 2 * 4 * 3
    assert f"had not ended at the largest budget: {open_ones}." in " ".join(render_diagnosis(done.folder).split())


def test_without_an_off_sample_no_thinking_is_a_budget_of_0(tmp_path: Path) -> None:
    run = draw_run(tmp_path / "run", thinking_budget="unlimited", limit=2)
    done = prune_run(run, ["last:1"], quiet=True)
    assert {one.no_thinking_mode for one in done.collected.outcomes} == {"0"}
    assert "closed at once" in render_diagnosis(done.folder)


def test_unfinished_answers_are_told_apart(tmp_path: Path) -> None:
    run = draw_run(tmp_path / "run", answer_tokens=4)
    done = prune_run(run, ["last:1"], quiet=True)
    assert {one.pruned for one in done.collected.outcomes} == {Status.UNFINISHED}
    assert "with the status unfinished count as not correct" in " ".join(render_diagnosis(done.folder).split())


def test_the_command_shows_its_tables(run: Path) -> None:
    done = cli("diagnose", "pruning", str(run), "--by", "no-repeats", "--by", "last:1", "--quiet")
    assert done.returncode == 0, done.stderr
    assert "Pruned minus forced" in done.stdout
    assert "last:1" in done.stdout
    assert (run / "diagnostics/pruning/accuracy.svg").exists()
    bad = cli("diagnose", "pruning", str(run), "--by", "summary")
    assert bad.returncode == 2
    assert "names no model" in bad.stderr


def test_another_engine_has_none_of_the_runs_arguments(tmp_path: Path) -> None:
    run = draw_run(tmp_path / "run", limit=1, tasks="pocket_chain", backend_args={"latency_s": 0.0})
    with RunReader(run) as reader:
        assert load_run_model(reader).config.backend_args == {"latency_s": 0.0}
        other = load_run_model(reader, {"backend": "hf", "backend_args": {"batch_size": 2}}).config
        assert (other.backend, other.backend_args) == ("hf", {"batch_size": 2})
        same = load_run_model(reader, {"backend": "fake"}).config
        assert same.backend_args == {"latency_s": 0.0}


def test_a_run_that_grew_has_the_tables_of_one_that_was_diagnosed_once(tmp_path: Path) -> None:
    rules = ["no-repeats", "last:1", "share:0.5"]
    run = draw_run(tmp_path / "run", thinking_budget=[16, 256], limit=2, samples=2)
    prune_run(run, rules, quiet=True)
    draw_run(run, thinking_budget=["off", 8, 16, 256, "unlimited"], limit=4, samples=3)
    grown = prune_run(run, rules, quiet=True).folder
    fresh = prune_run(run, rules, out=tmp_path / "fresh", quiet=True).folder
    for name in ("outcomes", "rules", "differences"):
        tables = [pd.read_parquet(folder / f"{name}.parquet") for folder in (grown, fresh)]
        pd.testing.assert_frame_equal(*tables)
    assert json.loads((grown / "section.json").read_text()) == json.loads((fresh / "section.json").read_text())
    assert set(pd.read_parquet(grown / "outcomes.parquet")["no_thinking_mode"]) == {"off"}
