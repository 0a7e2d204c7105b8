"""Times four checkpoints in one command against four commands, on a real engine, and compares every record.

The checkpoints are variants of the pocket checkpoint with seeded noise in all weights. Each of the two ways draws them greedily
and with sampling, 50 questions x 4 samples, in float32. It prints both times, how many records differ, and one line
`CHECKPOINTS ratio=... differing=...`, with the larger of the two ratios. About two minutes on two cores with hf:

    python benchmarks/checkpoints.py [hf|vllm] [QUESTIONS]

With vllm it runs in an environment that has vLLM.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from raml_eval.store import read_run
from raml_eval.types import SampleRecord

STEPS = (500, 1000, 1500, 2000)
SAMPLES = 4
ENGINE_ARGS = {"hf": ["dtype=float32"], "vllm": ["dtype=float32", "max_model_len=1024"]}
SAMPLINGS = {"greedy": ["--temperature", "0"], "sampled": ["--temperature", "1", "--top-p", "0.95"]}


def main() -> None:
    engine = sys.argv[1] if len(sys.argv) > 1 else "hf"
    n_questions = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    ratios, n_differing = [], 0
    with tempfile.TemporaryDirectory(prefix="raml_eval_checkpoints_") as place:
        folder = Path(place)
        for step in STEPS:
            write_variant(folder / "training" / f"checkpoint-{step}", step)
        for name, sampling in SAMPLINGS.items():
            common = [*settings(engine, n_questions), *sampling]
            alone = 0.0
            for step in STEPS:
                model = folder / "training" / f"checkpoint-{step}"
                alone += run([*common, "--model", str(model), "--out", str(folder / name / "alone" / model.name)])
            together = run([*common, "--checkpoints", str(folder / "training"), "--out", str(folder / name / "together")])
            differing = compare(folder / name / "alone", folder / name / "together")
            ratios.append(together / alone)
            n_differing += differing
            print(
                f"{engine}, {name}: four commands {alone:.1f} s, one command {together:.1f} s, ratio {ratios[-1]:.2f}; "
                f"{differing} of {len(STEPS) * n_questions * SAMPLES} records differ",
                flush=True,
            )
    print(f"CHECKPOINTS ratio={max(ratios):.2f} differing={n_differing}")


def settings(engine: str, n_questions: int) -> list[str]:
    args = [word for arg in ENGINE_ARGS[engine] for word in ("--backend-arg", arg)]
    plan = ["--tasks", "pocket_chain", "--limit", str(n_questions), "--samples", str(SAMPLES)]
    return ["--backend", engine, *args, *plan, "--thinking-budget", "64", "--answer-tokens", "48"]


def run(options: list[str]) -> float:
    """The seconds that the command took, from its start to its table."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "raml_eval", "run", *options], check=True, stdout=subprocess.DEVNULL, env=os.environ)
    return time.monotonic() - start


def compare(alone: Path, together: Path) -> int:
    """How many records of the two ways differ in anything that was drawn or graded, or whose protocols differ."""
    differing = 0
    for step in STEPS:
        runs = [read_run(way / f"checkpoint-{step}") for way in (alone, together)]
        if runs[0].manifest["protocol"] != runs[1].manifest["protocol"]:
            raise SystemExit(f"the protocols of step {step} differ")
        if step != STEPS[0] and "swapped" not in runs[1].manifest["sessions"][0]:
            print(f"step {step}: a new engine was opened", flush=True)
        first, second = ({record.key: drawn(record) for record in run.records} for run in runs)
        thoughts = [{key: one.token_ids for key, one in run.trajectories.items()} for run in runs]
        differing += sum(first[key] != second.get(key) for key in first) if thoughts[0] == thoughts[1] else len(first)
    return differing


def drawn(record: SampleRecord) -> tuple[object, ...]:
    """What was drawn and graded for a sample, without what depends on the session."""
    return record.thinking_end, record.n_thinking_tokens, record.answer_ids, record.answer_finish, record.seed, record.grade


def write_variant(folder: Path, seed: int) -> None:
    """A copy of the pocket checkpoint with seeded noise of 0.004 added to every weight."""
    pocket = Path(str(resources.files("raml_eval") / "pocket"))
    shutil.copytree(pocket, folder)
    generator = torch.Generator().manual_seed(seed)
    noisy = {
        name: (values.float() + 0.004 * torch.randn(values.shape, generator=generator)).to(values.dtype)
        for name, values in load_file(pocket / "model.safetensors").items()
    }
    save_file(noisy, folder / "model.safetensors", {"format": "pt"})


if __name__ == "__main__":
    main()
