"""Time in which this process was suspended does not count."""

from __future__ import annotations

import os
import threading
import time

import pytest

from raml_eval.grading.pool import GradingPool
from raml_eval.sandbox.inside import awake, rules
from raml_eval.sandbox.inside.awake import GAP_S, AwakeTime
from raml_eval.types import Status
from tests.sandboxes import OK, here, needs_sandbox, try_out


class Clock:
    """A clock that a test sets, or the real one with a jump after so many looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, jump_s: float = 0.0, after: int = 0) -> None:
        self.now, self.n_looks, self._jump_s, self._after = 0.0, 0, jump_s, after
        monkeypatch.setattr(awake, "monotonic", self.jumping if jump_s else lambda: self.now)

    def jumping(self) -> float:
        self.n_looks += 1
        return time.monotonic() + (self._jump_s if self.n_looks > self._after else 0.0)


def test_only_long_gaps_between_two_looks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    waited = AwakeTime()
    told = []
    for now in (0.5, 0.5 + GAP_S, 100, 101, 4000, 4000.25):
        clock.now = now
        told.append(waited.look())
    assert told == [0.5, 2.5, 2.5, 3.5, 3.5, 3.75]


def test_a_comparison_goes_on_after_a_suspension(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = GradingPool(workers=1, timeout_s=60.0)
    try:
        assert pool.grade_blocking("6", r"\boxed{\sum_{k=1}^{3} k}").correct  # so that the worker is ready
        clock = Clock(monkeypatch, jump_s=3600, after=2)
        pool.timeout_s = 5.0
        # Seconds inside one call, then stopped: the hour that was jumped over is not of the five seconds.
        verdict = pool.grade_blocking("5", r"\boxed{\sum_{n=1}^{999999} \frac{1}{n^2+1}}")
    finally:
        pool.close()
    assert verdict.status is Status.TIMEOUT
    assert clock.n_looks > 10


def test_a_verifier_goes_on_after_a_suspension(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    late = threading.Timer(1.0, os.write, (writing, b"{}\n"))
    clock = Clock(monkeypatch, jump_s=3600, after=2)
    late.start()
    try:
        assert rules._read_line(reading, 60.0) == b"{}\n"
        assert clock.n_looks > 2
        assert rules._read_line(reading, 0.5) is None
    finally:
        late.join()
        os.close(reading)
        os.close(writing)


@needs_sandbox
def test_a_program_goes_on_after_a_suspension(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = here()
    clock = Clock(monkeypatch, jump_s=3600, after=5)
    verdict = try_out("import time; time.sleep(1); print('ok')", OK, wall_s=60.0, sandbox=sandbox)
    assert clock.n_looks > 5
    assert verdict.status is Status.CORRECT, verdict
