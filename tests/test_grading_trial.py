"""Which sandbox is used, what becomes of one without bubblewrap, and the ends of trials."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raml_eval.errors import ConfigError
from raml_eval.sandbox import bubblewrap, process_tree, trial
from raml_eval.sandbox.start import no_sandbox
from raml_eval.types import Status
from tests.processes import is_running, wait_until
from tests.sandboxes import HOSTILE, MANY_FORKS, OK, WRONG, needs_sandbox, try_out


def test_without_a_sandbox_limits_hold_and_nothing_is_left(temporary: Path) -> None:
    sandbox, before = no_sandbox(), set(process_tree.descendants(os.getpid()))
    assert try_out("print('ok')", OK, sandbox=sandbox, wall_s=30.0).status is Status.CORRECT
    for name in ("memory bomb", "one huge file", "endless output", "sleep"):
        assert try_out(HOSTILE[name], OK, sandbox=sandbox).status in WRONG, name
    assert try_out(MANY_FORKS.format(n=300, seconds=60), OK, sandbox=sandbox).status in WRONG
    assert set(process_tree.descendants(os.getpid())) <= before


def test_no_sandbox_is_refused_unless_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None)
    trial.working_sandbox.cache_clear()
    try:
        with pytest.raises(ConfigError, match=r"bwrap is not there.*apt-get install bubblewrap.*--allow-unsafe-code"):
            trial.open_sandbox()
        assert trial.open_sandbox(allow_unsafe_code=True).name == "none"
    finally:
        trial.working_sandbox.cache_clear()


def test_a_bubblewrap_that_does_not_work_is_no_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    trial.working_sandbox.cache_clear()
    try:
        with pytest.raises(ConfigError, match=r"does not work here.*setting up uid map: Permission denied"):
            trial.open_sandbox()
    finally:
        trial.working_sandbox.cache_clear()


PARENT = """
import os, threading, time
from raml_eval.sandbox import process_tree
from tests.sandboxes import here, try_out
here()
work = threading.Thread(target=try_out, args=("import time; time.sleep(99)", [["", ""]]), kwargs={"wall_s": 99.0})
work.start()
while len(pids := list(process_tree.descendants(os.getpid()))) < 6:
    time.sleep(0.05)
print(*pids, flush=True)
time.sleep(99)
"""


@needs_sandbox
def test_a_sandbox_dies_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1]), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) >= 6  # two of bubblewrap, the tester with a fork, the starter with the program
        parent.kill()
    wait_until(lambda: not any(map(is_running, pids)))
