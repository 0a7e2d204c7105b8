"""Shows whether a change of the graders alters a verdict: stores every verdict on many texts, and compares them later.

    python benchmarks/verdicts.py store before.jsonl.gz                # in the old state
    python benchmarks/verdicts.py compare before.jsonl.gz              # in the new state: lists what differs

The texts are every string of the case tables and of the grading tests, read by every kind of grading; the styles that the
tests generate from templates; the written tables of pairs and outputs; and the stored answers of run directories (--run).
The comparison takes its texts from the stored file, so it also works if the tables have changed since. --only KIND
restricts both to one kind, --sample N to every N-th text. The exit code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
sys.path.insert(0, str(ROOT))

# The options and golds for texts that have none of their own.
TOWNS, TRUTH = ["Paris", "London", "Rome", "New York"], ["True", "False", "Uncertain"]
WIDE = {"math": ("12", []), "choice": ("C", TOWNS), "exact": ("12", []), "label": ("True", TRUTH), "bracket": ("[[12]]", [])}
Row = dict[str, Any]


def row(kind: str, gold: str, text: str, options: Any = ()) -> Row:
    return {"kind": kind, "gold": gold, "text": text, "options": list(options)}


def strings_of_tests() -> Iterator[Row]:
    """Every string of the case tables and of the grading tests, under every kind that reads texts."""
    files = [*sorted(TESTS.glob("test_grading_*.py")), *sorted((TESTS / "cases").glob("*.py"))]
    texts = {
        node.value
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and 1 < len(node.value) < 20_000
    }
    for text in sorted(texts):
        for kind, (gold, options) in WIDE.items():
            yield row(kind, gold, text, options)


def tables() -> Iterator[Row]:
    """The tables that have their own golds or options."""
    from tests.cases import bracket, choice, exact, grid, label
    from tests.cases.realistic import read_cases

    for options, text, letter in itertools.chain.from_iterable(choice.ALL.values()):
        yield row("choice", letter if letter in "ABCDEFGHIJKLMNOP"[: len(options)] and letter else "A", text, options)
    for options, text, wanted in itertools.chain.from_iterable(label.ALL.values()):
        yield row("label", wanted or options[0], text, options)
    for text, _ in bracket.EXTRACTED:
        yield row("bracket", "[[A]]", text)
    for gold, answer, _ in (*bracket.EQUAL, *bracket.SYMBOLIC):
        yield row("bracket", gold, f"[[{answer}]]")
    for gold, text, _ in exact.GRADES:
        yield row("exact", gold, text)
    for text, _ in grid.ANSWERS:
        yield row("grid", grid.GOLD, text)
    for kind, options, text, expected in read_cases():
        fallback = {"choice": "A", "label": options[0] if options else "", "bracket": "[[A]]"}.get(kind, "12")
        yield row(kind, expected or fallback, text, options)
    for name in ("math_equal", "math_unequal"):
        for line in (TESTS / "cases" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
            gold, separator, answer = line.partition(" |")
            if separator and not line.startswith("#"):
                yield row("pair", gold.strip(), answer.strip())
    for line in (TESTS / "cases" / "math_pairs.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        yield row("pair", case["gold"], case["answer"])
        yield row("math", case["gold"], f"Therefore the answer is $\\boxed{{{case['answer']}}}$.")
    for name, kind in (("math_outputs", "math"), ("choice_outputs", "choice")):
        for line in (TESTS / "cases" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            yield row(kind, case["gold"], case["completion"], case.get("options", ()))


def styles() -> Iterator[Row]:
    """Templates of choice and label, filled for a few options, before and after other remarks."""
    from tests.cases import choice, label

    for options in (choice.TOWNS, choice.TEN, tuple(f"item number {n}" for n in range(16))):
        listed = " ".join(f"({'ABCDEFGHIJKLMNOP'[n]}) {text}" for n, text in enumerate(options))
        for place in range(0, len(options), 1 if len(options) == 4 else 3):
            other = (7 * place + 3) % len(options)
            other = other if other != place else (place + 1) % len(options)
            letters = "ABCDEFGHIJKLMNOP"
            words = {"x": letters[place], "t": options[place], "o": letters[other], "u": options[other], "options": listed}
            for before, style, after in itertools.product(choice.BEFORE, choice.STYLES, choice.AFTER):
                yield row("choice", letters[place], f"{before}{style}{after}".format(**words), options)
    for options in label.SETS:
        for place, right in enumerate(options):
            words = {"x": right, "o": options[place - 1], "options": ", ".join(options)}
            for before, style in itertools.product(label.BEFORE, label.STYLES):
                yield row("label", right, f"{before}{style}".format(**words), options)


def cut_off(rows: Iterator[Row]) -> Iterator[Row]:
    """The same texts as answers that ran out of tokens."""
    for entry in rows:
        if entry["kind"] != "pair":
            yield entry | {"finish": "length"}


def stored_answers(folders: list[Path]) -> Iterator[Row]:
    """The answers of run directories, as they were graded: finished or cut off."""
    from raml_eval.tables import load_run

    for folder in folders:
        run = load_run(folder)
        for record in run.records:
            question = run.questions[record.key.task, record.key.question_id]
            finish = record.answer_finish.value if record.answer_finish else None
            yield row(question.grader, question.gold, record.answer, question.options) | {"finish": finish}


class Grader:
    """Grades rows with the raml_eval that is installed or beside this file."""

    def __init__(self) -> None:
        from raml_eval.grading.pool import GradingPool

        self.pool = GradingPool(workers=1)

    def verdict(self, entry: Row) -> list[Any]:
        """[status, answer, rule, detail, score] of a row, or the error's name if the graders refuse it."""
        try:
            if entry["kind"] == "pair":
                from raml_eval.grading.math import equal_math

                return list(equal_math(entry["gold"], entry["text"]))
            if "finish" in entry:
                grade = self._grade_stored(entry)
            else:
                grade = self.pool.grade_blocking(entry["gold"], entry["text"], entry["kind"], entry["options"])
            return [grade.status.value, grade.answer, grade.rule, grade.detail, grade.score]
        except Exception as error:
            return [type(error).__name__]

    def _grade_stored(self, entry: Row) -> Any:
        import asyncio

        from raml_eval.types import Finish, Question

        finish = None if entry["finish"] is None else Finish(entry["finish"])
        question = Question("t", "q", "q", {}, (), entry["gold"], entry["kind"], options=tuple(entry["options"]))
        return asyncio.run(self.pool.grade_sample(question, entry["text"], finish))


