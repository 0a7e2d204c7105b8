"""What stock lm-eval calls for the score of an answer to one of our tasks: the same grader, so the same score.

Each name is a process_results of lm-eval, for the YAML files of tasks. What a sample without an answer scores is 0 there, as
for every harness that has one number only; the statuses are raml_eval's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.grading import grade
from raml_eval.tasks import code as programs
from raml_eval.tasks import docs, instruction_rows, math_rows
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.check import Problem, find_task_files
from raml_eval.tasks.rules import raml_of
from raml_eval.tasks.task_file import TaskFile
from raml_eval.types import GraderKind

Doc = Mapping[str, Any]
METRIC = "exact_match"
MODULE = __name__


def _target(doc: Doc) -> str:
    return str(doc["target"] if "target" in doc else doc["answer"])


def _no_options(doc: Doc) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Scorer:
    """A process_results of lm-eval that grades the first response by the kind: 1 for a correct answer, 0 for everything else.

    gold gives what the grader compares with, by default the column target, or else answer; options those of a choice or the
    labels.
    """

    kind: GraderKind
    gold: Callable[[Doc], str] = _target
    options: Callable[[Doc], Sequence[str]] = _no_options

    def __call__(self, doc: Doc, results: Sequence[str]) -> dict[str, float]:
        return {METRIC: float(grade(self.gold(doc), results[0], self.kind, self.options(doc)).correct)}


def check_scorers(paths: Sequence[Path]) -> list[Problem]:
    """The tasks of these YAML files that name a scorer of another kind than their grader, or with other labels.

    Stock lm-eval would then give them other scores than a run. No row is loaded.
    """
    catalogue = load_catalogue(paths)
    wanted = {path.expanduser().resolve() for path in find_task_files(paths)}
    problems = []
    for name, file in catalogue.files.items():
        module, _, function = str(file.config.get("process_results", "")).rpartition(".")
        scorer = globals().get(function) if module == MODULE and file.path in wanted else None
        if isinstance(scorer, Scorer) and (reason := _mismatch(scorer, file, catalogue.tasks[name].grader)):
            problems.append(Problem(file.path, f"process_results is {module}.{function}, which {reason}; make them agree."))
    return problems


def _mismatch(scorer: Scorer, file: TaskFile, grader: str) -> str:
    if scorer.kind != grader:
        return f"grades as {scorer.kind}, but metadata.raml.grader is {grader}"
    options = raml_of(file.config).get("options")
    if grader != "label" or not isinstance(options, list):
        return ""
    labels = {label.lower() for label in scorer.options({})}
    other = {str(option).lower() for option in options}
    return "" if labels == other else f"knows the labels {', '.join(sorted(labels))}, and the options are {', '.join(options)}"


math = Scorer("math")
exact = Scorer("exact")
bracket = Scorer("bracket")
grid = Scorer("grid")
choice = Scorer("choice", options=lambda doc: [str(option) for option in doc["options"]])
olympiadbench = Scorer("math", math_rows.olympiadbench_answer)
unboxed = Scorer("math", math_rows.unboxed_answer)
imo_answerbench = Scorer("math", lambda doc: str(doc["Short Answer"]))
gsm8k = Scorer("math", docs.gsm8k_answer)
pocket_logic = Scorer("choice", options=lambda doc: ("T", "F"))
humaneval = Scorer("code", programs.humaneval_tests)
mbpp = Scorer("code", programs.mbpp_tests)
mbpp_plus = Scorer("code", programs.mbpp_plus_tests)
livecodebench = Scorer("code", programs.livecodebench_tests)
ifeval = Scorer("task_rule", lambda doc: json.dumps(instruction_rows.ifeval_tests(doc)))
ifbench = Scorer("task_rule", lambda doc: json.dumps(instruction_rows.ifbench_tests(doc)))


def label(*labels: str) -> Scorer:
    """A process_results for answers that are one of these labels."""
    return Scorer("label", options=lambda doc: labels)


yes_no = label("yes", "no")
true_false_uncertain = label("true", "false", "uncertain")
true_false = label("True", "False")
valid_invalid = label("valid", "invalid")
supergpqa = Scorer(
    "choice", lambda doc: str(doc["answer_letter"]), options=lambda doc: [str(option) for option in doc["options"]]
)
code = Scorer("code", lambda doc: json.dumps(doc["tests"]) if isinstance(doc["tests"], Mapping) else str(doc["tests"]))
