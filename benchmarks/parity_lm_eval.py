"""Compares the rule lm_eval with lm-eval itself: 500 completions for each of eight of its tasks, sample by sample.

    HF_ENDPOINT=http://127.0.0.1:PORT python benchmarks/parity_lm_eval.py

lm-eval builds each task on its data set and scores with its own filters and process_results; the rule scores with a task that
it builds from the stored row alone. Every (filter, metric) value must be equal. The completions are made by rule: right and
wrong answers in many formats, cut texts, empty texts. Needs the extras math and ifeval of lm-eval; a task that cannot be built
is named and left out. About five minutes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from raml_eval.sandbox.rules import lm_eval as rule
from raml_eval.tasks.download import quiet_libraries
from raml_eval.tasks.upstream import read_task, resolve_functions

TASKS = (
    "gsm8k_cot",
    "gsm8k_cot_zeroshot",
    "aime24",
    "minerva_math500",
    "gpqa_diamond_cot_zeroshot",
    "mmlu_pro_math",
    "bbh_cot_zeroshot_boolean_expressions",
    "ifeval",
)
FORMS = (
    "The answer is {right}.",
    "The answer is {right}",
    "Let us see. The answer is ({right}).",
    "The answer is {wrong}.",
    "Let us think step by step. 3 + 4 = 7, so\n\\boxed{{{right}}}",
    "\\boxed{{{wrong}}}",
    "\\boxed{{{wrong}}}, no, \\boxed{{{right}}}",
    "Final Answer: The final answer is ${right}$. I hope it is correct.",
    "Final Answer: The final answer is ${wrong}$. I hope it is correct.",
    "**Answer:** {right}",
    "#### {right}",
    "{right}",
    "{wrong}",
    "",
    "   \n",
    "The answ",
    "The answer is",
    "We find \\boxed{{{right}",
    "the final answer is $\\boxed{{{right}}}$",
    "Either {right} or {wrong}.",
    "The answer is {right}.\n\nQ: What is next?\nA: The answer is {wrong}.",
    "<answer>{right}</answer>",
    "The Answer Is {right}.",
    "$ {right} $",
    "answer is {wrong}. I mean answer is {right}",
)
TEXTS = (
    "a plain answer without commas or capitals",
    "AN ANSWER IN CAPITALS, WITH A COMMA.",
    '"A quoted answer."',
    "<<A Title>>\n\n* one\n* two\n* three\n\nP.S. That is all.",
    '{"answer": 5}',
    "*first* and *second* and *third* are highlighted [name] [place]",
    "SECTION 1\nOne.\nSECTION 2\nTwo.\n***\nThree.\n\nFour.",
    "My answer is yes.",
    "",
    "word " * 320,
)


def build(name: str) -> Any:
    """lm-eval's task on its own data set. Synthetic rows of gpqa have numbers where the real ones have texts."""
    from datasets import load_dataset
    from lm_eval.tasks import TaskManager

    path = read_task(name).path
    member: dict[str, Any] = {"task": name}
    if name.startswith("gpqa"):
        rows = load_dataset("Idavidrein/gpqa", "gpqa_diamond", split="train").to_list()
        texts = [{column: str(value) for column, value in row.items()} for row in rows]
        member["custom_dataset"] = lambda **_: _as_splits(texts)
    with quiet_libraries():
        resolve_functions(dict(read_task(name).config))  # nothing of it downloads from now on
        manager = TaskManager(include_path=[path.parent], include_defaults=False)
        return manager.load([{"group": "_", "task": [member]}])["tasks"][name]


def _as_splits(rows: list[dict[str, Any]]) -> Any:
    from datasets import Dataset, DatasetDict

    return DatasetDict({"train": Dataset.from_list(rows)})


def completions(name: str, task: Any, docs: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    """Rows with completions for them, without end. A row's wrong answer is the right answer of another row."""
    golds = [str(task.doc_to_target(doc)).rpartition("####")[2].strip() for doc in docs]
    golds = [str(doc["answer"]) if name.startswith("minerva") else gold for doc, gold in zip(docs, golds, strict=True)]
    for step in itertools.count():
        for place, doc in enumerate(docs):
            wrong = next((gold for gold in golds[place:] + golds[:place] if gold != golds[place]), "?")
            if name == "ifeval":
                yield doc, TEXTS[(step + place) % len(TEXTS)]
            else:
                yield doc, FORMS[(step + place) % len(FORMS)].format(right=golds[place], wrong=wrong)


def reported_by_lm_eval(task: Any, doc: dict[str, Any], text: str) -> dict[tuple[str, str], Any]:
    """Every (filter, metric) -> value, as lm-eval's evaluator gets them for one response."""
    from lm_eval.api.instance import Instance

    rule.seed_graders()
    values = {}
    for pipeline in task._filters:
        instance = Instance("generate_until", doc, ("", {}), 0, (task.config.task, 0, 1), resps=[text])
        pipeline.apply([instance])
        for metric, value in task.process_results(doc, [instance.filtered_resps[pipeline.name]]).items():
            values[pipeline.name, metric] = value
    return values


def compare(name: str, n: int) -> tuple[int, int, int, int]:
    """How many of n completions of a task have equal values, how many were compared, are right, and had no verdict of lm-eval.

    Without the data that nltk would download, lm-eval has no verdict on some instructions of ifeval.
    """
    task = build(name)
    tests = read_task(name).config["metadata"]["raml"]["tests"]
    docs = [dict(doc) for doc in itertools.islice(task.eval_docs, 100)]
    n_equal = n_compared = n_right = n_without = 0
    for doc, text in completions(name, task, docs):
        if n_compared == n or n_without > 20 * n:
            break
        stored = json.loads(json.dumps(tests.read(task, doc)))
        try:
            theirs = reported_by_lm_eval(task, doc, text)
        except LookupError:
            n_without += 1
            continue
        share, _ = rule.score(stored, text)
        n_compared += 1
        n_right += share == 1
        equal = rule.evaluate(stored, text) == theirs and share == float(theirs[stored["filter"], stored["metric"]])
        n_equal += equal
        if not equal:
            print(f"{name}: {text!r}: {share} {rule.evaluate(stored, text)} {theirs}", file=sys.stderr)
    return n_equal, n_compared, n_right, n_without


def main() -> int:
    """The exit code: 0 if every value of every task is equal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--completions", type=int, default=500, help="for each task")
    parser.add_argument("--tasks", default=",".join(TASKS), help="some of the eight, by comma")
    arguments = parser.parse_args()
    n, names = arguments.completions, arguments.tasks.split(",")
    equal = compared = 0
    done = []
    for name in names:
        try:
            n_equal, n_compared, n_right, n_without = compare(name, n)
        except (ImportError, AssertionError) as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            continue
        equal, compared = equal + n_equal, compared + n_compared
        done.append(name)
        print(f"{name}: {n_equal} of {n_compared} equal, {n_right} right, {n_without} without a verdict of lm-eval")
    print(f"PARITY tasks={len(done)} completions={n} equal={equal}/{compared}")
    return 0 if equal == compared and done == names else 1


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    raise SystemExit(main())
