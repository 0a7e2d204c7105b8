"""What a run would make of a task: rendered prompts with their length, the gold, and how an answer that gives it is graded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from raml_eval.budgets import prompt_of
from raml_eval.config import RunConfig
from raml_eval.golds import find_bad_golds
from raml_eval.grading import KINDS, grade
from raml_eval.inputs import choose_questions, load_model, with_overrides
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.load import load_task
from raml_eval.types import Question
from raml_eval.wording import count_noun

_LONGEST = 2000  # characters of a gold


def preview_task(
    name: str, limit: int, model: str, task_path: tuple[Path, ...], data_dir: Path | None, trust_tasks: bool = False
) -> Iterator[str]:
    """The lines that `raml-eval tasks preview` prints about the first questions that --limit would take.

    Raises TaskError or ModelError as a run of this task with this model would.
    """
    loaded = load_model(RunConfig(model=model, tasks=(name,)))
    catalogue = load_catalogue(task_path, data_dir, trust_tasks)
    for task_name in catalogue.expand([name]):
        task = load_task(catalogue, task_name)
        questions = choose_questions({task_name: task}, limit, loaded)
        count = count_noun(len(task.questions), "question")
        yield f"{task_name}: {count}, grader {task.description.grader}, {task.description.dataset}"
        yield from (f"note: {note}" for note in with_overrides(task, questions).description.overrides)
        (budget,) = loaded.choose_budgets(("unlimited",))
        for question in questions.values():
            ids = loaded.render(question, [budget])[prompt_of(budget)]
            yield ""
            yield f"--- question {question.id}, prompt of {count_noun(len(ids), 'token')}"
            yield loaded.tokenizer.decode(ids, skip_special_tokens=False) + "▮"
            yield from _gold_lines(question)
        bad = list(find_bad_golds(task.questions))
        yield ""
        good = len(task.questions) - len(bad)
        made = KINDS[task.description.grader].write_gold is not None
        can = "golds can be graded" if made else "golds can be read by their grader"
        yield f"{good} of {len(task.questions)} {can}" + ("" if not bad else f"; the first that cannot: {bad[0]}")


def _gold_lines(question: Question) -> Iterator[str]:
    """The gold of a question and the verdict on an answer that gives it."""
    yield f"gold      {question.target[:_LONGEST]}"
    if question.options:
        yield f"options   {' | '.join(question.options)}"
    write_gold = KINDS[question.grader].write_gold
    if write_gold is None:
        yield f"answer    (an answer for the grader {question.grader} cannot be made from the gold)"
        return
    answer = write_gold(question.gold, question.options)
    verdict = grade(question.gold, answer, question.grader, question.options)
    yield f"answer    {answer[:_LONGEST]}"
    yield f"verdict   {verdict.status}: read {verdict.answer!r} by {verdict.rule}; decided by {verdict.detail}"
