"""Regrading: what it changes and what it keeps, also after a kill, a dead process or a second regrading."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import ConfigError, RamlError, StoreError
from raml_eval.grading import GRADER_VERSION
from raml_eval.grading.pool import usable_cores
from raml_eval.regrade import crew
from raml_eval.regrade.crew import CHUNK_ANSWERS, CHUNK_CHARACTERS, Crew, split_answers
from raml_eval.regrade.regrading import Regrading, regrade_run
from raml_eval.reporting.regraded import count_regraded
from raml_eval.store import RunDirectory, read_run
from raml_eval.store.grades import read_layers
from raml_eval.types import Finish, Grade, Status
from tests.processes import below, is_running, take_interrupts, wait_until
from tests.stored import WRONG, Drawn, ask, store_run
from tests.test_cli import FAKE, cli, fails
from tests.test_grading_pool import SLOW

HALF = ask(0, r"\frac{1}{2}")
DAY = ask(1, "Monday", "exact")
LETTER = ask(0, "B", "choice", task="letters", options=("red", "blue"))
SAMPLES = [
    Drawn(r"So \boxed{0.5}"),
    Drawn(r"So \boxed{\frac{2}{4}}"),
    Drawn("The answer is 3."),
    Drawn("I do not know, sorry, there was no time to find out what it is and what not", Grade(Status.CORRECT, "x")),
    Drawn(r"\boxed{1/2}", Grade(Status.UNFINISHED, None, "", "the thinking never closed"), finish=None),
    Drawn(r"\boxed{0.5}", budget="off"),
    Drawn("Monday", question=1),
    Drawn("The letter is (B)", question=2),
    Drawn(r"\boxed{A}", Grade(Status.CORRECT, "A"), question=2),
]


def files(path: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in path.iterdir() if entry.name != "lock"}


def statuses(path: Path) -> list[str]:
    return [record.status.value for record in read_run(path).records]


def again(path: Path, **settings: Any) -> Regrading:
    return regrade_run(path, quiet=True, workers=1, **settings)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return store_run(tmp_path / "run", [HALF, DAY, LETTER], SAMPLES)


def test_new_verdicts_hold_and_the_old_ones_are_kept(stored: Path) -> None:
    before = files(stored)
    done = again(stored)
    assert statuses(stored) == [
        "correct", "correct", "incorrect", "no_answer", "unfinished", "correct", "correct", "correct", "incorrect"
    ]  # fmt: skip
    assert {name: text for name, text in files(stored).items() if name in before} == before
    assert done.layer == stored / "grades-0001.jsonl"
    run = read_run(stored)
    assert run.grader_versions == (GRADER_VERSION,)
    assert run.classes["sums", HALF.id] == {"0.5": 0, r"\frac{2}{4}": 0, "3": 1}
    first = read_layers(stored)[0].changes[run.records[0].key, 8]
    assert (first.was, first.grade.answer, first.grade.status) == (WRONG, "0.5", Status.CORRECT)


def test_the_counts_are_those_of_the_verdicts(stored: Path) -> None:
    cells = {(cell.task, cell.budget): cell for cell in count_regraded(again(stored))}
    sums = cells["sums", 8]
    assert (sums.n_samples, sums.n_changed, sums.gained, sums.lost) == (6, 5, 3, 1)
    # Question 0 has 5 samples at budget 8, of which one was correct and two are; question 1 has one.
    assert (sums.before, sums.after) == (pytest.approx((1 / 5 + 0) / 2), pytest.approx((2 / 5 + 1) / 2))
    assert (cells["letters", 8].gained, cells["letters", 8].lost) == (1, 1)
    assert cells["letters", 8].before == cells["letters", 8].after == 0.5


def test_a_second_regrading_is_noted_and_adds_nothing(stored: Path) -> None:
    again(stored)
    before = files(stored)
    done = again(stored)
    assert (done.changes, done.failed, done.layer) == ((), (), None)
    after = files(stored)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {"grades-0001.jsonl"}
    (layer,) = read_layers(stored)
    assert layer.verified is not None
    assert read_run(stored).records == read_run(stored).records


def test_a_regrading_of_one_task_covers_that_task_alone(stored: Path) -> None:
    before = statuses(stored)
    done = again(stored, tasks=["letters"])
    assert statuses(stored) == [*before[:7], "correct", "incorrect"]
    assert (done.n_graded, read_run(stored).grader_versions) == (2, ("0", GRADER_VERSION))
    again(stored)
    assert read_run(stored).grader_versions == (GRADER_VERSION,)
    whole = files(stored)
    assert again(stored, tasks=["sums"]).layer is None
    assert files(stored) == whole  # every sample is known to be this grader's: nothing to note
    with pytest.raises(ConfigError, match=r"there is no task 'leters'\. Did you mean letters\?"):
        again(stored, tasks=["leters"])


def test_a_regrading_that_only_confirms_says_so_of_a_run_of_another_grader(tmp_path: Path) -> None:
    right = Grade(Status.CORRECT, "Monday", "whole answer", "exact text")
    path = store_run(tmp_path / "run", [DAY], [Drawn("Monday", right)], version="0.9")
    assert again(path).changes == ()
    assert read_run(path).grader_versions == (GRADER_VERSION,)


def test_a_regrading_of_the_same_grader_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    right = Drawn(r"So \boxed{0.5}", Grade(Status.CORRECT, "0.5", "boxed", "value"))
    path = store_run(tmp_path / "run", [HALF], [right], version=GRADER_VERSION)
    before = files(path)
    done = again(path)
    assert (done.changes, done.layer) == ((), None)
    assert files(path) == before


def test_another_version_of_the_grader_is_refused(stored: Path) -> None:
    before = files(stored)
    done = cli("regrade", stored, "--grader-version", "99")
    fails(done, "--grader-version is 99", f"installed grader is version {GRADER_VERSION}", "GRADER_VERSION is 99")
    assert files(stored) == before
    assert cli("regrade", stored, "--grader-version", GRADER_VERSION, "--quiet").returncode == 0


def test_a_dry_run_writes_nothing_and_says_the_same(stored: Path) -> None:
    (stored / "lock").unlink()
    before = files(stored)
    dry = again(stored, dry_run=True)
    assert files(stored) == before
    assert not (stored / "lock").exists()
    assert again(stored).changes == dry.changes


def test_a_folder_that_is_no_run_is_not_made_one(tmp_path: Path) -> None:
    for folder in (tmp_path / "nothing", tmp_path):
        fails(cli("regrade", folder), "is not a run directory")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_being_written_is_left_alone(stored: Path) -> None:
    writer = RunDirectory(stored)
    with pytest.raises(StoreError, match="locked by process"):
        again(stored)
    assert again(stored, dry_run=True).changes  # reading is harmless
    writer.close()


def test_a_gold_that_cannot_be_graded_is_an_error_and_the_old_verdict_stands(tmp_path: Path) -> None:
    lost = ask(0, "green", "choice", task="letters", options=("red", "blue"))
    path = store_run(tmp_path / "run", [lost, DAY], [Drawn("(A)"), Drawn("Monday", question=1)])
    done = cli("regrade", path, "--quiet")
    assert done.returncode == 4
    assert "1 sample could not be graded" in done.stderr
    assert "the gold 'green' names none of the 2 options" in " ".join(done.stdout.split())
    assert statuses(path) == ["incorrect", "correct"]
    assert read_run(path).grader_versions == ("0", GRADER_VERSION)
    assert cli("regrade", path, "--quiet").returncode == 4  # still not graded
    assert len(read_layers(path)) == 1


POISONED = crew._PROGRAM.replace(
    "from raml_eval.regrade.worker",
    "import os, raml_eval.regrade.worker as w; old = w._grade\n"
    "async def _grade(pool, question, answer, finish):\n"
    "    if 'poison' in answer: os.kill(os.getpid(), 9)\n"
    "    return await old(pool, question, answer, finish)\n"
    "w._grade = _grade\n"
    "from raml_eval.regrade.worker",
)


def test_an_answer_that_kills_its_process_is_an_error_and_the_others_are_graded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [rf"{i} so \boxed{{0.5}}" for i in range(6)]
    texts[4] = r"poison \boxed{0.5}"
    path = store_run(tmp_path / "run", [HALF], [Drawn(text) for text in texts])
    monkeypatch.setattr(crew, "_PROGRAM", POISONED)
    done = again(path)
    assert [record.key.index for record, _ in done.failed] == [4]
    assert "died twice (killed by signal 9)" in done.failed[0][1]
    assert statuses(path) == ["correct"] * 4 + ["incorrect", "correct"]
    monkeypatch.undo()
    assert [record.key.index for record, _ in again(path).changes] == [4]
    assert read_run(path).grader_versions == (GRADER_VERSION,)


def test_a_process_that_cannot_start_ends_the_regrading(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(stored)
    monkeypatch.setattr(crew, "_PROGRAM", "raise SystemExit(7)")
    with pytest.raises(RamlError, match="could not start \\(exit code 7\\)"):
        again(stored)
    assert files(stored) == before


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_regrading_that_is_stopped_leaves_the_run_as_it_was(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    slow = [Drawn(f"{i} {SLOW}") for i in range(2)]
    path = store_run(tmp_path / "run", [HALF], [*slow, *SAMPLES[:3]], timeout_s=300.0)
    before = files(path)
    program = [sys.executable, "-m", "raml_eval", "regrade", str(path), "--workers", "1"]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(program, stdout=nowhere, stderr=nowhere, preexec_fn=take_interrupts) as regrade:
        wait_until(lambda: len(below(regrade.pid)) >= 2)  # a grading process, and the worker that compares for it
        time.sleep(1.0)
        left = below(regrade.pid)
        os.kill(regrade.pid, sent)
        assert regrade.wait(60) == code
        wait_until(lambda: not any(map(is_running, left)))
    assert files(path) == before
    assert read_run(path).grader_versions == ("0",)
    done = again(path, timeout_s=0.5)
    assert [grade.status.value for _, grade in done.changes] == ["timeout", "timeout", "correct", "correct", "incorrect"]


def test_killed_between_layer_and_classes_the_answers_are_grouped_anew(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again(stored)
    (stored / "grades-0001.jsonl").unlink()
    (stored / "classes.json").write_text('{"sums/0-abcdef": {"0.5": 0, "3": 0, "\\\\frac{2}{4}": 0}}')  # an older equality

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RunDirectory, "write_classes", killed)
    with pytest.raises(KeyboardInterrupt):
        again(stored)
    from raml_eval.tables import load_run

    assert load_run(stored).classes["sums", HALF.id] == {"0.5": 0, r"\frac{2}{4}": 0, "3": 1}


def test_resume_after_regrade_and_regrade_after_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run"
    assert cli(*FAKE, "--out", path).returncode == 0
    shown = json.loads((path / "manifest.json").read_text())
    shown["sessions"][0]["grader_version"] = "0"
    (path / "manifest.json").write_text(json.dumps(shown))
    assert read_run(path).grader_versions == ("0",)
    assert cli("regrade", path, "--quiet").returncode == 0
    first = read_run(path)
    assert first.grader_versions == (GRADER_VERSION,)

    monkeypatch.setattr("raml_eval.session.GRADER_VERSION", "99")  # the resumed session has another grader
    assert cli(*FAKE, "--samples", "3", "--out", path).returncode == 0
    mixed = read_run(path)
    assert mixed.grader_versions == (GRADER_VERSION, "99")
    assert mixed.records[: len(first.records)] == first.records
    report = " ".join(cli("report", path).stdout.split())
    assert f"the verdicts are those of several graders, {GRADER_VERSION} and 99" in report

    assert cli("regrade", path, "--quiet").returncode == 0
    final = read_run(path)
    assert final.grader_versions == (GRADER_VERSION,)
    assert final.records == mixed.records
    assert len(final.records) == 2 * 3 * 3 * 3
    assert "several graders" not in cli("report", path).stdout


def test_verifying_does_not_give_a_sample_drawn_anew_its_old_change_back(tmp_path: Path) -> None:
    asked = [HALF, DAY]
    path = store_run(tmp_path / "run", asked, [Drawn("Monday", question=1), Drawn(r"\boxed{0.5}")])
    layer = again(path).layer
    assert layer is not None
    layer.write_bytes(layer.read_bytes().replace(b'"status":"correct"', b'"status":"timeout"'))  # the machine was busy
    assert statuses(path) == ["timeout", "timeout"]
    samples = path / "samples.jsonl"
    samples.write_bytes(samples.read_bytes().splitlines(keepends=True)[1])
    graded = Grade(Status.CORRECT, "Monday", "last line", "identical")
    store_run(path, asked, [Drawn("Monday", graded, question=1)], version=GRADER_VERSION)
    assert statuses(path) == ["timeout", "correct"]
    again(path)
    assert statuses(path) == ["correct", "correct"]
    again(path)
    assert statuses(path) == ["correct", "correct"]
    assert read_run(path).grader_versions == (GRADER_VERSION,)


@pytest.mark.parametrize("redrawn", [r"\boxed{0.5}", r"\boxed{1/2}"])
def test_a_verified_layer_covers_what_was_drawn_anew_and_drops_its_old_change(tmp_path: Path, redrawn: str) -> None:
    path = store_run(tmp_path / "run", [HALF], [Drawn(r"\boxed{0.5}")])
    again(path)
    (layer,) = read_layers(path)
    (change,) = layer.changes.values()
    (path / "samples.jsonl").write_bytes(b"")
    kept = replace(change.grade, answer=redrawn[7:-1])
    store_run(path, [HALF], [Drawn(redrawn, kept if redrawn != r"\boxed{0.5}" else change.grade)], version="an old one")
    assert read_run(path).grader_versions == ("an old one",)
    done = again(path)
    if not done.changes:
        (layer,) = read_layers(path)
        assert (layer.changes, layer.n_sessions, layer.verified is not None) == ({}, 2, True)
    assert read_run(path).grader_versions == (GRADER_VERSION,)
    assert statuses(path) == ["correct"]


def test_compare_refuses_different_graders(tmp_path: Path) -> None:
    paths = [store_run(tmp_path / v, [HALF], [Drawn(r"\boxed{0.5}", budget=8)], version=v) for v in ("0", "1")]
    refused = cli("compare", *paths)
    assert refused.returncode == 2
    assert "grader '0', then '1'. `raml-eval regrade` grades both runs with one grader" in refused.stderr
    allowed = cli("compare", *paths, "--allow-different", "grader")
    assert "grader '0', then '1'" in " ".join(allowed.stdout.split())
    assert "different graders" in " ".join(cli("report", *paths).stdout.split())
    assert "different graders" not in cli("compare", paths[1], paths[1]).stdout


def test_the_command_prints_every_form(stored: Path) -> None:
    terminal = cli("regrade", stored, "--dry-run", "--quiet")
    assert terminal.returncode == 0, terminal.stderr
    assert "incorrect ‘7’ (old rule, old grader) → correct ‘0.5’ (boxed" in " ".join(terminal.stdout.split())
    assert "| sums" in cli("regrade", stored, "--dry-run", "--quiet", "--format", "markdown").stdout
    shown = json.loads(cli("regrade", stored, "--dry-run", "--quiet", "--format", "json").stdout)
    assert (shown["n_graded"], shown["n_changed"], shown["layer"]) == (9, 8, None)
    assert shown["changes"][0]["was"]["status"] == "incorrect"
    assert shown["changes"][0]["now"]["status"] == "correct"
    fails(cli("regrade", stored, "--format", "yaml"), "yaml")


def test_escapes_of_a_model_reach_no_terminal(tmp_path: Path) -> None:
    path = store_run(tmp_path / "run", [DAY], [Drawn("\x1b[2J\x9b31m\u202eMonday\x07 is \ud800 wrong")])
    for form in ("terminal", "markdown", "json"):
        out = cli("regrade", path, "--dry-run", "--quiet", "--format", form).stdout
        assert "Monday" in out
        assert not set(out) & set("\x1b\x9b\x07\u202e\ud800")


def test_chunks_hold_every_answer_once_and_stay_small() -> None:
    answers = [(f"{i}" * (1 + 9_000 * (i % 3)), Finish.STOP) for i in range(2 * CHUNK_ANSWERS)]
    answers.append(("x" * (2 * CHUNK_CHARACTERS), Finish.STOP))
    chunks = list(split_answers(HALF, answers))
    assert [answer for chunk in chunks for answer in chunk.answers] == answers
    for chunk in chunks:
        assert len(chunk.answers) <= CHUNK_ANSWERS
        assert len(chunk.answers) == 1 or sum(len(text) for text, _ in chunk.answers) <= CHUNK_CHARACTERS


def test_a_killed_idle_process_is_replaced() -> None:
    with Crew(1, 10.0) as one:
        (chunk,) = split_answers(HALF, [(r"\boxed{0.5}", Finish.STOP)])
        for _ in range(2):
            ((_, (verdict,)),) = list(one.grade([chunk]))
            assert verdict["status"] == "correct"
            (process,) = one._alive
            os.kill(process.process.pid, signal.SIGKILL)
            process.process.wait()


def test_all_usable_cores_grade_by_default() -> None:
    assert usable_cores() == len(os.sched_getaffinity(0))
