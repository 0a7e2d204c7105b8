"""Every exit code, by the real command in a process of its own; and the page that lists them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from raml_eval.cli import app
from raml_eval.exits import ALWAYS, COMMANDS, MEANINGS, ExitCode
from raml_eval.store.journal import count_lines
from raml_eval.types import Grade, Status
from tests.chat_server import Reply, serve_chat
from tests.processes import stat_of, take_interrupts, wait_until
from tests.stored import Drawn, ask, store_run
from tests.test_cli import FAKE, cli

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "raml_eval"]


def raml_eval(*words: str | Path, before: str = "", **more: object) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it. before is Python that is run first, in the same process."""
    start = [sys.executable, "-c", f"{before}\nfrom raml_eval.cli import main\nmain()"] if before else COMMAND
    env = {**os.environ, "NO_PROXY": "127.0.0.1"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.run([*start, *map(str, words)], text=True, env=env, timeout=600, check=False, **streams)  # type: ignore


def one_line(text: str) -> str:
    """The only line of the text that is not a note."""
    (line,) = [line for line in text.splitlines() if line and not line.startswith("note: ")]
    return line


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "fake"
    assert cli(*FAKE, "--out", out).returncode == 0
    return out


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run that is always right, and one that is always wrong."""
    folder, questions = tmp_path_factory.mktemp("pair"), [ask(row, "12") for row in range(20)]
    right, wrong = Grade(Status.CORRECT, "12", "boxed", "identical"), Grade(Status.INCORRECT, "7", "boxed", "number")
    first, second = (
        store_run(folder / name, questions, [Drawn("x", grade, question=row) for row in range(20)], version="3")
        for name, grade in (("right", right), ("wrong", wrong))
    )
    return first, second


def tables() -> list[list[list[str]]]:
    """The cells of each table of the page, without its two rows of titles."""
    found: list[list[list[str]]] = [[]]
    for line in (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table[2:] for table in found if table]


def test_the_page_has_the_codes_and_what_every_command_does_with_them() -> None:
    codes, commands = tables()
    assert codes == [[f"{code}", f"{code.name}", meaning] for code, meaning in MEANINGS.items()]
    rows = [[f"`{name}`", f"{code}", when] for name, ends in COMMANDS.items() for code, when in ends.items()]
    assert commands == rows
    assert not {code for ends in COMMANDS.values() for code in ends} & set(ALWAYS)
    assert set(ExitCode) == set(MEANINGS)


def test_every_command_is_in_the_table() -> None:
    found = set()
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        found |= {f"{name} {below}" for below in getattr(command, "commands", {})} or {name}
    assert set(COMMANDS) == found


def test_done(finished: Path) -> None:
    for words in (["--version"], ["report", finished], [*FAKE, "--out", finished], ["audit", finished]):
        done = raml_eval(*words)
        assert done.returncode == ExitCode.DONE, done.stderr


def test_a_task_that_was_cancelled_twice_was_interrupted() -> None:
    """asyncio.run then raises CancelledError, which is no bug."""
    code = "import asyncio, raml_eval.tasks.catalogue as c\ndef cut(*a): raise asyncio.CancelledError\nc.load_catalogue = cut"
    done = raml_eval("tasks", "list", before=code)
    assert (done.returncode, one_line(done.stderr)) == (ExitCode.INTERRUPTED, "interrupted")


def test_worse(pair: tuple[Path, Path]) -> None:
    assert raml_eval("compare", *pair).returncode == ExitCode.WORSE
    assert raml_eval("compare", *reversed(pair)).returncode == ExitCode.DONE


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["report", "/no/such/run"], "error: /no/such/run"),
        (["show", "/no/such/run", "--task", "a", "--question", "1"], "error: /no/such/run"),
        (["audit", "/no/such/run"], "error: /no/such/run"),
        (["view", "/no/such/run", "--out", "/no/such/out"], "error: /no/such/run"),
        (["leaderboard", "build", "/no/such/board"], "error: cannot read /no/such/board"),
        (["tasks", "show", "gsm9k"], "error: there is no task or suite"),
        (["tasks", "check", "/no/such/file"], "error: the task path /no/such/file"),
        (["formats", "show", "qwen4"], "error: thinking format"),
        (["report"], "error: Missing argument 'runs'. See raml-eval report --help."),
        (["report", "run", "--k"], "error: Option '--k' requires an argument. See raml-eval --help."),
        (["reprot"], "error: No such command 'reprot'. Did you mean 'report', 'export'? See raml-eval --help."),
        (["run", "pocket", "--samples", "many"], "error: Invalid value for '--samples'"),
    ],
)
def test_unusable_is_one_line(words: list[str], told: str) -> None:
    done = raml_eval(*words)
    assert done.returncode == ExitCode.UNUSABLE
    assert one_line(done.stderr).startswith(told)
    assert done.stdout == ""


FAILING = """
from raml_eval.backends.fake import FakeBackend
from raml_eval.errors import GenerationError
draw, n = FakeBackend.generate, 0
async def generate(self, *given):
    global n
    n += 1
    if n {when}:
        raise GenerationError("the engine dropped the request.")
    return await draw(self, *given)
FakeBackend.generate = generate
"""


@pytest.mark.parametrize(("when", "told"), [("== 3", "run the same command again"), (">= 3", "samples in a row failed")])
def test_a_run_with_samples_owed(when: str, told: str, tmp_path: Path) -> None:
    words = [*FAKE, "--samples", "20", "--out", tmp_path / "run"]
    done = raml_eval(*words, before=FAILING.format(when=when))
    assert done.returncode == ExitCode.OWED, done.stderr
    assert told in one_line(done.stderr)
    assert raml_eval("report", tmp_path / "run").returncode == ExitCode.UNUSABLE
    assert raml_eval(*words).returncode == ExitCode.DONE


def test_a_regrading_with_samples_owed(tmp_path: Path) -> None:
    lost = ask(0, "green", "choice", task="letters", options=("red", "blue"))
    done = raml_eval("regrade", store_run(tmp_path / "run", [lost], [Drawn("(A)")]), "--quiet")
    assert done.returncode == ExitCode.OWED
    assert one_line(done.stderr) == "1 sample could not be graded and keeps its verdict"


def test_a_judging_with_requests_owed(tmp_path: Path) -> None:
    path = store_run(tmp_path / "run", [ask(0, "12")], [Drawn(r"\boxed{13}", Grade(Status.INCORRECT, "13", "boxed", "number"))])
    with serve_chat() as chat:
        chat.answer = lambda asked, number: Reply(status=400)
        words = ["judge", path, "--endpoint", chat.url, "--model", "tiny", "--quiet"]
        done = raml_eval(*words)
        assert done.returncode == ExitCode.OWED, done.stderr
        assert "1 request failed" in one_line(done.stderr)
        chat.answer = lambda asked, number: Reply()
        assert raml_eval(*words).returncode == ExitCode.DONE


def test_a_crash_prints_its_traceback_and_is_no_regression() -> None:
    bug = "import raml_eval.reporting.boards.leaderboard as module\nmodule.build_board = lambda board: {}[board]"
    done = raml_eval("leaderboard", "build", "somewhere", before=bug)
    assert done.returncode == ExitCode.CRASH
    assert "Traceback (most recent call last)" in done.stderr
    assert re.fullmatch(r"error: this is a bug in raml-eval, .*\(KeyError: .*somewhere.*\).*", done.stderr.splitlines()[-1])


FIFO_TASK = ["--task-path", "{folder}/fifo.d"]
WAITING = {
    "run": ["run", "--config", "{fifo}"],
    "watch": ["watch", "{folder}", "--", "--config", "{fifo}"],
    "merge": ["merge", "{folder}", "--out", "{folder}/out"],
    "doctor": ["doctor", "--config", "{fifo}"],
    "report": ["report", "{folder}"],
    "compare": ["compare", "{folder}", "{folder}"],
    "sweep": ["sweep", "{folder}"],
    "noise": ["noise", "{folder}"],
    "power": ["power", "--base", "{folder}"],
    "regrade": ["regrade", "{folder}"],
    "audit": ["audit", "{folder}"],
    "show": ["show", "{folder}", "--task", "a", "--question", "1"],
    "view": ["view", "{folder}", "--out", "{folder}/view"],
    "judge": ["judge", "{folder}", "--endpoint", "http://127.0.0.1:1/v1", "--model", "a"],
    "export inspect": ["export", "inspect", "{folder}", "--out", "{folder}/logs"],
    "export model-card": ["export", "model-card", "{folder}", "--out", "{folder}/card"],
    "export every-eval-ever": ["export", "every-eval-ever", "{folder}", "--out", "{folder}/records"],
    "export hub": ["export", "hub", "{folder}", "me/mine", "--folder", "{folder}/data"],
    "export wandb": ["export", "wandb", "{folder}"],
    "export mlflow": ["export", "mlflow", "{folder}"],
    "export tensorboard": ["export", "tensorboard", "{folder}", "--out", "{folder}/events"],
    "export trackio": ["export", "trackio", "{folder}"],
    "diagnose statistics": ["diagnose", "statistics", "{folder}"],
    "diagnose pseudo-gradient": ["diagnose", "pseudo-gradient", "{folder}"],
    "diagnose token-roles": ["diagnose", "token-roles", "{folder}"],
    "diagnose pruning": ["diagnose", "pruning", "{folder}", "--by", "no-repeats"],
    "diagnose landscape": ["diagnose", "landscape", "{folder}"],
    "diagnose all": ["diagnose", "all", "{folder}"],
    "tasks list": ["tasks", "list", *FIFO_TASK],
    "tasks show": ["tasks", "show", "a", *FIFO_TASK],
    "tasks preview": ["tasks", "preview", "a", *FIFO_TASK],
    "tasks check": ["tasks", "check", "{folder}/fifo.d"],
    "formats show": ["formats", "show", "{fifo}"],
    "formats detect": ["formats", "detect", "pocket", "--thinking-format", "{fifo}"],
    "leaderboard add": ["leaderboard", "add", "{folder}", "{folder}"],
}


def test_every_command_that_can_wait_is_interrupted_below() -> None:
    refuse_a_pipe = {"import", "leaderboard build", "leaderboard check"}
    assert set(COMMANDS) - set(WAITING) == {"formats list", "lm-eval", "tasks new"} | refuse_a_pipe


@pytest.mark.parametrize("command", WAITING)
def test_every_command_can_be_interrupted_and_terminated(command: str, tmp_path: Path) -> None:
    """Each command waits for a named pipe that nobody writes to."""
    (tmp_path / "fifo.d").mkdir()
    fifo = tmp_path / "fifo.d" / "fifo.yaml"
    os.mkfifo(fifo)
    for name in ("manifest.json", "board.yaml"):
        (tmp_path / name).symlink_to(fifo)
    words = [word.format(folder=tmp_path, fifo=fifo) for word in WAITING[command]]
    for sent, code, told in ((signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")):
        with started(*words) as process:
            writer = open_when_read(fifo, process)
            process.send_signal(sent)
            stderr = process.communicate(timeout=60)[1]
            os.close(writer)
        assert process.returncode == code, stderr
        assert one_line(stderr).startswith(told)


@contextlib.contextmanager
def started(*words: str, preexec_fn: Callable[[], object] = take_interrupts) -> Iterator[subprocess.Popen[str]]:
    """The command, in a group of its own, while it runs. It is killed if it has not ended."""
    settings = {"stderr": subprocess.PIPE, "text": True, "start_new_session": True, "preexec_fn": preexec_fn}
    with subprocess.Popen([*COMMAND, *words], **settings) as process:  # type: ignore
        try:
            yield process
        finally:
            process.kill()


def open_when_read(fifo: Path, process: subprocess.Popen[str]) -> int:
    """The end to write to, as soon as the process reads the other one."""
    while process.poll() is None:
        try:
            writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # ENXIO: nobody reads
            time.sleep(0.02)
        else:
            time.sleep(0.5)  # from open to read; a signal that comes between the two is seen only after the read
            wait_until(lambda: stat_of(process.pid)[:1] in ([], ["S"]))
            return writer
    raise AssertionError(f"the command ended: {process.communicate()[1]}")


@pytest.mark.parametrize("ignored", [False, True], ids=["alone", "group, SIGINT ignored"])
def test_a_terminated_run_stops_cleanly_and_goes_on(ignored: bool, tmp_path: Path) -> None:
    """As `timeout` does it, to the whole group of a background job of a shell, which ignores SIGINT; or to the run alone."""
    out = tmp_path / "run"
    words = [*FAKE, "--samples", "40", "--concurrency", "4", "--out", str(out)]
    start = (lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignored else take_interrupts
    with started(*words, "--backend-arg", "latency_s=1", preexec_fn=start) as process:
        while process.poll() is None and not count_lines(out / "samples.jsonl"):
            time.sleep(0.02)
        for _ in range(2):
            (os.killpg if ignored else os.kill)(process.pid, signal.SIGTERM)
        stderr = process.communicate(timeout=60)[1]
    assert process.returncode == ExitCode.TERMINATED, stderr
    assert one_line(stderr) == "terminated; finished samples are stored, and the same command continues from there"
    session = json.loads((out / "manifest.json").read_text())["sessions"][0]
    n_stored = len((out / "samples.jsonl").read_text().splitlines())
    assert session["samples_after"] == n_stored
    assert session["failed"] == 0
    assert 0 < n_stored < 2 * 3 * 40 * 3
    assert raml_eval(*words).returncode == ExitCode.DONE  # and so the lock is free


def test_a_closed_pipe_is_no_error(finished: Path) -> None:
    for words in (["report", finished], ["tasks", "list"], ["--help"]):
        reader, writer = os.pipe()
        os.close(reader)
        done = raml_eval(*words, stdout=writer)
        os.close(writer)
        assert done.returncode == ExitCode.CLOSED_PIPE, done.stderr
        assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(finished: Path) -> None:
    for words in (["report", finished], ["tasks", "list"], ["--version"]):
        with open("/dev/full", "w") as full:
            done = raml_eval(*words, stdout=full)
        assert done.returncode == ExitCode.UNUSABLE
        assert one_line(done.stderr).startswith("error: cannot write standard output: No space left on device.")
    with open("/dev/full", "w") as full:
        assert raml_eval("report", "/no/such/run", stderr=full).returncode == ExitCode.UNUSABLE
    out = raml_eval("report", finished, "--out", "/dev/full")
    assert out.returncode == ExitCode.UNUSABLE
    assert one_line(out.stderr) == "error: cannot write /dev/full: No space left on device. Choose a writable --out."


def test_output_that_the_encoding_lacks_or_that_is_closed(finished: Path) -> None:
    ascii_only = raml_eval("report", finished, before="import sys; sys.stdout.reconfigure(encoding='ascii')")
    assert ascii_only.returncode == ExitCode.DONE
    assert r"\u03c4=" in ascii_only.stdout
    closed = raml_eval("report", finished, preexec_fn=lambda: os.close(1))
    assert closed.returncode == ExitCode.DONE, closed.stderr


def test_the_version_is_told_at_once() -> None:
    took = []
    for _ in range(5):
        before = os.times()
        assert raml_eval("--version").returncode == ExitCode.DONE
        after = os.times()  # CPU seconds: how long a busy machine takes for them says nothing
        took.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(took) < 0.3


def test_a_current_directory_that_is_gone_is_told_in_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os, sys; os.rmdir({str(gone)!r}); from raml_eval.cli import main; sys.argv[1:] = ['doctor']; main()"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=gone, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the current directory cannot be read")
    assert done.stderr.count("\n") == 1
