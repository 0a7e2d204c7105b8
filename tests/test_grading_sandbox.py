"""Hostile programs: each ends as incorrect or timeout, reaches nothing outside, and leaves nothing behind."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from raml_eval.errors import RamlError
from raml_eval.sandbox import process_tree, trial
from raml_eval.sandbox.start import PROCESSES, no_sandbox
from raml_eval.types import Status
from tests.sandboxes import HOSTILE, MANY_FORKS, OK, WRONG, here, needs_sandbox, nothing_left, try_out


def got(program: str, **settings: object) -> str:
    """What the program writes, as far as a verdict tells."""
    verdict = try_out(program, [["", "something else"]], **{"wall_s": 30.0, **settings})  # type: ignore[arg-type]
    found = re.search(r"line 1 is (.*) for 'something else'", verdict.detail)
    assert found, verdict
    return str(ast.literal_eval(found[1]))


@needs_sandbox
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs(name: str, temporary: Path) -> None:
    with nothing_left():
        verdict = try_out(HOSTILE[name], OK)
    assert verdict.status in WRONG, verdict


@needs_sandbox
def test_too_slow_is_incorrect_and_not_a_timeout(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial.Limits, "idle_s", property(lambda limits: 1.6))  # so that wall_s never comes first
    with nothing_left():
        verdict = try_out("import time\ntime.sleep(9999)", OK, wall_s=60.0)
    assert verdict.status is Status.INCORRECT
    assert re.fullmatch(r"test 1: not done after \d+\.\d s, of which it computed 0\.\d s", verdict.detail)


COUNT_FORKS = """
import os, time
n = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(9)
        n += 1
except OSError:
    print(n)
"""


@needs_sandbox
def test_the_limit_on_processes_binds() -> None:
    assert 1 < int(got(COUNT_FORKS)) <= PROCESSES
    assert got("import resource\nprint(resource.getrlimit(resource.RLIMIT_CORE))") == "(0, 0)"


@needs_sandbox
def test_a_sandbox_does_not_count_the_processes_of_another() -> None:
    program = MANY_FORKS.format(n=PROCESSES - 10, seconds=0.5)
    with ThreadPoolExecutor() as threads:
        tested = list(threads.map(lambda _: try_out(program, OK, wall_s=30.0), range(2)))
    assert [verdict.status for verdict in tested] == [Status.CORRECT] * 2


@needs_sandbox
def test_secrets_outside_are_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret text")
    secret.chmod(0o644)
    monkeypatch.setenv("RAML_TEST_SECRET", "secret value")
    at_home = Path.home() / f".raml-test-{os.getpid()}"
    at_home.write_text("secret text")
    try:
        for path in (secret, at_home):
            read = f"try: print(open({str(path)!r}).read())\nexcept OSError as error: print(type(error).__name__)"
            assert got(read) == "FileNotFoundError"
            assert got(read, sandbox=no_sandbox()) == "secret text"  # what the sandbox keeps it from
    finally:
        at_home.unlink()
    assert got("import os\nprint(os.environ.get('RAML_TEST_SECRET'))") == "None"
    shown = {"dev", "etc", "harness", "lib", "lib64", "proc", "tmp", "usr", sys.base_prefix.split("/")[1]}
    assert got(f"import os\nprint(set(os.listdir('/')) - {shown!r})") == "set()"
    assert got("import os\nprint(len([n for n in os.listdir('/proc') if n.isdigit()]))") == "2"


@needs_sandbox
def test_there_is_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        call = f"import socket\nsocket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)\nprint('ok')"
        assert try_out(call, OK).status is Status.INCORRECT
        with pytest.raises(TimeoutError):
            server.accept()
        assert try_out(call, OK, sandbox=no_sandbox(), wall_s=30.0).status is Status.CORRECT  # what the sandbox keeps it from
        server.accept()[0].close()


NEEDS = {
    "import sys\nprint(sys.stdin.read())": "a\nb",
    "print(open('/dev/stdin').read())": "a\nb",
    "print(input(), end=' ')\nprint(input())": "a b",
    "import numpy as np\nprint(np.arange(4).sum())": "6",
    "import tempfile\nwith tempfile.TemporaryFile() as file: print(file.write(b'x'))": "1",
    "import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return n and 1 + f(n - 1)\nprint(f(100000))": "100000",
    "import atexit, sys\natexit.register(print, 'last')\nprint('first')\nsys.exit(0)": "first\nlast",
    "import threading\nthreading.stack_size(1 << 27)\nthreading.Thread(target=lambda: print('ok')).start()": "ok",
    "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-1]))": "[1]",
    "import subprocess, sys\nprint(subprocess.check_output([sys.executable, '-c', 'print(2)'], text=True))": "2",
    "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: B\nprint(A(1).x)": "1",
    "if __name__ == '__main__':\n    print('ok')": "ok",
}


@needs_sandbox
@pytest.mark.parametrize("program", NEEDS)
def test_what_programs_need_is_there(program: str) -> None:
    verdict = try_out(program, [["a\nb", NEEDS[program]]], wall_s=20.0)
    assert verdict.status is Status.CORRECT, verdict


@needs_sandbox
def test_each_test_begins_with_an_empty_folder_and_the_same_hashes() -> None:
    program = "import os\nprint(os.listdir('.'), os.listdir('/dev/shm'), hash('a'))\nopen('x', 'w'); open('/dev/shm/x', 'w')"
    first = got(program)
    assert first.startswith("[] [] ")
    assert try_out(program, [["", first]] * 3, wall_s=30.0).status is Status.CORRECT


KEEPS = {
    "a read-only folder": "os.makedirs('a/b'); open('a/b/x', 'w'); os.chmod('a/b', 0o500); os.chmod('a', 0)",
    "a link to a folder": "os.mkdir('/dev/shm/a'); os.symlink('/dev/shm/a', 'link'); os.symlink('/nowhere', 'other')",
    "3,000 levels": """
