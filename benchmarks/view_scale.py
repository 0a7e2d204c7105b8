"""How long `raml-eval view` takes on a large run, and how soon Chromium shows its first and a later draw.

python benchmarks/view_scale.py --pattern runs/pocket --questions 1000 --samples 25 --budgets 4 --tokens 400

The run is synthetic: the thinking of the pocket model's alphabet, cut at each budget, so that the cuts are placed with the real
tokenizer. The last line is VIEW samples=... seconds=... gb=... mb=... files=..., gb being the largest memory of the process.
With playwright and Chromium, a line BROWSER index_s=... next_s=... search_s=... stands before it.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from raml_eval.checkpoint import find_checkpoint
from raml_eval.prompts.tokenizer import load_tokenizer
from raml_eval.reporting.view import write_view
from raml_eval.store import sample_line
from raml_eval.store.lines import question_line, trajectory_line
from raml_eval.types import Finish, Grade, Question, SampleKey, SampleRecord, Status, ThinkingEnd, Trajectory


def main() -> None:
    """The measured numbers are printed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("questions", 1000), ("samples", 25), ("budgets", 4), ("tokens", 400)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--pattern", type=Path, required=True, help="a run directory of pocket whose manifest is taken over")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run, out = Path(folder) / "run", Path(folder) / "view"
        write_run(run, asked)
        started = time.perf_counter()
        done = write_view([run], out)
        seconds = time.perf_counter() - started
        size = sum(path.stat().st_size for path in out.iterdir()) / 1e6
        gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        browse(done.index, done.n_draws)
        print(f"VIEW samples={done.n_samples} seconds={seconds:.1f} gb={gb:.2f} mb={size:.0f} files={done.n_pages}")


def write_run(path: Path, asked: argparse.Namespace) -> None:
    """The path holds a run of the asked size."""
    path.mkdir()
    ids = [f"{number}-abcdef" for number in range(asked.questions)]
    manifest = json.loads((asked.pattern / "manifest.json").read_text())
    name = next(iter(manifest["tasks"]))
    budgets: list[Any] = [asked.tokens * number // asked.budgets for number in range(asked.budgets - 1)] + ["unlimited"]
    manifest["tasks"] = {name: {**manifest["tasks"][name], "questions": ids}}
    manifest["plan"] |= {"tasks": [name], "budgets": budgets, "samples": asked.samples, "limit": None}
    (path / "manifest.json").write_text(json.dumps(manifest))
    checkpoint = find_checkpoint("pocket").at_hand()
    assert checkpoint is not None
    tokenizer = load_tokenizer(checkpoint)
    chance = random.Random(0)
    with (
        (path / "questions.jsonl").open("w") as questions,
        (path / "trajectories.jsonl").open("w") as trajectories,
        (path / "samples.jsonl").open("w") as samples,
    ):
        for one in ids:
            message = {"role": "user", "content": f"Compute {chance.random()}."}
            print(json.dumps(question_line(Question(name, one, one, {}, (message,), "12", "math"))), file=questions)
            for index in range(asked.samples):
                text = "".join(chance.choices("0123456789+-=\n", k=2 * asked.tokens))
                tokens = tuple(tokenizer.encode(text, add_special_tokens=False)[: asked.tokens])
                key = SampleKey(name, one, index)
                text = tokenizer.decode(tokens, skip_special_tokens=False)
                thinking = Trajectory(key, 10_000, tokens, ThinkingEnd.NATURAL, (1,), text, index)
                print(json.dumps(trajectory_line(thinking)), file=trajectories)
                for budget in budgets:
                    print(json.dumps(sample_line(draw(key, budget, thinking, chance))), file=samples)


def draw(key: SampleKey, budget: Any, thinking: Trajectory, chance: random.Random) -> SampleRecord:
    """A sample with a random verdict."""
    right = chance.random() < 0.5
    status, said = (Status.CORRECT, "12") if right else (Status.INCORRECT, str(chance.randrange(100)))
    kept = min(budget, len(thinking.token_ids)) if isinstance(budget, int) else len(thinking.token_ids)
    return SampleRecord(
        key=key,
        budget=budget,
        trajectory=thinking.id,
        thinking_end=ThinkingEnd.FORCED if kept < len(thinking.token_ids) else ThinkingEnd.NATURAL,
        n_thinking_tokens=kept,
        answer=f"The answer is \\boxed{{{said}}}. " + "Thus. " * 30,
        answer_ids=tuple(range(100)),
        answer_finish=Finish.STOP,
        target="12",
        grade=Grade(status, said, "boxed", "number"),
        seed=chance.randrange(2**62),
    )


def browse(index: Path, n_draws: int) -> None:
    """A line says how long a browser takes; nothing is printed where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return
    chromium = shutil.which("chromium")
    if chromium is None:
        return
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        started = time.perf_counter()
        page.goto(index.as_uri())
        page.get_by_text(f"1 of {n_draws:,}").wait_for()
        opened = time.perf_counter()
        for _ in range(100):
            page.keyboard.press("j")
        page.get_by_text(f"101 of {n_draws:,}").wait_for()
        stepped = time.perf_counter()
        page.get_by_label("Text").fill("no such text anywhere")
        page.get_by_text("No draw fits").wait_for(timeout=300_000)
        took = opened - started, (stepped - opened) / 100, time.perf_counter() - stepped
        browser.close()
    print(f"BROWSER index_s={took[0]:.2f} next_s={took[1]:.3f} search_s={took[2]:.1f}")


if __name__ == "__main__":
    main()
