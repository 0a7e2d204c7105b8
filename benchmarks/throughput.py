"""Samples per second of a whole `raml-eval run`, from the command to its table, with every append synced to the disk.

25,600 samples of pocket's chain and logic tasks (16 draws, 4 budgets) come from the fake engine, so that what is measured is
the harness: prompts, budgets, decoding, grading, storing, answer classes and the table. Each run is a process of its own in a
new directory, with its imports.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --against ../before   # another checkout, in turn with this one

With another checkout, the stored samples of both must be the same, but for their order. The last line is the median of all
samples over all seconds, and its ratio to the other checkout's (1 without one).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import tempfile
from pathlib import Path

from report_scale import HERE, measure

RUN = (
    "run", "--model", "pocket", "--backend", "fake", "--tasks", "pocket_chain,pocket_logic", "--samples", "16",
    "--thinking-budget", "0,16,32,unlimited", "--answer-tokens", "48", "--max-total-tokens", "256",
)  # fmt: skip


def run_once(code: Path, more: list[str]) -> tuple[int, float, float, str]:
    """The samples of one run, its seconds, those of its generation, and a digest of everything that it drew and graded."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        seconds, _ = measure(code, *RUN, *more, "--out", str(out))
        texts = [sorted((out / f"{name}.jsonl").read_bytes().splitlines()) for name in ("samples", "trajectories")]
        session = json.loads((out / "manifest.json").read_text())["sessions"][-1]
        digest = hashlib.sha256(b"\n".join(line for text in texts for line in text)).hexdigest()
        return len(texts[0]), seconds, session["seconds"]["generation"], digest


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--against", type=Path, default=None, help="another checkout, measured in turn with this one")
    arguments.add_argument("more", nargs="*", help="further options of `raml-eval run`, after --")
    asked = arguments.parse_args()
    checkouts = {"before": asked.against.resolve(), "now": HERE} if asked.against else {"now": HERE}
    rates: dict[str, list[float]] = {name: [] for name in checkouts}
    digests = set()
    for _ in range(asked.repeats):
        for name, code in checkouts.items():
            n, seconds, generation, digest = run_once(code, asked.more)
            rates[name].append(n / seconds)
            digests.add(digest)
            drawing = f"generation {generation:.1f} s, {n / generation:,.0f}/s"
            print(f"{name:>6} {n:,} samples in {seconds:.1f} s, {n / seconds:,.0f}/s; {drawing}", flush=True)
    if len(digests) > 1:
        raise SystemExit("the stored samples or trajectories are not the same in every run")
    now = statistics.median(rates["now"])
    before = statistics.median(rates["before"]) if "before" in rates else now
    print(f"THROUGHPUT ratio={now / before:.2f} samples_per_s={now:.0f}")


if __name__ == "__main__":
    main()
