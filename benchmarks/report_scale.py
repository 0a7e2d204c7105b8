"""Times `report`, a second `report` and `compare` on generated runs: 10 tasks x 1,250 questions x 16 samples x 5 budgets.

The runs have the store's own lines: answers of 100 to 700 characters with their token ids, one trajectory per draw, two
sessions. Their questions and texts are made up, and so is every number of the tables. Each measurement is a process of its own,
with its wall-clock seconds (imports included) and its peak memory; several repeats give the median.

    python benchmarks/report_scale.py
    python benchmarks/report_scale.py --samples 200000 --against ../before   # another checkout, in turn with this one

The last line is that of this checkout: the median of a first report (seconds=), and the largest peak of all (gb=).
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
BUDGETS: tuple[int | str, ...] = (0, 1024, 4096, 16384, "unlimited")
N_TASKS, N_SAMPLES = 10, 16
CACHE = "counts.parquet"
TASK = {
    "grader": "math", "answer_format": "boxed", "source": "generated", "licence": "Apache-2.0", "dataset": "json",
    "config": None, "split": "test", "revision": "main", "version": "1", "digest": "0" * 64, "chance": None, "suites": [],
}  # fmt: skip
PROSE = (
    "We first note that $x^2 - {a}x + {b} = 0$ has discriminant $\\Delta = {a}^2 - 4 \\cdot {b}$. ",
    "Substituting $n = {a}$ into $\\frac{{n(n+1)}}{{2}}$ we obtain $\\frac{{{a} \\cdot {b}}}{{2}}$.\n\n",
    "Hence \\[ \\sum_{{k=1}}^{{{a}}} k^2 = \\frac{{{a}({a}+1)}}{{6}} \\] by induction. ",
    "Wait, let me check: **the sum** of the angles is ${a}^\\circ$, so the remaining one is ${b}^\\circ$.\n",
)
# Runs one command in a fresh process, and says on the last line how long it took and how much memory it had at most.
CHILD = """
import resource, sys, time
started = time.monotonic()
import raml_eval.cli
from raml_eval.cli import main
checkout = sys.argv.pop(1)
assert raml_eval.cli.__file__.startswith(checkout), f"{raml_eval.cli.__file__} was to be measured in {checkout}"
sys.argv[0] = "raml-eval"
try:
    main()
except SystemExit as end:
    if end.code not in (0, None, 1):
        raise
used = resource.getrusage(resource.RUSAGE_SELF)
print(time.monotonic() - started, used.ru_maxrss, file=sys.stderr)
"""


def generate(path: Path, name: str, n_questions: int, skill: float) -> None:
    """path is a finished run directory with n_questions questions for each of the tasks, written with the store's own lines."""
    from raml_eval.store.journal import encode_line
    from raml_eval.store.lines import question_line
    from raml_eval.store.manifest_file import write_json
    from raml_eval.types import Question

    rng = random.Random(name)
    path.mkdir(parents=True)
    questions = [
        Question(
            f"task_{task}", f"{row}-abcdef", f"{row}", {}, ({"role": "user", "content": f"{task} {row}?"},), str(row), "math"
        )
        for task in range(N_TASKS)
        for row in range(n_questions)
    ]
    write_json(path / "manifest.json", manifest(name, questions))
    (path / "questions.jsonl").write_bytes(b"".join(encode_line(question_line(q)) for q in questions))
    classes: dict[str, dict[str, int]] = {}
    with (path / "samples.jsonl").open("wb") as samples, (path / "trajectories.jsonl").open("wb") as trajectories:
        for question in questions:
            answers = classes.setdefault(f"{question.task}/{question.id}", {})
            for kind, line, extracted in draw_question(question, rng, min(1.0, rng.betavariate(1.2, 1.0) * skill)):
                (samples if kind == "sample" else trajectories).write(encode_line(line))
                if extracted is not None:
                    answers.setdefault(extracted, len(answers))
    write_json(path / "classes.json", classes)


