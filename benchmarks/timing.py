"""What a command costs, with every process that it starts."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Took = tuple[float, float]  # seconds on the clock, CPU seconds
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def adopt_orphans() -> None:
    """From now on, a process below this one whose parent ends becomes this one's child, so that timed counts it."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def timed(command: Sequence[str], env: Mapping[str, str], folder: Path | None = None) -> Took:
    """The seconds on the clock, and the CPU seconds of the process and of all below it, once the last of them has ended."""
    started, before = time.monotonic(), _cpu()
    with tempfile.TemporaryFile("w+") as said:  # not a pipe, which an orphan would keep open
        done = subprocess.run(command, env=env, cwd=folder, stdout=said, stderr=said, check=False)
        clock = time.monotonic() - started
        said.seek(0)
        if done.returncode:
            raise SystemExit(f"{' '.join(command[:2])} failed:\n{said.read()[-2000:]}")
    try:
        while True:
            os.wait()
    except ChildProcessError:  # none is left
        return clock, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_pairs(about: str | None, other: str, run: Callable[[Path, int], tuple[Took, Took]]) -> None:
    """Prints a table of pairs, in turn, and the median of their ratios. about is the help of the command line.

    run does both sides on so many questions and leaves our run in the folder's `ours`; other names the other side.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--limit", type=int, default=200)
    options = parser.parse_args()
    print(f"| pair | raml-eval (s) | {other} (s) | ratio | CPU (s) | CPU (s) | ratio | raml-eval, by part (s) |")
    print("|---|---|---|---|---|---|---|---|")
    ratios = []
    adopt_orphans()
    for pair in range(options.pairs):
        with tempfile.TemporaryDirectory() as name:
            mine, theirs = run(Path(name), options.limit)
            seconds = json.loads((Path(name) / "ours" / "manifest.json").read_text())["sessions"][-1]["seconds"]
        ratios.append([b / a for a, b in zip(mine, theirs, strict=True)])
        parts = {**seconds, "rest": mine[0] - sum(seconds.values())}
        told = ", ".join(f"{part} {took:.1f}" for part, took in parts.items())
        both = [f"{a:.1f} | {b:.1f} | {b / a:.2f}" for a, b in zip(mine, theirs, strict=True)]
        print(f"| {pair + 1} | {' | '.join(both)} | {told} |", flush=True)
    clock, cpu = map(statistics.median, zip(*ratios, strict=True))
    print(f"\nmedian ratio {clock:.2f}, of CPU seconds {cpu:.2f}")
