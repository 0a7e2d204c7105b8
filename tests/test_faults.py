"""Faults around a run, with real processes: what finished is stored, nothing twice, and the same command completes the run."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from raml_eval.exits import ExitCode
from raml_eval.store import read_run
from tests.processes import take_interrupts, wait_until
from tests.test_cli import FAKE
from tests.test_exits import COMMAND, one_line, raml_eval

N = 2 * 3 * 2 * 3  # samples of FAKE
SLOW = ["--samples", "40", "--backend-arg", "latency_s=0.05"]
# Grading waits for a file "go" in the folder. Each answer that is to be graded adds a line to "begun", and each answer whose
# sample is cancelled meanwhile adds one to "waiting".
HELD_GRADING = """
import asyncio, pathlib
from raml_eval import runner
from raml_eval.grading.pool import GradingPool
runner.GRACE_S = 600.0
folder, grade, wait = pathlib.Path({folder!r}), GradingPool.grade_sample, asyncio.wait
def mark(name):
    with open(folder / name, "a") as file:
        file.write("\\n")
async def held(self, *given):
    mark("begun")
    while not (folder / "go").exists():
        await asyncio.sleep(0.02)
    return await grade(self, *given)
async def waiting(*given, **more):
    mark("waiting")
    return await wait(*given, **more)
GradingPool.grade_sample, asyncio.wait = held, waiting
"""
# Every answer is compared by a grading worker, also those that their spelling decides.
SYMBOLIC = """
from raml_eval.grading.pool import KINDS, GradingPool
def decide(self, gold, answer, kind, options):
    return self._compare(KINDS[kind].symbolic_gold(gold), answer, either_order=False)
GradingPool._decide = decide
"""
# A worker is killed while it has a request, at these calls. Stopped before, it cannot have replied by then.
DYING_WORKERS = """
import signal, threading
from raml_eval.grading.pool import Worker
compare, begun = Worker.compare, []
def dying(self, *given):
    begun.append(given)
    if len(begun) in {calls}:
        self.process.send_signal(signal.SIGSTOP)
        threading.Timer(0.2, self.process.kill).start()
    return compare(self, *given)
Worker.compare = dying
"""


def sizes(out: Path) -> dict[str, int]:
    """The number of lines of each file, which must all have distinct keys for read_run to read them."""
    run = read_run(out)
    return {"samples": len(run.records), "trajectories": len(run.trajectories), "questions": len(run.questions)}


def whole(out: Path) -> list[tuple[object, ...]]:
    """What a run holds, without the sessions that drew it."""
    return sorted((str(r.key), str(r.budget), r.answer, r.grade.status.value) for r in read_run(out).records)


@contextlib.contextmanager
def running(*words: str | Path, before: str = "", until: Callable[[], bool]) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, from when something is true on."""
    command = [sys.executable, "-c", f"{before}\nfrom raml_eval.cli import main\nmain()"] if before else COMMAND
    settings = {"stderr": subprocess.PIPE, "text": True, "start_new_session": True, "preexec_fn": take_interrupts}
    with subprocess.Popen([*command, *map(str, words)], **settings) as process:  # type: ignore
        try:
            wait_until(lambda: process.poll() is not None or until(), 60)
            yield process
        finally:
            process.kill()


def has_lines(path: Path, n: int = 1) -> bool:
    return path.exists() and path.read_bytes().count(b"\n") >= n


