"""Times `raml-eval merge` of four generated shards at several sizes, and prints its peak memory and the slope of it.

Questions, texts and token ids are made up: one task, 8 samples per question at two budgets, one trajectory of --tokens tokens
per draw. Each merge is a process of its own; seconds and memory include its imports.

    python benchmarks/merge_scale.py --samples 20000 80000
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from raml_eval.grading import GRADER_VERSION
from raml_eval.manifest import build_manifest
from raml_eval.plan import Plan, select_questions
from raml_eval.shards import Shard
from raml_eval.store import lines
from raml_eval.store.journal import encode_line
from raml_eval.types import Finish, Grade, Question, SampleKey, SampleRecord, Status, ThinkingEnd, Trajectory

COUNT, N_SAMPLES, BUDGETS = 4, 8, (64, "unlimited")
TASK = {
    "name": "sums", "domain": "in_domain", "grader": "math", "answer_format": "boxed", "source": "generated", "suites": [],
    "licence": "Apache-2.0", "dataset": "json", "config": None, "split": "test", "revision": "main", "version": "1",
    "digest": "0" * 64, "chance": None, "overrides": [], "content_hash": None, "commit": None, "prompts": {},
}  # fmt: skip
CHILD = """
import resource, sys
from pathlib import Path
from raml_eval.merging import merge_runs
merge_runs(map(Path, sys.argv[2:]), Path(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_shard(folder: Path, questions: list[Question], shard: Shard, n_tokens: int) -> Path:
    """The run directory of one finished shard of the questions."""
    path = folder / f"x{shard.suffix}"
    path.mkdir(parents=True)
    own = select_questions(questions, None, shard)
    chance = random.Random(str(shard))
    places = {question.id: place for place, question in enumerate(questions)}
    entry: dict[str, Any] = {
        **TASK, "questions": [q.id for q in own], "n_available": len(questions), "places": {q.id: places[q.id] for q in own},
    }  # fmt: skip
    plan = Plan(("sums",), BUDGETS, N_SAMPLES, None, shard)
    protocol = {"tasks": {"sums": {"version": "1"}}, "end_of_turn": {}}
    manifest = build_manifest(path.name, plan, {"name": "made up"}, protocol, {"k": []}, {"name": "fake"}, {"sums": entry})
    session = {"started": manifest["created"], "samples_before": 0, "grader_version": GRADER_VERSION, "seconds": {}}
    (path / "manifest.json").write_text(json.dumps({**manifest, "sessions": [session]}))
    with (path / "questions.jsonl").open("wb") as file:
        file.writelines(encode_line(lines.question_line(question)) for question in own)
    with (path / "samples.jsonl").open("wb") as samples, (path / "trajectories.jsonl").open("wb") as trajectories:
        for question in own:
            for index in range(N_SAMPLES):
                key, ids = SampleKey("sums", question.id, index), tuple(chance.choices(range(50_000), k=n_tokens))
                trajectory = Trajectory(key, n_tokens, ids, ThinkingEnd.NATURAL, (1,), "so it is " * n_tokens, index)
                trajectories.write(encode_line(lines.trajectory_line(trajectory)))
                said = str(chance.randrange(4))
                grade = Grade(Status.CORRECT if said == "0" else Status.INCORRECT, said, "boxed", "number")
                for budget in BUDGETS:
                    record = SampleRecord(
                        key, budget, trajectory.id, ThinkingEnd.NATURAL, 64, f"\\boxed{{{said}}}", (1, 2, 3), Finish.STOP, "0",
                        grade, index,
                    )  # fmt: skip
                    samples.write(encode_line(lines.sample_line(record)))
        (path / "classes.json").write_text(json.dumps({f"sums/{q.id}": {str(one): one for one in range(4)} for q in own}))
    return path


def measure(n_samples: int, n_tokens: int) -> tuple[float, float, float]:
    """Seconds, peak MiB and MiB on the disk of one merge of n_samples samples."""
    message = {"role": "user", "content": "How much is it? " * 20}
    n_questions = n_samples // N_SAMPLES // len(BUDGETS)
    questions = [Question("sums", f"{row}-abcdef", f"{row}", {}, (message,), "0", "math") for row in range(n_questions)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shards = [write_shard(folder, questions, Shard(index + 1, COUNT), n_tokens) for index in range(COUNT)]
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", CHILD, folder / "whole", *shards], capture_output=True, text=True, check=True
        )
        seconds = time.monotonic() - started
        size = sum(path.stat().st_size for path in (folder / "whole").iterdir())
    return seconds, int(done.stdout) / 1024, size / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[20_000, 80_000])
    parser.add_argument("--tokens", type=int, default=500)
    asked = parser.parse_args()
    found = [(n, *measure(n, asked.tokens)) for n in asked.samples]
    for n, seconds, peak, size in found:
        print(
            f"{n:,} samples, {size:,.0f} MiB on the disk: {seconds:.1f} s, {n / seconds:,.0f} samples/s, peak {peak:,.0f} MiB"
        )
    if len(found) > 1:
        (n, _, low, small), *_, (m, _, high, large) = found
        print(
            f"slope: {(high - low) * 2**20 / (m - n):,.0f} bytes per sample, {(high - low) / (large - small):.4f} of the disk"
        )


if __name__ == "__main__":
    main()
