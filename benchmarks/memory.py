"""Peak memory of `report` and of a resumed run, on a directory of long trajectories: 4,000 of 8,000 tokens (283 MB).

A small real run (pocket's questions, fake engine) is made first. Its thinking is then replaced by long made-up text with as
many token ids, in the store's own lines, and its last sample lines are cut off: resuming draws these alone. Each measurement is
a process of its own on a fresh copy. Half as many trajectories are measured, too: the slope is what one more of them costs.

    python benchmarks/memory.py
    python benchmarks/memory.py --trajectories 1000 --against ../before   # another checkout, in turn with this one

The last line is that of this checkout: the peaks in GB, and the bytes of memory per trajectory, the larger of both commands.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from report_scale import CACHE, HERE, PROSE, measure

SAMPLES, CUT = 16, 20  # draws per question, and the samples that are owed
VOCABULARY = 150_000
RUN = (
    "run", "--model", "pocket", "--backend", "fake", "--tasks", "pocket_chain,pocket_logic", "--samples", str(SAMPLES),
    "--answer-tokens", "48",
)  # fmt: skip


def generate(path: Path, n_trajectories: int, n_tokens: int) -> None:
    """path is a run directory with that many trajectories (two tasks of equal size), whose last samples are owed."""
    limit = n_trajectories // (2 * SAMPLES)
    measure(HERE, *RUN, "--limit", str(limit), "--out", str(path), "--quiet")
    from raml_eval.store.journal import encode_line, read_lines
    from raml_eval.store.lines import read_sample, read_trajectory, sample_line, trajectory_line

    rng = random.Random(0)
    text = "".join(rng.choice(PROSE).format(a=rng.randint(2, 999), b=rng.randint(2, 999)) for _ in range(n_tokens // 20))
    with (path / "new").open("wb") as file:
        for _, line in read_lines(path / "trajectories.jsonl"):
            ids = tuple(rng.randrange(VOCABULARY) for _ in range(n_tokens))
            start = rng.randrange(1000)
            file.write(encode_line(trajectory_line(replace(read_trajectory(line), token_ids=ids, text=text[start:]))))
    (path / "new").replace(path / "trajectories.jsonl")
    records = [replace(read_sample(line), n_thinking_tokens=n_tokens) for _, line in read_lines(path / "samples.jsonl")]
    (path / "samples.jsonl").write_bytes(b"".join(encode_line(sample_line(record)) for record in records[:-CUT]))


def measure_both(made: Path, code: Path) -> tuple[float, float]:
    """The peaks in GB of `report` and of the same `run` again, on copies."""
    peaks = []
    for command in ("report", "run"):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copytree(made, Path(folder) / "run"))
            (copy / CACHE).unlink(missing_ok=True)
            limit = made.name.rpartition("_")[2]
            again = (
                (*RUN, "--limit", limit, "--out", str(copy)) if command == "run" else ("report", str(copy), "--allow-partial")
            )
            seconds, peak = measure(code, *again)
        print(f"{command:>8} {made.name} {seconds:6.1f} s, peak {peak:.2f} GB", flush=True)
        peaks.append(peak)
    return peaks[0], peaks[1]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--trajectories", type=int, default=4000)
    arguments.add_argument("--tokens", type=int, default=8000)
    arguments.add_argument("--against", type=Path, default=None, help="another checkout, measured in turn with this one")
    asked = arguments.parse_args()
    checkouts: Mapping[str, Path] = {"before": asked.against.resolve(), "now": HERE} if asked.against else {"now": HERE}
    with tempfile.TemporaryDirectory() as folder:
        whole, half = (_made(Path(folder), n, asked.tokens) for n in (asked.trajectories, asked.trajectories // 2))
        for name, code in checkouts.items():
            print(f"{name}: {code.name}")
            report_gb, resume_gb = measure_both(whole, code)
            report_half, resume_half = measure_both(half, code)
            more = asked.trajectories - asked.trajectories // 2
            slope = max(report_gb - report_half, resume_gb - resume_half) * 1e9 / more
            told = f"report_gb={report_gb:.2f} resume_gb={resume_gb:.2f} slope_bytes={slope:.0f}"
            print(f"MEMORY {told}" if name == "now" else f"{name} {told}")


def _made(folder: Path, n_trajectories: int, n_tokens: int) -> Path:
    path = folder / f"run_{n_trajectories}_{n_trajectories // (2 * SAMPLES)}"
    generate(path, n_trajectories, n_tokens)
    size = sum(file.stat().st_size for file in path.iterdir()) / 1e6
    print(f"{path.name}: {n_trajectories:,} trajectories of {n_tokens:,} tokens, {size:.0f} MB", flush=True)
    return path


if __name__ == "__main__":
    main()