for level in range(3000):
    os.mkdir('d')
    os.chdir('d')
open('x', 'w')
""",
    "3,000 closed levels": """
for level in range(3000):
    os.mkdir('d')
    os.chdir('d')
for level in range(3000):
    os.chdir('..')
    os.chmod('d', 0)
""",
    "strange names": "os.mkdir(b'\\xff'); os.mkdir('-rf'); os.mkfifo('-rf/pipe'); os.mkdir('/dev/shm/...')",
    "a closed folder above all": "open('x', 'w'); os.stat('/tmp').st_uid == os.getuid() and os.chmod('/tmp', 0)",
}


@needs_sandbox
@pytest.mark.parametrize("name", KEEPS)
def test_no_file_survives_from_one_test_to_the_next(name: str) -> None:
    found = "import os\nprint(os.listdir('.') + os.listdir('/dev/shm'), flush=True)"
    program = f"{found}\n{KEEPS[name]}"
    verdict = try_out(program, [["", "[]"]] * 3, wall_s=20.0)
    assert verdict.status is Status.CORRECT, verdict


SOCKET_HOG = """
import socket, os, sys
kept = []
def fill(n):
    for _ in range(n):
        pair = socket.socketpair()
        for end in pair:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            end.setblocking(False)
            try:
                while True:
                    end.send(b"x" * 65536)
            except BlockingIOError:
                pass
        kept.append(pair)
for _ in range(50):
    if os.fork() == 0:
        fill(110)
        import time; time.sleep(60)
import time; time.sleep(30); print("ok")
"""


@needs_sandbox
def test_socket_buffers_are_memory() -> None:
    verdict = try_out(SOCKET_HOG, [["", "ok"]], wall_s=60.0)
    assert (verdict.status, "more than 2 GiB of memory" in verdict.detail) == (Status.INCORRECT, True), verdict
    few = "import socket\nkept = [socket.socketpair() for _ in range(100)]\nimport time; time.sleep(0.5); print('ok')"
    assert try_out(few, [["", "ok"]], wall_s=20.0).status is Status.CORRECT


def kill_at_work(role: str, seen: list[int], stop: threading.Event, times: int) -> None:
    """The first process of a program's sandbox is killed from outside while the program sleeps, so many times."""
    while not stop.is_set() and len(seen) < times:
        for pid in process_tree.descendants(os.getpid()):
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                inside = len(status.partition("NSpid:")[2].split("\n")[0].split())
                which = status.partition("NSpid:")[2].split("\n")[0].split()[-1]
                wanted = {"first": inside > 1 and which == "1", "program": inside > 1 and which != "1"}
                at_work = role == "program" or next(process_tree.descendants(pid), None) is not None
                if b"inside.program" in command and wanted[role] and at_work and pid not in seen:
                    os.kill(pid, signal.SIGKILL)
                    seen.append(pid)
                    if len(seen) >= times:
                        return
        time.sleep(0.02)


