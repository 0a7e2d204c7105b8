"""Everything that a run loads before its engine: the tokenizer, the questions, and the prompt ids of each question."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from raml_eval import prompts
from raml_eval.checkpoint import Checkpoint, find_checkpoint
from raml_eval.config import RunConfig
from raml_eval.errors import ConfigError, TaskError
from raml_eval.grading import KINDS
from raml_eval.manifest import build_protocol
from raml_eval.plan import Plan, select_questions
from raml_eval.progress import Stopwatch
from raml_eval.protocols import ChatTokenizer
from raml_eval.tasks.catalogue import Catalogue
from raml_eval.tasks.load import load_task
from raml_eval.thinking import ThinkingPolicy
from raml_eval.thinking_formats import ThinkingFormat, format_by_name
from raml_eval.types import Budget, LoadedTask, Prompts, Question, QuestionKey, TokenIds


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint's tokenizer, and what the harness must know about its tokens."""

    checkpoint: Checkpoint
    tokenizer: ChatTokenizer
    format: ThinkingFormat
    end_of_text_ids: TokenIds
    system_prompt: str | None

    def render(self, question: Question, budgets: Sequence[Budget]) -> Prompts:
        """The question's prompt ids, with thinking and without, if a budget needs them."""
        on, off = any(b != "off" for b in budgets), "off" in budgets

        def ids(thinking: bool) -> TokenIds:
            return prompts.render_prompt(self.tokenizer, self.format, question.messages, thinking, self.system_prompt)

        return Prompts(ids(True) if on else None, ids(False) if off else None)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The questions that a run draws samples for, and the model that renders them.

    questions holds the planned questions by (task, id), in the order of the tasks. protocol holds everything that must match
    for a resume, except the engine, which is not open yet.
    """

    model: Model
    tasks: Mapping[str, LoadedTask]
    questions: Mapping[QuestionKey, Question]
    prompts: Mapping[QuestionKey, Prompts]
    protocol: Mapping[str, Any]


def load_inputs(config: RunConfig, catalogue: Catalogue, plan: Plan, watch: Stopwatch) -> Inputs:
    """The model's tokenizer, and every planned question as prompt ids. A note on stderr names each changed stop string.

    Raises ModelError if the checkpoint cannot be used, TaskError if a task or its data cannot be used.
    """
    with watch("tokenizer"):
        model = load_model(config)
        digest = model.checkpoint.digest()
    with watch("data"):
        tasks = {name: load_task(catalogue, name) for name in plan.tasks}
        questions = choose_questions(tasks, plan.limit, model)
        check_golds(questions)
        for note in stop_notes(tasks, questions):
            print(f"note: {note}", file=sys.stderr)
        rendered = {key: model.render(question, plan.budgets) for key, question in questions.items()}
    protocol = build_protocol(
        config,
        tasks,
        checkpoint_digest=digest,
        template_digest=prompts.chat_template_digest(model.tokenizer),
        thinking_format=model.format,
        end_of_text_ids=model.end_of_text_ids,
    )
    return Inputs(model, tasks, questions, rendered, protocol)


def load_model(config: RunConfig) -> Model:
    """The tokenizer, its thinking format and its end-of-text ids. Raises ModelError if the checkpoint cannot be used."""
    checkpoint = find_checkpoint(config.model, config.revision)
    tokenizer = prompts.load_tokenizer(checkpoint)
    named = config.thinking.format
    return Model(
        checkpoint=checkpoint,
        tokenizer=tokenizer,
        format=format_by_name(named) if named else prompts.detect_format(tokenizer, checkpoint.source),
        end_of_text_ids=prompts.end_of_text_ids(tokenizer, checkpoint),
        system_prompt=config.system_prompt,
    )


def choose_questions(tasks: Mapping[str, LoadedTask], limit: int | None, model: Model) -> dict[QuestionKey, Question]:
    """The questions that the run asks, by task and id, in the order of the tasks.

    Under a chat template, a task's stop strings that consist only of line breaks are dropped. They end a completion of plain
    text, and would end a chat's answer after its first paragraph.
    """
    chosen: dict[QuestionKey, Question] = {}
    for name, task in tasks.items():
        for question in select_questions(task.questions, limit):
            stop = tuple(word for word in question.stop if word.strip("\r\n") or not model.tokenizer.chat_template)
            chosen[name, question.id] = replace(question, stop=stop) if stop != question.stop else question
    return chosen


def check_golds(questions: Mapping[QuestionKey, Question]) -> None:
    """Raises TaskError, naming the question, if no answer could ever match a gold under the question's kind of grading."""
    for (task, question_id), question in questions.items():
        try:
            KINDS[question.grader].check_gold(question.gold, question.options)
        except TaskError as error:
            raise TaskError(f"task {task}, question {question_id}: {error}") from None


def stop_notes(tasks: Mapping[str, LoadedTask], questions: Mapping[QuestionKey, Question]) -> list[str]:
    """A line for the user about each task whose stop strings were changed."""
    kept = {task: question.stop for (task, _), question in questions.items()}
    return [
        f"{name}: stop strings {sorted(set(task.questions[0].stop) - set(kept[name]))!r} are dropped under a chat template"
        for name, task in tasks.items()
        if task.questions and name in kept and task.questions[0].stop != kept[name]
    ]


def build_policy(config: RunConfig, model: Model, context: int) -> ThinkingPolicy:
    """The run's thinking policy in this model's token ids. context is the engine's longest sequence in tokens."""
    return ThinkingPolicy(
        closer=model.format.closer,
        closer_ids=prompts.closer_ids(model.tokenizer, model.format),
        closing_ids=prompts.closing_ids(model.tokenizer, model.format, config.thinking.closing_text),
        end_of_text_ids=model.end_of_text_ids,
        answer_tokens=config.answer_tokens,
        max_total_tokens=config.max_total_tokens,
        context=context,
    )


def check_budgets(policy: ThinkingPolicy, budgets: Sequence[Budget], rendered: Mapping[QuestionKey, Prompts]) -> None:
    """Raises ConfigError, naming the question with the longest prompt, if a prompt and a budget do not fit into the context."""
    opened = {key: len(ids) for key, prompt in rendered.items() if (ids := prompt.thinking) is not None}
    skipped = {key: len(ids) for key, prompt in rendered.items() if (ids := prompt.off) is not None}
    for budget in budgets:
        lengths = skipped if budget == "off" else opened
        if not lengths:
            continue
        (task, question_id), longest = max(lengths.items(), key=lambda item: item[1])
        try:
            if budget == "off":
                policy.check_answer_only(longest)
            else:
                policy.thinking_limit(budget, longest)
        except ConfigError as error:
            raise ConfigError(f"{task}/{question_id}: {error}") from None
