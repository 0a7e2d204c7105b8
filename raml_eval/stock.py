"""What stock lm-eval calls for the score of an answer to one of our tasks: the same grader, so the same score.

Each name is a process_results of lm-eval, for the YAML files of tasks. What a sample without an answer scores is 0 there, as
for every harness that has one number only; the statuses are raml_eval's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from raml_eval.grading import grade
from raml_eval.tasks import code as programs
from raml_eval.tasks import docs, instruction_rows, math_rows
from raml_eval.types import GraderKind

Doc = Mapping[str, Any]
Scorer = Callable[[Doc, Sequence[str]], dict[str, float]]
METRIC = "exact_match"


def _target(doc: Doc) -> str:
    return str(doc["target"] if "target" in doc else doc["answer"])


def _no_options(doc: Doc) -> Sequence[str]:
    return ()


def graded(
    kind: GraderKind, gold: Callable[[Doc], str] = _target, options: Callable[[Doc], Sequence[str]] = _no_options
) -> Scorer:
    """A process_results that grades the first response by the kind: 1 for a correct answer, 0 for everything else.

    gold gives what the grader compares with, by default the column target, or else answer; options those of a choice.
    """

    def process_results(doc: Doc, results: Sequence[str]) -> dict[str, float]:
        return {METRIC: float(grade(gold(doc), results[0], kind, options(doc)).correct)}

    return process_results


math = graded("math")
exact = graded("exact")
bracket = graded("bracket")
grid = graded("grid")
choice = graded("choice", options=lambda doc: [str(option) for option in doc["options"]])
olympiadbench = graded("math", math_rows.olympiadbench_answer)
unboxed = graded("math", math_rows.unboxed_answer)
imo_answerbench = graded("math", lambda doc: str(doc["Short Answer"]))
gsm8k = graded("math", docs.gsm8k_answer)
pocket_logic = graded("choice", options=lambda doc: ("T", "F"))
humaneval = graded("code", programs.humaneval_tests)
mbpp = graded("code", programs.mbpp_tests)
mbpp_plus = graded("code", programs.mbpp_plus_tests)
livecodebench = graded("code", programs.livecodebench_tests)
ifeval = graded("task_rule", lambda doc: json.dumps(instruction_rows.ifeval_tests(doc)))
ifbench = graded("task_rule", lambda doc: json.dumps(instruction_rows.ifbench_tests(doc)))


def label(*labels: str) -> Scorer:
    """A process_results for answers that are one of these labels."""
    return graded("label", options=lambda doc: labels)


yes_no = label("yes", "no")
true_false_uncertain = label("true", "false", "uncertain")
true_false = label("True", "False")
valid_invalid = label("valid", "invalid")
supergpqa = graded(
    "choice", lambda doc: str(doc["answer_letter"]), options=lambda doc: [str(option) for option in doc["options"]]
)
code = graded("code", lambda doc: json.dumps(doc["tests"]) if isinstance(doc["tests"], Mapping) else str(doc["tests"]))