def chosen(rows: Iterator[Row], only: str, every: int) -> Iterator[Row]:
    kept = (entry for entry in rows if not only or entry["kind"] in only.split(","))
    return itertools.islice(kept, 0, None, every)


def store(path: Path, runs: list[Path], only: str, every: int) -> None:
    grader, seen, n = Grader(), set(), 0
    with gzip.open(path, "wt", encoding="utf-8") as file:
        whole = itertools.chain(tables(), strings_of_tests())
        cut = cut_off(itertools.chain(tables(), strings_of_tests()))
        for entry in chosen(itertools.chain(whole, cut, styles(), stored_answers(runs)), only, every):
            key = json.dumps(entry, sort_keys=True)
            if key not in seen:
                seen.add(key)
                n += 1
                file.write(json.dumps([entry, grader.verdict(entry)]) + "\n")
    print(f"{n} verdicts stored in {path}")


def compare(path: Path, only: str, every: int, most: int) -> int:
    grader, n, differ = Grader(), 0, 0
    with gzip.open(path, "rt", encoding="utf-8") as file:
        stored = (json.loads(line) for line in file)
        kept = (pair for pair in stored if not only or pair[0]["kind"] in only.split(","))
        for entry, before in itertools.islice(kept, 0, None, every):
            n += 1
            now = grader.verdict(entry)
            if now != before:
                differ += 1
                if differ <= most:
                    print(json.dumps({**entry, "before": before, "now": now}, ensure_ascii=False))
    print(f"{differ} of {n} verdicts differ")
    return 1 if differ else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("store", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--run", type=Path, action="append", default=[], help="a run directory whose answers are graded too")
    parser.add_argument("--only", default="", help="kinds, joined by commas; 'pair' is a bare gold and answer of math")
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="every N-th text only")
    parser.add_argument("--show", type=int, default=200, help="differences that are printed")
    given = parser.parse_args()
    started = time.monotonic()
    if given.action == "store":
        store(given.file, given.run, given.only, given.sample)
        code = 0
    else:
        code = compare(given.file, given.only, given.sample, given.show)
    print(f"{time.monotonic() - started:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
