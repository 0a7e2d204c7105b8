"""Checks golds against their graders: a gold that no answer can match would make every sample of its question incorrect.

Each gold is graded as an answer. It must be read back from a completion that gives it, and it must count as right. Two
questions with one prompt must not have different golds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from raml_eval.errors import TaskError
from raml_eval.grading.kinds import KINDS, extract_answer
from raml_eval.tasks.catalogue import Catalogue, load_catalogue
from raml_eval.tasks.check import Problem, find_task_files
from raml_eval.tasks.load import load_task
from raml_eval.tasks.task_file import foreign_functions, has_local_rows
from raml_eval.types import Question

MOST_SHOWN = 5  # bad golds of one task that are listed
_SHOWN = 80  # characters
# By these rules the text itself says that something in it is the answer. A gold of which they read a part is a worked solution.
_MARKED = ("boxed", "bare box", "box without its brace", "answer tag", "answer field", "JSON", "answer phrase", "after ####")


class BadGold(NamedTuple):
    """A question whose gold no answer, or not the right one, would match, and the reason."""

    question: Question
    reason: str

    def __str__(self) -> str:
        return f"task {self.question.task}, question {self.question.id}: {self.reason}"


def check_golds(questions: Iterable[Question]) -> None:
    """Raises TaskError, naming the first question, if no answer or not the right one could match the gold of any question."""
    questions = list(questions)
    bad = list(find_bad_golds(questions))
    if bad:
        asked = sum(question.task == bad[0].question.task for question in questions)
        same = sum(one.question.task == bad[0].question.task for one in bad)
        raise TaskError(f"{bad[0]}" + (f" So it is for {same} of the task's {asked} golds." if same > 1 else ""))


def find_bad_golds(questions: Iterable[Question]) -> Iterator[BadGold]:
    """The questions whose golds cannot be graded, in order. No process is started, so formulas are compared by spelling."""
    first: dict[tuple[str, str], Question] = {}
    for question in questions:
        other = first.setdefault((question.task, question.asked), question) if question.messages else question
        reason = _problem_of(question) or (_contradiction(other, question) if other is not question else "")
        if reason:
            yield BadGold(question, reason)


def _contradiction(first: Question, again: Question) -> str:
    """Why two questions with one prompt cannot both be graded; empty if they can. A verifier may accept several answers."""
    kind = KINDS[again.grader]
    if kind.needs_sandbox or first.gold == again.gold:
        return ""
    found = (
        None
        if kind.write_gold is None
        else extract_answer(kind.write_gold(again.gold, again.options), again.grader, again.options)
    )
    answer = again.gold if found is None else found.answer
    decision = None if answer is None else kind.compare(first.gold, answer, first.options)
    if decision is None or decision.equal:
        return ""
    return (
        f"it asks the same as question {first.id}, whose gold is {first.gold[:_SHOWN]!r} and not {again.gold[:_SHOWN]!r}, so "
        "one of them marks right answers wrong. Correct the rows, or leave them out in process_docs."
    )


def _problem_of(question: Question) -> str:
    """Why the gold cannot be graded, as sentences that say what to do; empty if it can be."""
    kind, gold, options = KINDS[question.grader], question.gold, question.options
    try:
        kind.check_gold(gold, options)
        if kind.write_gold is None:
            return ""
        written = kind.write_gold(gold, options)
        found = extract_answer(written, question.grader, options)
        if found.answer is None:
            return (
                f"the gold {gold[:_SHOWN]!r} cannot be read back from {written[:_SHOWN]!r}, so no answer can match it. "
                "Correct the row, or leave it out in process_docs."
            )
        decision = kind.compare(gold, found.answer, options)
        if decision is not None and not decision.equal:
            return (
                f"the gold {gold[:_SHOWN]!r} is read back as {found.answer[:_SHOWN]!r}, which the grader {question.grader} "
                "takes for another answer. Correct the row or doc_to_target, or name another grader."
            )
        return _problem_of_text(question) if kind.gold_is_text else ""
    except TaskError as error:
        return str(error)


def _problem_of_text(question: Question) -> str:
    """Why the gold is a solution rather than its result: the text itself marks a part of it as the answer."""
    gold, kind = question.gold, KINDS[question.grader]
    if question.grader not in ("math", "exact"):
        return ""
    found = extract_answer(gold, question.grader)
    if found.answer is None or not found.rule.startswith(_MARKED):
        return ""
    decision = kind.compare(gold, found.answer, ())
    if decision is not None and decision.equal:
        return ""
    return (
        f"the gold {gold[:_SHOWN]!r} is a text that gives {found.answer[:_SHOWN]!r} as its answer (read as {found.rule}), and "
        "that answer would not match the whole text. Let doc_to_target give the answer alone."
    )


class CheckedTask(NamedTuple):
    """A task whose rows were loaded: the number of its questions, and what is wrong with them.

    untrusted: its rows were not loaded, because that would run Python which nobody has trusted.
    """

    name: str
    n_questions: int
    problems: tuple[Problem, ...]
    untrusted: bool = False


def check_rows(
    paths: Sequence[Path],
    hub: bool,
    data_dir: Path | None = None,
    without: Collection[Path] = (),
    trust_tasks: bool = False,
) -> Iterator[CheckedTask]:
    """Each task of these YAML files with its rows loaded and its golds graded.

    Files that the catalogue cannot use are left out, and those in without, whose faults are known.
    Without hub, only tasks whose rows lie beside their YAML are loaded. Python of the tasks' own is run with trust_tasks only.
    """
    catalogue = load_catalogue(paths, data_dir, trust_tasks)
    wanted = {path.expanduser().resolve() for path in find_task_files(paths)}
    for name, file in catalogue.files.items():
        if file.path in wanted and file.path not in without and (hub or has_local_rows(file)):
            untrusted = name in catalogue.untrusted and bool(foreign_functions(file))
            yield CheckedTask(name, 0, (), untrusted) if untrusted else _check_task(catalogue, name, file.path)


def _check_task(catalogue: Catalogue, name: str, path: Path) -> CheckedTask:
    try:
        questions = load_task(catalogue, name).questions
    except TaskError as error:
        return CheckedTask(name, 0, (Problem(path, str(error)),))
    bad = list(find_bad_golds(questions))
    problems = [Problem(path, f"question {question.id}: {reason}") for question, reason in bad[:MOST_SHOWN]]
    if len(bad) > MOST_SHOWN:
        problems.append(Problem(path, f"{len(bad) - MOST_SHOWN} more of the {len(questions)} golds cannot be graded."))
    return CheckedTask(name, len(questions), tuple(problems))