def manifest(name: str, questions: Sequence[Any]) -> dict[str, Any]:
    tasks = list(dict.fromkeys(question.task for question in questions))
    n_lines = len(questions) * N_SAMPLES * len(BUDGETS)
    entries = {
        task: {
            **TASK,
            "name": task,
            "domain": "in_domain" if place % 2 else "cross_domain",
            "questions": [question.id for question in questions if question.task == task],
        }
        for place, task in enumerate(tasks)
    }
    return {
        "schema_version": 2, "name": name, "model": {"name": name}, "tasks": entries,
        "protocol": {"model": "none", "sampling": {"temperature": 1.0}, "end_of_turn": {}, "tasks": {t: {} for t in tasks}},
        "plan": {"tasks": tasks, "budgets": list(BUDGETS), "samples": N_SAMPLES, "limit": None},
        "config": {"k": [1, 8], "sampling": {"temperature": 1.0}},
        "engine": {"name": "generated", "version": "0", "reproducible": True},
        "sessions": [
            {"started": "2026-01-01T00:00:00+00:00", "samples_before": 0, "grader_version": "0"},
            {"started": "2026-01-02T00:00:00+00:00", "samples_before": n_lines // 2, "grader_version": "0"},
        ],
    }  # fmt: skip


def draw_question(question: Any, rng: random.Random, skill: float) -> Iterator[tuple[str, Mapping[str, Any], str | None]]:
    """The lines of one question's draws, each with its kind and, for a sample, the extracted answer."""
    from raml_eval.store.lines import sample_line, trajectory_line
    from raml_eval.types import Finish, Grade, SampleKey, SampleRecord, Status, ThinkingEnd, Trajectory

    for index in range(N_SAMPLES):
        key = SampleKey(question.task, question.id, index)
        length = int(rng.lognormvariate(8.0, 1.0))
        ids = tuple(rng.randrange(150_000) for _ in range(64))  # real ones are as many as length: they are not read here
        thinking = Trajectory(key, 32768, ids, ThinkingEnd.NATURAL, (1,), "x" * 300, index)
        yield "trajectory", trajectory_line(thinking), None
        ended: SampleRecord | None = None  # a thinking that ended by itself keeps its answer at every larger budget
        for budget in BUDGETS:
            cut = budget if isinstance(budget, int) else 10**9
            if ended is not None:
                yield "sample", sample_line(replace(ended, budget=budget)), ended.grade.answer
                continue
            chance = skill * min(1.0, 0.3 + 0.7 * cut / length)
            lot = rng.random()
            right, lost = lot < chance, lot > 0.98
            extracted = None if lost else question.target if right else f"{question.target}{rng.randrange(12)}"
            status = Status.NO_ANSWER if lost else Status.CORRECT if right else Status.INCORRECT
            text = prose(rng) + (f"The final answer is $\\boxed{{{extracted}}}$." if extracted else "")
            record = SampleRecord(
                key=key, budget=budget, trajectory=thinking.id,
                thinking_end=ThinkingEnd.FORCED if cut < length else ThinkingEnd.NATURAL,
                n_thinking_tokens=min(cut, length), answer=text,
                answer_ids=tuple(rng.randrange(150_000) for _ in range(len(text) // 4)), answer_finish=Finish.STOP,
                target=question.target, grade=Grade(status, extracted, "boxed", "number"), seed=index, session=index % 2,
            )  # fmt: skip
            ended = record if cut >= length else None
            yield "sample", sample_line(record), extracted


def prose(rng: random.Random) -> str:
    return "".join(
        rng.choice(PROSE).format(a=rng.randint(2, 999), b=rng.randint(2, 999)) for _ in range(rng.choice((1, 2, 4, 7)))
    )


def measure(code: Path, *arguments: str) -> tuple[float, float]:
    """The seconds and the peak memory in GB of one command of that checkout."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(code), os.environ.get("PYTHONPATH"))))}
    call = [sys.executable, "-P", "-c", CHILD, str(code), *arguments]  # -P: the folder that this runs in is not looked into
    done = subprocess.run(call, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"raml-eval {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    seconds, kilobytes = done.stderr.splitlines()[-1].split()
    return float(seconds), float(kilobytes) / 1e6


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--samples", type=int, default=1_000_000)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--runs", type=Path, default=None, help="keep the generated runs here, and use them if they exist")
    arguments.add_argument("--against", type=Path, default=None, help="another checkout, measured in turn with this one")
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base, new = ((asked.runs or Path(folder)) / f"{name}_{asked.samples}" for name in ("base", "new"))
        n_questions = max(1, asked.samples // (N_TASKS * N_SAMPLES * len(BUDGETS)))
        for path, skill in ((base, 0.9), (new, 1.0)):
            if not (path / "classes.json").exists():  # written last
                generate(path, path.name, n_questions, skill)
                time.sleep(2.5)  # what has just been written is not kept
        report(base, new, asked.repeats, {"before": asked.against.resolve(), "now": HERE} if asked.against else {"now": HERE})


def report(base: Path, new: Path, repeats: int, checkouts: Mapping[str, Path]) -> None:
    """Every command has been timed in every checkout, in turn, and printed with its median."""
    for path in (base, new):
        size = sum(file.stat().st_size for file in path.iterdir()) / 1e9
        with (path / "samples.jsonl").open("rb") as lines:
            print(f"{path.name}: {sum(1 for _ in lines):,} samples, {size:.2f} GB", flush=True)
    commands = {
        "report": ("report", str(base)),
        "second report": ("report", str(base)),
        "compare": ("compare", str(base), str(new)),
        "second compare": ("compare", str(base), str(new)),
    }
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(repeats):
        for code, checkout in checkouts.items():
            for name, command in commands.items():
                if not name.startswith("second"):
                    for path in (base, new):
                        (path / CACHE).unlink(missing_ok=True)
                found.setdefault((code, name), []).append(measure(checkout, *command))
    for (code, name), each in found.items():
        seconds, peak = statistics.median(s for s, _ in each), max(gb for _, gb in each)
        listed = ", ".join(f"{s:.1f}" for s, _ in each)
        print(f"{code:>6} {name:<14} {seconds:6.1f} s ({listed}), peak {peak:.2f} GB")
    peak = max(gb for (code, _), each in found.items() if code == "now" for _, gb in each)
    print(f"REPORT seconds={statistics.median(s for s, _ in found['now', 'report']):.1f} gb={peak:.2f}")


if __name__ == "__main__":
    main()