@contextlib.contextmanager
def killer(role: str, times: int) -> Iterator[list[int]]:
    seen: list[int] = []
    stop = threading.Event()
    here()  # its own first trial must not be disturbed
    thread = threading.Thread(target=kill_at_work, args=(role, seen, stop, times))
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


SLEEPER = "import time\ntime.sleep(6)\nprint('ok')"


@needs_sandbox
@pytest.mark.parametrize("role", ["first", "program"])
def test_a_program_that_is_killed_from_outside_is_tried_again(role: str) -> None:
    with killer(role, 1) as seen:
        verdict = try_out(SLEEPER, OK, wall_s=60.0)
    assert len(seen) == 1
    assert verdict.status is Status.CORRECT, verdict


@needs_sandbox
def test_a_sandbox_that_is_always_killed_is_owed() -> None:
    with killer("first", 99) as seen, pytest.raises(RamlError, match=r"killed from outside, 3 times.*nothing was graded"):
        try_out(SLEEPER, OK, wall_s=60.0)
    assert len(seen) == 3


@needs_sandbox
@pytest.mark.parametrize("call", ["os.kill(os.getpid(), 9)", "os.kill(0, 9)", "os.kill(-1, 9)", "os.kill(1, 9); os._exit(3)"])
def test_a_program_that_kills_itself_is_incorrect(call: str) -> None:
    verdict = try_out(f"import os\n{call}\nprint('ok')", OK, wall_s=10.0)
    assert verdict.status is Status.INCORRECT, verdict


ORDINARY = """
from raml_eval.sandbox.start import Tester
from raml_eval.sandbox.trial import try_program, working_sandbox
sandbox = working_sandbox()
print(sandbox)
for program in {programs!r}:
    tester = Tester(sandbox)
    job = {{"style": "stdin", "sources": [program], "prefix": "", "tests": [["", "ok"]]}}
    print(try_program(sandbox, tester, job, 3.0 if "ok" not in program else 30.0).status.value)
    tester.end()
"""


@needs_sandbox
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="this is the ordinary user already")
def test_the_same_as_an_ordinary_user(tmp_path: Path) -> None:
    """The name spaces and the limit on processes come about in another way than for root."""
    checkout = Path(__file__).resolve().parents[1]
    hostile = [HOSTILE[name] for name in ("fork bomb", "kills its parent", "reads its parent's memory")]
    script = ORDINARY.format(programs=[*hostile, "print('ok')"])
    for python in (os.path.realpath(sys.executable), shutil.which("python3", path="/usr/local/bin:/usr/bin") or ""):
        command = [python, "-c", "import sys; sys.path.insert(0, sys.argv[1]); exec(sys.argv[2])", str(checkout), script]
        try:
            done = subprocess.run(
                command, user=12345, group=12345, extra_groups=[], env={"PATH": os.environ["PATH"]}, cwd="/",
                capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
        except (PermissionError, FileNotFoundError):
            continue
        if "raml_eval" in done.stderr or "SyntaxError" in done.stderr:  # cannot read the checkout, or is too old
            continue
        *_, named, first, second, third, last = ["", *done.stdout.split("\n")[:-1]]
        assert named.startswith("Sandbox(name='bubblewrap"), done
        assert {first, second, third} <= {"incorrect", "timeout"}, done
        assert last == "correct", done
        return
    pytest.skip("no Python of this machine, or not this checkout, can be read by an ordinary user")
