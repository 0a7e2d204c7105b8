"""`raml-eval watch` over a folder that fills while it runs: once each, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="checkpoints are evaluated (pip install 'raml-eval[hf]')")

from raml_eval.backends import open_backend
from raml_eval.cli.watching import _trackers
from raml_eval.config import build_config
from raml_eval.errors import ConfigError, GenerationError, ModelError, StoreError
from raml_eval.matrix import Cell, expand
from raml_eval.protocols import Backend
from raml_eval.session import run_session
from raml_eval.store import read_run
from raml_eval.watch import Ending, History, Watcher, WatchSettings
from raml_eval.watch.arrivals import Arrivals
from tests.backend_bench import POCKET
from tests.checkpoints import variant
from tests.dying import command_that_dies_at
from tests.engines import ENGINE_ARGS, drawn
from tests.processes import take_interrupts
from tests.test_cli import cli, fails
from tests.test_exits import one_line

RUN: dict[str, Any] = {
    "tasks": ["pocket_chain"], "limit": 3, "samples": 2, "thinking": {"budgets": [0, 24]}, "answer_tokens": 24,
    "max_total_tokens": None, "prompt_date": "2026-01-01",
}  # fmt: skip


def lines(out: Path) -> list[dict[str, Any]]:
    path = out / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def watch(
    folder: Path,
    out: Path,
    settle: float = 0,
    opener: Any = open_backend,
    ready_file: str | None = None,
    **settings: Any,
) -> Ending:
    """A watch with the fake engine, in this process, until nothing happens any more."""
    more = {name: settings.pop(name) for name in ("alarm", "track") if name in settings}
    given = {**RUN, "backend": "fake", "out": out, **settings.pop("run", {})}

    def make_cell(name: str, model: Path) -> Cell:
        return expand({**given, "model": {name: str(model)}})[0]

    history = History(out)
    try:
        watched = WatchSettings(
            Arrivals(folder, ready_file=ready_file, settle=settle), **{"idle_timeout": 0, "poll": 0.02, **settings}
        )
        return asyncio.run(Watcher(watched, history, make_cell, quiet=True, opener=opener, **more).run())
    finally:
        history.close()


@pytest.fixture
def training(tmp_path: Path) -> Path:
    for step in (5, 10, 15):
        shutil.copytree(POCKET, tmp_path / "training" / f"checkpoint-{step}")
    return tmp_path / "training"


@pytest.mark.parametrize(("order", "names"), [("newest", [15, 10, 5]), ("oldest", [5, 10, 15])])
def test_each_is_evaluated_once_in_the_order(order: str, names: list[int], training: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ending = watch(training, out, order=order)
    assert [line["step"] for line in lines(out)] == names
    assert ending.runs == tuple(out / f"checkpoint-{step}" for step in (5, 10, 15))
    (first, second) = lines(out)[0]["numbers"]
    assert (first["task"], first["budget"], second["budget"]) == ("pocket_chain", "0", "24")
    assert 0 <= first["low"] <= first["value"] <= first["high"] <= 1
    before = (out / "history.jsonl").read_bytes()
    assert watch(training, out, order=order) == ending
    assert (out / "history.jsonl").read_bytes() == before


def test_older_ones_are_skipped_and_listed(training: Path, tmp_path: Path) -> None:
    watch(training, tmp_path / "out", max_behind=1)
    assert [(line["step"], line["status"]) for line in lines(tmp_path / "out")] == [(5, "skipped"), (15, "done"), (10, "done")]
    assert not (tmp_path / "out" / "checkpoint-5").exists()


def test_other_settings_and_another_engine_are_refused_and_named(training: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    watch(training, out, until_step=15)
    before = (out / "history.jsonl").read_bytes()
    with pytest.raises(StoreError, match=r"samples is 2 there and 4 here; sampling.temperature is 0.6 there and 1.0 here\."):
        watch(training, out, run={"samples": 4, "sampling": {"temperature": 1.0}})
    with pytest.raises(StoreError, match=r"tasks is \['pocket_chain'\] there and \['pocket_chain', 'pocket_sort'\] here"):
        watch(training, out, run={"tasks": ["pocket_sort", "pocket_chain"]})
    shutil.copytree(POCKET, training / "checkpoint-20")

    async def opener(name: str, model: str, **settings: Any) -> Backend:
        engine = await open_backend(name, model, **settings)
        engine.description = replace(engine.description, dtype="float16")
        return engine

    with pytest.raises(StoreError, match=r"engine.dtype is 'none' there and 'float16' here\. Choose another --out"):
        watch(training, out, opener=opener)
    assert (out / "history.jsonl").read_bytes() == before
    watch(training, out, run={"concurrency": 3, "tasks": "pocket_chain,pocket_chain"})
    assert [line["step"] for line in lines(out)] == [15, 10, 5, 20]


def test_a_history_without_its_settings_is_not_gone_on_with(training: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    watch(training, out)
    (out / "watch.json").unlink()
    with pytest.raises(StoreError, match="did not store the settings of its runs"):
        watch(training, out)
    (out / "watch.json").write_text("[]")
    with pytest.raises(StoreError, match="holds list, wanted an object"):
        watch(training, out)


def test_what_is_not_whole_is_waited_for_or_told(tmp_path: Path, training: Path) -> None:
    assert watch(training, tmp_path / "settling", settle=0.2, idle_timeout=0).owed == ()
    assert len(lines(tmp_path / "settling")) == 3
    out = tmp_path / "marked"
    (training / "checkpoint-10" / "DONE").touch()
    ending = watch(training, out, ready_file="DONE", until_step=10)
    assert ending.owed == ("checkpoint-5: not whole: it has no DONE yet",)
    assert len(watch(training, out, ready_file="DONE").owed) == 2
    assert watch(tmp_path / "typo", tmp_path / "none").owed == (f"{tmp_path / 'typo'}: there is no such folder",)
    assert watch(tmp_path / "out", tmp_path / "none").owed == (f"{tmp_path / 'out'}: there is no such folder",)
    (tmp_path / "empty").mkdir()
    assert watch(tmp_path / "empty", tmp_path / "none").owed == (f"{tmp_path / 'empty'}: no checkpoint came",)


def test_what_is_waited_for_is_told_with_its_number(training: Path, tmp_path: Path) -> None:
    shutil.copytree(POCKET, training / "checkpoint-20")
    done = cli(*command(training, tmp_path / "out", "--ready-file", "DONE", "--idle-timeout", "3", "--poll", "0.1", loud=True))
    assert done.returncode == 4
    assert "waits for checkpoint-20 (it has no DONE yet), checkpoint-15 (it has no DONE yet)," in done.stderr
    assert "(it has no DONE yet) and 1 more" in done.stderr
    assert "4 not evaluated (" in done.stderr


def test_it_ends_when_the_last_step_is_settled(training: Path, tmp_path: Path) -> None:
    watch(training, tmp_path / "out", until_step=12, idle_timeout=None)
    assert len(lines(tmp_path / "out")) == 3


def test_a_broken_one_is_told_once_and_tried_again_when_it_changes(training: Path, tmp_path: Path) -> None:
    path, out = training / "checkpoint-10" / "tokenizer.json", tmp_path / "out"
    path.write_text("{")
    ending = watch(training, out)
    assert [line["status"] for line in lines(out)] == ["done", "broken", "done"]
    assert ending.owed[0].startswith("checkpoint-10: broken: model")
    watch(training, out)
    assert len(lines(out)) == 3
    watch(training, out, retry=True)
    assert [line["status"] for line in lines(out)[3:]] == ["broken"]
    shutil.copy(POCKET / "tokenizer.json", path)
    assert watch(training, out).owed == ()
    assert lines(out)[-1]["status"] == "done"


def test_a_wrong_setting_ends_the_watch(training: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="backend"):
        watch(training, tmp_path / "out", run={"backend": "vlm"})
    assert lines(tmp_path / "out") == []


def test_one_that_is_deleted_while_it_is_evaluated_is_told(training: Path, tmp_path: Path) -> None:
    async def opener(name: str, model: str, **settings: Any) -> Backend:
        if model.endswith("-10"):
            shutil.rmtree(model)
        return await open_backend("hf", model, **settings)  # which finds no files

    shutil.rmtree(training / "checkpoint-15")
    ending = watch(training, tmp_path / "out", opener=opener, run={"backend": "hf", "backend_args": dict(ENGINE_ARGS["hf"])})
    assert [(line["step"], line["status"]) for line in lines(tmp_path / "out")] == [(10, "gone"), (5, "done")]
    assert ending.owed == ()


def test_a_folder_that_is_away_for_a_moment_loses_no_checkpoint(training: Path, tmp_path: Path) -> None:
    """As a network drive that is mounted again: what was told as gone is there again."""
    away, opened = tmp_path / "away", []

    async def opener(name: str, model: str, **settings: Any) -> Backend:
        opened.append(Path(model).name)
        if len(opened) == 1:
            training.rename(away)
        return await open_backend("hf", model, **settings)  # which finds no files

    run = {"backend": "hf", "backend_args": dict(ENGINE_ARGS["hf"])}
    ending = watch(training, tmp_path / "out", opener=opener, run=run)
    assert {line["status"] for line in lines(tmp_path / "out")} == {"gone"}
    assert ending.owed == (f"{training}: not there, and with it checkpoint-10, checkpoint-15, checkpoint-5",)
    away.rename(training)
    assert watch(training, tmp_path / "out", opener=opener, run=run).owed == ()
    done = [line["step"] for line in lines(tmp_path / "out") if line["status"] == "done"]
    assert sorted(done) == [5, 10, 15]
    n_lines = len(lines(tmp_path / "out"))
    watch(training, tmp_path / "out", opener=opener, run=run)
    assert len(lines(tmp_path / "out")) == n_lines


@pytest.mark.parametrize(("n_failures", "status"), [(2, "done"), (9, "broken")])
def test_an_engine_that_does_not_start_is_tried_again_but_not_for_ever(
    n_failures: int, status: str, training: Path, tmp_path: Path
) -> None:
    opened = []

    async def opener(name: str, model: str, **settings: Any) -> Backend:
        opened.append(Path(model).name)
        if len(opened) <= n_failures:
            raise ModelError("free memory is less than desired.")
        return await open_backend(name, model, **settings)

    watch(training, tmp_path / "out", opener=opener)
    assert [line["status"] for line in lines(tmp_path / "out")] == [status] * 3
    assert len(opened) == (9 if status == "broken" else 2 + 1)  # one engine serves all that are alike


def test_one_that_is_deleted_before_its_turn_is_told(training: Path, tmp_path: Path) -> None:
    async def opener(name: str, model: str, **settings: Any) -> Backend:
        shutil.rmtree(training / "checkpoint-5")
        return await open_backend(name, model, **settings)

    watch(training, tmp_path / "out", opener=opener)
    assert [(line["step"], line["status"]) for line in lines(tmp_path / "out")] == [(15, "done"), (5, "gone"), (10, "done")]


def test_a_directory_that_cannot_be_written_is_not_the_checkpoints_fault(training: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    watch(training, out, max_behind=0)
    (out / "checkpoint-16").write_text("where a run directory would be")
    shutil.copytree(POCKET, training / "checkpoint-16")
    with pytest.raises(StoreError, match="cannot write"):
        watch(training, out)
    assert "checkpoint-16" not in (out / "history.jsonl").read_text()


def test_failed_samples_are_tried_again_but_not_for_ever(training: Path, tmp_path: Path) -> None:
    opened = []

    async def opener(name: str, model: str, **settings: Any) -> Backend:
        engine = await open_backend(name, model, **settings)
        opened.append(Path(model).name)

        async def die(*_: Any) -> Any:
            raise GenerationError("the engine is dead.")

        engine.generate = die  # type: ignore[method-assign]
        return engine

    ending = watch(training, tmp_path / "out", opener=opener)
    assert opened == ["checkpoint-15", "checkpoint-10", "checkpoint-5"] * 3
    assert [(line["step"], line["status"]) for line in lines(tmp_path / "out")] == [(15, "owed"), (10, "owed"), (5, "owed")]
    assert ending.owed[0] == "checkpoint-15: owed: 12 samples owed; the run's errors.jsonl says why"
    assert watch(training, tmp_path / "out", opener=opener) == ending
    assert watch(training, tmp_path / "out", retry=True).owed == ()


def test_what_a_killed_watch_left_is_settled_when_its_checkpoint_is_gone(training: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for step, limit in ((5, 3), (10, 1)):
        settings = {**RUN, "model": str(training / f"checkpoint-{step}"), "backend": "fake", "out": out / f"checkpoint-{step}"}
        asyncio.run(run_session(build_config([{**settings, "limit": limit}]), quiet=True))
    samples = out / "checkpoint-10" / "samples.jsonl"
    samples.write_text("".join(samples.read_text().splitlines(keepends=True)[:-1]))
    shutil.rmtree(training)
    ending = watch(training, out)
    assert [(line["step"], line["status"]) for line in lines(out)] == [(10, "gone"), (5, "done")]
    assert ending.runs == (out / "checkpoint-5",)


def test_a_torn_line_is_cut_and_two_watches_exclude_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raml_eval.watch.history._LOCK_WAIT_S", 0.1)
    history = History(tmp_path)
    history.append("checkpoint-5", 5, "done", run="checkpoint-5")
    with pytest.raises(StoreError, match="in use by another raml-eval watch"):
        History(tmp_path)
    history.close()
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"name": "checkpoint-10"')
    again = History(tmp_path)
    again.append("checkpoint-10", 10, "done", run="checkpoint-10")
    again.close()
    assert [line["step"] for line in lines(tmp_path)] == [5, 10]
    (tmp_path / "history.jsonl").write_text("{}\n")
    with pytest.raises(StoreError, match="has no name, step and status"):
        History(tmp_path)


WORDS = [
    "--backend", "hf", "--backend-arg", "dtype=float32", "--tasks", "pocket_chain", "--limit", "6", "--samples", "2",
    "--thinking-budget", "0,32", "--answer-tokens", "32", "--max-total-tokens", "256", "--set", "prompt_date=2026-01-01",
    "--quiet", "--set", "concurrency=4",
]  # fmt: skip


def start(folder: Path, out: Path, *more: str, words: list[str] = WORDS, program: str = "") -> subprocess.Popen[str]:
    how = ["-c", program] if program else ["-m", "raml_eval"]
    command = [sys.executable, *how, "watch", str(folder), "--poll", "0.1", *more, "--", *words, "--out", str(out)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=take_interrupts)


def wait_for(process: subprocess.Popen[str], *, lines_of: Path, n: int) -> None:
    deadline = time.monotonic() + 200
    while process.poll() is None and time.monotonic() < deadline:
        if lines_of.exists() and lines_of.read_bytes().count(b"\n") >= n:
            return
        time.sleep(0.02)
    process.kill()
    raise AssertionError(process.communicate()[1])


@pytest.mark.slow
@pytest.mark.parametrize("temperature", ["0", "1"])
def test_killed_and_restarted_while_a_training_writes(temperature: str, tmp_path: Path) -> None:
    """Every checkpoint is evaluated once, and its records are those of a run alone."""
    folder, out, steps = tmp_path / "training", tmp_path / "out", (5, 10, 15, 20)
    words = [*WORDS, "--temperature", temperature]
    more = ["--ready-file", "DONE", "--order", "oldest", "--until-step", "20"]

    def save(step: int) -> None:
        (variant(POCKET, folder / f"checkpoint-{step}", seed=step, scale=0.02) / "DONE").touch()

    save(5)
    samples = out / "checkpoint-10" / "samples.jsonl"
    with start(folder, out, *more, words=words, program=command_that_dies_at(samples, 5)) as process:
        wait_for(process, lines_of=out / "history.jsonl", n=1)
        save(10)
        process.communicate(timeout=200)
    assert process.returncode == -signal.SIGKILL
    assert [line["step"] for line in lines(out)] == [5]
    assert samples.read_bytes().count(b"\n") == 5
    save(15)
    with start(folder, out, *more, words=words) as process:
        wait_for(process, lines_of=out / "history.jsonl", n=2)
        save(20)
        stderr = process.communicate(timeout=200)[1]
    assert process.returncode == 0, stderr
    assert [(line["step"], line["status"]) for line in lines(out)] == [(step, "done") for step in steps]
    found = []
    for step in steps:
        run = read_run(out / f"checkpoint-{step}")
        assert [session.get("swapped") is None for session in run.manifest["sessions"]] == {5: [True], 10: [False, True]}.get(
            step, [False]
        )
        alone = cli("run", "--model", folder / f"checkpoint-{step}", *words, "--out", tmp_path / f"alone-{step}")
        assert alone.returncode == 0, alone.stderr
        other = read_run(tmp_path / f"alone-{step}")
        assert {one.key: drawn(one) for one in run.records} == {one.key: drawn(one) for one in other.records}
        assert len(run.records) == 24
        found.append({one.key: drawn(one) for one in run.records})
    assert all(one != found[0] for one in found[1:])


def test_signals_end_it_cleanly(tmp_path: Path) -> None:
    for sent, code, told in ((signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")):
        with start(tmp_path / "later", tmp_path / "out", words=["--backend", "fake", "--tasks", "pocket_chain"]) as process:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("watch: waits for")
            process.send_signal(sent)
            stderr = process.communicate(timeout=60)[1]
        assert process.returncode == code, stderr
        assert one_line(stderr).startswith(f"{told}; what is evaluated is in the history")


def command(folder: Path, out: Path, *more: str | Path, loud: bool = False) -> list[str | Path]:
    fake = ["--backend", "fake", "--tasks", "pocket_chain", "--limit", "3", "--answer-tokens", "24", "--max-total-tokens", "64"]
    return [
        "watch",
        folder,
        "--settle",
        "0",
        "--idle-timeout",
        "0",
        *more,
        "--",
        *fake,
        *([] if loud else ["--quiet"]),
        "--out",
        out,
    ]


def test_a_certain_regression_is_signalled_and_ends_it(training: Path, tmp_path: Path) -> None:
    """The base is always right, and the fake engine never."""
    gate, base, signalled = tmp_path / "gate.yaml", tmp_path / "base", tmp_path / "signal.json"
    gate.write_text("cells: [{domain: in_domain}]")
    words = ["--model", "pocket", "--backend", "fake", "--tasks", "pocket_chain", "--limit", "40", "--answer-tokens", "24"]
    words += ["--max-total-tokens", "64", "--quiet"]
    assert cli("run", *words, "--out", base).returncode == 0
    samples = base / "samples.jsonl"
    stored = [json.loads(line) for line in samples.read_text().splitlines()]
    samples.write_text("".join(json.dumps({**line, "status": "correct"}) + "\n" for line in stored))
    note = tmp_path / "note.py"
    note.write_text(
        f"import os; open({str(tmp_path / 'step')!r}, 'a').write(os.environ['RAML_EVAL_STEP'] + os.environ['RAML_EVAL_RUN'])"
    )
    more = ["--gate", gate, "--against", base, "--signal-file", signalled, "--order", "oldest"]
    more += ["--on-regression", f"{sys.executable} {note}"]
    del words[:2]
    out = tmp_path / "out"
    head = ["watch", training, "--settle", "0", "--idle-timeout", "0", *more, "--stop-on-regression"]
    done = cli(*head, "--", *words, "--out", out)
    assert done.returncode == 1, done.stderr
    assert [line["step"] for line in lines(out)] == [5]
    assert lines(out)[0]["gate"]["outcome"] == "failed"
    assert json.loads(signalled.read_text())["step"] == 5
    assert cli(*head, "--", *words, "--out", out).returncode == 1  # the same command goes on, and stands where it stood
    assert len(lines(out)) == 1
    assert (tmp_path / "step").read_text() == f"5{out / 'checkpoint-5'}"


def test_trackers_get_each_checkpoint_once_and_what_they_missed_later(training: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    out, board = tmp_path / "out", tmp_path / "board"
    board.write_text("in the way")
    words = command(training, out, "--tensorboard", board)
    done = cli(*words)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: cannot write") == 6  # of one, of two, of three
    board.unlink()

    def again() -> list[str]:
        assert cli(*words).returncode == 0
        return sorted(path.name for path in (board / "out").iterdir())

    logged = again()
    assert {name.rpartition(".")[2] for name in logged} == {"checkpoint-5", "checkpoint-10", "checkpoint-15"}
    assert len(logged) == 3
    assert again() == logged
    (out / "trackers.jsonl").unlink()  # killed before it remembered
    assert again() == logged
    assert len((out / "trackers.jsonl").read_text().splitlines()) == 3


def test_a_trackers_library_that_is_missing_is_told_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(ConfigError, match=r"needs the package trackio.*pip install trackio"):
        _trackers(tmp_path, None, None, (None, None), "project")
    assert _trackers(tmp_path, None, None, (None, None), None) == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--gate", "g.yaml"], "--gate needs both"),
        (["--stop-on-regression"], "--stop-on-regression needs both"),
        (["--order", "best"], "--order is 'best'"),
        (["--backend", "hf"], "--backend is an option of run, and these stand after --"),
        (["--idle", "5"], "No such option: --idle"),
    ],
)
def test_options_that_lack_another_are_refused(more: list[str], told: str, tmp_path: Path) -> None:
    fails(cli(*command(tmp_path, tmp_path / "out", *more)), told)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "pocket", "--out", "out"], "--model is no setting of a watch"),
        (["--tasks", "pocket"], "out is not given"),
        (["--tasks", "pocket", "--out", "out", "--backend", "openai_server"], "the weights that its server holds"),
        (["--out", "out"], "tasks is not given"),
        (["--tasks", "pocket", "--out", "out", "--sample", "3"], "See raml-eval run --help"),
        (["--tasks", "pocket,nosuch", "--out", "out"], "there is no task or suite 'nosuch'"),
        (["--tasks", "pocket", "--out", "out", "--thinking-format", "nosuch"], "nosuch"),
    ],
)
def test_settings_that_do_not_fit_are_refused(words: list[str], told: str, tmp_path: Path) -> None:
    fails(cli("watch", tmp_path, "--", *words), told)
