"""Workers: limits, deaths, one comparison a pair, nothing left behind."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from raml_eval.errors import RamlError
from raml_eval.grading import grade
from raml_eval.grading.pool import MEMORY_BYTES, GradingPool
from raml_eval.types import Finish, Grade, Question, Status
from tests.processes import is_running, stat_of, wait_until

SLOW = r"\boxed{\sum_{n=1}^{999999} \frac{1}{n^2+1}}"  # minutes inside one call
EQUAL = ("6", r"\boxed{\sum_{k=1}^{3} k}")


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    """One pool for all tests that leave it usable: a worker takes seconds to load sympy."""
    pool = GradingPool(workers=1, timeout_s=20.0)
    yield pool
    pool.close()


def ticks_of(pid: int) -> int:
    """The CPU time of a process, in ticks; 0 if it is gone."""
    return sum(map(int, stat_of(pid)[11:13]))


def worker_pid(pool: GradingPool) -> int:
    (pid,) = (worker.process.pid for worker in pool._alive if worker.process.poll() is None)
    return pid


def test_quick_verdicts_start_no_worker() -> None:
    pool = GradingPool()
    for completion in (r"\boxed{5}", r"\boxed{6}", "nothing", "<think>", r"\boxed{\frac{10}{2}}"):
        pool.grade_blocking("5", completion)
    pool.grade_blocking("B", "(B)", "choice")
    assert (pool.n_compared, len(pool._alive)) == (0, 0)
    pool.close()


def test_a_slow_comparison_is_a_timeout_and_the_next_is_graded(pool: GradingPool) -> None:
    assert pool.grade_blocking(*EQUAL).correct  # so that the worker is ready
    first = worker_pid(pool)
    pool.timeout_s = 1.0
    started = time.monotonic()
    verdict = pool.grade_blocking("5", SLOW)
    assert time.monotonic() - started < 60
    assert (verdict.status, verdict.answer) == (Status.TIMEOUT, SLOW[7:-1])
    assert "stopped after 1 s" in verdict.detail
    assert not is_running(first)
    pool.timeout_s = 20.0
    assert pool.grade_blocking("15", r"\boxed{\sum_{k=1}^{5} k}").correct
    assert worker_pid(pool) != first


def test_a_killed_idle_worker_is_replaced(pool: GradingPool) -> None:
    assert pool.grade_blocking(*EQUAL).correct
    first = worker_pid(pool)
    os.kill(first, signal.SIGKILL)
    assert pool.grade_blocking("21", r"\boxed{\sum_{k=1}^{6} k}").correct
    assert worker_pid(pool) != first


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_leaves_signals_to_its_parent(pool: GradingPool, sent: signal.Signals) -> None:
    assert pool.grade_blocking(*EQUAL).correct
    first = worker_pid(pool)
    os.kill(first, sent)
    assert pool.grade_blocking(f"{1 + sent}", rf"\boxed{{\sum_{{k=0}}^{{1}} (1 + {sent - 1}k)}}").correct
    assert worker_pid(pool) == first


def test_a_worker_killed_while_it_compares_is_retried_once_then_an_error(pool: GradingPool) -> None:
    assert pool.grade_blocking("28", r"\boxed{\sum_{k=1}^{7} k}").correct
    killed: set[int] = set()
    ticks_at_first = {worker_pid(pool): ticks_of(worker_pid(pool))}

    def kill_twice() -> None:
        """A worker is killed once it has computed for a while, which one that waits does not."""
        deadline = time.monotonic() + 300
        while len(killed) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
            for worker in list(pool._alive):
                pid = worker.process.pid
                if pid not in killed and ticks_of(pid) > ticks_at_first.setdefault(pid, ticks_of(pid)) + 20:
                    killed.add(pid)
                    os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_twice)
    killer.start()
    with pytest.raises(RamlError, match="two grading workers died \\(killed by signal 9\\)"):
        pool.grade_blocking("6", SLOW)  # not the pair that was stopped above, whose verdict is kept
    killer.join()
    assert pool.grade_blocking("36", r"\boxed{\sum_{k=1}^{8} k}").correct


def test_worker_memory_is_capped(pool: GradingPool) -> None:
    assert pool.grade_blocking("15", r"\boxed{\sum_{k=1}^{5} k}").correct
    assert resource.prlimit(worker_pid(pool), resource.RLIMIT_AS)[0] == MEMORY_BYTES


def test_equal_pairs_are_compared_once(pool: GradingPool) -> None:
    async def main() -> list[Grade]:
        sums = [rf"\sum_{{k=1}}^{{{last}}}k" for last in ("4", " 4", "4 ", "5")]
        pairs = [("10", rf"\boxed{{{answer}}}") for answer in sums]
        return await asyncio.gather(*(pool.grade(*pair) for pair in pairs * 8))

    before = pool.n_compared
    verdicts = asyncio.run(main())
    assert [v.correct for v in verdicts] == [True, True, True, False] * 8
    assert pool.n_compared == before + 2


def test_a_cancelled_sample_does_not_cancel_the_others(pool: GradingPool) -> None:
    async def main() -> Grade:
        first = asyncio.create_task(pool.grade("210", r"\boxed{\sum_{k=1}^{20} k}"))
        second = asyncio.create_task(pool.grade("210", r"\boxed{\sum_{k=1}^{20} k}"))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(main()).correct


def test_grade_works_in_threads() -> None:
    verdicts: list[Grade] = []
    threads = [threading.Thread(target=lambda: verdicts.append(grade(*EQUAL))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [verdict.correct for verdict in verdicts] == [True] * 4


def test_a_closed_pool_leaves_no_worker_and_refuses() -> None:
    pool = GradingPool(workers=1)
    assert pool.grade_blocking(*EQUAL).correct
    pid = worker_pid(pool)
    failures: list[BaseException] = []

    def compare() -> None:
        try:
            pool.grade_blocking("5", SLOW)
        except RamlError as error:
            failures.append(error)

    thread = threading.Thread(target=compare)
    thread.start()
    time.sleep(0.5)
    pool.close()
    pool.close()
    thread.join(60)
    assert len(failures) == 1
    assert not is_running(pid)
    with pytest.raises(RamlError, match="closed"):
        pool.grade_blocking("45", r"\boxed{\sum_{k=1}^{9} k}")


def test_an_unguarded_script_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"from raml_eval.grading import grade\nprint('once', grade(*{EQUAL!r}).correct)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("once True\n", "", 0)


def test_workers_die_with_a_killed_parent_while_they_compare(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import threading, time
        from raml_eval.grading.pool import GradingPool
        pool = GradingPool(workers=1, timeout_s=600)
        pool.grade_blocking(*{EQUAL!r})
        threading.Thread(target=pool.grade_blocking, args=("5", {SLOW!r})).start()
        time.sleep(1)
        print(next(iter(pool._alive)).process.pid, flush=True)
        time.sleep(600)
        """)
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
        wait_until(lambda: not is_running(pid))


@pytest.mark.parametrize(
    ("finish", "status"),
    [
        (Finish.STOP, Status.CORRECT),
        (Finish.UNKNOWN, Status.CORRECT),
        (Finish.LENGTH, Status.UNFINISHED),
        (None, Status.UNFINISHED),
    ],
)
def test_an_answer_of_unknown_end_is_graded_as_a_finished_one(pool: GradingPool, finish: Finish | None, status: Status) -> None:
    question = Question("t", "0-abcdef", "0-abcdef", {}, (), "4", "math")
    assert asyncio.run(pool.grade_sample(question, "So the answer is 4", finish)).status is status
