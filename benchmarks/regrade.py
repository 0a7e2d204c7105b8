"""Times `raml-eval regrade` by part, on a generated run: 500 questions x 25 samples x 8 budgets, 100,000 answers.

Answers are 500 to 4,000 characters of LaTeX prose, all different, that end in a box. A question's samples share a dozen
spellings of a few answers, as the many samples of one question do. The stored verdicts are all wrong on purpose, so that
the layer holds every sample, which is the largest layer possible.

    python benchmarks/regrade.py --workers 2
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from raml_eval.store import RunDirectory, read_run, sample_line
from raml_eval.store.lines import trajectory_line
from raml_eval.types import Finish, Grade, Question, SampleKey, SampleRecord, Status, ThinkingEnd, Trajectory

BUDGETS = (0, 512, 1024, 2048, 4096, 8192, 16384, 32768)
TASK = {
    "name": "sums", "domain": "in_domain", "grader": "math", "answer_format": "boxed", "source": "generated",
    "licence": "Apache-2.0", "dataset": "json", "config": None, "split": "test", "revision": "main", "version": "1",
    "digest": "0" * 64, "chance": None, "suites": [],
}  # fmt: skip
PROSE = (
    "We first note that $x^2 - {a}x + {b} = 0$ has discriminant $\\Delta = {a}^2 - 4 \\cdot {b}$. ",
    "Substituting $n = {a}$ into $\\frac{{n(n+1)}}{{2}}$ we obtain $\\frac{{{a} \\cdot {b}}}{{2}}$.\n\n",
    "Hence \\[ \\sum_{{k=1}}^{{{a}}} k^2 = \\frac{{{a}({a}+1)(2\\cdot {a}+1)}}{{6}} \\] by induction. ",
    "Wait, let me check: **the sum** of the angles is ${a}^\\circ$, so the remaining one is ${b}^\\circ$.\n",
    "The area is $\\sqrt{{{a}^2 + {b}^2}}$, and therefore (see above) it follows that $y = {b}$. ",
)


def spellings(rng: random.Random) -> tuple[str, list[str], list[str]]:
    """A gold, spellings that equal it, and other answers, in the mix that math suites have."""
    a, b, c = (rng.randint(2, 97) for _ in range(3))
    kind = rng.choices(range(6), (45, 20, 12, 10, 8, 5))[0]
    if kind == 0:
        n = a * b * c
        return str(n), [str(n), f"{n:,}", f"{n}.0"], [str(n + k) for k in (1, 2, 10)]
    if kind == 1:
        return (
            rf"\frac{{{a}}}{{{b}}}",
            [rf"\dfrac{{{a}}}{{{b}}}", f"{a}/{b}", rf"\frac{{ {a} }}{{ {b} }}"],
            [f"{b}/{a}", f"{a}"],
        )
    if kind == 2:
        return rf"{a}\sqrt{{{b}}}", [rf"{a}\sqrt{{{b}}}", rf"\sqrt{{{a * a * b}}}"], [rf"{b}\sqrt{{{a}}}", rf"\sqrt{{{c}}}"]
    if kind == 3:
        return f"x^2+{a}x-{b}", [f"x^2 + {a}x - {b}", f"-{b}+{a}x+x^{{2}}"], [f"x^2-{a}x+{b}", f"(x+{a})(x-{b})"]
    if kind == 4:
        return rf"\left({a},{b}\right)", [f"({a}, {b})", rf"\left( {a}, {b} \right)"], [f"({b}, {a})", f"({a}, {c})"]
    return r"\text{Monday}", [r"\text{Monday}", "Monday"], [r"\text{Friday}", "Sunday"]


def answer(rng: random.Random, final: str | None) -> str:
    text, size = [], rng.randint(500, 4000)
    while sum(map(len, text)) < size:
        text.append(rng.choice(PROSE).format(a=rng.randint(2, 999), b=rng.randint(2, 999)))
    return "".join(text) + ("" if final is None else f"\n\nThe final answer is $\\boxed{{{final}}}$.")


def records(question: Question, right: list[str], wrong: list[str], n: int, rng: random.Random) -> Iterator[SampleRecord]:
    for index in range(n):
        for budget in BUDGETS:
            key = SampleKey(question.task, question.id, index)
            drawn, lot = rng.random() >= 0.02, rng.random()
            final = rng.choice(right) if lot < 0.55 else rng.choice(wrong) if lot < 0.97 else None
            text = answer(rng, final) if drawn else ""
            yield SampleRecord(
                key=key, budget=budget, trajectory=f"{key}@32768", thinking_end=ThinkingEnd.FORCED, n_thinking_tokens=budget,
                answer=text, answer_ids=tuple(rng.randrange(150_000) for _ in range(len(text) // 4)),
                answer_finish=(Finish.LENGTH if lot > 0.99 else Finish.STOP) if drawn else None,
                target=question.target, grade=Grade(Status.TIMEOUT, None, "made up", "made up"), seed=index,
            )  # fmt: skip


def generate(path: Path, n_questions: int, n_samples: int) -> None:
    """path is a run directory, written by the store itself."""
    rng = random.Random(0)
    directory = RunDirectory(path)
    questions = []
    for i in range(n_questions):
        gold, right, wrong = spellings(rng)
        message = {"role": "user", "content": f"question {i}"}
        questions.append((Question("sums", f"{i}-abcdef", f"{i}", {}, (message,), gold, "math"), right, wrong))
    session = {"started": "2026-01-01T00:00:00+00:00", "samples_before": 0, "grader_version": "0"}
    directory.open(
        {
            "schema_version": 2, "name": "generated", "model": {"name": "none"},
            "protocol": {"model": "none", "sampling": {"temperature": 1.0}, "tasks": {"sums": {"version": "1"}}},
            "plan": {"tasks": ["sums"], "budgets": list(BUDGETS), "samples": n_samples, "limit": None},
            "tasks": {"sums": {**TASK, "questions": [q.id for q, _, _ in questions]}},
            "config": {"k": []}, "sessions": [session],
        }
    )  # fmt: skip
    directory.add_questions([q for q, _, _ in questions])
    for question, right, wrong in questions:
        drawn = list(records(question, right, wrong, n_samples, rng))
        directory._journals["samples"].append_all([sample_line(record) for record in drawn])
        thinking = [
            Trajectory(SampleKey("sums", question.id, i), 32768, (1,) * 64, ThinkingEnd.LENGTH, (), "x" * 200, i)
            for i in range(n_samples)
        ]
        directory._journals["trajectories"].append_all([trajectory_line(t) for t in thinking])
    directory.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--questions", type=int, default=500)
    arguments.add_argument("--samples", type=int, default=25)
    arguments.add_argument("--workers", type=int, default=None)
    arguments.add_argument("--run", type=Path, default=None, help="keep the generated run here, and use it if it exists")
    asked = arguments.parse_args()
    from raml_eval.regrade.regrading import regrade_run

    with tempfile.TemporaryDirectory() as folder:
        path = asked.run or Path(folder) / "run"
        if not (path / "manifest.json").exists():
            generate(path, asked.questions, asked.samples)
        for layer in path.glob("grades-*.jsonl"):
            layer.unlink()
        for name in ("first", "again"):
            started = time.monotonic()
            done = regrade_run(path, workers=asked.workers, quiet=True)
            took = time.monotonic() - started
            parts = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in done.seconds.items())
            print(f"{name}: {done.n_graded:,} samples, {len(done.changes):,} changed, in {took:.1f} s ({parts})", flush=True)
        print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        started = time.monotonic()
        run = read_run(path)
        print(f"the whole run read for a report: {time.monotonic() - started:.1f} s, {len(run.records):,} records")


if __name__ == "__main__":
    main()