def test_a_full_disk_ends_the_run_in_one_line_and_it_goes_on_from_there(tmp_path: Path) -> None:
    """The limit on the size of a file stands for the disk: writes begin to fail in the midst of a line."""
    out = tmp_path / "run"
    words = [*FAKE, "--samples", "20"]
    assert raml_eval(*words, "--out", tmp_path / "undisturbed").returncode == ExitCode.DONE
    n_before = 0
    for kib in (40, 90):
        limit = (kib << 10, resource.RLIM_INFINITY)
        done = raml_eval(*words, "--out", out, preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
        assert done.returncode == ExitCode.UNUSABLE, done.stderr
        assert "cannot write" in one_line(done.stderr)
        assert "run again to resume" in one_line(done.stderr)
        stored = sizes(out)
        assert n_before < stored["trajectories"]  # the samples may wait for their grades until the disk is full
        assert stored["samples"] < 10 * N
        n_before = stored["trajectories"]
    assert raml_eval(*words, "--out", out).returncode == ExitCode.DONE
    assert whole(out) == whole(tmp_path / "undisturbed")


def test_a_second_run_on_a_directory_is_refused_and_disturbs_nothing(tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [*FAKE, "--samples", "40", "--out", out]
    slow = [*words, "--backend-arg", "latency_s=1", "--concurrency", "4"]
    with running(*slow, until=lambda: has_lines(out / "samples.jsonl")) as first:
        for command in (words, ["regrade", out]):
            second = raml_eval(*command)
            assert second.returncode == ExitCode.UNUSABLE
            assert f"is locked by process {first.pid}" in one_line(second.stderr)
        first.send_signal(signal.SIGTERM)
        assert first.wait(timeout=60) == ExitCode.TERMINATED
    assert raml_eval(*words).returncode == ExitCode.DONE
    assert sizes(out)["samples"] == 20 * N


def test_of_two_runs_that_start_at_once_one_draws(tmp_path: Path) -> None:
    out, held = tmp_path / "run", HELD_GRADING.format(folder=str(tmp_path))
    command = [sys.executable, "-c", f"{held}\nfrom raml_eval.cli import main\nmain()", *FAKE, "--out", str(out)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        wait_until(lambda: any(process.poll() is not None for process in both))
        (tmp_path / "go").touch()  # the one that draws has not ended before the other began
        ended = [(process.communicate(timeout=120)[1], process.returncode) for process in both]
    finally:
        for process in both:
            process.kill()
    assert sorted(code for _, code in ended) == [ExitCode.DONE, ExitCode.UNUSABLE]
    assert any("is locked by process" in stderr for stderr, _ in ended)
    assert sizes(out)["samples"] == N


@pytest.mark.parametrize("seconds", [-7200, 7200])
def test_a_clock_that_jumps_disturbs_nothing(seconds: int, tmp_path: Path) -> None:
    jump = f"""
import datetime, time
began, now, now_ns = time.monotonic(), time.time, time.time_ns
def jumped():
    return {seconds} if time.monotonic() - began > 1.5 else 0
time.time = lambda: now() + jumped()
time.time_ns = lambda: now_ns() + jumped() * 10**9
from raml_eval import manifest
manifest.now = lambda: (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=jumped())).isoformat()
"""
    out = tmp_path / "run"
    words = [*FAKE, *SLOW, "--out", out]
    with running(*words, before=jump, until=lambda: has_lines(out / "samples.jsonl", 30)) as process:
        process.kill()
        process.communicate()
    assert raml_eval(*words, before=jump).returncode == ExitCode.DONE
    assert raml_eval("report", out, before=jump).returncode == ExitCode.DONE
    assert raml_eval("report", out).returncode == ExitCode.DONE
    assert sizes(out)["samples"] == 20 * N
    for session in read_run(out).manifest["sessions"]:
        assert all(taken >= 0 for taken in session["seconds"].values())


@pytest.mark.parametrize("calls", [(1, 4, 9), (3, 4)], ids=["one", "two in a row"])
def test_a_killed_grading_worker_changes_no_verdict(calls: tuple[int, ...], tmp_path: Path) -> None:
    out, dying = tmp_path / "run", SYMBOLIC + DYING_WORKERS.format(calls=calls)
    words = [*FAKE, "--tasks", "pocket_chain", "--limit", "12", "--samples", "3", "--out"]
    assert raml_eval(*words, tmp_path / "undisturbed", before=SYMBOLIC).returncode == ExitCode.DONE
    done = raml_eval(*words, out, before=dying)
    if calls == (3, 4):
        assert done.returncode == ExitCode.OWED, done.stderr
        assert "two grading workers died (killed by signal 9)" in done.stderr
        assert 0 < len(read_run(out).records) < len(read_run(tmp_path / "undisturbed").records)
        done = raml_eval(*words, out, before=SYMBOLIC)
    assert done.returncode == ExitCode.DONE, done.stderr
    assert whole(out) == whole(tmp_path / "undisturbed")


def test_sigterm_stores_what_was_drawn_and_only_had_to_be_graded(tmp_path: Path) -> None:
    out, held = tmp_path / "run", HELD_GRADING.format(folder=str(tmp_path))
    words = [*FAKE, "--concurrency", "4", "--out", out]
    with running(*words, before=held, until=lambda: has_lines(tmp_path / "begun", 4 * 3)) as process:
        assert not has_lines(out / "samples.jsonl")
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: has_lines(tmp_path / "waiting", 4 * 3))
        (tmp_path / "go").touch()
        stderr = process.communicate(timeout=60)[1]
    assert process.returncode == ExitCode.TERMINATED, stderr
    assert one_line(stderr).startswith("terminated; finished samples are stored")
    assert len(read_run(out).records) == 4 * 3
    assert raml_eval(*words).returncode == ExitCode.DONE
    assert sizes(out) == {"samples": N, "trajectories": N // 3, "questions": 6}


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_sigint_does_not_wait(first: signal.Signals, tmp_path: Path) -> None:
    out, held = tmp_path / "run", HELD_GRADING.format(folder=str(tmp_path))
    words = [*FAKE, "--concurrency", "4", "--out", str(out)]
    with running(*words, before=held, until=lambda: has_lines(tmp_path / "begun")) as process:
        process.send_signal(first)
        wait_until(lambda: has_lines(tmp_path / "waiting"))
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        stderr = process.communicate(timeout=60)[1]
    assert process.returncode == (ExitCode.INTERRUPTED if first is signal.SIGINT else ExitCode.TERMINATED), stderr
    assert "the same command continues" in one_line(stderr)
    assert raml_eval(*words).returncode == ExitCode.DONE
    assert sizes(out)["samples"] == N


POISON = """
import raml_eval.errors
from raml_eval.backends.fake import FakeBackend
draw, poisoned = FakeBackend.generate, []
async def generate(self, prompt_ids, params):
    poisoned[:] = poisoned or [tuple(prompt_ids)]
    if tuple(prompt_ids[:len(poisoned[0])]) == poisoned[0]:
        raise {error}("this prompt cannot be read")
    return await draw(self, prompt_ids, params)
FakeBackend.generate = generate
"""
ROWS = """
task: many
custom_dataset: !function raml_eval.tasks.docs.load_jsonl
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: question
doc_to_target: answer
metadata: {version: 1, raml: {domain: in_domain, grader: math, answer_format: boxed, licence: MIT, source: me, revision: main}}
"""


@pytest.mark.parametrize(("error", "n"), [("RecursionError", 10_000), ("raml_eval.errors.GenerationError", 200)])
def test_one_poisonous_prompt_among_ten_thousand_leaves_the_rest(error: str, n: int, tmp_path: Path) -> None:
    rows = ({"question": f"What is {row} + 1?", "answer": str(row + 1)} for row in range(n))
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "tasks" / "many.yaml").write_text(ROWS)
    out = tmp_path / "run"
    words = ["run", "--model", "pocket", "--backend", "fake", "--tasks", "many", "--task-path", tmp_path / "tasks"]
    words += ["--thinking-budget", "0", "--answer-tokens", "16", "--quiet", "--out", out]
    done = raml_eval(*words, before=POISON.format(error=error))
    assert done.returncode == ExitCode.OWED, done.stderr
    run = read_run(out)
    (lost,) = set(run.questions) - {(record.key.task, record.key.question_id) for record in run.records}
    assert len(run.records) == n - 1
    assert f"note: many/{lost[1]}, sample 0 at 0: {error.rpartition('.')[2]}: this prompt cannot be read" in done.stderr
    assert one_line(done.stderr) == "1 sample failed and is owed; run the same command again to retry."
    assert raml_eval(*words).returncode == ExitCode.DONE
    assert len(read_run(out).records) == n
