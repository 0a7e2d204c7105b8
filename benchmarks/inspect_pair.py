"""Times raml-eval from command to table against Inspect: 200 gsm8k questions, pocket on transformers, 256 tokens each.

Both ask the same questions (those that our --limit chooses, written to a file that Inspect reads), with the same checkpoint in
float32, the same sampling and at most as many rows in a batch. Whole processes are timed, in turn, by the clock and in CPU
seconds, which depend less on what else the machine does. Linux only. Needs inspect_ai and accelerate, and `openai/gsm8k` from
a hub (HF_ENDPOINT) or in the cache.

    python benchmarks/inspect_pair.py --pairs 3
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from timing import Took, run_pairs, timed

POCKET = Path(__file__).resolve().parents[1] / "raml_eval" / "pocket"
ROWS = 256
TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import json_dataset
from inspect_ai.scorer import match
from inspect_ai.solver import generate


@task
def gsm8k():
    return Task(dataset=json_dataset("questions.jsonl"), solver=[generate()], scorer=match(numeric=True))
"""


def write_task(folder: Path, limit: int) -> None:
    """The folder holds a task of Inspect with our questions."""
    from raml_eval.plan import select_questions
    from raml_eval.tasks.catalogue import load_catalogue
    from raml_eval.tasks.load import load_task

    chosen = select_questions(load_task(load_catalogue(), "gsm8k").questions, limit)
    rows = [{"id": one.id, "input": list(one.messages), "target": one.target} for one in chosen]
    (folder / "questions.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    (folder / "task.py").write_text(TASK, encoding="utf-8")


def ours(folder: Path, limit: int) -> list[str]:
    words = [str(Path(sys.executable).with_name("raml-eval")), "run", "--model", "pocket", "--backend", "hf"]
    words += ["--tasks", "gsm8k", "--limit", str(limit), "--samples", "1", "--thinking-budget", "unlimited"]
    words += ["--max-total-tokens", "256", "--answer-tokens", "256", "--temperature", "1", "--top-p", "1"]
    words += ["--backend-arg", "dtype=float32", "--backend-arg", f"batch_size={ROWS}"]
    return [*words, "--out", str(folder / "ours")]


def stock(folder: Path) -> list[str]:
    words = [str(Path(sys.executable).with_name("inspect")), "eval", "task.py", "--model", "hf/pocket"]
    words += ["-M", f"model_path={POCKET}", "-M", "dtype=float32", "--max-connections", str(ROWS), "--max-samples", str(ROWS)]
    words += ["--max-tokens", "256", "--temperature", "1", "--top-p", "1", "--display", "plain"]
    return [*words, "--log-dir", str(folder / "stock")]


def run(folder: Path, limit: int) -> tuple[Took, Took]:
    """What both sides took."""
    write_task(folder, limit)
    return timed(ours(folder, limit), os.environ), timed(stock(folder), os.environ, folder)


if __name__ == "__main__":
    run_pairs(__doc__, "Inspect", run)
